"""Magnitude pruning as tfmot does it (Zhu and Gupta 2017), with masks by partition.

tfmot decides when and how much to prune; its own mask update sorts every weight tensor in full,
which takes longer than the training step around it. Selecting the threshold by partition gives the
same masks in a fraction of that time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edac_core.compress import SCHEDULES
from edac_core.errors import PlanError
from edac_core.models.backend import keras, tf
from edac_core.models.training import Epoch, OnEpoch, Trainer, fine_tune

import tensorflow_model_optimization as tfmot  # isort: skip - needs the environment of `backend`
from tensorflow_model_optimization.python.core.sparsity.keras import (  # isort: skip
    prune_registry,
)


BLOCK_SIZE = (4, 1)
"""Inputs and units of a block of a Keras kernel, shape (inputs, units).

The converter transposes kernels, so that this is LiteRT's block of 1 x 4. Measured with LiteRT
2.3.0 on dense layers of 1024, 512 and 256 with 90 % zeros, one thread of an x86-64: 0.021 ms for
0.058 ms dense, a file of 279 kB for 2,624 kB. With (1, 4), or single zeros, the file has 392 to
399 kB, and unpacking makes it as slow as the dense one.
"""

_MATRIX = 2


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
    return [weight for own in prunable_layers(model, never=never).values() for weight in own]


def prunable_layers(model: Any, *, never: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Return the weight variables to prune by the name of their layer; see `prunable_weights`.

    A layer of a nested model is called ``model/layer``. Layers without such weights are left out.
    """
    found: dict[str, list[Any]] = {}
    for layer in model.layers:
        if layer.name in never:
            continue
        if isinstance(layer, keras.Model):
            inner = prunable_layers(layer, never=never)
            found |= {f"{layer.name}/{name}": own for name, own in inner.items()}
        elif own := _prunable_weights_of(layer):
            found[layer.name] = own
    return found


def _prunable_weights_of(layer: Any) -> list[Any]:
    registry = prune_registry.PruneRegistry
    if hasattr(layer, "get_prunable_weights"):
        return list(layer.get_prunable_weights())
    if registry.supports(layer):
        return list(registry.make_prunable(layer).get_prunable_weights())
    return []


def _threshold(
    magnitudes: npt.NDArray[np.float32], sparsity: float, near: np.float32 | None = None
) -> np.float32:
    kept = np.rint(np.float32(magnitudes.size) * (np.float32(1) - np.float32(sparsity)))
    position = magnitudes.size - max(int(kept), 1)
    return nth_smallest(magnitudes.ravel(), position, near=near)


def nth_smallest(
    values: npt.NDArray[np.float32], position: int, *, near: np.float32 | None = None
) -> np.float32:
    """Return what would stand at a position if values were sorted.

    Parameters
    ----------
    values
        Shape (n,), none negative.
    position
        From 0.
    near
        A guess. One within a quarter of the answer has few values partitioned in the place of all;
        the answer is the same.
    """
    zeros = values.size - int(np.count_nonzero(values))
    if position < zeros:
        return np.float32(0)
    if near is not None:
        around = values[(values >= near * _BELOW) & (values <= near * _ABOVE)]
        rank = position - int(np.count_nonzero(values < near * _BELOW))
        if 0 <= rank < around.size:
            return np.float32(np.partition(around, rank)[rank])
    # Where more than half are equal, NumPy's partition takes 25 times as long.
    if zeros > values.size // 2:
        values, position = values[values != 0], position - zeros
    return np.float32(np.partition(values, position)[position])


_BELOW, _ABOVE = np.float32(3 / 4), np.float32(4 / 3)


def magnitude_mask(
    weights: npt.NDArray[np.float32], sparsity: float, *, block_size: tuple[int, int] = (1, 1)
) -> npt.NDArray[np.bool_]:
    """Mark the weights that are kept.

    Parameters
    ----------
    weights
        Array of any shape.
    sparsity
        Fraction of it to remove. As in tfmot the number of weights kept is rounded in float32,
        half to even, and is at least 1.
    block_size
        Inputs and units of what is kept or removed together, by its mean magnitude. It holds for
        matrices. tfmot refuses it for weights of other ranks, so that whoever prunes a network
        with it leaves its convolutions to single masks, as is done here.
    """
    return _mask(weights, sparsity, block_size)[0]


def _mask(
    weights: npt.NDArray[np.float32],
    sparsity: float,
    block_size: tuple[int, int],
    near: np.float32 | None = None,
) -> tuple[npt.NDArray[np.bool_], np.float32]:
    """Return the mask and the threshold that it comes of, which is guessed to be near another."""
    if weights.ndim != _MATRIX or block_size == (1, 1):
        magnitudes = np.abs(weights)
        threshold = _threshold(magnitudes, sparsity, near)
        return magnitudes >= threshold, threshold
    magnitudes = block_magnitudes(weights, block_size)
    threshold = _threshold(magnitudes, sparsity, near)
    return spread_blocks(magnitudes >= threshold, block_size, weights.shape), threshold


def block_magnitudes(
    weights: npt.NDArray[np.float32], block_size: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Return the mean magnitude of each block of a matrix.

    A block at a border has as many weights as there are. tfmot does the same where a side is a
    multiple of the block's or 1 short of one; elsewhere its pooling is centred, so that it judges
    blocks by their neighbours' weights.

    Parameters
    ----------
    weights
        Shape (inputs, units).
    block_size
        Inputs and units of a block.

    Returns
    -------
    numpy.ndarray
        Shape (inputs / block_size[0], units / block_size[1]), rounded up.
    """
    height, width = block_size
    missing = [(0, -side % block) for side, block in zip(weights.shape, block_size, strict=True)]
    padded = np.pad(np.abs(weights), missing)
    sums = padded.reshape(len(padded) // height, height, -1, width).sum(axis=(1, 3))
    rows, columns = (
        np.minimum(block, side - np.arange(0, side, block), dtype=np.float32)
        for side, block in zip(weights.shape, block_size, strict=True)
    )
    found: npt.NDArray[np.float32] = sums / np.outer(rows, columns)
    return found


def spread_blocks(
    chosen: npt.NDArray[np.bool_], block_size: tuple[int, int], shape: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    """Say of each weight of a matrix of some shape what was said of its block."""
    height, width = block_size
    rows, columns = shape
    return chosen.repeat(height, axis=0)[:rows].repeat(width, axis=1)[:, :columns]


class Pruner:
    """Keeps the masks of a model while it is fine-tuned.

    Parameters
    ----------
    weights
        The variables to prune, each by itself, as tfmot does.
    schedule
        A tfmot schedule: ``schedule(step) -> (update now, sparsity)``.
    block_size
        As in `magnitude_mask`.
    shares
        What the schedule's sparsity is multiplied by for each of the weights; 1 for all of them
        if not given. None may take the schedule's highest sparsity to 1 or beyond.
    """

    def __init__(
        self,
        weights: Sequence[Any],
        schedule: Any,
        *,
        block_size: tuple[int, int] = (1, 1),
        shares: Sequence[float] | None = None,
    ) -> None:
        self._weights = list(weights)
        self._schedule = schedule
        self._block_size = block_size
        self._shares = [1.0] * len(self._weights) if shares is None else list(shares)
        self._masks = [
            tf.Variable(tf.ones(weight.shape, tf.bool), trainable=False) for weight in weights
        ]
        self._thresholds: list[np.float32 | None] = [None] * len(self._weights)
        self._apply = tf.function(self._mask_weights, jit_compile=True)

    def before_step(self, step: int) -> None:
        """Update the masks if it is their turn and set the masked weights to zero."""
        due, sparsity = self._schedule(tf.constant(step, tf.int64))
        if due:
            self._update_masks(float(sparsity))
        self._apply()

    def apply(self) -> None:
        """Set the masked weights to zero."""
        self._apply()

    def _update_masks(self, sparsity: float) -> None:
        for at, (weight, mask) in enumerate(zip(self._weights, self._masks, strict=True)):
            kept, self._thresholds[at] = _mask(
                weight.numpy(), self._shares[at] * sparsity, self._block_size, self._thresholds[at]
            )
            mask.assign(kept)

    def _mask_weights(self) -> None:
        for weight, mask in zip(self._weights, self._masks, strict=True):
            weight.assign(tf.where(mask, weight, tf.zeros_like(weight)))


def prune(
    trainer: Trainer,
    schedule: Any,
    *,
    epochs: int,
    block_size: tuple[int, int] = (1, 1),
    shares: Sequence[float] | None = None,
    on_epoch: OnEpoch | None = None,
) -> tuple[Epoch, ...]:
    """Fine-tune the trainer's model for `epochs` while `schedule` removes its weights.

    As tfmot's callback does, the masks are applied again at the end of every epoch. For
    `block_size` see `magnitude_mask`; for `shares`, in the order of `prunable_weights`, `Pruner`.

    Returns
    -------
    tuple of Epoch
        The losses; the pruned weights are the model's.
    """
    weights = prunable_weights(trainer.model, never=trainer.spec.never_pruned)
    pruner = Pruner(weights, schedule, block_size=block_size, shares=shares)
    return fine_tune(
        trainer,
        range(1, epochs + 1),
        before_step=pruner.before_step,
        after_epoch=pruner.apply,
        on_epoch=on_epoch,
    )


def count_of(weights: Sequence[Any]) -> int:
    """Count the elements of weight variables or arrays."""
    return sum(int(np.prod(weight.shape)) for weight in weights)


def nonzero_of(weights: Sequence[Any]) -> int:
    """Count the elements of weight variables or arrays that are not exactly zero."""
    return sum(int(np.count_nonzero(np.asarray(weight))) for weight in weights)
