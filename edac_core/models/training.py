"""The training loop: tensors in memory, a traced gradient step, a compiled optimiser step.

The gradients of the weight regularisers are taken inside the compiled optimiser step, where XLA
fuses them with the optimiser's own arithmetic into one pass over the weights. For the CNN that
pass costs a sixth of what the regularisers and Adam cost op by op; the numbers are the same up to
float rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edac_core.errors import ModelError
from edac_core.models.backend import keras, tf
from edac_core.models.examples import Examples

Weights = list[npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Epoch:
    """Losses of one epoch: mean over the training steps, and over the validation set.

    Only baseline training looks at the validation set.
    """

    number: int
    loss: float
    validation_loss: float | None = None


@dataclass(frozen=True)
class Trained:
    """Weights in the order of ``model.get_weights()``, and the history that led to them."""

    weights: Weights
    history: tuple[Epoch, ...]
    best_epoch: int


class Trainer:
    """Trains one model on examples that stay in memory.

    Parameters
    ----------
    model
        A ``tf_keras.Model`` with one output: a probability (n, 1).
    optimizer
        A fresh ``tf_keras`` optimiser; its state belongs to this trainer.
    examples
        The training set.
    batch_size
        Recordings a step; the last batch of an epoch may be smaller.
    seed
        Seeds the order of the examples. Seed weights and dropout with `seed_everything`.
    """

    def __init__(
        self, model: Any, optimizer: Any, examples: Examples, *, batch_size: int, seed: int
    ) -> None:
        self.model = model
        self._batch_size = batch_size
        self._size = len(examples.labels)
        self._steps = 0
        self._order = np.random.default_rng(seed)
        optimizer.build(model.trainable_variables)
        self._gradients = _gradient_step(model, examples)
        self._update = _update_step(model, optimizer)

    @property
    def steps_per_epoch(self) -> int:
        """Training steps of one epoch."""
        return -(-self._size // self._batch_size)

    def run_epoch(self, *, before_step: Callable[[int], None] | None = None) -> float:
        """Train for one epoch and return the mean loss of its steps, without regularisers.

        `before_step` is called with the number of every step, the trainer's first being 1.
        """
        order = self._order.permutation(self._size).astype(np.int32)
        losses = []
        for index in range(self.steps_per_epoch):
            if before_step is not None:
                before_step(self._steps + 1)
            batch = order[index * self._batch_size : (index + 1) * self._batch_size]
            loss, gradients = self._gradients(tf.constant(batch))
            self._update(gradients)
            losses.append(loss)
            self._steps += 1
        return _finite_mean(losses)


def train(
    model: Any,
    optimizer: Any,
    training: Examples,
    validation: Examples,
    *,
    batch_size: int,
    epochs: int,
    patience: int,
    seed: int,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Train until the validation loss has not fallen for `patience` epochs.

    The validation loss includes the weight regularisers, as Keras' ``val_loss`` does. The
    weights of the best epoch are kept (and set in `model`).

    Raises
    ------
    ModelError
        If the loss is no longer finite.
    """
    trainer = Trainer(model, optimizer, training, batch_size=batch_size, seed=seed)
    evaluate = _validation_loss(model, validation)
    history: list[Epoch] = []
    lowest, best_epoch, weights = np.inf, 0, model.get_weights()
    for number in range(1, epochs + 1):
        loss, validation_loss = trainer.run_epoch(), evaluate()
        history.append(Epoch(number, loss, validation_loss))
        if on_epoch is not None:
            on_epoch(history[-1])
        if validation_loss < lowest:
            lowest, best_epoch, weights = validation_loss, number, model.get_weights()
        elif number - best_epoch >= patience:
            break
    model.set_weights(weights)
    return Trained(weights, tuple(history), best_epoch)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow: initial weights and dropout masks."""
    keras.utils.set_random_seed(seed)


def _gradient_step(model: Any, examples: Examples) -> Any:
    features = tf.constant(examples.features)
    labels = tf.constant(examples.labels.astype(np.float32)[:, np.newaxis])
    loss_of = keras.losses.BinaryCrossentropy()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])  # type: ignore[untyped-decorator]
    def gradients(batch: Any) -> Any:
        with tf.GradientTape() as tape:
            predicted = model(tf.gather(features, batch), training=True)
            loss = loss_of(tf.gather(labels, batch), predicted)
        return loss, tape.gradient(loss, model.trainable_variables)

    return gradients


def _update_step(model: Any, optimizer: Any) -> Any:
    variables = model.trainable_variables

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def update(gradients: Any) -> None:
        with tf.GradientTape() as tape:
            penalty = tf.add_n(model.losses) if model.losses else tf.constant(0.0)
        penalties = tape.gradient(
            penalty, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        total = [gradient + extra for gradient, extra in zip(gradients, penalties, strict=True)]
        optimizer.apply_gradients(zip(total, variables, strict=True))

    return update


def _validation_loss(model: Any, examples: Examples) -> Callable[[], float]:
    features = tf.constant(examples.features)
    labels = tf.constant(examples.labels.astype(np.float32)[:, np.newaxis])
    loss_of = keras.losses.BinaryCrossentropy()

    @tf.function  # type: ignore[untyped-decorator]
    def evaluate() -> Any:
        penalty = tf.add_n(model.losses) if model.losses else 0.0
        return loss_of(labels, model(features, training=False)) + penalty

    return lambda: float(evaluate())


def _finite_mean(losses: list[Any]) -> float:
    mean = float(np.mean([float(loss) for loss in losses]))
    if not np.isfinite(mean):
        raise ModelError(f"Training diverged (loss {mean}); lower the learning rate.")
    return mean
