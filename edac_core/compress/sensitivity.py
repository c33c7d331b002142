"""How much each layer minds being pruned and quantised, and sparsities by layer that follow it.

One layer at a time is changed, without fine-tuning, while all others stay as they are (Han, Pool,
Tran and Dally 2015, section 3.2). What is measured is measured on validation recordings: to choose
by the test set would spoil it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import log_loss

from edac_core.compress import REFERENCE_PRECISION
from edac_core.compress.pruning import count_of, magnitude_mask, prunable_layers
from edac_core.compress.rounding import LEAST_WEIGHTS, STEPS
from edac_core.errors import PlanError
from edac_core.measure.discrimination import auc_interval
from edac_core.models import ModelSpec
from edac_core.models.examples import Examples

FloatArray = npt.NDArray[np.float32]
Point = tuple[float, float]
Worth = tuple[float, float]

_BATCH = 64
_MATRIX_AXES = 2
_INT4_STEPS = 7
_MULTIPLES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_ROUNDING = 1e-9


@dataclass(frozen=True)
class LayerSensitivity:
    """What a network is worth with one layer changed.

    Parameters
    ----------
    layer
        Its name; ``model/layer`` in a nested model.
    sparsity
        The fraction of its weights that was set to zero.
    precision
        How its weights were rounded after that.
    auc, auc_drop
        Of the validation recordings, and how far that is below the unchanged network's.
    loss
        Cross-entropy of the validation recordings, without regularisers.
    """

    layer: str
    sparsity: float
    precision: str
    auc: float
    auc_drop: float
    loss: float


@dataclass(frozen=True)
class _Segment:
    """Weights that a layer can lose at one price: `slope` is the loss a weight."""

    slope: float
    layer: str
    weights: float


def layer_sensitivity(
    model: Any,
    spec: ModelSpec,
    validation: Examples,
    *,
    sparsities: Sequence[float],
    precisions: Sequence[str] = (REFERENCE_PRECISION,),
) -> tuple[LayerSensitivity, ...]:
    """Measure a network with each prunable layer alone pruned and quantised.

    Parameters
    ----------
    model
        A trained ``tf_keras.Model``; its weights are afterwards what they were.
    spec
        Gives the layers that are never pruned.
    validation
        The validation set, with both classes.
    sparsities
        Fractions of a layer's weights to set to zero, the smallest first; 0 prunes nothing.
    precisions
        ``float32``, ``int8`` or ``int4_weights``: how the layer's weights are rounded then.

    Returns
    -------
    tuple of LayerSensitivity
        One a layer, sparsity and precision, in this order.

    Raises
    ------
    PlanError
        If a sparsity is no fraction, or a precision does not round weights by themselves.
    DataError
        If the validation set has one class only.
    """
    _check(sparsities, precisions)
    whole = _worth(model, validation)
    changes = list(itertools.product(sparsities, precisions))
    return tuple(
        LayerSensitivity(name, sparsity, precision, auc, whole[0] - auc, loss)
        for name, weights in prunable_layers(model, never=spec.never_pruned).items()
        for (sparsity, precision), (auc, loss) in zip(
            changes, _changed(model, weights, changes, validation), strict=True
        )
    )


def non_uniform(
    sensitivity: Sequence[LayerSensitivity],
    weights_by_layer: Mapping[str, int],
    *,
    sparsity: float,
) -> dict[str, float]:
    """Choose a sparsity for each layer so that the loss is predicted to grow least.

    The prediction is that what layers lose alone adds up, and that a layer's loss runs straight
    between measured sparsities, along the lower hull of what was measured. For such a loss, to
    always prune where the next weight costs least is optimal (Sinha and Zoltners 1979).

    Parameters
    ----------
    sensitivity
        As `layer_sensitivity` returns it; the rows in float32 count. No layer gets less than its
        lowest measured sparsity, or more than its highest.
    weights_by_layer
        How many prunable weights each layer has.
    sparsity
        Of all these weights together.

    Returns
    -------
    dict of str to float
        Sparsities by layer that make exactly `sparsity`.

    Raises
    ------
    PlanError
        If a layer was not measured, or the measured sparsities do not reach `sparsity`.
    """
    curves = {layer: _curve(sensitivity, layer, n) for layer, n in weights_by_layer.items()}
    removed = {layer: points[0][0] for layer, points in curves.items()}
    left = sparsity * sum(weights_by_layer.values()) - sum(removed.values())
    _check_reach(curves, weights_by_layer, sparsity)
    for segment in sorted(_segments(curves), key=lambda segment: segment.slope):
        taken = min(max(left, 0.0), segment.weights)
        removed[segment.layer] += taken
        left -= taken
    return {layer: removed[layer] / n for layer, n in weights_by_layer.items()}


def shares_by_sensitivity(
    model: Any, spec: ModelSpec, validation: Examples, *, sparsity: float
) -> tuple[float, ...]:
    """Return the shares of a sparsity that `edac_core.compress.pruning.prune` takes.

    A layer keeps between an eighth of the weights that even pruning leaves it and eight times as
    many, so that none is cut off because a measurement without fine-tuning thinks little of it.

    Parameters
    ----------
    model
        A trained ``tf_keras.Model``; it is not changed.
    spec
        Gives the layers that are never pruned.
    validation
        The validation set.
    sparsity
        Of all prunable weights together.
    """
    layers = prunable_layers(model, never=spec.never_pruned)
    steps = sorted({max(0.0, 1 - (1 - sparsity) * multiple) for multiple in _MULTIPLES})
    measured = layer_sensitivity(model, spec, validation, sparsities=steps)
    counts = {layer: count_of(weights) for layer, weights in layers.items()}
    chosen = non_uniform(measured, counts, sparsity=sparsity)
    return tuple(chosen[layer] / sparsity for layer, weights in layers.items() for _ in weights)


def rounded_as(weights: FloatArray, precision: str) -> FloatArray:
    """Round weights to the values that a precision of `edac_core.compress.quantization` can store.

    Scales are symmetric: for int8 one a matrix, or one an output channel of convolutions, and none
    for tensors of less than 1,024 weights, which stay as they are; for int4 one an output.
    """
    if precision == "int8" and weights.size >= LEAST_WEIGHTS:
        return _rounded(weights, STEPS, by_output=weights.ndim > _MATRIX_AXES)
    if precision == "int4_weights":
        return _rounded(weights, _INT4_STEPS, by_output=True)
    return weights


def _check(sparsities: Sequence[float], precisions: Sequence[str]) -> None:
    for sparsity in sparsities:
        if not 0 <= sparsity < 1:
            raise PlanError(f"Sparsity {sparsity:g} of a layer is not at least 0 and below 1.")
    for precision in precisions:
        if precision not in _ROUNDING_PRECISIONS:
            raise PlanError(
                f"The precision {precision!r} does not round a layer's weights by themselves; "
                f"choose from: {', '.join(_ROUNDING_PRECISIONS)}."
            )


_ROUNDING_PRECISIONS = (REFERENCE_PRECISION, "int8", "int4_weights")


def _changed(
    model: Any,
    weights: Sequence[Any],
    changes: Sequence[tuple[float, str]],
    validation: Examples,
) -> list[Worth]:
    """Measure the network after each change of one layer's weights, then put them back."""
    kept = [weight.numpy() for weight in weights]
    found = []
    try:
        for sparsity, precision in changes:
            changed = [rounded_as(_pruned(values, sparsity), precision) for values in kept]
            _assign(weights, changed)
            found.append(_worth(model, validation))
    finally:
        _assign(weights, kept)
    return found


def _assign(weights: Sequence[Any], values: Sequence[FloatArray]) -> None:
    for weight, value in zip(weights, values, strict=True):
        weight.assign(value)


def _pruned(weights: FloatArray, sparsity: float) -> FloatArray:
    return np.where(magnitude_mask(weights, sparsity), weights, np.float32(0))


def _rounded(weights: FloatArray, steps: int, *, by_output: bool) -> FloatArray:
    axes = tuple(range(weights.ndim - 1)) if by_output else None
    largest = np.abs(weights).max(axis=axes)
    step = np.where(largest > 0, largest / np.float32(steps), np.float32(1))
    return np.asarray(np.rint(weights / step) * step, dtype=np.float32)


def _worth(model: Any, validation: Examples) -> Worth:
    """Return AUC and loss."""
    scores = model.predict(validation.features, batch_size=_BATCH, verbose=0)[:, -1]
    auc = auc_interval(validation.labels, scores).estimate
    return auc, float(log_loss(validation.labels, scores, labels=[0, 1]))


def _curve(sensitivity: Sequence[LayerSensitivity], layer: str, weights: int) -> list[Point]:
    """Return the lower hull of a layer's loss over the number of its weights removed."""
    rows = (row for row in sensitivity if row.layer == layer)
    measured = {row.sparsity: row.loss for row in rows if row.precision == REFERENCE_PRECISION}
    if not measured:
        raise PlanError(
            f"The layer {layer!r} was not measured in {REFERENCE_PRECISION}; measure it as well."
        )
    hull: list[Point] = []
    for sparsity, loss in sorted(measured.items()):
        point = (sparsity * weights, loss)
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) >= _slope(hull[-1], point):
            hull.pop()
        hull.append(point)
    return hull


def _slope(first: Point, second: Point) -> float:
    return (second[1] - first[1]) / (second[0] - first[0])


def _segments(curves: Mapping[str, Sequence[Point]]) -> Iterator[_Segment]:
    for layer, points in curves.items():
        for first, second in itertools.pairwise(points):
            yield _Segment(_slope(first, second), layer, second[0] - first[0])


def _check_reach(
    curves: Mapping[str, Sequence[Point]], weights_by_layer: Mapping[str, int], sparsity: float
) -> None:
    every = sum(weights_by_layer.values())
    low, high = (sum(points[at][0] for points in curves.values()) / every for at in (0, -1))
    if not low - _ROUNDING <= sparsity <= high + _ROUNDING:
        raise PlanError(
            f"Sparsity {sparsity:g} is not between {low:g} and {high:g}, which the measured "
            "sparsities make; measure layers at others as well."
        )
