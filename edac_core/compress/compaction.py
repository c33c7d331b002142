"""Rebuilding a network without some of its units, with the same weights in what is left.

A unit is a neuron of a dense layer, a channel of a convolution or a cell of an LSTM: what a layer
can lose whole, so that the network gets smaller and faster by as much. `remove_units` takes away
any units that somebody chose; `compact` takes away those that pruning left dead, which changes
nothing but the order in which numbers are added up.

Networks are chains of layers. Where a unit is gone, what stands behind it (pooling, normalisation,
activation, flattening) would have passed on a constant, and the next layer with weights takes that
into its bias.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edac_core.errors import ModelError
from edac_core.models.backend import keras, tf
from edac_core.models.layers import Apart, Attention, HoistedLSTM

FloatArray = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Features:
    """What becomes of the units of a layer, or of the features that reach the next one.

    Parameters
    ----------
    kept
        Shape (n,).
    constants
        Shape (n,): what a feature that is not kept is taken to be, always.
    """

    kept: Mask
    constants: FloatArray

    @classmethod
    def all_of(cls, count: int) -> Features:
        """Keep all."""
        return cls(np.ones(count, bool), np.zeros(count, np.float32))

    @property
    def removed_constants(self) -> FloatArray:
        """Constants of what is removed, and 0 elsewhere."""
        return np.where(self.kept, 0, self.constants).astype(np.float32)


def remove_units(
    model: Any,
    units: Mapping[str, Features],
    *,
    means: Mapping[str, FloatArray] | None = None,
) -> Any:
    """Rebuild a network without some units.

    Parameters
    ----------
    model
        A ``tf_keras.Model`` that is a chain of layers. It is left as it is.
    units
        What becomes of the units of layers, by name; a layer that is not named keeps all.
    means
        What features that are no longer there are taken to be at the input of a layer, by its
        name: shape (features,), the size of its input's last axis. For a layer that is not named it
        is what the layers before it make of the constants.

    Returns
    -------
    tf_keras.Sequential
        Layers of the same names with weights of their own.

    Raises
    ------
    ModelError
        If the model is not a chain, has a layer that is unknown here, or a layer would lose all
        of its units or the last layer any.
    """
    chain = chain_of(model)
    _refuse_impossible(chain, units)
    layers, weights = [], []
    arriving = Features.all_of(chain[0].input_shape[-1])
    for layer in chain:
        kind = _kind_of(layer)
        chosen = units.get(layer.name)
        arriving = Features(arriving.kept, (means or {}).get(layer.name, arriving.constants))
        layers.append(kind.rebuilt(layer, arriving, chosen))
        weights += kind.weights(layer, arriving, chosen)
        arriving = kind.leaving(layer, arriving, chosen)
    smaller = keras.Sequential([keras.Input(model.input_shape[1:]), *layers], name=model.name)
    smaller.set_weights(weights)
    return smaller


def compact(model: Any) -> Any:
    """Rebuild a network without its dead units; its outputs stay the same up to rounding.

    A layer keeps one unit at least. Parameters, result and errors are those of `remove_units`.
    """
    return remove_units(model, dead_units(model))


def dead_units(model: Any) -> dict[str, Features]:
    """Find units that nothing but constants reaches, and units whose output nothing takes in.

    Returns
    -------
    dict
        By the name of each layer with units but the last.
    """
    chain = chain_of(model)
    fates: dict[str, Features] = {}
    arriving = Features.all_of(chain[0].input_shape[-1])
    owners = _owners(chain)
    for layer in chain:
        kind = _kind_of(layer)
        if layer in owners[:-1]:
            fates[layer.name] = _exactly_foldable(chain, layer, kind.constant(layer, arriving))
        arriving = kind.leaving(layer, arriving, fates.get(layer.name))
    for layer in reversed(owners[:-1]):
        fates[layer.name] = _without_unused(chain, layer, fates)
    return {name: _with_one_kept(fate) for name, fate in fates.items()}


def chain_of(model: Any) -> list[Any]:
    """Return the layers of a network, each of which follows the one before it alone.

    Raises
    ------
    ModelError
        If they do not.
    """
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    for before, after in itertools.pairwise(layers):
        if after.input is not before.output:
            raise ModelError(
                f"Layer {after.name!r} of {model.name!r} does not follow {before.name!r} alone: "
                "units can be removed from chains of layers only."
            )
    return layers


def unit_layers(model: Any) -> list[Any]:
    """Return the layers that can lose units, in order: all that have units but the last."""
    return layers_with_units(model)[:-1]


def layers_with_units(model: Any) -> list[Any]:
    """Return the layers that have units, in order."""
    return _owners(chain_of(model))


def unit_count(layer: Any) -> int:
    """Return how many units a layer has."""
    return int(_kind_of(layer).count(layer))


# -- the chain -----------------------------------------------------------------------------


def _owners(chain: list[Any]) -> list[Any]:
    return [layer for layer in chain if isinstance(_kind_of(layer), _Owner)]


def _refuse_impossible(chain: list[Any], units: Mapping[str, Features]) -> None:
    offered = [layer.name for layer in _owners(chain)[:-1]]
    for name, chosen in units.items():
        if name not in offered:
            raise ModelError(f"Layer {name!r} cannot lose units; choose from {', '.join(offered)}.")
        if not chosen.kept.any():
            raise ModelError(f"Layer {name!r} would lose all of its units; keep at least one.")


def _behind(chain: list[Any], owner: Any) -> list[Any]:
    """Return the layers behind one with units, up to the next one with units, included."""
    rest = chain[chain.index(owner) + 1 :]
    stop = next(index for index, layer in enumerate(rest) if isinstance(_kind_of(layer), _Owner))
    return rest[: stop + 1]


def _exactly_foldable(chain: list[Any], owner: Any, fate: Features) -> Features:
    """Keep units whose constant the next layer cannot take in: it would not reach its borders."""
    *passing, after = _behind(chain, owner)
    if getattr(after, "padding", "valid") == "valid":
        return fate
    reached = fate
    for layer in passing:
        reached = _kind_of(layer).leaving(layer, reached, None)
    kept = fate.kept | (reached.removed_constants != 0)
    return Features(kept, fate.constants)


def _without_unused(chain: list[Any], owner: Any, fates: Mapping[str, Features]) -> Features:
    fate = fates[owner.name]
    *passing, after = _behind(chain, owner)
    numbers = np.arange(_kind_of(owner).count(owner))
    used = np.zeros(len(numbers), bool)
    for layer in passing:
        numbers = _kind_of(layer).followed(layer, numbers)
        used[numbers[_kind_of(layer).takes_in(layer, None)]] = True
    used[numbers[_kind_of(after).takes_in(after, fates.get(after.name))]] = True
    used = _kind_of(owner).used_within(owner, used & fate.kept)
    return Features(used, fate.constants)


def _with_one_kept(fate: Features) -> Features:
    if fate.kept.any():
        return fate
    kept = fate.kept.copy()
    kept[0] = True
    return Features(kept, fate.constants)


# -- kinds of layers -----------------------------------------------------------------------


class _Kind:
    """A layer that passes features on, each by itself."""

    def count(self, layer: Any) -> int:
        """Features at its output."""
        return int(layer.output_shape[-1])

    def rebuilt(self, layer: Any, _arriving: Features, _chosen: Features | None) -> Any:
        """Return a new layer for what is left."""
        return layer.__class__.from_config(layer.get_config())

    def weights(self, layer: Any, arriving: Features, _chosen: Features | None) -> list[FloatArray]:
        """Return its weights for what is left."""
        return [weight[arriving.kept] for weight in layer.get_weights()]

    def leaving(self, layer: Any, arriving: Features, _chosen: Features | None) -> Features:
        """Return what becomes of the features at its output."""
        shape = (1, *(size or 1 for size in layer.input_shape[1:]))
        constants = np.broadcast_to(arriving.removed_constants, shape)
        passed = layer(tf.constant(constants), training=False).numpy()
        return Features(arriving.kept, passed.reshape(-1, passed.shape[-1])[0])

    def followed(self, _layer: Any, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return which number each feature at its output comes from."""
        return numbers

    def takes_in(self, layer: Any, _chosen: Features | None) -> Mask:
        """Mark the features at its output whose value matters to the layer itself."""
        return np.zeros(self.count(layer), bool)


class _Rearranging(_Kind):
    """Flatten and Reshape: the last axis may take in others."""

    def rebuilt(self, layer: Any, _arriving: Features, _chosen: Features | None) -> Any:
        config = layer.get_config()
        if "target_shape" in config:
            config["target_shape"] = (*config["target_shape"][:-1], -1)
        return layer.__class__.from_config(config)

    def leaving(self, layer: Any, arriving: Features, _chosen: Features | None) -> Features:
        return Features(
            self.followed(layer, arriving.kept), self.followed(layer, arriving.constants)
        )

    def followed(self, layer: Any, numbers: Any) -> Any:
        spread = np.broadcast_to(numbers, layer.input_shape[1:])
        rows = spread.reshape(-1, layer.output_shape[-1])
        if (rows != rows[0]).any():
            raise ModelError(
                f"Layer {layer.name!r} mixes features and positions; units before it cannot be "
                "removed."
            )
        return rows[0]


class _Attending(_Kind):
    """Attention adds features up over time with weights that sum to 1."""

    def weights(self, layer: Any, arriving: Features, _chosen: Features | None) -> list[FloatArray]:
        kernel, bias = layer.get_weights()
        return [kernel[arriving.kept], bias + arriving.removed_constants @ kernel]

    def leaving(self, _layer: Any, arriving: Features, _chosen: Features | None) -> Features:
        return arriving

    def takes_in(self, layer: Any, _chosen: Features | None) -> Mask:
        found: Mask = layer.get_weights()[0].any(axis=1)
        return found


class _Owner(_Kind):
    """A layer with units of its own. Its kernel's last two axes are features and units."""

    size = "units"

    def count(self, layer: Any) -> int:
        return int(layer.get_config()[self.size])

    def rebuilt(self, layer: Any, arriving: Features, chosen: Features | None) -> Any:
        config = layer.get_config()
        config[self.size] = int(self._kept(layer, chosen).sum())
        config["use_bias"] = self._needs_bias(layer, arriving, chosen)
        return layer.__class__.from_config(config)

    def weights(self, layer: Any, arriving: Features, chosen: Features | None) -> list[FloatArray]:
        kernel = layer.get_weights()[0]
        kept = self._kept(layer, chosen)
        cut = [kernel[..., arriving.kept, :][..., kept]]
        if self._needs_bias(layer, arriving, chosen):
            cut.append(self._bias(layer, arriving, chosen)[kept])
        return cut

    def leaving(self, layer: Any, _arriving: Features, chosen: Features | None) -> Features:
        return chosen or Features.all_of(self.count(layer))

    def takes_in(self, layer: Any, chosen: Features | None) -> Mask:
        kernel = layer.get_weights()[0][..., self._kept(layer, chosen)]
        found: Mask = kernel.any(
            axis=tuple(axis for axis in range(kernel.ndim) if axis != kernel.ndim - 2)
        )
        return found

    def constant(self, layer: Any, arriving: Features) -> Features:
        """Mark the units that nothing but constants reaches."""
        kernel = layer.get_weights()[0][..., arriving.kept, :]
        reached: Mask = kernel.any(axis=tuple(range(kernel.ndim - 1)))
        bias = self._bias(layer, arriving, None)
        return Features(reached, layer.activation(tf.constant(bias[np.newaxis])).numpy()[0])

    def used_within(self, _layer: Any, used: Mask) -> Mask:
        """Mark the units that are used, given those that are used further on."""
        return used

    def _kept(self, layer: Any, chosen: Features | None) -> Mask:
        return self.leaving(layer, Features.all_of(0), chosen).kept

    def _needs_bias(self, layer: Any, arriving: Features, chosen: Features | None) -> bool:
        return bool(layer.use_bias or self._bias(layer, arriving, chosen).any())

    def _bias(self, layer: Any, arriving: Features, _chosen: Features | None) -> FloatArray:
        """Return the bias with all that is constant taken in."""
        kernel = layer.get_weights()[0]
        rows = kernel.reshape(-1, *kernel.shape[-2:]).sum(axis=0)
        bias: FloatArray = arriving.removed_constants @ rows
        return bias + layer.get_weights()[-1] if layer.use_bias else bias


class _Convolving(_Owner):
    """A convolution; its units are its channels."""

    size = "filters"


class _Recurrent(_Owner):
    """An LSTM: each unit has a column in four gates, and a row of the recurrent kernel."""

    def weights(self, layer: Any, arriving: Features, chosen: Features | None) -> list[FloatArray]:
        kernel, recurrent = layer.get_weights()[:2]
        fate = self.leaving(layer, arriving, chosen)
        columns = np.tile(fate.kept, 4)
        cut = [kernel[arriving.kept][:, columns], recurrent[fate.kept][:, columns]]
        if self._needs_bias(layer, arriving, chosen):
            cut.append(self._bias(layer, arriving, chosen)[columns])
        return cut

    def _bias(self, layer: Any, arriving: Features, chosen: Features | None) -> FloatArray:
        """Return the bias, what its own removed units give out included."""
        fate = self.leaving(layer, arriving, chosen)
        fed_back: FloatArray = fate.removed_constants @ layer.get_weights()[1]
        return super()._bias(layer, arriving, chosen) + fed_back

    def takes_in(self, layer: Any, chosen: Features | None) -> Mask:
        columns = np.tile(self._kept(layer, chosen), 4)
        found: Mask = layer.get_weights()[0][:, columns].any(axis=1)
        return found

    def constant(self, layer: Any, _arriving: Features) -> Features:
        """Find none: what an LSTM gives out changes from step to step even so."""
        return Features.all_of(self.count(layer))

    def used_within(self, layer: Any, used: Mask) -> Mask:
        recurrent = layer.get_weights()[1].reshape(self.count(layer), 4, -1).any(axis=1)
        while True:
            grown = used | recurrent[:, used].any(axis=1)
            if (grown == used).all():
                return used
            used = grown


_PASSING = (
    keras.layers.BatchNormalization, keras.layers.MaxPooling2D, keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D, keras.layers.Dropout,
    keras.layers.ReLU, keras.layers.Activation, Apart,
)  # fmt: skip

# By exact type: a subclass may compute something else.
_KINDS: dict[type, _Kind] = {
    keras.layers.Dense: _Owner(),
    keras.layers.Conv2D: _Convolving(),
    keras.layers.LSTM: _Recurrent(),
    HoistedLSTM: _Recurrent(),
    keras.layers.Flatten: _Rearranging(),
    keras.layers.Reshape: _Rearranging(),
    Attention: _Attending(),
    **{kind: _Kind() for kind in _PASSING},
}


def _kind_of(layer: Any) -> Any:
    try:
        return _KINDS[type(layer)]
    except KeyError:
        known = ", ".join(kind.__name__ for kind in _KINDS)
        raise ModelError(
            f"Layer {layer.name!r} is a {type(layer).__name__}, from which units cannot be "
            f"removed; use {known}."
        ) from None
