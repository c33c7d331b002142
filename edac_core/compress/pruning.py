"""Magnitude pruning as tfmot does it (Zhu and Gupta 2017), with masks by partition.

tfmot decides when and how much to prune; its own mask update sorts every weight tensor in full,
which takes longer than the training step around it. Selecting the threshold by partition gives the
same masks in a fraction of that time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edac_core.compress import SCHEDULES
from edac_core.errors import PlanError
from edac_core.models.backend import keras, tf
from edac_core.models.training import Epoch, Trainer

import tensorflow_model_optimization as tfmot  # isort: skip - needs the environment of `backend`
from tensorflow_model_optimization.python.core.sparsity.keras import (  # isort: skip
    prune_registry,
)


def make_schedule(
    name: str,
    sparsity: float,
    *,
    steps: int,
    frequency: int = 100,
    initial_sparsity: float = 0.0,
    end_on_update: bool = True,
) -> Any:
    """Return the tfmot schedule of EDAC, section 4.3, for a number of training steps.

    Parameters
    ----------
    name
        ``constant`` updates the masks at every step; ``polynomial`` raises the sparsity with
        power 3 from `initial_sparsity` to `sparsity`, every `frequency` steps.
    sparsity
        Fraction of the prunable weights to remove, 0 <= sparsity < 1.
    steps
        Training steps in all.
    frequency
        Steps between two mask updates of the polynomial schedule.
    initial_sparsity
        Of the polynomial schedule; 0.5 in Squeeze, section 3.3.
    end_on_update
        End the decay on the last multiple of `frequency`. Both papers end it on the last step; an
        end between two updates falls short of `sparsity`.

    Raises
    ------
    PlanError
        If the schedule is unknown or would never update a mask.
    """
    schedules = tfmot.sparsity.keras
    if name == "constant":
        return schedules.ConstantSparsity(sparsity, begin_step=0, frequency=1)
    if name != "polynomial":
        raise PlanError(f"There is no schedule {name!r}; choose one of: {', '.join(SCHEDULES)}.")
    if steps < frequency:
        raise PlanError(
            f"A polynomial schedule with a mask update every {frequency} steps never prunes in "
            f"{steps} training steps; lower `frequency` or raise `epochs`."
        )
    end_step = steps // frequency * frequency if end_on_update else steps
    return schedules.PolynomialDecay(
        initial_sparsity, sparsity, 0, end_step, power=3, frequency=frequency
    )


def prunable_weights(model: Any, *, never: Sequence[str] = ()) -> list[Any]:
    """Return the weight variables to prune, in the order of the layers.

    They are those that tfmot would prune, in nested models too, and those that a layer of another
    kind offers by a method ``get_prunable_weights``, as tfmot's ``PrunableLayer`` does.

    Parameters
    ----------
    model
        A ``tf_keras.Model``.
    never
        Names of layers that are left alone.
    """
    layers = [layer for layer in model.layers if layer.name not in never]
    return [weight for layer in layers for weight in _prunable_weights_of(layer, never)]


def _prunable_weights_of(layer: Any, never: Sequence[str]) -> list[Any]:
    registry = prune_registry.PruneRegistry
    if isinstance(layer, keras.Model):
        return prunable_weights(layer, never=never)
    if hasattr(layer, "get_prunable_weights"):
        return list(layer.get_prunable_weights())
    if registry.supports(layer):
        return list(registry.make_prunable(layer).get_prunable_weights())
    return []


def magnitude_threshold(weights: npt.NDArray[np.float32], sparsity: float) -> np.float32:
    """Return the magnitude from which on tfmot keeps a weight.

    Parameters
    ----------
    weights
        Array of any shape.
    sparsity
        Fraction to remove. As in tfmot the number of weights kept is rounded in float32,
        half to even, and is at least 1.
    """
    magnitudes = np.abs(weights).ravel()
    kept = np.rint(np.float32(magnitudes.size) * (np.float32(1) - np.float32(sparsity)))
    position = magnitudes.size - max(int(kept), 1)
    return np.float32(np.partition(magnitudes, position)[position])


class Pruner:
    """Keeps the masks of a model while it is fine-tuned.

    Parameters
    ----------
    weights
        The variables to prune, each by itself, as tfmot does.
    schedule
        A tfmot schedule: ``schedule(step) -> (update now, sparsity)``.
    """

    def __init__(self, weights: Sequence[Any], schedule: Any) -> None:
        self._weights = list(weights)
        self._schedule = schedule
        self._masks = [
            tf.Variable(tf.ones(weight.shape, tf.bool), trainable=False) for weight in weights
        ]
        self._apply = tf.function(self._mask_weights, jit_compile=True)
        self._update = tf.function(self._update_masks, jit_compile=True)

    def before_step(self, step: int) -> None:
        """Update the masks if it is their turn and set the masked weights to zero."""
        due, sparsity = self._schedule(tf.constant(step, tf.int64))
        if due:
            thresholds = [magnitude_threshold(w.numpy(), float(sparsity)) for w in self._weights]
            self._update(tf.constant(thresholds))
        else:
            self._apply()

    def apply(self) -> None:
        """Set the masked weights to zero."""
        self._apply()

    def _update_masks(self, thresholds: Any) -> None:
        for index, (weight, mask) in enumerate(zip(self._weights, self._masks, strict=True)):
            mask.assign(tf.abs(weight) >= thresholds[index])
        self._mask_weights()

    def _mask_weights(self) -> None:
        for weight, mask in zip(self._weights, self._masks, strict=True):
            weight.assign(tf.where(mask, weight, tf.zeros_like(weight)))


def prune(
    trainer: Trainer,
    schedule: Any,
    *,
    epochs: int,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> tuple[Epoch, ...]:
    """Fine-tune the trainer's model for `epochs` while `schedule` removes its weights.

    As tfmot's callback does, the masks are applied again at the end of every epoch.

    Returns
    -------
    tuple of Epoch
        The losses; the pruned weights are the model's.
    """
    weights = prunable_weights(trainer.model, never=trainer.spec.never_pruned)
    pruner = Pruner(weights, schedule)
    history = []
    for number in range(1, epochs + 1):
        history.append(Epoch(number, trainer.run_epoch(before_step=pruner.before_step)))
        pruner.apply()
        if on_epoch is not None:
            on_epoch(history[-1])
    return tuple(history)


def sparsity_of(weights: Sequence[Any]) -> float:
    """Return the fraction of exact zeros in weight variables or arrays."""
    arrays = [np.asarray(weight) for weight in weights]
    zeros = sum(array.size - np.count_nonzero(array) for array in arrays)
    return float(zeros / sum(array.size for array in arrays))
