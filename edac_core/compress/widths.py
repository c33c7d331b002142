"""A smaller network of the same architecture: what every other method has to beat.

All widths are scaled alike and the network is trained from scratch, alone or on what the full
network answers (Hinton, Vinyals and Dean 2015).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edac_core.compress.pruning import count_of, prunable_weights
from edac_core.errors import PlanError
from edac_core.models import ModelSpec
from edac_core.models.examples import Examples

FloatArray = npt.NDArray[np.float32]

TEMPERATURE = 2.0
"""What the full network's logits are divided by before the smaller one learns from them."""

TAUGHT = 0.5
"""Share of the full network's answers in what the smaller one learns; the labels are the rest."""

_HALVINGS = 14
_BATCH = 64


def narrow(spec: ModelSpec, *, sparsity: float) -> Any:
    """Build the widest network that has at most a share of the full one's prunable weights.

    Parameters
    ----------
    spec
        The network; its ``build`` takes a `width`.
    sparsity
        Share of the full network's prunable weights that the smaller one is to lack.

    Returns
    -------
    tf_keras.Model
        Untrained.

    Raises
    ------
    PlanError
        If even one unit a layer is too much.
    """
    most = (1 - sparsity) * _weights(spec.build(), spec)
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _weights_at(spec, middle) <= most else (low, middle)
    if _weights_at(spec, low) > most:
        least = 1 - _weights_at(spec, low) / (most / (1 - sparsity))
        raise PlanError(
            f"No {spec.title} is {sparsity:.4%} smaller: with one unit a layer it is {least:.4%}; "
            "choose less."
        )
    return spec.build(width=low)


def taught(examples: Examples, teacher: Any) -> Examples:
    """Return the examples with the targets that a smaller network learns from a teacher.

    Parameters
    ----------
    examples
        The training set.
    teacher
        The full network, trained.

    Returns
    -------
    The examples with targets: the labels and the teacher's answers at `TEMPERATURE`, in equal
    shares. Cross-entropy is linear in its target, so the loss is the sum of both losses.
    """
    answers = teacher.predict(examples.features, batch_size=_BATCH, verbose=0)[:, -1]
    targets = (1 - TAUGHT) * examples.labels + TAUGHT * softened(answers)
    return replace(examples, targets=targets.astype(np.float32))


def softened(probabilities: FloatArray) -> FloatArray:
    """Divide the logits of probabilities by `TEMPERATURE`."""
    # Where a probability is 0 or 1 in float32, its logit is not finite.
    tiny = float(np.finfo(np.float32).eps)
    clipped = np.clip(probabilities.astype(np.float64), tiny, 1 - tiny)
    odds = (clipped / (1 - clipped)) ** (1 / TEMPERATURE)
    return np.asarray(odds / (1 + odds), dtype=np.float32)


def _weights_at(spec: ModelSpec, width: float) -> int:
    return _weights(spec.build(width=width), spec)


def _weights(model: Any, spec: ModelSpec) -> int:
    return count_of(prunable_weights(model, never=spec.never_pruned))
