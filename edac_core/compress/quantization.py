"""Post-training quantisation: how weights, and for some precisions activations, are stored.

float32, float16 and int8 are those of EDAC, section 4.4.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edac_core.compress import PRECISIONS, REFERENCE_PRECISION
from edac_core.compress.blocks import fill_blocks, refuse_partial_blocks
from edac_core.errors import ModelError, PlanError, one_sentence
from edac_core.models.backend import tf

FloatArray = npt.NDArray[np.float32]


def convert(
    model: Any,
    precision: str,
    *,
    representative: FloatArray | None = None,
    sparse: bool = False,
) -> bytes:
    """Convert a Keras model to a .tflite file.

    Parameters
    ----------
    model
        A ``tf_keras.Model``; it is not changed, but for the sign of its zeros.
    precision
        ``float32``. ``float16``: weights in half precision. ``int8``: dynamic range quantisation,
        weights in 8 bits (min-max; one scale a dense matrix, one a convolution's channel) and
        activations scaled at run time. ``int8_full``: weights, activations, input and output in
        8 bits, as microcontrollers take it. ``int16x8``: weights in 8 bits; activations, input
        and output in 16, for which LiteRT has its slow reference kernels only.
        ``int4_weights``: as int8 with weights in 4 bits, two to a byte, one scale a unit.
    representative
        Shape (n, *input_shape): features of the training set, from which `int8_full` and
        `int16x8` learn the ranges of activations. Some 200 rows do.
    sparse
        Store matrices that are mostly zero as sparse ones. Those whose zeros come in blocks of
        `edac_core.compress.blocks.BLOCK_SIZE`, or nearly all of whose weights are zero, are
        computed sparse as well; the others are unpacked when the file is loaded.

    Raises
    ------
    PlanError
        If the precision is unknown, cannot be sparse, or lacks the features it needs.
    ModelError
        If TensorFlow cannot convert the model, or LiteRT would compute it wrong.
    """
    _refuse_impossible(precision, representative, sparse=sparse)
    drop_negative_zeros(model)
    try:
        if precision == "int4_weights":
            return _with_int4_weights(_converted(model, _as_float32))
        configure = _configuration(precision, representative)
        return _sparsely(model, configure) if sparse else _converted(model, configure)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"TensorFlow cannot convert {model.name!r} to {precision}: {one_sentence(error)}"
        ) from error


def drop_negative_zeros(model: Any) -> None:
    """Turn every -0.0 of the weights into +0.0.

    A mask leaves a zero with the sign of the weight it removed, a random bit that no archive can
    squeeze out. Adding 0.0 changes no value.
    """
    model.set_weights([weight + np.zeros((), weight.dtype) for weight in model.get_weights()])


def _refuse_impossible(precision: str, representative: FloatArray | None, *, sparse: bool) -> None:
    if precision not in PRECISIONS:
        known = ", ".join(PRECISIONS)
        raise PlanError(f"There is no precision {precision!r}; choose one of: {known}.")
    if sparse and precision in _NEVER_SPARSE:
        raise PlanError(
            f"A sparse file cannot be {precision}: {_NEVER_SPARSE[precision]}; choose "
            f"{REFERENCE_PRECISION}."
        )
    if precision in _CALIBRATED and (representative is None or not len(representative)):
        raise PlanError(
            f"The precision {precision} needs to see features of the training set; give some as "
            "`representative`."
        )


def _converted(model: Any, configure: Callable[[Any], None]) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    configure(converter)
    with _quiet():
        return bytes(converter.convert())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs", UserWarning)
        yield


def _configuration(precision: str, representative: FloatArray | None) -> Callable[[Any], None]:
    if representative is None or precision not in _CALIBRATED:
        return _CONFIGURE[precision]
    operators, activations = _CALIBRATED[precision]

    def configure(converter: Any) -> None:
        _as_int8(converter)
        converter.representative_dataset = lambda: ([row[np.newaxis]] for row in representative)
        converter.target_spec.supported_ops = [operators]
        converter.inference_input_type = converter.inference_output_type = activations

    return configure


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


def _sparsely(model: Any, configure: Callable[[Any], None]) -> bytes:
    def configure_sparsely(converter: Any) -> None:
        configure(converter)
        sparsity = tf.lite.Optimize.EXPERIMENTAL_SPARSITY
        converter.optimizations = [*(converter.optimizations or ()), sparsity]

    converted = _converted(fill_blocks(model), configure_sparsely)
    refuse_partial_blocks(converted)
    return converted


def _with_int4_weights(model: bytes) -> bytes:
    from ai_edge_quantizer import quantizer, recipe  # noqa: PLC0415 - few need it

    # It draws bars of its progress.
    with _quiet(), contextlib.redirect_stderr(io.StringIO()):
        quantizing = quantizer.Quantizer(bytearray(model), recipe.dynamic_wi4_afp32())
        return _with_buffers_inside(bytes(quantizing.quantize().quantized_model))


def _with_buffers_inside(model: bytes) -> bytes:
    """Put what a quantised file holds behind its flatbuffer into it, as converted files have it.

    Otherwise neither microcontrollers' runtimes nor whoever takes files to pieces find it.
    """
    root = schema.ModelT.InitFromPackedBuf(model)
    for buffer in root.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(model, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    builder = flatbuffers.Builder(len(model))
    builder.Finish(root.Pack(builder), b"TFL3")
    return bytes(builder.Output())


_NEVER_SPARSE = {
    "float16": "LiteRT loads such files and computes NaN",
    "int8": "LiteRT cannot load such files, or loads them and computes wrong results",
    "int8_full": "LiteRT cannot load such files, or loads them and computes wrong results",
    "int4_weights": "ai-edge-quantizer does not read sparse matrices",
}
"""As seen with LiteRT 2.3.0 and ai-edge-quantizer 0.10.0."""

_CONFIGURE: dict[str, Callable[[Any], None]] = {
    "float32": _as_float32,
    "float16": _as_float16,
    "int8": _as_int8,
}

_CALIBRATED = {
    "int8_full": (tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.int8),
    "int16x8": (
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8, tf.int16,
    ),
}  # fmt: skip
"""Precisions of activations: the operators to use, and the type of input and output."""
