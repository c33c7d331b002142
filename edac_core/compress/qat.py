"""Quantisation-aware training by tfmot, for files whose weights and activations are int8.

tfmot starts the range of every activation at -6 to 6 and moves it by a thousandth a step, which
no fine-tuning of a few hundred steps outlasts. Here ranges start where the float network has
them on the training set.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edac_core.errors import ModelError, one_sentence
from edac_core.models.backend import keras, tf
from edac_core.models.examples import Examples, Features
from edac_core.models.layers import Apart
from edac_core.models.spec import ModelSpec
from edac_core.models.training import Epoch, OnEpoch, Trainer, fine_tune

import tensorflow_model_optimization as tfmot  # isort: skip - needs the environment of `backend`
from tensorflow_model_optimization.python.core.quantization.keras import (  # isort: skip
    quantize_layer,
)
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (  # isort: skip
    default_8bit_quantize_configs,
    default_8bit_quantize_registry,
)

QUANTIZED_PRECISION = "int8_full"
"""The precision that `convert_quantized` gives."""

_QUANT, _APART = "quant_", "_apart"
_ENDS = ("min:0", "max:0")
_NARROWEST = 1e-6

_Place = tuple[str, str]
_Range = tuple[float, float]


def train_quantized(
    model: Any,
    spec: ModelSpec,
    training: Examples,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    keep_zeros: bool = False,
    on_epoch: OnEpoch | None = None,
) -> tuple[Any, tuple[Epoch, ...]]:
    """Fine-tune a network that rounds weights and activations as its int8 file will.

    Layers that tfmot does not know are left float if they have no kernel, such as a batch
    normalisation that follows no convolution; what they give out is rounded.

    Parameters
    ----------
    model
        A trained chain of layers. It is left as it is.
    spec
        Gives the optimiser, the learning rate of each epoch, and how steps are compiled.
    training
        The training set; it also sets the ranges of activations.
    epochs
        Of fine-tuning.
    batch_size
        Recordings a step.
    seed
        Of the order of the recordings.
    keep_zeros
        Keep kernels zero where they are, as after pruning (tfmot's pruning-preserving scheme).
    on_epoch
        Called after every epoch.

    Returns
    -------
    model : tf_keras.Model
        For `convert_quantized`.
    history : tuple of Epoch
        The losses.

    Raises
    ------
    ModelError
        If tfmot cannot quantise a layer that holds a kernel, or the model is no chain.
    """
    _check(model)
    quantized = _quantize(model, keep_zeros=keep_zeros)
    _set_ranges(quantized, _find_ranges(model, training.features, batch_size=batch_size))
    trainer = Trainer(quantized, spec, training, batch_size=batch_size, seed=seed)
    return quantized, fine_tune(trainer, range(1, epochs + 1), on_epoch=on_epoch)


def convert_quantized(model: Any) -> bytes:
    """Convert what `train_quantized` returned to a .tflite file, int8 from end to end.

    Raises
    ------
    ModelError
        If TensorFlow cannot convert it.
    """
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    try:
        with _silence():
            return bytes(converter.convert())
    except Exception as error:
        raise ModelError(
            f"TensorFlow cannot convert {model.name!r}, trained for int8: {one_sentence(error)}"
        ) from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Without what the converter prints, and its wish for the statistics that training made."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs", UserWarning)
        yield


def _check(model: Any) -> None:
    if not isinstance(model, keras.Sequential):
        raise ModelError(
            f"Quantisation-aware training takes chains of layers, and {model.name!r} is a "
            f"{type(model).__name__}; build it as a Sequential."
        )
    registry = default_8bit_quantize_registry.Default8BitQuantizeRegistry()
    for layer in model.layers:
        if _has_kernel(layer) and not registry.supports(layer):
            raise ModelError(
                f"Quantisation-aware training cannot round the layer {layer.name!r}, as tfmot does "
                f"not know its kind, {type(layer).__name__}, and its weights would stay in "
                "float32; convert the model to int8 without it."
            )


def _has_kernel(layer: Any) -> bool:
    return any(len(weight.shape) > 1 for weight in layer.trainable_weights)


def _quantize(model: Any, *, keep_zeros: bool) -> Any:
    """Return a copy of the network that tfmot has told to round."""
    annotated = keras.Sequential(
        [keras.Input(model.input_shape[1:]), *_annotated(model.layers)], name=model.name
    )
    annotated.set_weights(model.get_weights())
    known = {type(layer).__name__: type(layer) for layer in model.layers} | {"Apart": Apart}
    combine = tfmot.experimental.combine
    scheme = [combine.Default8BitPrunePreserveQuantizeScheme()] if keep_zeros else []
    try:
        with tfmot.quantization.keras.quantize_scope(known):
            return tfmot.quantization.keras.quantize_apply(annotated, *scheme)
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"Quantisation-aware training cannot round {model.name!r} ({error}); convert it to "
            "int8 without."
        ) from error


def _annotated(layers: list[Any]) -> Iterator[Any]:
    annotate = tfmot.quantization.keras.quantize_annotate_layer
    rounded_output = default_8bit_quantize_configs.Default8BitOutputQuantizeConfig
    registry = default_8bit_quantize_registry.Default8BitQuantizeRegistry()
    for before, layer in zip([None, *layers], layers, strict=False):
        copy = type(layer).from_config(layer.get_config())
        if registry.supports(layer) or _folds_into(before, layer):
            yield annotate(copy)
        else:
            yield copy
            yield annotate(Apart(name=layer.name + _APART), rounded_output())


def _folds_into(before: Any, layer: Any) -> bool:
    """Whether tfmot rounds a normalisation together with the convolution before it."""
    return (
        isinstance(layer, keras.layers.BatchNormalization)
        and isinstance(before, keras.layers.Conv2D)
        and before.activation is keras.activations.linear
    )


def _find_ranges(model: Any, features: Features, *, batch_size: int) -> Mapping[_Place, _Range]:
    """Return the ranges on average over batches, which training goes on to average."""
    found: dict[_Place, list[_Range]] = defaultdict(list)
    for start in range(0, len(features), batch_size):
        values = tf.constant(features[start : start + batch_size])
        found["", "input"].append(_range(values))
        for layer in model.layers:
            unbent, values = _forward(layer, values)
            found[layer.name, "pre_activation"].append(_range(unbent))
            for place in ("post_activation", "output"):
                found[layer.name, place].append(_range(values))
    ranges = {place: _mean(each) for place, each in found.items()}
    # tfmot remembers all values of the input instead.
    lows, highs = zip(*found["", "input"], strict=True)
    return ranges | {("", "input"): (min(lows), max(highs))}


def _forward(layer: Any, values: Any) -> tuple[Any, Any]:
    """Return what a layer gives out, without and with its activation."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        values = layer(values)
        return values, values
    layer.activation = keras.activations.linear
    try:
        unbent = layer(values)
    finally:
        layer.activation = activation
    return unbent, activation(unbent)


def _range(values: Any) -> _Range:
    # With zero in it, which int8 must be able to say; a silent layer needs some range as well.
    return min(float(tf.reduce_min(values)), 0.0), max(float(tf.reduce_max(values)), _NARROWEST)


def _mean(ranges: Sequence[_Range]) -> _Range:
    lows, highs = zip(*ranges, strict=True)
    return float(np.mean(lows)), float(np.mean(highs))


def _set_ranges(quantized: Any, ranges: Mapping[_Place, _Range]) -> None:
    for layer in quantized.layers:
        is_input = isinstance(layer, quantize_layer.QuantizeLayer)
        name = "" if is_input else layer.name.removeprefix(_QUANT).removesuffix(_APART)
        for variable in layer.non_trainable_weights:
            place, _, end = variable.name.split("/")[-1].rpartition("_")
            ends = ranges.get((name, "input" if is_input else place))
            if ends is not None and end in _ENDS:
                variable.assign(ends[_ENDS.index(end)])
