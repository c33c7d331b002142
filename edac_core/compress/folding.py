"""Batch normalisation folded into the layers around it: the same function with fewer operators.

A trained normalisation multiplies each feature by a number and adds another. The convolution or
dense layer before it can do that with its own weights, also through average pooling; else the
layers behind it can. The converter does so itself for direct neighbours only.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edac_core.models.backend import keras
from edac_core.models.layers import Attention, HoistedLSTM

FloatArray = npt.NDArray[np.float32]
Weights = dict[str, list[FloatArray]]

# What these do to features commutes with a product and a sum per feature.
_PASSING = (
    keras.layers.AveragePooling2D, keras.layers.GlobalAveragePooling2D, keras.layers.Dropout,
)  # fmt: skip
_LINEAR = (keras.layers.Dense, keras.layers.Conv2D)
_TAKING = (*_LINEAR, keras.layers.LSTM, HoistedLSTM)


def fold_normalisation(model: Any) -> Any:
    """Return a network of the same function, up to rounding, with less batch normalisation.

    Normalisation of the input itself stays: dense layers that took it in would have weights that
    span as many orders of magnitude as the features do, which int8 cannot hold. So does any whose
    neighbours cannot take it in.

    Parameters
    ----------
    model
        A ``tf_keras.Model``. It is left as it is.

    Returns
    -------
    tf_keras.Model
        Layers of the same names, without those that were folded. The model itself if there is
        nothing to fold, or if it is no chain of layers.
    """
    chain = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    if not _is_chain(chain):
        return model
    weights = {layer.name: layer.get_weights() for layer in chain}
    folded = [layer for layer in chain if _is_normalisation(layer) and _fold(layer, chain, weights)]
    return _without(model, chain, folded, weights) if folded else model


@dataclass(frozen=True)
class _Affine:
    """What a normalisation does to each feature."""

    scale: FloatArray
    shift: FloatArray

    @classmethod
    def of(cls, layer: Any) -> _Affine:
        ones = np.ones(layer.moving_mean.shape)
        gamma = layer.gamma.numpy().astype(float) if layer.scale else ones
        beta = layer.beta.numpy() if layer.center else 0 * ones
        scale = gamma / np.sqrt(layer.moving_variance.numpy().astype(float) + layer.epsilon)
        shift = beta - layer.moving_mean.numpy() * scale
        return cls(scale.astype(np.float32), shift.astype(np.float32))


def _is_chain(chain: Sequence[Any]) -> bool:
    return all(after.input is before.output for before, after in itertools.pairwise(chain))


def _is_normalisation(layer: Any) -> bool:
    is_one = type(layer) is keras.layers.BatchNormalization
    return is_one and list(layer.axis) == [len(layer.input_shape) - 1]


def _fold(layer: Any, chain: Sequence[Any], weights: Weights) -> bool:
    """Change the weights of the layers around a normalisation to do its part, if they can."""
    at = chain.index(layer)
    affine = _Affine.of(layer)
    source = next((one for one in reversed(chain[:at]) if not _passes(one)), None)
    if _is_linear(source):
        _fold_back(source, affine, weights)
        return True
    takers = _takers(chain[at + 1 :])
    if not takers or not any(type(one) in _TAKING for one in chain[:at]):
        return False
    for taker in takers:
        _fold_forward(taker, affine, weights)
    return True


def _passes(layer: Any) -> bool:
    return type(layer) in _PASSING


def _is_linear(layer: Any) -> bool:
    return type(layer) in _LINEAR and layer.activation is keras.activations.linear


def _takers(behind: Sequence[Any]) -> list[Any]:
    """Return the layers that would take a normalisation in; none if something is in the way."""
    takers = [layer for layer in behind if not _passes(layer)]
    attentions = [index for index, layer in enumerate(takers) if type(layer) is not Attention]
    if not attentions or not _takes_in(takers[attentions[0]]):
        return []
    return takers[: attentions[0] + 1]


def _takes_in(layer: Any) -> bool:
    if type(layer) is keras.layers.Conv2D:
        # A padded border is zero, which normalisation would have moved.
        return bool(layer.padding == "valid" and layer.groups == 1)
    return type(layer) in _TAKING


def _fold_back(layer: Any, affine: _Affine, weights: Weights) -> None:
    kernel, bias = _with_bias(layer, weights)
    weights[layer.name] = [kernel * affine.scale, bias * affine.scale + affine.shift]


def _fold_forward(layer: Any, affine: _Affine, weights: Weights) -> None:
    """Kernels have features on their last axis but one.

    Attention passes the normalisation on besides, since what it weighs features with sums to 1.
    """
    kernel, *others, bias = _with_bias(layer, weights)
    added = affine.shift @ kernel.reshape(-1, *kernel.shape[-2:]).sum(axis=0)
    weights[layer.name] = [kernel * affine.scale[:, np.newaxis], *others, bias + added]


def _with_bias(layer: Any, weights: Weights) -> list[FloatArray]:
    found = weights[layer.name]
    if getattr(layer, "use_bias", True):
        return found
    return [*found, np.zeros(found[0].shape[-1], np.float32)]


def _without(model: Any, chain: Sequence[Any], folded: Sequence[Any], weights: Weights) -> Any:
    left = [layer for layer in chain if layer not in folded]
    layers = [_rebuilt(layer, weights[layer.name]) for layer in left]
    found = keras.Sequential([keras.Input(model.input_shape[1:]), *layers], name=model.name)
    found.set_weights([weight for layer in left for weight in weights[layer.name]])
    return found


def _rebuilt(layer: Any, weights: Sequence[FloatArray]) -> Any:
    config = layer.get_config()
    if len(weights) > len(layer.get_weights()):
        config["use_bias"] = True
    return layer.__class__.from_config(config)
