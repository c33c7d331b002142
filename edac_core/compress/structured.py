"""Structured pruning: networks with fewer neurons, channels and LSTM cells.

The units of all layers are ranked together and the least important removed, until no more than the
wanted fraction of the prunable weights is left. The network is rebuilt without them, so that it is
smaller and faster in any format on any device, and fine-tuned.

What a removed unit passed on is replaced by its mean over the training set, at the input of the
next layer, whose bias takes it in: on average, the layers behind then get what they are used to.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from edac_core.compress.compaction import (
    Features,
    chain_of,
    layers_with_units,
    remove_units,
    unit_count,
    unit_layers,
)
from edac_core.errors import ModelError, PlanError
from edac_core.models.backend import keras, tf
from edac_core.models.examples import Examples
from edac_core.models.spec import ModelSpec
from edac_core.models.training import Epoch, OnEpoch, Trainer, fine_tune, seed_everything

RankBy = Literal["norm", "taylor"]
Importance = dict[str, npt.NDArray[np.float64]]
Counts = npt.NDArray[np.int64]

_BATCH = 32
_FLOOR = 0.25
_BISECTIONS = 40


def shrink(
    model: Any,
    spec: ModelSpec,
    training: Examples,
    *,
    sparsity: float,
    rank_by: RankBy,
    epochs: int,
    batch_size: int,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> tuple[Any, tuple[Epoch, ...]]:
    """Remove the least important units of a trained network and fine-tune what is left.

    Parameters
    ----------
    model
        A trained chain of layers. It is left as it is.
    spec
        How it is trained. Layers that it never prunes keep all of their units; they lose the
        weights of inputs that are no longer there.
    training
        The training set.
    sparsity
        Fraction of the prunable weights that is removed, at least: as little more than that as
        whole units allow.
    rank_by
        "norm" or "taylor"; see `by_norm` and `by_taylor`.
    epochs
        Of fine-tuning.
    batch_size
        Recordings a training step.
    seed
        Of dropout and of the order of the examples.
    on_epoch
        Called after every epoch.

    Returns
    -------
    model : tf_keras.Sequential
        Layers of the same names.
    history : tuple of Epoch
        Their losses.

    Raises
    ------
    PlanError
        If there is no such ranking.
    ModelError
        If one unit a layer is too much for the sparsity, the model is not a chain, or training
        diverges.
    """
    whole = _Widths.of(model, never=spec.never_pruned)
    _refuse_impossible(whole, model, sparsity=sparsity)
    seed_everything(seed)
    most_weights = whole.weights_left(sparsity)
    model = _without_least(model, spec, training, rank_by=rank_by, most_weights=most_weights)
    trainer = Trainer(model, spec, training, batch_size=batch_size, seed=seed)
    return model, fine_tune(trainer, range(1, epochs + 1), on_epoch=on_epoch)


def by_norm(model: Any) -> Importance:
    """Rank units by the L2 norm of the weights that lead into them (Li et al. 2017, there L1).

    A cell's are those of its four gates, the recurrent ones included. Norms are divided by their
    root mean square in the layer, for which width and number of inputs cancel out.

    Returns
    -------
    dict
        Shape (units,) by the name of each layer that can lose units, in order.
    """
    norms = {layer.name: np.sqrt(_squares_by_unit(layer)) for layer in unit_layers(model)}
    return {name: values / _root_mean_square(values) for name, values in norms.items()}


def by_taylor(model: Any, examples: Examples) -> Importance:
    """Rank units by the squared change of the loss when their output is set to 0, to first order.

    The change for one recording is the sum, over positions or time steps, of output times
    gradient; what counts is its square, summed over the recordings (Molchanov et al. 2019,
    "Importance Estimation for Neural Network Pruning", with a gate at each unit's output and the
    gradients of single examples, their "Taylor FO-FG"). Being changes of the same loss, values of
    different layers compare as they are, as in that paper; its forerunner of 2017 normalised each
    layer.

    A cell's output is gated on the way to the next time step as well. Gradients are those of
    inference: no dropout, and batch normalisation with its moving averages.

    Returns
    -------
    dict
        As `by_norm`.
    """
    names = [layer.name for layer in unit_layers(model)]
    squared_changes = _squared_changes(model)
    truth = examples.labels if examples.targets is None else examples.targets
    sums = [
        squared_changes(
            tf.constant(examples.features[batch]), tf.constant(truth[batch], tf.float32)
        )
        for batch in _batches(examples)
    ]
    totals = [np.sum(parts, axis=0, dtype=np.float64) for parts in zip(*sums, strict=True)]
    return dict(zip(names, totals, strict=True))


# -- how many units each layer keeps ---------------------------------------------------------


@dataclass(frozen=True)
class _Widths:
    """How many prunable weights a chain has, by the number of units in each layer.

    Parameters
    ----------
    names
        Of the layers with units, the last included.
    units
        Their numbers of units.
    inputs
        Features of the network's input.
    per_pair
        Prunable weights between each feature before a layer and each of its units.
    per_square
        Recurrent ones between each two of its units.
    fixed
        Whether a layer keeps all of its units.
    """

    names: tuple[str, ...]
    units: Counts
    inputs: int
    per_pair: Counts
    per_square: Counts
    fixed: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, model: Any, *, never: Sequence[str]) -> _Widths:
        """Read them from a network, of which some layers are never pruned."""
        layers = layers_with_units(model)
        units = [unit_count(layer) for layer in layers]
        prunable = np.array([layer.name not in never for layer in layers])
        pairs = zip([model.input_shape[-1], *units], units, strict=False)
        kernels = [math.prod(layer.weights[0].shape) for layer in layers]
        per_pair = [
            size // (before * own) for size, (before, own) in zip(kernels, pairs, strict=True)
        ]
        per_square = [4 if isinstance(layer, keras.layers.LSTM) else 0 for layer in layers]
        return cls(
            names=tuple(layer.name for layer in layers),
            units=np.array(units),
            inputs=int(model.input_shape[-1]),
            per_pair=np.array(per_pair) * prunable,
            per_square=np.array(per_square) * prunable,
            fixed=~prunable | (np.arange(len(layers)) == len(layers) - 1),
        )

    def weights(self, units: Counts) -> int:
        """Return the number of prunable weights with so many units."""
        before = np.concatenate([[self.inputs], units[:-1]])
        return int((self.per_pair * before * units + self.per_square * units**2).sum())

    def weights_left(self, sparsity: float) -> int:
        """Return the most prunable weights that leave a network that sparse."""
        # A product that falls short of a whole number by rounding alone is that number.
        return math.floor(self.weights(self.units) * (1 - sparsity) + 1e-6)

    def scaled(self, width: float) -> Counts:
        """Return numbers of units with all widths scaled alike, at least one a layer."""
        narrowed = np.maximum((self.units * width).astype(np.int64), 1)
        return np.where(self.fixed, self.units, narrowed)


def _refuse_impossible(widths: _Widths, model: Any, *, sparsity: float) -> None:
    fewest = widths.weights(widths.scaled(0))
    if fewest > widths.weights_left(sparsity):
        highest = math.floor((1 - fewest / widths.weights(widths.units)) * 1e6) / 1e6
        raise ModelError(
            f"{model.name!r} cannot lose {sparsity:.6g} of its weights, as a layer keeps one unit "
            f"at least; ask for a sparsity of at most {highest:.6g}."
        )


def _floors(widths: _Widths, most_weights: int) -> Counts:
    """Return how many units each layer keeps, whatever their rank.

    That is a share of what it would have if all layers were narrowed alike: a layer whose units all
    rank low would otherwise lose all but one, and starve those behind it.
    """
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        fits = widths.weights(widths.scaled(middle)) <= most_weights
        low, high = (middle, high) if fits else (low, middle)
    return widths.scaled(_FLOOR * low)


def _kept(widths: _Widths, importance: Importance, *, most_weights: int) -> dict[str, Any]:
    """Mark the units to keep, by layer.

    The least important go until few enough weights are left; then those come back for which, in
    the order of their importance, there still is room.
    """
    layers, units = _least_first(importance, _floors(widths, most_weights))

    def left(removed: int) -> Counts:
        return widths.units - np.bincount(layers[:removed], minlength=len(widths.units))

    # Few enough are left once the negated number is no longer below that allowed.
    removed = bisect.bisect_left(
        range(len(layers)), -most_weights, key=lambda removed: -widths.weights(left(removed))
    )
    counts = left(removed)
    kept = {
        name: np.ones(count, bool) for name, count in zip(importance, widths.units, strict=False)
    }
    for layer, unit in zip(layers[:removed][::-1], units[:removed][::-1], strict=True):
        more = counts + (np.arange(len(counts)) == layer)
        if widths.weights(more) <= most_weights:
            counts = more
        else:
            kept[widths.names[layer]][unit] = False
    return kept


def _least_first(importance: Importance, floors: Counts) -> tuple[Counts, Counts]:
    """Return layer and number of each unit that may go, the least important first."""
    removable = [
        np.argsort(values, kind="stable")[: len(values) - floor]
        for values, floor in zip(importance.values(), floors, strict=False)
    ]
    scores = [values[units] for values, units in zip(importance.values(), removable, strict=True)]
    layers = np.repeat(np.arange(len(removable)), [len(units) for units in removable])
    order = np.argsort(np.concatenate(scores), kind="stable")
    return layers[order], np.concatenate(removable)[order]


# -- one removal -----------------------------------------------------------------------------


def _without_least(
    model: Any, spec: ModelSpec, training: Examples, *, rank_by: RankBy, most_weights: int
) -> Any:
    widths = _Widths.of(model, never=spec.never_pruned)
    kept = _kept(widths, _importance(model, training, rank_by), most_weights=most_weights)
    chain, layers = chain_of(model), unit_layers(model)
    constants = _means(model, training, {layer.name: layer.output for layer in layers})
    means = _means(model, training, {layer.name: layer.input for layer in chain if layer.weights})
    fates = {name: Features(mask, constants[name]) for name, mask in kept.items()}
    return remove_units(model, fates, means=means)


def _importance(model: Any, training: Examples, rank_by: RankBy) -> Importance:
    if rank_by == "norm":
        return by_norm(model)
    if rank_by == "taylor":
        return by_taylor(model, training)
    known = ", ".join(get_args(RankBy))
    raise PlanError(f"There is no ranking {rank_by!r} of units; choose one of: {known}.")


def _means(
    model: Any, examples: Examples, tensors: Mapping[str, Any]
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the means of features over recordings and over all axes but the last."""
    tapped = keras.Model(model.inputs, list(tensors.values()))

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def sums(features: Any) -> Any:
        values = tf.nest.flatten(tapped(features, training=False))
        over_positions = [tf.reduce_mean(value, _positions(value)) for value in values]
        return [tf.reduce_sum(value, 0) for value in over_positions]

    parts = [sums(tf.constant(examples.features[batch])) for batch in _batches(examples)]
    totals = [np.stack(each).sum(axis=0, dtype=np.float64) for each in zip(*parts, strict=True)]
    means = [np.asarray(total / len(examples.labels), np.float32) for total in totals]
    return dict(zip(tensors, means, strict=True))


def _positions(values: Any) -> list[int]:
    return list(range(1, len(values.shape) - 1))


def _batches(examples: Examples) -> list[slice]:
    return [slice(at, at + _BATCH) for at in range(0, len(examples.labels), _BATCH)]


# -- importance ------------------------------------------------------------------------------


def _squares_by_unit(layer: Any) -> npt.NDArray[np.float64]:
    kernels = [weight for weight in layer.get_weights() if weight.ndim > 1]
    flat = [kernel.reshape(-1, kernel.shape[-1]) for kernel in kernels]
    sums = sum(np.einsum("ij,ij->j", rows, rows) for rows in flat)
    by_unit: npt.NDArray[np.float64] = np.reshape(sums, (-1, unit_count(layer))).sum(axis=0)
    return by_unit.astype(np.float64)


def _root_mean_square(values: npt.NDArray[np.float64]) -> float:
    # A layer whose weights are all 0 has no scale.
    return float(np.sqrt(np.mean(values**2))) or 1.0


def _squared_changes(model: Any) -> Any:
    """Return a function of features and truth that gives the sums by unit, for each layer."""
    chain, owners, loss_of = chain_of(model), unit_layers(model), _summed_loss(model)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def squared_changes(features: Any, truth: Any) -> Any:
        outputs = []
        with tf.GradientTape() as tape:
            values = features
            for layer in chain:
                values, steps = _run(layer, values)
                outputs += [steps] if layer in owners else []
            loss = loss_of(truth[:, tf.newaxis], values)
        gradients = tape.gradient(loss, outputs)
        return [_squares_of_sums(*pair) for pair in zip(outputs, gradients, strict=True)]

    return squared_changes


def _run(layer: Any, values: Any) -> tuple[Any, list[Any]]:
    """Return a layer's output, and the tensors that hold what its units give out.

    An LSTM runs step by step: the gradient of a step's tensor includes what it does to later steps.
    """
    if not isinstance(layer, keras.layers.LSTM):
        output = layer(values, training=False)
        return output, [output]
    state = layer.cell.get_initial_state(batch_size=tf.shape(values)[0], dtype=values.dtype)
    steps = []
    for step in tf.unstack(values, axis=1):
        hidden, state = layer.cell(step, state, training=False)
        steps.append(hidden)
    return tf.stack(steps, axis=1) if layer.return_sequences else hidden, steps


def _squares_of_sums(outputs: list[Any], gradients: list[Any]) -> Any:
    changes = [
        tf.reduce_sum(output * gradient, _positions(output))
        for output, gradient in zip(outputs, gradients, strict=True)
    ]
    return tf.reduce_sum(tf.cast(tf.add_n(changes), tf.float64) ** 2, axis=0)


def _summed_loss(model: Any) -> Any:
    """Return the cross-entropy that fits the output, summed over recordings."""
    if model.output_shape[-1] == 1:
        return keras.losses.BinaryCrossentropy(reduction="sum")
    both = keras.losses.CategoricalCrossentropy(reduction="sum")
    return lambda truth, predicted: both(tf.concat([1 - truth, truth], axis=1), predicted)
