"""Movement pruning (Sanh, Wolf and Rush 2020, "Movement Pruning", section 4, hard top-v).

Where magnitude pruning keeps the weights that are large, this keeps those that training makes
larger. A weight's score is how far the loss has pushed it away from zero so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edac_core.compress.pruning import prunable_weights
from edac_core.models.backend import tf
from edac_core.models.training import Epoch, OnEpoch, Trainer, fine_tune

Array = npt.NDArray[np.float32]


def prune_by_movement(
    trainer: Trainer,
    schedule: Any,
    *,
    epochs: int,
    on_epoch: OnEpoch | None = None,
) -> tuple[Epoch, ...]:
    """Fine-tune the trainer's model for `epochs` while `schedule` removes its weights.

    With masks M, weights W and loss L of the masked network, every step takes (dL/d(W M)) W off
    the scores, of masked weights too (the straight-through estimate), and each tensor keeps the
    weights with the highest scores, as many as magnitude pruning keeps. A masked weight keeps its
    value, is moved neither by the optimiser nor by the regularisers, and may come back.

    The paper's learning rate of the scores is left out: it scales all scores alike, and only
    their order matters. So are the regularisers, as in the paper, whose loss has none: theirs is
    a pull towards zero that says nothing of what a weight is for.

    Parameters
    ----------
    trainer
        Holds the trained model.
    schedule
        Of `edac_core.compress.pruning.make_schedule`.
    epochs
        Of fine-tuning.
    on_epoch
        Called after every epoch.

    Returns
    -------
    tuple of Epoch
        The losses; the pruned weights are the model's.
    """
    mover = Mover(trainer, schedule)
    history = fine_tune(
        trainer,
        range(1, epochs + 1),
        before_step=mover.before_step,
        after_gradients=mover.after_gradients,
        on_epoch=on_epoch,
    )
    mover.finish()
    return history


class Mover:
    """Keeps the scores and the masks of a model while it is fine-tuned.

    Parameters
    ----------
    trainer
        Its model's weights are pruned, each tensor by itself.
    schedule
        A tfmot schedule: ``schedule(step) -> (update now, sparsity)``.
    """

    def __init__(self, trainer: Trainer, schedule: Any) -> None:
        weights = prunable_weights(trainer.model, never=trainer.spec.never_pruned)
        variables = trainer.model.trainable_variables
        places = {variable.ref(): at for at, variable in enumerate(variables)}
        self._places = [places[weight.ref()] for weight in weights]
        self._tensors = [_Tensor(weight) for weight in weights]
        self._schedule = schedule
        self._begin = tf.function(self._begin_step, jit_compile=True)
        self._mask = tf.function(self._mask_weights, jit_compile=True)
        self._score = tf.function(self._add_to_scores, jit_compile=True)

    def before_step(self, step: int) -> None:
        """Take back what the optimiser did to masked weights; update the masks if it is time."""
        self._begin()
        due, sparsity = self._schedule(tf.constant(step, tf.int64))
        if due:
            for tensor in self._tensors:
                tensor.update_mask(float(sparsity))
        self._mask()

    def after_gradients(self, gradients: list[Any]) -> list[Any]:
        """Score all weights, and let only those that are not masked move."""
        masked = iter(self._score([gradients[place] for place in self._places]))
        pruned = set(self._places)
        return [next(masked) if at in pruned else g for at, g in enumerate(gradients)]

    def finish(self) -> None:
        """Set the masked weights to zero, after the optimiser's last step."""
        self._begin()
        self._mask()

    def _begin_step(self) -> None:
        for tensor in self._tensors:
            tensor.remember()

    def _mask_weights(self) -> None:
        for tensor in self._tensors:
            tensor.mask()

    def _add_to_scores(self, gradients: Sequence[Any]) -> list[Any]:
        pairs = zip(self._tensors, gradients, strict=True)
        return [tensor.add_to_scores(gradient) for tensor, gradient in pairs]


class _Tensor:
    """One tensor: its weights without a mask, their scores, and which are kept."""

    def __init__(self, variable: Any) -> None:
        self._variable = variable
        self._weights = tf.Variable(variable, trainable=False)
        self._scores = tf.Variable(tf.zeros_like(variable), trainable=False)
        self._kept = tf.Variable(tf.ones(variable.shape, tf.bool), trainable=False)

    def update_mask(self, sparsity: float) -> None:
        kept = highest(self._scores.numpy(), self._weights.numpy(), sparsity)
        self._kept.assign(kept)

    def remember(self) -> None:
        self._weights.assign(tf.where(self._kept, self._variable, self._weights))

    def mask(self) -> None:
        self._variable.assign(tf.where(self._kept, self._weights, 0.0))

    def add_to_scores(self, gradient: Any) -> Any:
        self._scores.assign_sub(gradient * self._weights)
        return tf.where(self._kept, gradient, 0.0)


def highest(scores: Array, weights: Array, sparsity: float) -> npt.NDArray[np.bool_]:
    """Return which weights have the highest scores, the larger weight if scores are equal.

    Parameters
    ----------
    scores, weights
        Of one shape.
    sparsity
        Fraction to remove. The number kept is that of `edac_core.compress.pruning.magnitude_mask`,
        and exact whatever is equal.
    """
    kept = max(int(np.rint(np.float32(scores.size) * (np.float32(1) - np.float32(sparsity)))), 1)
    flat = scores.ravel()
    last = np.partition(flat, flat.size - kept)[flat.size - kept]
    chosen: npt.NDArray[np.bool_] = flat > last
    equal = np.flatnonzero(flat == last)
    missing = kept - np.count_nonzero(chosen)
    magnitudes = np.abs(weights.ravel()[equal])
    chosen[equal[np.argpartition(magnitudes, equal.size - missing)[equal.size - missing :]]] = True
    return chosen.reshape(scores.shape)
