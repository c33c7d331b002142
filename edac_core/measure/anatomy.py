"""What a .tflite file is made of: its layers, and how their weights are spread."""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edac_core.measure.parts import Role, Spread, Tensor
from edac_core.measure.size import (
    UNPACKING,
    WEIGHTED,
    count_elements,
    operator_code,
    packed_source,
    stored_values,
    weight_indices,
    zero_points,
)
from edac_core.runtime import open_interpreter

FloatArray = npt.NDArray[np.float32]
FloatArray64 = npt.NDArray[np.float64]

BINS = 81
"""Of a histogram; odd, so that one stands around zero."""

_TENSOR_TYPES = {
    code: name.lower() for name, code in vars(schema.TensorType).items() if isinstance(code, int)
}
_BUILTIN_OPERATORS = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
}
_FLOATS = {schema.TensorType.FLOAT32, schema.TensorType.FLOAT16}
_RAW_DEFLATE = -zlib.MAX_WBITS
# Where a layer multiplies by its weights, as TensorFlow names it; LiteRT appends a number.
_MULTIPLIES = re.compile(r"^(MatMul|BatchMatMul|Conv2D|DepthwiseConv2d\w*|conv2d_transpose)[_\d]*$")
_NAMED_BY_CONVERTER = re.compile(r"^(arith\.constant|tfl\.|StatefulPartitionedCall)")
_WITH_LAYER = 3


def dissect(model: bytes) -> tuple[Tensor, ...]:
    """List the constants of a .tflite file.

    Parameters
    ----------
    model
        The contents of the file.

    Returns
    -------
    tuple of Tensor
        In the order in which the graph uses them, each once. What the file has beyond the sum
        of their `raw_bytes` is the graph itself.

    Raises
    ------
    ModelError
        If the bytes cannot be loaded as a model.
    """
    # The schema's reader trusts its bytes; LiteRT verifies them.
    open_interpreter(model)
    return tuple(_tensors(schema.Model.GetRootAs(model)))


def spreads(model: bytes, *, baseline: bytes | None) -> tuple[Spread, ...]:
    """Count how a variant's weights are spread, beside those of its baseline.

    Weights of int8 and int4 are taken for the numbers they stand for. Bins are alike on both sides
    of zero, and where all weights of a tensor share one scale each has equally many of its steps.

    Parameters
    ----------
    model
        The contents of the .tflite file.
    baseline
        That of the same network before compression, if it is known.

    Returns
    -------
    tuple of Spread
        One for each tensor of weights, in the order in which the graph uses them.

    Raises
    ------
    ModelError
        If the bytes cannot be loaded as a model.
    """
    found = []
    before = {} if baseline is None else dict(enumerate(_weights(baseline)))
    for number, after in enumerate(_weights(model)):
        same = before.get(number)
        found.append(_spread(after, same if same and same.shape == after.shape else None))
    return tuple(found)


def layer_of(names: Sequence[str]) -> str:
    """Return the layer that tensors belong to, by their names.

    The converter joins the names of what it fused by semicolons, as in
    ``cnn/dense1/MatMul;cnn/dense1/Relu``. Where it left none, its neighbours' names help.

    Parameters
    ----------
    names
        Of the tensor and, after it, of those that are computed with it.

    Returns
    -------
    str
        Empty if no name tells.

    Examples
    --------
    >>> layer_of(["arith.constant1", "cnn_lstm/lstm/lstm_cell/MatMul_1"])
    'lstm'
    """
    given = [name for name in names if name and not _NAMED_BY_CONVERTER.match(name)]
    if not given:
        return ""
    parts = [part for name in given for part in name.split(";")]
    multiplied = (part for part in parts if _MULTIPLIES.match(part.rpartition("/")[2]))
    path: list[str] = next(multiplied, given[0].split(";")[-1]).split("/")
    return path[1] if len(path) >= _WITH_LAYER else path[0]


def operator_name(code: int) -> str:
    """Return the name of a built-in operator, such as CONV_2D."""
    return str(_BUILTIN_OPERATORS.get(code, code))


@dataclass(frozen=True)
class _Weights:
    """The numbers that a tensor of weights stands for; `step` is their distance, if one is."""

    layer: str
    shape: tuple[int, ...]
    values: FloatArray
    step: float


def _tensors(model: schema.Model) -> Iterator[Tensor]:
    for at in range(model.SubgraphsLength()):
        graph = model.Subgraphs(at)
        weights = set(weight_indices(model, graph))
        seen: set[int] = set()
        for index, users in _constants(model, graph).items():
            tensor = graph.Tensors(index)
            if tensor.Buffer() not in seen:
                seen.add(tensor.Buffer())
                role = _role(model, tensor, users, is_weight=index in weights)
                yield _described(model, tensor, role=role, layer=_layer(graph, tensor, users))


def _constants(model: schema.Model, graph: schema.SubGraph) -> dict[int, list[schema.Operator]]:
    """Return the constant tensors of a graph, by first use, and the operators that use each."""
    unpacked: dict[int, int] = {}
    users: dict[int, list[schema.Operator]] = {}
    for at in range(graph.OperatorsLength()):
        operator = graph.Operators(at)
        if operator_code(model, operator) in UNPACKING:
            unpacked[operator.Outputs(0)] = operator.Inputs(0)
            continue
        for index in operator.InputsAsNumpy():
            source = packed_source(int(index), unpacked)
            if source >= 0 and model.Buffers(graph.Tensors(source).Buffer()).DataLength():
                users.setdefault(source, []).append(operator)
    return users


def _role(
    model: schema.Model, tensor: schema.Tensor, users: list[schema.Operator], *, is_weight: bool
) -> Role:
    if is_weight:
        return "weights"
    of_layer = any(operator_code(model, operator) in WEIGHTED for operator in users)
    is_parameter = of_layer or (tensor.Type() in _FLOATS and tensor.ShapeLength() > 0)
    return "biases" if is_parameter else "constants"


def _layer(graph: schema.SubGraph, tensor: schema.Tensor, users: list[schema.Operator]) -> str:
    return layer_of([
        _name(tensor), *(_name(graph.Tensors(operator.Outputs(0))) for operator in users)
    ])  # fmt: skip


def _name(tensor: schema.Tensor) -> str:
    written: bytes = tensor.Name() or b""
    return written.decode(errors="replace")


def _described(model: schema.Model, tensor: schema.Tensor, *, role: Role, layer: str) -> Tensor:
    data = model.Buffers(tensor.Buffer()).DataAsNumpy()
    zeros = 0
    if role == "weights":
        elements, left = count_elements(model, tensor)
        zeros = elements - left
    shape = _shape(tensor)
    return Tensor(
        layer=layer,
        role=role,
        shape=shape,
        precision=_TENSOR_TYPES[tensor.Type()],
        elements=int(np.prod(shape, dtype=np.int64)),
        zeros=zeros,
        raw_bytes=len(data),
        packed_bytes=_deflated(data),
    )


def _shape(tensor: schema.Tensor) -> tuple[int, ...]:
    return tuple(tensor.Shape(at) for at in range(tensor.ShapeLength()))


def _deflated(data: npt.NDArray[np.uint8]) -> int:
    packer = zlib.compressobj(wbits=_RAW_DEFLATE)
    return len(packer.compress(data.tobytes())) + len(packer.flush())


def _weights(model: bytes) -> Iterator[_Weights]:
    open_interpreter(model)
    root = schema.Model.GetRootAs(model)
    for at in range(root.SubgraphsLength()):
        graph = root.Subgraphs(at)
        users = _constants(root, graph)
        for index in weight_indices(root, graph):
            tensor = graph.Tensors(index)
            values, step = _dequantized(root, tensor)
            yield _Weights(_layer(graph, tensor, users[index]), _shape(tensor), values, step)


def _dequantized(model: schema.Model, tensor: schema.Tensor) -> tuple[FloatArray, float]:
    stored = stored_values(model, tensor)
    quantization = tensor.Quantization()
    if quantization is None or not quantization.ScaleLength():
        # In no order: a sparse tensor has its zeros behind the others.
        values = np.zeros(np.prod(_shape(tensor), dtype=np.int64), np.float32)
        values[: stored.size] = stored
        return values, 0.0
    scales = quantization.ScaleAsNumpy()
    points = zero_points(tensor)
    steps = stored.reshape(_shape(tensor)).astype(np.float32) - points
    along = scales.reshape(points.shape)
    return (steps * along).astype(np.float32).ravel(), float(scales[0]) if len(scales) == 1 else 0.0


def _spread(after: _Weights, before: _Weights | None) -> Spread:
    sides = [after.values] if before is None else [after.values, before.values]
    edges = _edges(max(float(np.abs(values).max()) for values in sides), step=after.step)
    return Spread(
        layer=after.layer,
        shape=after.shape,
        edges=tuple(edges.tolist()),
        before=() if before is None else _counts(before.values, edges),
        after=_counts(after.values, edges),
        zeros_before=0 if before is None else _zeros(before.values),
        zeros_after=_zeros(after.values),
    )


def _edges(largest: float, *, step: float) -> FloatArray64:
    width = 2 * (largest or 1.0) / (BINS - 1)
    if step:
        # An odd number of steps a bin: no step then falls between two.
        width = step * (2 * int(np.ceil((width / step - 1) / 2)) + 1)
    bins = 2 * int(np.ceil(largest / width)) + 1
    return np.asarray((np.arange(bins + 1) - bins / 2) * width)


def _counts(values: FloatArray, edges: FloatArray64) -> tuple[int, ...]:
    counts, _ = np.histogram(values[values != 0], (len(edges) - 1), (edges[0], edges[-1]))
    return tuple(counts.tolist())


def _zeros(values: FloatArray) -> int:
    return int(values.size - np.count_nonzero(values))
