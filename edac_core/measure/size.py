"""What a variant takes on disk and over the network, and what it holds."""

import io
import lzma
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edac_core.errors import ModelError
from edac_core.runtime import open_interpreter

# A .tflite file is 32-bit words, most of them zero once pruned. Preset 6 packs them no smaller and
# takes six times as long; the command line's equal is `xz --lzma2=` with these settings.
_XZ_FILTERS = [
    {
        "id": lzma.FILTER_LZMA2,
        "preset": 0,
        "mode": lzma.MODE_NORMAL,
        "mf": lzma.MF_HC3,
        "nice_len": 32,
        "depth": 2,
        "lc": 0,
        "lp": 2,
        "pb": 2,
    }
]
_FIRST_DATE_OF_ZIP = (1980, 1, 1, 0, 0, 0)

# Operators that multiply by weights.
WEIGHTED = {
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.TRANSPOSE_CONV,
    schema.BuiltinOperator.FULLY_CONNECTED,
    schema.BuiltinOperator.BATCH_MATMUL,
    schema.BuiltinOperator.LSTM,
    schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM,
}
# Half-precision weights reach their layer through DEQUANTIZE, sparse ones through DENSIFY.
UNPACKING = {schema.BuiltinOperator.DEQUANTIZE, schema.BuiltinOperator.DENSIFY}
WEIGHT_DTYPES: dict[int, type[np.generic]] = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.FLOAT16: np.float16,
    schema.TensorType.INT8: np.int8,
    # Two to a byte.
    schema.TensorType.INT4: np.int8,
}
_QUANTIZED = {schema.TensorType.INT8, schema.TensorType.INT4}
_MATRIX = 2


@dataclass(frozen=True)
class Size:
    """Bytes of a variant as it is, zipped and xz-compressed; its weights, and the non-zero ones."""

    raw_bytes: int
    zip_bytes: int
    xz_bytes: int
    weights: int
    nonzero_weights: int


def size_of(model: bytes, *, packed: bytes | None = None) -> Size:
    """Measure a .tflite file.

    `raw_bytes` is the file's length. `zip_bytes` is that of an archive holding it as its one
    member, DEFLATE at the default level, which is how both papers measure size. `xz_bytes`
    is the length of `pack`. For the rest see `count_weights`.

    Parameters
    ----------
    model : bytes
        The contents of the file.
    packed : bytes, optional
        What `pack` makes of it, if that is known already.

    Returns
    -------
    Size
        The same for the same bytes, whenever and wherever it is measured.

    Raises
    ------
    ModelError
        If the bytes cannot be loaded as a model.

    References
    ----------
    EDAC (2023), appendix D; Squeeze for Sneeze (2020), tables 2 and 3.
    """
    weights, nonzero_weights = count_weights(model)
    return Size(
        raw_bytes=len(model),
        zip_bytes=zip_bytes_of(model),
        xz_bytes=len(pack(model) if packed is None else packed),
        weights=weights,
        nonzero_weights=nonzero_weights,
    )


def pack(model: bytes) -> bytes:
    """Compress a .tflite file to an .xz archive, with settings made for sparse weights.

    Parameters
    ----------
    model : bytes
        The contents of the file.

    Returns
    -------
    bytes
        `unpack`, or any reader of .xz, gives the file back.
    """
    return lzma.compress(model, filters=_XZ_FILTERS)


def unpack(packed: bytes) -> bytes:
    """Give back the file that `pack` compressed.

    Parameters
    ----------
    packed : bytes
        An .xz archive.

    Returns
    -------
    bytes
        The contents of the .tflite file.

    Raises
    ------
    ModelError
        If the archive is damaged.
    """
    try:
        return lzma.decompress(packed)
    except (lzma.LZMAError, EOFError) as error:
        raise ModelError(
            f"These {len(packed)} bytes are not a whole .xz archive ({error}): fetch it again."
        ) from error


def count_weights(model: bytes) -> tuple[int, int]:
    """Count a model's weights, and those that are not zero.

    Weights are the elements of constants of rank 2 and more that feed convolutions, dense and
    LSTM layers, in float32, float16, int8 or int4. Biases and what normalisation leaves are not.

    Parameters
    ----------
    model : bytes
        The contents of a .tflite file.

    Returns
    -------
    tuple of int
        Weights, and non-zero weights: -0.0 is zero, and an integer is zero at its zero point.

    Raises
    ------
    ModelError
        If the bytes cannot be loaded as a model.
    """
    # The schema's reader trusts its bytes; LiteRT verifies them.
    open_interpreter(model)
    counts = list(_weight_counts(schema.Model.GetRootAs(model)))
    return sum(elements for elements, _ in counts), sum(nonzero for _, nonzero in counts)


def zip_bytes_of(model: bytes) -> int:
    """Return the bytes of a DEFLATE zip that holds a file alone, its date and name the same."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        member = zipfile.ZipInfo("model.tflite", _FIRST_DATE_OF_ZIP)
        archive.writestr(member, model, compress_type=zipfile.ZIP_DEFLATED)
    return len(buffer.getvalue())


def _weight_counts(model: schema.Model) -> Iterator[tuple[int, int]]:
    for index in range(model.SubgraphsLength()):
        graph = model.Subgraphs(index)
        for tensor in weight_indices(model, graph):
            yield count_elements(model, graph.Tensors(tensor))


def weight_indices(model: schema.Model, graph: schema.SubGraph) -> list[int]:
    """List the constant tensors that layers of one graph multiply by."""
    unpacked: dict[int, int] = {}
    found: dict[int, None] = {}
    operators = [graph.Operators(at) for at in range(graph.OperatorsLength())]
    for operator in operators:
        if operator_code(model, operator) in UNPACKING:
            unpacked[operator.Outputs(0)] = operator.Inputs(0)
    for operator in operators:
        if operator_code(model, operator) in WEIGHTED:
            for tensor in operator.InputsAsNumpy():
                found[packed_source(int(tensor), unpacked)] = None
    return [tensor for tensor in found if tensor >= 0 and _is_weight(model, graph.Tensors(tensor))]


def packed_source(tensor: int, unpacked: dict[int, int]) -> int:
    """Follow a tensor back through what unpacked it, given as output to input."""
    while tensor in unpacked:
        tensor = unpacked[tensor]
    return tensor


def operator_code(model: schema.Model, operator: schema.Operator) -> int:
    """Return which of `schema.BuiltinOperator` an operator is."""
    return int(model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode())


def _is_weight(model: schema.Model, tensor: schema.Tensor) -> bool:
    return (
        tensor.ShapeLength() >= _MATRIX
        and tensor.Type() in WEIGHT_DTYPES
        and model.Buffers(tensor.Buffer()).DataLength() > 0
    )


def count_elements(model: schema.Model, tensor: schema.Tensor) -> tuple[int, int]:
    """Count the elements of a constant, and those that are not zero."""
    shape = tensor.ShapeAsNumpy()
    values = stored_values(model, tensor)
    elements = int(np.prod(shape, dtype=np.int64))
    if tensor.Type() in _QUANTIZED and tensor.Sparsity() is None:
        return elements, int(np.count_nonzero(values.reshape(shape) != zero_points(tensor)))
    return elements, int(np.count_nonzero(values))


def stored_values(model: schema.Model, tensor: schema.Tensor) -> npt.NDArray[Any]:
    """Return the numbers that a constant of weights holds, flat; a sparse one leaves zeros out."""
    data = model.Buffers(tensor.Buffer()).DataAsNumpy()
    if tensor.Type() != schema.TensorType.INT4:
        values: npt.NDArray[Any] = data.view(WEIGHT_DTYPES[tensor.Type()])
        return values
    # The first of a pair is in the lower half; shifts of int8 keep the sign.
    pairs = data.view(np.int8)
    halves = np.stack([np.left_shift(pairs, 4) >> 4, pairs >> 4], axis=1)
    return halves.ravel()[: np.prod(tensor.ShapeAsNumpy(), dtype=np.int64)]


def zero_points(tensor: schema.Tensor) -> npt.NDArray[np.int64]:
    """Shape the zero points of an integer tensor to broadcast over its channels."""
    quantization = tensor.Quantization()
    if quantization is None or not quantization.ZeroPointLength():
        return np.zeros(1, np.int64)
    points: npt.NDArray[np.int64] = quantization.ZeroPointAsNumpy()
    shape = [1] * tensor.ShapeLength()
    shape[quantization.QuantizedDimension()] = len(points)
    return points.reshape(shape if len(points) > 1 else [1])
