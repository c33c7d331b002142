"""What a .tflite file asks of the device it runs on: flash, RAM, multiplications, runtimes."""

import bisect
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edac_core.measure.graph import Graph, Operator, read_graph
from edac_core.measure.parts import Footprint
from edac_core.measure.runtimes import check_runtimes

ALIGNMENT = 16
"""Bytes that each tensor in an arena is aligned to, as LiteRT's runtimes do."""

# Weights and recurrent weights of the four gates, and the projection, among an LSTM's inputs.
_LSTM_WEIGHTS = (*range(1, 9), 16)


@dataclass(frozen=True)
class Span:
    """A tensor's bytes, and the places of the first and last operator that it is needed for."""

    size: int
    first: int
    last: int


def footprint(model: bytes) -> Footprint:
    """Say what a file asks of a device.

    Parameters
    ----------
    model
        The contents of a .tflite file.

    Returns
    -------
    Footprint
        Arena and multiplications are computed from the graph; runtimes are checked by loading the
        file where they are installed.

    Raises
    ------
    ModelError
        If LiteRT cannot load the file.
    """
    graph = read_graph(model)
    runtimes, micro_arena = check_runtimes(model, graph)
    return Footprint(
        flash_bytes=len(model),
        arena_bytes=plan_arena(spans(graph)) if graph.is_whole else None,
        macs=count_macs(graph) if graph.is_whole else None,
        runtimes=runtimes,
        micro_arena_bytes=micro_arena,
    )


def spans(graph: Graph) -> tuple[Span, ...]:
    """List the tensors that need RAM, and when.

    What is unpacked from the file (half-precision weights) is needed all the time, as LiteRT
    unpacks it once; so is what one run leaves to the next.
    """
    last = max(len(graph.operators) - 1, 0)
    written, read = dict.fromkeys(graph.inputs, 0), dict.fromkeys(graph.outputs, last)
    for place, operator in enumerate(graph.operators):
        for index in operator.outputs:
            written.setdefault(index, place)
        for index in (*operator.inputs, *operator.outputs):
            read[index] = max(read.get(index, 0), place)
    found = []
    for index, until in read.items():
        value = graph.values.get(index)
        if value is None or value.constant:
            continue
        always = value.variable or index in graph.unpacked
        first, end = (0, last) if always else (written[index], until)
        found.append(Span(value.elements * value.item_bytes, first, end))
    return tuple(found)


def plan_arena(tensors: Iterable[Span]) -> int:
    """Return the bytes that tensors take which share memory when not needed at the same time.

    The largest is placed first; each other, by falling size, at the lowest place where it fits
    between those that are needed while it is.

    References
    ----------
    TFLite Micro, `GreedyMemoryPlanner`; Pisarchyk & Lee (2020), "Efficient memory management for
    deep neural net inference", arXiv:2001.03288, section 5.2 (greedy by size).
    """
    placed: list[tuple[int, int, Span]] = []
    for tensor in sorted(tensors, key=lambda one: -one.size):
        size = -(-tensor.size // ALIGNMENT) * ALIGNMENT
        at = 0
        for start, end, other in placed:
            if other.last < tensor.first or tensor.last < other.first:
                continue
            if start - at >= size:
                break
            at = max(at, end)
        bisect.insort(placed, (at, at + size, tensor), key=lambda one: one[0])
    return max((end for _, end, _ in placed), default=0)


def count_macs(graph: Graph) -> int:
    """Count the multiplications by weights, and of matrices with each other.

    Convolutions, dense layers, products of matrices and fused LSTMs are counted; what works
    element by element is not.
    """
    return sum(_macs(graph, operator) for operator in graph.operators)


def _macs(graph: Graph, operator: Operator) -> int:
    shapes = [graph.values[at].shape if at in graph.values else () for at in operator.inputs]
    made = math.prod(graph.values[operator.outputs[0]].shape) if operator.outputs else 0
    match operator.kind:
        case "CONV_2D" | "FULLY_CONNECTED":
            # One row of weights, whose output is first, for each number that is made.
            return made * math.prod(shapes[1][1:])
        case "DEPTHWISE_CONV_2D":
            return made * math.prod(shapes[1][1:3])
        case "TRANSPOSE_CONV":
            outputs, height, width, _ = shapes[1]
            return math.prod(shapes[2]) * height * width * outputs
        case "BATCH_MATMUL":
            return made * shapes[0][-2 if operator.transposes_first else -1]
        case "LSTM" | "UNIDIRECTIONAL_SEQUENCE_LSTM":
            return math.prod(shapes[0][:-1]) * sum(_lstm_weights(shapes))
        case _:
            return 0


def _lstm_weights(shapes: list[tuple[int, ...]]) -> Iterator[int]:
    """Yield how many weights each matrix of an LSTM has; those that are absent have no shape."""
    for place in _LSTM_WEIGHTS:
        if place < len(shapes) and shapes[place]:
            yield math.prod(shapes[place])
