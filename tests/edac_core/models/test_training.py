import numpy as np
import pytest
import tiny

from edac_core.errors import ModelError
from edac_core.models.backend import keras
from edac_core.models.training import Trainer, seed_everything, train


def seeded_network(**options):
    seed_everything(7)
    return tiny.network(**options)


def adam(rate=1e-2):
    return keras.optimizers.Adam(rate)


def test_an_epoch_equals_keras_on_the_same_batches():
    data, ours, plain = tiny.examples(), seeded_network(), seeded_network()
    plain.compile(adam(), "binary_crossentropy")
    trainer = Trainer(ours, adam(), data, batch_size=40, seed=3)
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
    trainer = Trainer(seeded_network(), adam(), tiny.examples(90), batch_size=32, seed=0)
    steps = []
    trainer.run_epoch(before_step=steps.append)
    trainer.run_epoch(before_step=steps.append)
    assert trainer.steps_per_epoch == 3
    assert steps == [1, 2, 3, 4, 5, 6]


def run_training(*, patience=3, epochs=40, on_epoch=None):
    model = seeded_network(dropout=0.3)
    trained = train(
        model, adam(), tiny.examples(), tiny.examples(64, seed=1), batch_size=32, epochs=epochs,
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
    trainer = Trainer(model, adam(), tiny.examples(), batch_size=32, seed=0)
    with pytest.raises(ModelError, match=r"diverged \(loss nan\); lower the learning rate"):
        trainer.run_epoch()
