"""Round-to-zero: the weights that int8 has no step for, removed without any fine-tuning.

It is the reference for pruning in int8: a level that costs no more accuracy than this removed
nothing that the file still held.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edac_core.compress.pruning import prunable_weights
from edac_core.models.spec import ModelSpec

STEPS = 127
"""Of int8 on either side of zero."""

LEAST_WEIGHTS = 1024
"""Smaller tensors stay in float32: the converter's ``min_elements_for_weights``."""

_MATRIX_AXES = 2


def round_to_zero(model: Any, spec: ModelSpec) -> Any:
    """Set to zero what `convert` would round to zero in int8, and change nothing else.

    That is every weight below half a step, a step being 1/127 of the largest magnitude of its
    matrix, or of its output channel for convolutions. Tensors of less than 1,024 weights are left
    alone, as `convert` leaves them in float32.

    Parameters
    ----------
    model
        A trained ``tf_keras.Model``. Its weights are changed in place.
    spec
        Gives the layers that are never pruned.

    Returns
    -------
    tf_keras.Model
        The one given.
    """
    for weight in prunable_weights(model, never=spec.never_pruned):
        values = weight.numpy()
        if values.size >= LEAST_WEIGHTS:
            weight.assign(np.where(_rounds_to_zero(values), np.float32(0), values))
    return model


def _rounds_to_zero(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    # As the converter does: times the reciprocal of the step, halves away from zero.
    per_channel = weights.ndim > _MATRIX_AXES
    magnitudes = np.abs(weights)
    largest = magnitudes.max(axis=tuple(range(weights.ndim - 1)) if per_channel else None)
    steps_per_unit = STEPS / np.where(largest > 0, largest, np.float32(1))
    below: npt.NDArray[np.bool_] = magnitudes * steps_per_unit.astype(np.float32) < np.float32(0.5)
    return below
