"""Post-training quantisation by the TFLite converter (EDAC, section 4.4)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from edac_core.compress import PRECISIONS
from edac_core.errors import ModelError, PlanError
from edac_core.models.backend import tf


def convert(model: Any, precision: str) -> bytes:
    """Convert a Keras model to a .tflite file.

    Parameters
    ----------
    model
        A ``tf_keras.Model``; it is not changed, but for the sign of its zeros.
    precision
        ``float32``; ``float16``, which stores weights in half precision; ``int8``, dynamic
        range quantisation, which stores weights in 8 bits (min-max; one scale a dense matrix, one
        a convolution's channel) and scales activations at run time.

    Raises
    ------
    PlanError
        If the precision is unknown.
    ModelError
        If TensorFlow cannot convert the model.
    """
    try:
        configure = _CONFIGURE[precision]
    except KeyError:
        known = ", ".join(PRECISIONS)
        raise PlanError(f"There is no precision {precision!r}; choose one of: {known}.") from None
    drop_negative_zeros(model)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    configure(converter)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return bytes(converter.convert())
    except Exception as error:
        raise ModelError(
            f"TensorFlow cannot convert {model.name!r} to {precision}: {error}."
        ) from error


def drop_negative_zeros(model: Any) -> None:
    """Turn every -0.0 of the weights into +0.0.

    A mask leaves a zero with the sign of the weight it removed, a random bit that no archive can
    squeeze out. Adding 0.0 changes no value.
    """
    model.set_weights([weight + np.zeros((), weight.dtype) for weight in model.get_weights()])


def _as_float32(converter: Any) -> None:
    """Convert without quantisation."""


def _as_float16(converter: Any) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _as_int8(converter: Any) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # One scale a matrix, as the papers had it. With one a unit, the converter's newer default,
    # units that the regularisers have silenced keep their noise at full resolution: the CNN's zip
    # is ten times larger and its AUC the same.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001


_CONFIGURE: dict[str, Callable[[Any], None]] = dict(
    zip(PRECISIONS, (_as_float32, _as_float16, _as_int8), strict=True)
)
