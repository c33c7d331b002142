import numpy as np
import pytest
import tiny

from edac_core.compress.movement import highest, prune_by_movement
from edac_core.compress.pruning import make_schedule, prunable_weights, prune
from edac_core.models.backend import keras, tf
from edac_core.models.examples import Examples
from edac_core.models.training import Trainer, seed_everything

RATE, MOMENTUM, L2 = 0.5, 0.9, 1e-2
INPUTS, HIDDEN = 12, 8


def network():
    layers, l2 = keras.layers, keras.regularizers.L2
    return keras.Sequential(
        [
            keras.Input((INPUTS,)),
            layers.Dense(HIDDEN, activation="sigmoid", kernel_regularizer=l2(L2)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def examples():
    rng = np.random.default_rng(6)
    features = rng.normal(size=(40, INPUTS)).astype(np.float32)
    return Examples(features, (features[:, :4].sum(axis=1) > 0).astype(np.int64))


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def gradients_of(weights, data):
    """Of the mean binary cross-entropy, for two sigmoid layers, by hand."""
    kernel1, bias1, kernel2, bias2 = weights
    hidden = sigmoid(data.features @ kernel1 + bias1)
    error = (sigmoid(hidden @ kernel2 + bias2) - data.labels[:, None]) / len(data.labels)
    back = error @ kernel2.T * hidden * (1 - hidden)
    return [data.features.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)]


def kept_by_sorting(scores, weights, sparsity):
    order = np.lexsort((np.abs(weights).ravel(), scores.ravel()))
    kept = np.zeros(scores.size, bool)
    kept[order[scores.size - int(np.rint(scores.size * (1 - sparsity))) :]] = True
    return kept.reshape(scores.shape)


def second_implementation(weights, data, schedule, *, steps):
    """Movement pruning of the kernels by SGD with momentum, in plain NumPy and float64."""
    weights = [weight.astype(np.float64) for weight in weights]
    scores, velocities = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
    masks = [np.ones(weight.shape, bool) for weight in weights]
    returned = 0
    for step in range(1, steps + 1):
        due, sparsity = schedule(tf.constant(step, tf.int64))
        for index in (0, 2) if due else ():
            before = masks[index]
            masks[index] = kept_by_sorting(scores[index], weights[index], float(sparsity))
            returned += np.count_nonzero(masks[index] & ~before)
        masked = [weight * mask for weight, mask in zip(weights, masks, strict=True)]
        for index, gradient in enumerate(gradients_of(masked, data)):
            scores[index] -= gradient * weights[index]
            penalty = 2 * L2 * masked[index] if index == 0 else 0
            total = gradient * masks[index] + penalty
            velocities[index] = MOMENTUM * velocities[index] - RATE * total
            weights[index] += velocities[index] * masks[index]
    return [weight * mask for weight, mask in zip(weights, masks, strict=True)], masks, returned


@pytest.mark.parametrize(("name", "frequency"), [("constant", 1), ("polynomial", 3)])
def test_masks_and_weights_equal_those_of_a_second_implementation(name, frequency):
    seed_everything(4)
    model, data, steps = network(), examples(), 30
    before = model.get_weights()
    spec = tiny.spec(optimizer=lambda: keras.optimizers.SGD(RATE, momentum=MOMENTUM))
    schedule = make_schedule(name, 0.7, steps=steps, frequency=frequency)
    trainer = Trainer(model, spec, data, batch_size=len(data.labels), seed=0)
    prune_by_movement(trainer, schedule, epochs=steps)
    expected, masks, returned = second_implementation(before, data, schedule, steps=steps)
    assert returned
    for weight, reference in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(weight, reference, atol=1e-5)
    for weight, mask in zip(prunable_weights(model), masks[::2], strict=True):
        np.testing.assert_array_equal(weight.numpy() != 0, mask)


@pytest.mark.parametrize("name", ["constant", "polynomial"])
def test_keeps_as_many_weights_as_magnitude_pruning_does(name):
    counts = []
    for method in (prune, prune_by_movement):
        seed_everything(9)
        trainer = Trainer(tiny.network(), tiny.spec(), tiny.examples(), batch_size=32, seed=1)
        schedule = make_schedule(name, 0.83, steps=6, frequency=2)
        history = method(trainer, schedule, epochs=2)
        assert [epoch.number for epoch in history] == [1, 2]
        weights = prunable_weights(trainer.model)
        counts.append([np.count_nonzero(weight.numpy()) for weight in weights])
    assert counts[0] == counts[1]


def test_layers_that_are_never_pruned_are_left_alone():
    spec = tiny.spec(never_pruned=("dense_out",))
    model = keras.Sequential(
        [
            keras.Input(tiny.SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(4, name="dense_in"),
            keras.layers.Dense(1, activation="sigmoid", name="dense_out"),
        ]
    )
    reported = []
    trainer = Trainer(model, spec, tiny.examples(), batch_size=32, seed=1)
    schedule = make_schedule("constant", 0.75, steps=3)
    history = prune_by_movement(trainer, schedule, epochs=1, on_epoch=reported.append)
    assert tuple(reported) == history
    first, second = prunable_weights(model)
    assert np.count_nonzero(first.numpy()) == first.shape.num_elements() // 4
    assert np.count_nonzero(second.numpy()) == 4


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.95, 0.999])
@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_the_highest_are_those_that_sorting_finds(levels, sparsity):
    rng = np.random.default_rng(levels)
    scores = rng.integers(0, levels, (20, 15)).astype(np.float32)
    weights = rng.normal(size=scores.shape).astype(np.float32)
    kept = highest(scores, weights, sparsity)
    expected = kept_by_sorting(scores, weights, sparsity)
    if sparsity == 0.999:
        assert np.count_nonzero(kept) == 1
    else:
        np.testing.assert_array_equal(kept, expected)
    assert scores[kept].min() >= scores[~kept].max(initial=0)


def test_equal_weights_of_equal_scores_are_kept_by_number():
    same = np.ones((10, 10), np.float32)
    assert np.count_nonzero(highest(same, same, 0.37)) == 63
