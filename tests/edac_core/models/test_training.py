import numpy as np
import pytest
import tiny

from edac_core.errors import ModelError
from edac_core.models.backend import keras
from edac_core.models.examples import Examples
from edac_core.models.training import Trainer, _loss, seed_everything, train


def seeded_network(**options):
    seed_everything(7)
    return tiny.network(**options)


def adam(rate=1e-2):
    return keras.optimizers.Adam(rate)


def trainer_of(model, data, *, batch_size=32, seed=0, **options):
    return Trainer(model, tiny.spec(**options), data, batch_size=batch_size, seed=seed)


@pytest.mark.parametrize("compiled", [False, True])
def test_an_epoch_equals_keras_on_the_same_batches(compiled):
    data, ours, plain = tiny.examples(), seeded_network(), seeded_network()
    plain.compile(adam(), "binary_crossentropy")
    trainer = trainer_of(ours, data, batch_size=40, seed=3, compile_step=compiled)
    order = np.random.default_rng(3)
    for _ in range(3):
        trainer.run_epoch()
        shuffled = order.permutation(len(data.labels))
        plain.fit(
            data.features[shuffled], data.labels[shuffled, None], batch_size=40, shuffle=False,
            verbose=0,
        )  # fmt: skip
    for mine, theirs in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-5)


def test_the_last_batch_may_be_smaller():
    trainer = trainer_of(seeded_network(), tiny.examples(90))
    steps = []
    trainer.run_epoch(before_step=steps.append)
    trainer.run_epoch(before_step=steps.append)
    assert trainer.steps_per_epoch == 3
    assert steps == [1, 2, 3, 4, 5, 6]


def run_training(*, patience=3, epochs=40, on_epoch=None, **options):
    model = seeded_network(dropout=0.3)
    trained = train(
        model, tiny.spec(**options), tiny.examples(), tiny.examples(64, seed=1), batch_size=32,
        epochs=epochs,
        patience=patience, seed=5, on_epoch=on_epoch,
    )  # fmt: skip
    return model, trained


def test_same_seed_gives_bit_equal_weights():
    (_, first), (_, second) = run_training(), run_training()
    assert first.history == second.history
    for one, other in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_stops_when_patience_is_over_and_keeps_the_best_epoch():
    model, trained = run_training()
    losses = [epoch.validation_loss for epoch in trained.history]
    assert trained.best_epoch == int(np.argmin(losses)) + 1
    assert len(trained.history) == min(trained.best_epoch + 3, 40)
    data = tiny.examples(64, seed=1)
    model.compile(loss="binary_crossentropy")
    again = model.evaluate(data.features, data.labels[:, None], verbose=0)
    assert again == pytest.approx(min(losses), rel=1e-4)


def test_keeps_the_epoch_of_the_highest_accuracy():
    model, trained = run_training(patience=None, epochs=12, keep="highest accuracy")
    accuracies = [epoch.validation_accuracy for epoch in trained.history]
    assert len(trained.history) == 12
    assert trained.best_epoch == int(np.argmax(accuracies)) + 1
    data = tiny.examples(64, seed=1)
    called = model.predict(data.features, verbose=0)[:, 0] >= 0.5
    assert (called == data.labels).mean() == pytest.approx(max(accuracies))


def test_keeps_the_last_epoch_if_so_asked():
    model, trained = run_training(patience=None, epochs=5, keep="last")
    assert trained.best_epoch == 5
    for mine, kept in zip(model.get_weights(), trained.weights, strict=True):
        np.testing.assert_array_equal(mine, kept)


def test_a_softmax_over_two_classes_learns_as_a_sigmoid_of_their_difference():
    data = tiny.examples()
    features = data.features.reshape(len(data.labels), -1)
    flat = Examples(features, data.labels)
    softmax, sigmoid = (
        keras.Sequential([keras.Input(features.shape[1:]), layer])
        for layer in (
            keras.layers.Dense(2, activation="softmax", kernel_initializer="zeros"),
            keras.layers.Dense(1, activation="sigmoid", kernel_initializer="zeros"),
        )
    )
    # The difference of two outputs moves twice as fast as one output.
    sgd = keras.optimizers.SGD
    for model, rate in ((softmax, 0.05), (sigmoid, 0.1)):
        trainer = trainer_of(model, flat, optimizer=lambda rate=rate: sgd(rate))
        for _ in range(3):
            trainer.run_epoch()
    np.testing.assert_allclose(
        softmax.predict(features, verbose=0)[:, 1], sigmoid.predict(features, verbose=0)[:, 0],
        atol=1e-5,
    )  # fmt: skip


def test_the_learning_rate_follows_the_epochs():
    slow = trainer_of(seeded_network(), tiny.examples(), learning_rate=lambda _epoch: 0.0)
    before = [weight.numpy() for weight in slow.model.trainable_weights]
    slow.run_epoch()
    for old, new in zip(before, slow.model.trainable_weights, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    seen = []
    spec = {"learning_rate": lambda epoch: seen.append(epoch) or 1e-3 / epoch}
    falling = trainer_of(seeded_network(), tiny.examples(), **spec)
    falling.run_epoch()
    falling.run_epoch()
    assert seen == [1, 2]


def test_reports_every_epoch():
    seen = []
    _, trained = run_training(epochs=4, on_epoch=seen.append)
    assert tuple(seen) == trained.history
    assert [epoch.number for epoch in seen] == list(range(1, len(seen) + 1))


def test_learns():
    model, _ = run_training()
    data = tiny.examples(200, seed=2)
    scores = model.predict(data.features, verbose=0)[:, 0]
    assert scores[data.labels == 1].mean() > scores[data.labels == 0].mean() + 0.2


def test_a_loss_that_is_not_finite_is_refused():
    model = seeded_network()
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    trainer = trainer_of(model, tiny.examples())
    with pytest.raises(ModelError, match=r"diverged \(loss nan\); lower the learning rate"):
        trainer.run_epoch()


@pytest.mark.parametrize("outputs", [1, 2])
def test_soft_targets_are_learnt_by_both_kinds_of_output(outputs):
    """The loss of soft targets is the mean of the losses of both labels, weighted by them."""
    rng = np.random.default_rng(1)
    truth = rng.random((8, 1)).astype(np.float32)
    positive = rng.uniform(0.1, 0.9, (8, 1)).astype(np.float32)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(outputs)])
    predicted = positive if outputs == 1 else np.concatenate([1 - positive, positive], axis=1)
    expected = -(truth * np.log(positive) + (1 - truth) * np.log(1 - positive)).mean()
    loss = _loss(model, soft=True)(truth, predicted)
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)


def test_gradients_can_be_changed_before_the_step():
    """Without their gradients weights stay where they are, but for the regularisers' pull."""
    model = seeded_network()
    before = model.get_weights()
    seen = []

    def withhold(gradients):
        seen.append([gradient.shape for gradient in gradients])
        return [0 * gradient for gradient in gradients]

    trainer = Trainer(model, tiny.spec(optimizer=lambda: keras.optimizers.SGD(0.1)),
                      tiny.examples(), batch_size=32, seed=0)  # fmt: skip
    trainer.run_epoch(after_gradients=withhold)
    assert seen == [[weight.shape for weight in model.trainable_variables]] * 3
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
