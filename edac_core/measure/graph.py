"""The operators of a .tflite file, and the shapes that pass between them for one recording."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edac_core.measure.anatomy import operator_name
from edac_core.measure.size import UNPACKING, operator_code, packed_source
from edac_core.runtime import open_interpreter


@dataclass(frozen=True)
class Operator:
    """An operator: LiteRT's name for it, and the tensors it reads and writes (-1 for none)."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    transposes_first: bool = False


@dataclass(frozen=True)
class Value:
    """A tensor.

    Parameters
    ----------
    shape
        For one recording, as a run leaves it.
    stored_shape
        As the file has it, where a length that is not known is 1.
    dtype
        NumPy's name for its type.
    item_bytes
        Of one element.
    constant
        Whether the file holds its elements.
    variable
        Whether it keeps its elements from one run to the next.
    """

    shape: tuple[int, ...]
    stored_shape: tuple[int, ...]
    dtype: str
    item_bytes: int
    constant: bool
    variable: bool

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Graph:
    """What a file computes: its main graph, in the order of computation.

    `unpacked` maps tensors that hold a constant unpacked to the one that holds it packed.
    `is_whole` is False if operators call other graphs, which are not described.
    """

    operators: tuple[Operator, ...]
    values: dict[int, Value]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    unpacked: dict[int, int]
    is_whole: bool


def read_graph(model: bytes) -> Graph:
    """Describe what a .tflite file computes for one recording.

    The file is run once, on zeros, since shapes may be known only then.

    Parameters
    ----------
    model
        The contents of the file.

    Raises
    ------
    ModelError
        If LiteRT cannot load it.
    """
    # The schema's reader trusts its bytes; LiteRT verifies them.
    interpreter = _run(model)
    root = schema.Model.GetRootAs(model)
    graph = root.Subgraphs(0)
    operators = tuple(_operator(root, graph.Operators(at)) for at in range(graph.OperatorsLength()))
    values = _values(root, graph, interpreter)
    return Graph(
        operators=operators,
        values=values,
        inputs=tuple(graph.InputsAsNumpy().tolist()),
        outputs=tuple(graph.OutputsAsNumpy().tolist()),
        unpacked=_unpacked(operators, values),
        is_whole=root.SubgraphsLength() == 1,
    )


def _operator(root: schema.Model, operator: schema.Operator) -> Operator:
    code = operator_code(root, operator)
    transposes = False
    if code == schema.BuiltinOperator.BATCH_MATMUL:
        options = schema.BatchMatMulOptions()
        options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
        transposes = bool(options.AdjX())
    return Operator(
        operator_name(code),
        tuple(operator.InputsAsNumpy().tolist()),
        tuple(operator.OutputsAsNumpy().tolist()),
        transposes,
    )


def _run(model: bytes) -> Interpreter:
    interpreter = open_interpreter(model, delegates=False)
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
    interpreter.invoke()
    return interpreter


def _values(
    root: schema.Model, graph: schema.SubGraph, interpreter: Interpreter
) -> dict[int, Value]:
    found = {}
    for details in interpreter.get_tensor_details():
        if (index := details["index"]) < graph.TensorsLength():
            found[index] = _value(root, graph.Tensors(index), details)
    return found


def _value(root: schema.Model, tensor: schema.Tensor, details: dict[str, Any]) -> Value:
    dtype = np.dtype(details["dtype"])
    return Value(
        shape=tuple(details["shape"].tolist()),
        stored_shape=tuple(tensor.Shape(at) for at in range(tensor.ShapeLength())),
        dtype=dtype.name,
        item_bytes=dtype.itemsize,
        constant=root.Buffers(tensor.Buffer()).DataLength() > 0,
        variable=bool(tensor.IsVariable()),
    )


def _unpacked(operators: tuple[Operator, ...], values: dict[int, Value]) -> dict[int, int]:
    names = {operator_name(code) for code in UNPACKING}
    found: dict[int, int] = {}
    for operator in operators:
        source = packed_source(operator.inputs[0], found) if operator.inputs else -1
        if operator.kind in names and values[source].constant:
            found[operator.outputs[0]] = source
    return found
