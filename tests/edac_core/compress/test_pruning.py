import numpy as np
import pytest
import tensorflow_model_optimization as tfmot
import tiny
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl

from edac_core.compress import pruning
from edac_core.compress.pruning import (
    BLOCK_SIZE,
    Pruner,
    block_magnitudes,
    count_of,
    magnitude_mask,
    make_schedule,
    nonzero_of,
    nth_smallest,
    prunable_weights,
    prune,
)
from edac_core.errors import PlanError
from edac_core.models import get_model
from edac_core.models.backend import keras, tf
from edac_core.models.training import Trainer, seed_everything

SPARSITIES = (0.1, 0.3, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99, 0.999)


def tfmot_mask(weights, sparsity, block_size=(1, 1)):
    schedule = tfmot.sparsity.keras.ConstantSparsity(sparsity, 0, frequency=1)
    pruning = pruning_impl.Pruning(
        lambda: tf.constant(1, tf.int64), [], schedule, block_size, "AVG"
    )
    return pruning._maybe_update_block_mask(tf.constant(weights))[1].numpy().astype(bool)


@pytest.mark.parametrize("sparsity", SPARSITIES)
@pytest.mark.parametrize("shape", [(3, 3, 1, 64), (997, 13), (128, 1), (5,)])
def test_masks_equal_those_of_tfmot(shape, sparsity):
    weights = np.random.default_rng(4).normal(size=shape).astype(np.float32)
    mask = magnitude_mask(weights, sparsity)
    np.testing.assert_array_equal(mask, tfmot_mask(weights, sparsity))


@pytest.mark.parametrize("sparsity", [0.3, 0.5, 0.9])
def test_masks_equal_those_of_tfmot_with_ties(sparsity):
    weights = np.random.default_rng(4).integers(-3, 4, (40, 25)).astype(np.float32)
    mask = magnitude_mask(weights, sparsity)
    np.testing.assert_array_equal(mask, tfmot_mask(weights, sparsity))


MAGNITUDES = st.floats(0, 1e3, width=32) | st.sampled_from([0.0, 0.5, 1.0, np.float32(1.1)])


@given(st.lists(MAGNITUDES, min_size=1, max_size=40), st.data())
def test_whatever_is_guessed_the_nth_smallest_is_the_one_of_a_sort(listed, data):
    values = np.array(listed, np.float32)
    position = data.draw(st.integers(0, len(values) - 1))
    guess = data.draw(st.none() | MAGNITUDES | st.sampled_from(listed) | st.just(np.nan))
    near = None if guess is None else np.float32(guess)
    assert nth_smallest(values, position, near=near) == np.sort(values)[position]


def test_a_pruners_masks_are_those_of_a_fresh_one(monkeypatch):
    """What it remembers of the masks before makes them faster, and no others."""

    def masks():
        seed_everything(1)
        model = tiny.network()
        weights = prunable_weights(model)
        pruner = Pruner(weights, make_schedule("constant", 0.7, steps=10))
        rng, seen = np.random.default_rng(3), []
        for step in range(1, 6):
            for weight in weights:
                weight.assign_add(rng.normal(scale=0.01, size=weight.shape).astype(np.float32))
            pruner.before_step(step)
            seen += [weight.numpy() == 0 for weight in weights]
        return seen

    remembering = masks()
    plain = pruning.nth_smallest
    monkeypatch.setattr(
        pruning,
        "nth_smallest",
        lambda values, at, **guess: plain(values, at, **dict.fromkeys(guess)),
    )
    for one, other in zip(remembering, masks(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("sparsity", [0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("block_size", [BLOCK_SIZE, (1, 4), (4, 4)])
@pytest.mark.parametrize("shape", [(64, 20), (31, 11), (128, 8)])
def test_block_masks_equal_those_of_tfmot(shape, block_size, sparsity):
    weights = np.random.default_rng(4).normal(size=shape).astype(np.float32)
    mask = magnitude_mask(weights, sparsity, block_size=block_size)
    np.testing.assert_array_equal(mask, tfmot_mask(weights, sparsity, block_size))


@pytest.mark.parametrize("inputs", [9, 10])
def test_blocks_begin_at_the_first_input_where_tfmots_do_not(inputs):
    weights = np.random.default_rng(4).normal(size=(inputs, 3)).astype(np.float32)
    found = block_magnitudes(weights, BLOCK_SIZE)
    expected = [np.abs(weights[at : at + 4]).mean(axis=0) for at in range(0, inputs, 4)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_convolutions_are_masked_singly_where_tfmot_refuses():
    weights = np.random.default_rng(4).normal(size=(3, 3, 4, 8)).astype(np.float32)
    singly = magnitude_mask(weights, 0.8)
    np.testing.assert_array_equal(magnitude_mask(weights, 0.8, block_size=BLOCK_SIZE), singly)
    with pytest.raises(ValueError, match="2-dimensional"):
        pruning_impl.Pruning(None, [(tf.constant(weights), None, None)], None, BLOCK_SIZE, "AVG")


def test_fine_tuning_with_blocks_leaves_whole_blocks():
    data = tiny.examples()
    seed_everything(9)
    trainer = Trainer(tiny.network(), tiny.spec(), data, batch_size=32, seed=1)
    schedule = make_schedule("polynomial", 0.8, steps=5 * trainer.steps_per_epoch, frequency=5)
    prune(trainer, schedule, epochs=5, block_size=BLOCK_SIZE)
    kernels = [w.numpy() for w in prunable_weights(trainer.model) if w.shape.rank == 2]
    for kernel in kernels:
        blocks = (kernel != 0).reshape(-1, 4, kernel.shape[1]).sum(axis=1)
        assert set(np.unique(blocks)) <= {0, 4}
        assert (blocks > 0).sum() == max(np.rint(0.2 * blocks.size), 1)


def test_at_least_one_weight_is_kept():
    weights = np.array([3.0, -4.0, 1.0], np.float32)
    assert magnitude_mask(weights, 0.999).tolist() == [False, True, False]


def our_run(schedule_name, data, *, epochs, batch_size, frequency):
    seed_everything(9)
    model = tiny.network()
    trainer = Trainer(model, tiny.spec(), data, batch_size=batch_size, seed=1)
    steps = epochs * trainer.steps_per_epoch
    schedule = make_schedule(schedule_name, 0.8, steps=steps, frequency=frequency)
    prune(trainer, schedule, epochs=epochs)
    return model, schedule


def tfmot_run(schedule, data, *, epochs, batch_size):
    seed_everything(9)
    model = tiny.network()
    wrapped = tfmot.sparsity.keras.prune_low_magnitude(model, pruning_schedule=schedule)
    wrapped.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    order = np.random.default_rng(1)
    callbacks = [tfmot.sparsity.keras.UpdatePruningStep()]
    for _ in range(epochs):
        shuffled = order.permutation(len(data.labels))
        wrapped.fit(
            data.features[shuffled], data.labels[shuffled, None], batch_size=batch_size,
            shuffle=False, verbose=0, callbacks=callbacks,
        )  # fmt: skip
    return tfmot.sparsity.keras.strip_pruning(wrapped)


@pytest.mark.parametrize("schedule_name", ["constant", "polynomial"])
def test_a_whole_fine_tuning_equals_that_of_tfmot(schedule_name):
    data = tiny.examples()
    options = {"epochs": 5, "batch_size": 32}
    ours, schedule = our_run(schedule_name, data, frequency=4, **options)
    theirs = tfmot_run(schedule, data, **options)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(mine == 0, other == 0)
        np.testing.assert_allclose(mine, other, atol=2e-5)


@pytest.mark.parametrize("schedule_name", ["constant", "polynomial"])
@pytest.mark.parametrize("epochs", [4, 5])
def test_reaches_its_sparsity_whatever_the_number_of_steps(schedule_name, epochs):
    model, _ = our_run(schedule_name, tiny.examples(), epochs=epochs, batch_size=32, frequency=5)
    for weights in prunable_weights(model):
        size = weights.shape.num_elements()
        assert np.count_nonzero(weights.numpy()) == np.rint(size * 0.2)


def kept_weights(model, *, schedule):
    """Trainable weights that are left when a schedule has run its 585 steps."""
    due = [bool(schedule(tf.constant(step, tf.int64))[0]) for step in range(1, 586)]
    last = max(step for step, now in enumerate(due, start=1) if now)
    sparsity = float(schedule(tf.constant(last, tf.int64))[1])
    prunable = [weight.shape.num_elements() for weight in prunable_weights(model)]
    trainable = sum(weight.shape.num_elements() for weight in model.trainable_weights)
    # What `magnitude_mask` keeps of a tensor without ties.
    kept = [np.rint(np.float32(n) * (np.float32(1) - np.float32(sparsity))) for n in prunable]
    return last, sparsity, trainable - sum(prunable) + int(sum(kept))


@pytest.mark.parametrize(
    ("name", "left"), [("dense_a", 3_978_664), ("dense_b", 4_870_754), ("dense_c", 6_624_302)]
)
def test_squeezes_schedule_leaves_what_its_authors_report(name, left):
    schedule = make_schedule(
        "polynomial", 0.9, steps=585, initial_sparsity=0.5, end_on_update=False
    )
    last, sparsity, kept = kept_weights(get_model(name).build(), schedule=schedule)
    assert last == 500
    assert sparsity == pytest.approx(0.8988, abs=5e-5)
    assert abs(kept - left) <= 2


def test_layers_that_are_never_pruned_are_left_alone():
    model = tiny.network()
    first, second, third = prunable_weights(model)
    assert prunable_weights(model, never=[model.layers[-1].name]) == [first, second]
    assert third is model.layers[-1].kernel


def test_layers_of_nested_models_are_pruned_as_tfmot_does():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)], name="inner")
    model = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(1)])
    shapes = [tuple(weight.shape) for weight in prunable_weights(model)]
    assert shapes == [(4, 3), (3, 1)]
    assert len(prunable_weights(model, never=["inner"])) == 1


def test_a_zero_of_either_sign_is_no_weight():
    weights = [np.array([0.0, -0.0, 1.0]), np.array([2.0])]
    assert (nonzero_of(weights), count_of(weights)) == (2, 4)


def test_a_schedule_that_would_never_prune_is_refused():
    with pytest.raises(PlanError, match=r"every 100 steps never prunes in 60 training steps"):
        make_schedule("polynomial", 0.9, steps=60)


def test_an_unknown_schedule_names_the_known():
    with pytest.raises(PlanError, match=r"no schedule 'cubic'; choose one of: constant, poly"):
        make_schedule("cubic", 0.9, steps=60)


def test_each_weight_is_pruned_to_its_share_of_the_schedule():
    seed_everything(9)
    trainer = Trainer(tiny.network(), tiny.spec(), tiny.examples(), batch_size=32, seed=1)
    schedule = make_schedule("polynomial", 0.8, steps=2 * trainer.steps_per_epoch, frequency=2)
    shares = (0.0, 1.2, 0.5)
    prune(trainer, schedule, epochs=2, shares=shares)
    for weight, share in zip(prunable_weights(trainer.model), shares, strict=True):
        size = weight.shape.num_elements()
        assert np.count_nonzero(weight.numpy()) == pytest.approx(size * (1 - 0.8 * share), abs=1)
