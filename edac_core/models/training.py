"""The training loop: tensors in memory, a traced gradient step, a compiled optimiser step.

The gradients of the weight regularisers are taken inside the compiled optimiser step, where XLA
fuses them with the optimiser's own arithmetic into one pass over the weights. For the CNN that
pass costs a sixth of what the regularisers and Adam cost op by op; the numbers are the same up to
float rounding. A network that is all matrix products has its gradient step compiled as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edac_core.errors import ModelError
from edac_core.models.backend import freed_memory_kept, keras, tf
from edac_core.models.examples import Examples
from edac_core.models.spec import Keep, ModelSpec

Weights = list[npt.NDArray[np.float32]]
BeforeStep = Callable[[int], None]
AfterGradients = Callable[[list[Any]], list[Any]]
OnEpoch = Callable[["Epoch"], object]

_EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Epoch:
    """One epoch: the mean loss of its training steps, and what the validation set says of it.

    Only baseline training looks at the validation set.
    """

    number: int
    loss: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


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
        A ``tf_keras.Model`` with one output: a probability (n, 1), or a softmax (n, 2).
    spec
        Gives the optimiser, the learning rate of each epoch, and how steps are compiled.
    examples
        The training set.
    batch_size
        Recordings a step; the last batch of an epoch may be smaller.
    seed
        Seeds the order of the examples. Seed weights and dropout with `seed_everything`.
    """

    def __init__(
        self, model: Any, spec: ModelSpec, examples: Examples, *, batch_size: int, seed: int
    ) -> None:
        self.model = model
        self.spec = spec
        self._batch_size = batch_size
        self._size = len(examples.labels)
        self._steps = self._epochs = 0
        self._order = np.random.default_rng(seed)
        self._optimizer = spec.optimizer()
        self._optimizer.build(model.trainable_variables)
        self._gradients = _gradient_step(model, examples, compiled=spec.compile_step)
        self._update = _update_step(model, self._optimizer)

    @property
    def steps_per_epoch(self) -> int:
        """Training steps of one epoch."""
        return -(-self._size // self._batch_size)

    def run_epoch(
        self,
        *,
        before_step: BeforeStep | None = None,
        after_gradients: AfterGradients | None = None,
    ) -> float:
        """Train for one epoch and return the mean loss of its steps, without regularisers.

        `before_step` is called with the number of every step, the trainer's first being 1;
        `after_gradients` with the gradients of the loss, in the order of
        ``model.trainable_variables``, and returns those to take the step with.
        """
        self._begin_epoch()
        order = self._order.permutation(self._size).astype(np.int32)
        batches = [
            order[at : at + self._batch_size] for at in range(0, self._size, self._batch_size)
        ]
        with freed_memory_kept():
            return _finite_mean([self._step(one, before_step, after_gradients) for one in batches])

    def _step(
        self,
        batch: npt.NDArray[np.int32],
        before_step: BeforeStep | None,
        after_gradients: AfterGradients | None,
    ) -> Any:
        self._steps += 1
        if before_step is not None:
            before_step(self._steps)
        loss, gradients = self._gradients(tf.constant(batch))
        self._update(gradients if after_gradients is None else after_gradients(gradients))
        return loss

    def _begin_epoch(self) -> None:
        self._epochs += 1
        if self.spec.learning_rate is not None:
            self._optimizer.learning_rate.assign(self.spec.learning_rate(self._epochs))


def fine_tune(
    trainer: Trainer,
    numbers: Iterable[int],
    *,
    before_epoch: Callable[[int], object] | None = None,
    before_step: BeforeStep | None = None,
    after_gradients: AfterGradients | None = None,
    after_epoch: Callable[[], object] | None = None,
    on_epoch: OnEpoch | None = None,
) -> tuple[Epoch, ...]:
    """Train for some epochs and return their losses.

    Parameters
    ----------
    trainer
        Of the model.
    numbers
        What the epochs are called.
    before_epoch, after_epoch
        Called around every epoch, the first with its number.
    before_step, after_gradients
        See `Trainer.run_epoch`.
    on_epoch
        Called with every epoch when it is over.
    """
    history = []
    for number in numbers:
        if before_epoch is not None:
            before_epoch(number)
        loss = trainer.run_epoch(before_step=before_step, after_gradients=after_gradients)
        if after_epoch is not None:
            after_epoch()
        history.append(Epoch(number, loss))
        if on_epoch is not None:
            on_epoch(history[-1])
    return tuple(history)


def train(
    model: Any,
    spec: ModelSpec,
    training: Examples,
    validation: Examples,
    *,
    batch_size: int,
    epochs: int,
    patience: int | None,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Train a baseline and keep the weights of the epoch that its recipe prefers.

    The validation loss includes the weight regularisers, as Keras' ``val_loss`` does. Training
    stops once that has not fallen for `patience` epochs. The kept weights are set in `model`.

    Raises
    ------
    ModelError
        If the loss is no longer finite.
    """
    trainer = Trainer(model, spec, training, batch_size=batch_size, seed=seed)
    evaluate = _evaluation(model, validation)
    history: list[Epoch] = []
    best_epoch, weights = 0, model.get_weights()
    for number in range(1, epochs + 1):
        history.append(Epoch(number, trainer.run_epoch(), *evaluate()))
        if on_epoch is not None:
            on_epoch(history[-1])
        if _is_best(history, spec.keep):
            best_epoch, weights = number, model.get_weights()
        if patience is not None and _epochs_without_improvement(history) >= patience:
            break
    model.set_weights(weights)
    return Trained(weights, tuple(history), best_epoch)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow: initial weights and dropout masks."""
    keras.utils.set_random_seed(seed)


def _is_best(history: list[Epoch], keep: Keep) -> bool:
    """Whether the last epoch is better than all before it."""
    worth = [_WORTH[keep](epoch) for epoch in history]
    return len(worth) == 1 or worth[-1] > max(worth[:-1])


_WORTH: dict[Keep, Callable[[Epoch], float]] = {
    "lowest loss": lambda epoch: -(epoch.validation_loss or 0.0),
    "highest accuracy": lambda epoch: epoch.validation_accuracy or 0.0,
    "last": lambda epoch: epoch.number,
}


def _epochs_without_improvement(history: list[Epoch]) -> int:
    losses = [epoch.validation_loss or 0.0 for epoch in history]
    return len(losses) - 1 - int(np.argmin(losses))


def _gradient_step(model: Any, examples: Examples, *, compiled: bool) -> Any:
    features, labels, loss_of = _tensors(model, examples)

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None], tf.int32)], jit_compile=compiled
    )
    def gradients(batch: Any) -> Any:
        with tf.GradientTape() as tape:
            predicted = model(tf.gather(features, batch), training=True)
            loss = loss_of(tf.gather(labels, batch), predicted)
        return loss, tape.gradient(loss, model.trainable_variables)

    return gradients


def _tensors(model: Any, examples: Examples) -> tuple[Any, Any, Any]:
    """Features, labels or targets (n, 1) and the cross-entropy that fits the model's output."""
    wanted = examples.labels if examples.targets is None else examples.targets
    truth = tf.constant(wanted.astype(np.float32)[:, np.newaxis])
    return tf.constant(examples.features), truth, _loss(model, soft=examples.targets is not None)


def _loss(model: Any, *, soft: bool) -> Any:
    if model.output_shape[-1] == 1:
        return keras.losses.BinaryCrossentropy()
    if not soft:
        return keras.losses.SparseCategoricalCrossentropy()
    both = keras.losses.CategoricalCrossentropy()
    return lambda truth, predicted: both(tf.concat([1 - truth, truth], axis=1), predicted)


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
        # Aggregating over replicas registers a gradient function for good, which holds on to this
        # graph and with it to the model: 0.5 GB a job for the dense networks.
        optimizer.apply_gradients(
            zip(total, variables, strict=True), skip_gradients_aggregation=True
        )

    return update


def _evaluation(model: Any, examples: Examples) -> Callable[[], tuple[float, float]]:
    """Return a function that gives the loss, regularisers included, and the accuracy."""
    features, labels, loss_of = _tensors(model, examples)
    size = len(examples.labels)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])  # type: ignore[untyped-decorator]
    def sums(batch: Any) -> Any:
        predicted = model(tf.gather(features, batch), training=False)
        truth = tf.gather(labels, batch)
        called = tf.cast(predicted[:, -1:] >= 0.5, truth.dtype)  # noqa: PLR2004 - Keras' accuracy
        share = tf.cast(tf.shape(batch)[0], tf.float32)
        return loss_of(truth, predicted) * share, tf.reduce_sum(
            tf.cast(called == truth, tf.float32)
        )

    def evaluate() -> tuple[float, float]:
        starts = range(0, size, _EVALUATION_BATCH)
        parts = [sums(tf.range(at, min(at + _EVALUATION_BATCH, size))) for at in starts]
        loss, right = (float(np.sum([float(part[at]) for part in parts])) / size for at in (0, 1))
        return loss + float(sum(float(penalty) for penalty in model.losses)), right

    return evaluate


def _finite_mean(losses: list[Any]) -> float:
    mean = float(np.mean([float(loss) for loss in losses]))
    if not np.isfinite(mean):
        raise ModelError(f"Training diverged (loss {mean}); lower the learning rate.")
    return mean
