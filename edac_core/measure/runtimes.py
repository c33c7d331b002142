"""Which runtimes take a .tflite file: LiteRT, XNNPACK within it, and TFLite Micro."""

import importlib.util
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from edac_core.measure.anatomy import operator_name
from edac_core.measure.graph import Graph, Operator
from edac_core.measure.parts import RuntimeSupport
from edac_core.measure.size import WEIGHTED
from edac_core.runtime import open_interpreter

Node = dict[str, Any]

LITERT, XNNPACK, MICRO = "LiteRT", "XNNPACK", "TFLite Micro"
BY_LOADING: Literal["by loading"] = "by loading"
BY_LIST: Literal["by operator list"] = "by operator list"

MICRO_KERNELS = frozenset({
    "ABS", "ADD", "ADD_N", "ARG_MAX", "ARG_MIN", "ASSIGN_VARIABLE", "AVERAGE_POOL_2D",
    "BATCH_MATMUL", "BATCH_TO_SPACE_ND", "BROADCAST_ARGS", "BROADCAST_TO", "CALL_ONCE", "CAST",
    "CEIL", "CONCATENATION", "CONV_2D", "COS", "CUMSUM", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE",
    "DEQUANTIZE", "DIV", "DYNAMIC_UPDATE_SLICE", "ELU", "EMBEDDING_LOOKUP", "EQUAL", "EXP",
    "EXPAND_DIMS", "FILL", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED", "GATHER",
    "GATHER_ND", "GREATER", "GREATER_EQUAL", "HARD_SWISH", "IF", "L2_NORMALIZATION",
    "L2_POOL_2D", "LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG", "LOGICAL_AND", "LOGICAL_NOT",
    "LOGICAL_OR", "LOGISTIC", "LOG_SOFTMAX", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM",
    "MIRROR_PAD", "MUL", "NEG", "NOT_EQUAL", "PACK", "PAD", "PADV2", "PRELU", "QUANTIZE",
    "READ_VARIABLE", "REDUCE_ALL", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RESHAPE",
    "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "ROUND", "RSQRT", "SELECT_V2",
    "SHAPE", "SIN", "SLICE", "SOFTMAX", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT",
    "SPLIT_V", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE", "SUB", "SUM",
    "SVDF", "TANH", "TRANSPOSE", "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNPACK",
    "VAR_HANDLE", "WHILE", "ZEROS_LIKE",
})  # fmt: skip
"""Built-in operators that TFLite Micro has (its Python package of October 2026)."""

# Which of their inputs says how large the output is, and must be a constant there.
_SIZED_BY = {
    "BROADCAST_TO": 1,
    "FILL": 0,
    "RESIZE_BILINEAR": 1,
    "RESIZE_NEAREST_NEIGHBOR": 1,
    "SPLIT": 0,
    "SPLIT_V": 2,
}
_SHAPES_UNKNOWN = (
    "Its shapes are known only while it runs (convert it for one recording at a time)."
)
_CHECK = Path(__file__).with_name("micro_check.py")
_LOADING_SECONDS = 60
# For activations of any network here, and for what the interpreter keeps of each operator.
_ARENA_BYTES = 256 * 2**20
_SOURCE_FILE = re.compile(r"^\S+\.(cc|h)(:\d+)? ")
_ARENA_TOTAL = re.compile(r"Arena allocation total (\d+) bytes")
_WEIGHTED_NAMES = {operator_name(code) for code in WEIGHTED}


def check_runtimes(model: bytes, graph: Graph) -> tuple[tuple[RuntimeSupport, ...], int | None]:
    """Find which runtimes take a file.

    Parameters
    ----------
    model
        The contents of a .tflite file that LiteRT loads.
    graph
        As `edac_core.measure.graph.read_graph` describes it.

    Returns
    -------
    tuple of RuntimeSupport, int or None
        And how many bytes of arena TFLite Micro took, where it was loaded.
    """
    litert = RuntimeSupport(LITERT, "whole", BY_LOADING, "")
    if importlib.util.find_spec("tflite_micro") is None:
        return (litert, xnnpack_support(model), micro_support_by_list(graph)), None
    micro, arena = load_in_micro(model)
    return (litert, xnnpack_support(model), micro), arena


def xnnpack_support(model: bytes) -> RuntimeSupport:
    """Load a file in LiteRT, and see what it hands to XNNPACK on this machine.

    An operator that XNNPACK could compute is left to LiteRT where it works on shapes that are not
    known beforehand.
    """
    # LiteRT has no other way to ask.
    details = open_interpreter(model)._get_ops_details()  # noqa: SLF001 - see above
    nodes = [node for node in details if node["op_name"] != "DELEGATE"]
    made_by = {int(index): node["index"] for node in nodes for index in node["outputs"]}
    taken: set[int] = set()
    for node in details:
        if node["op_name"] == "DELEGATE":
            taken |= set(_replaced(node, nodes, made_by))
    if not taken:
        return RuntimeSupport(XNNPACK, "no", BY_LOADING, "It takes none of the operators.")
    left = sorted({node["op_name"] for node in nodes if node["index"] not in taken})
    if not left:
        return RuntimeSupport(XNNPACK, "whole", BY_LOADING, "")
    reason = f"It takes {len(taken)} of {len(nodes)} operators, and not all {', '.join(left)}."
    return RuntimeSupport(XNNPACK, "part", BY_LOADING, reason)


def load_in_micro(model: bytes) -> tuple[RuntimeSupport, int | None]:
    """Load a file in TFLite Micro, in a process of its own, and see how much arena it takes.

    On a microcontroller the file also has to fit: see `Footprint.flash_bytes`.
    """
    command = [sys.executable, "-P", str(_CHECK), str(_ARENA_BYTES)]
    try:
        done = subprocess.run(  # noqa: S603 - our own script
            command, input=model, capture_output=True, timeout=_LOADING_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        reason = f"It did not load within {_LOADING_SECONDS} s."
        return RuntimeSupport(MICRO, "no", BY_LOADING, reason), None
    said = done.stderr.decode(errors="replace")
    total = _ARENA_TOTAL.search(said)
    if done.returncode or total is None:
        return RuntimeSupport(MICRO, "no", BY_LOADING, _complaint(said, done.returncode)), None
    return RuntimeSupport(MICRO, "whole", BY_LOADING, ""), int(total[1])


def micro_support_by_list(graph: Graph) -> RuntimeSupport:
    """Say whether TFLite Micro takes a file, by what is known of its operators."""
    against = next(_obstacles(graph), "")
    return RuntimeSupport(MICRO, "no" if against else "whole", BY_LIST, against)


def _replaced(delegate: Node, nodes: list[Node], made_by: dict[int, int]) -> Iterator[int]:
    """Yield the operators that lie between a delegate's inputs and outputs."""
    given = {int(index) for index in delegate["inputs"]}
    inputs = {node["index"]: node["inputs"] for node in nodes}
    waiting, seen = [int(index) for index in delegate["outputs"]], set(given)
    while waiting:
        index = waiting.pop()
        if index in made_by and index not in seen:
            seen.add(index)
            yield made_by[index]
            waiting += [int(one) for one in inputs[made_by[index]]]


def _complaint(said: str, status: int) -> str:
    """Make a sentence of what the library said before it gave up."""
    lines = said.partition("Traceback")[0].splitlines()
    spoken = [_SOURCE_FILE.sub("", line).strip().rstrip(".") for line in lines if line.strip()]
    return f"{'; '.join(spoken) or f'Its process ended with status {status}'}."


def _obstacles(graph: Graph) -> Iterator[str]:
    if not graph.is_whole:
        yield "It has loops or branches, which are not looked into."
    for operator in graph.operators:
        if operator.kind not in MICRO_KERNELS:
            yield f"There is no {operator.kind} in TFLite Micro."
        yield from _obstacles_of(graph, operator)


def _obstacles_of(graph: Graph, operator: Operator) -> Iterator[str]:
    dtypes = [graph.values[at].dtype if at in graph.values else "" for at in operator.inputs]
    match operator.kind:
        case kind if kind in _WEIGHTED_NAMES and dtypes[0] == "float32" and "int8" in dtypes:
            yield f"Its {kind} has int8 weights and float activations (a hybrid model)."
        case "DEQUANTIZE" if dtypes[0] == "float16":
            yield "Its weights are half-precision floats."
        case "RESHAPE":
            both = [graph.values[at] for at in (operator.inputs[0], operator.outputs[0])]
            if len({math.prod(value.stored_shape) for value in both}) > 1:
                yield _SHAPES_UNKNOWN
        case kind if (
            kind in _SIZED_BY and not graph.values[operator.inputs[_SIZED_BY[kind]]].constant
        ):
            yield _SHAPES_UNKNOWN
