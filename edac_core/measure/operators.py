"""What each operator of a .tflite file costs in time.

LiteRT's interpreter for Python has no profiler, so each operator is cut out of the graph into a
model of its own, with its own weights and the shapes it meets for one recording.
"""

import copy
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from edac_core.errors import ModelError
from edac_core.measure.anatomy import layer_of, operator_name
from edac_core.measure.latency import pinned
from edac_core.measure.parts import OperatorTime, OperatorTimes
from edac_core.measure.size import UNPACKING
from edac_core.runtime import open_interpreter

Array = npt.NDArray[Any]

_CALLS_A_GRAPH = {
    schema.BuiltinOperator.CALL,
    schema.BuiltinOperator.CALL_ONCE,
    schema.BuiltinOperator.IF,
    schema.BuiltinOperator.WHILE,
}
_ABSENT = -1
_SEED = 0
_FEWEST_ROUNDS, _MOST_ROUNDS = 5, 100
_DTYPES: dict[int, type[np.generic]] = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.INT8: np.int8,
    schema.TensorType.INT16: np.int16,
}
# Of the noise, so that little of it is beyond what the type holds.
_WIDTHS = {
    schema.TensorType.FLOAT32: 1,
    schema.TensorType.INT8: 40,
    schema.TensorType.INT16: 10_000,
}


def time_operators(model: bytes, *, seconds: float = 0.5) -> OperatorTimes:
    """Time each operator of a model by itself, and the whole model beside them.

    One thread runs everything, pinned to one processor where the system allows it. The whole
    model and all operators take turns, one call each, so that each finds the caches as the others
    left them. The thread's processor time is taken, and of the calls alone: waiting while others
    have the processor would fall on long calls more than on short ones. What unpacks weights (from
    half precision) belongs to the operator that uses them, since LiteRT does that once, when it
    loads the file.

    Parameters
    ----------
    model
        The contents of a .tflite file with one input.
    seconds
        How long to go on measuring; at least 5 and at most 100 rounds are made.

    Returns
    -------
    OperatorTimes
        Medians over the rounds.

    Raises
    ------
    ModelError
        If the model cannot be loaded, or has operators that call other graphs.
    """
    chain = Chain(model)
    whole = open_interpreter(model)
    features = chain.example()
    whole.set_tensor(whole.get_input_details()[0]["index"], features)
    chain.run(features)
    with pinned():
        rounds = list(_rounds([whole, *chain.pieces], seconds=seconds))
    medians = np.median(np.array(rounds), axis=0) / 1e6
    return OperatorTimes(chain.describe(medians[1:]), float(medians[0]), len(rounds))


class Chain:
    """A model taken to pieces: an interpreter for each operator.

    Operators of one kind that have the same weights, options and shapes share theirs.

    Parameters
    ----------
    model
        The contents of a .tflite file with one graph and one input.

    Raises
    ------
    ModelError
        If the model cannot be loaded, or has operators that call other graphs.
    """

    def __init__(self, model: bytes) -> None:
        # The schema's reader trusts its bytes; LiteRT verifies them.
        open_interpreter(model)
        self._model = flatbuffer_utils.read_model_from_bytearray(model)
        _refuse_calls(self._model)
        self._graph = self._model.subgraphs[0]
        self._unpacking: dict[int, schema.OperatorT] = {}
        self._operators: list[schema.OperatorT] = []
        for operator in self._graph.operators:
            if self._unpacks_weights(operator):
                self._unpacking[operator.outputs[0]] = operator
            else:
                self._operators.append(operator)
        self._pieces: dict[object, Interpreter] = {}
        self._turns: list[object] = []

    @property
    def pieces(self) -> list[Interpreter]:
        """An interpreter for each distinct operator, by first use; empty before the first run."""
        return list(self._pieces.values())

    def example(self) -> Array:
        """Return an input for one recording: noise, the same each time."""
        tensor = self._graph.tensors[self._graph.inputs[0]]
        noise = np.random.default_rng(_SEED).normal(size=tensor.shape)
        found: Array = (noise * _WIDTHS[tensor.type]).astype(_DTYPES[tensor.type])
        return found

    def run(self, features: Array) -> Array:
        """Run the operators one after another.

        Parameters
        ----------
        features
            What the model takes for one recording.

        Returns
        -------
        numpy.ndarray
            What the whole model gives.
        """
        values: dict[int, Array] = {self._graph.inputs[0]: features}
        self._turns = []
        for operator in self._operators:
            given = {index: values[index] for index in operator.inputs if index in values}
            key = _key(operator, given)
            if key not in self._pieces:
                self._pieces[key] = self._cut_out(operator, given)
            self._turns.append(key)
            results = _call(self._pieces[key], list(given.values()))
            values |= zip(operator.outputs, results, strict=True)
        return values[self._graph.outputs[0]]

    def describe(self, milliseconds: Sequence[float]) -> tuple[OperatorTime, ...]:
        """Say what the pieces are, given what a call of each takes."""
        first = dict(zip(reversed(self._turns), reversed(self._operators), strict=True))
        times = Counter(self._turns)
        described = []
        layer = ""
        for key, taken in zip(self._pieces, milliseconds, strict=True):
            # What the converter named itself goes with what comes before it.
            layer = self._layer(first[key]) or layer
            shape = self._pieces[key].get_output_details()[0]["shape"].tolist()
            kind = operator_name(self._code(first[key]))
            described.append(OperatorTime(layer, kind, tuple(shape), times[key], float(taken)))
        return tuple(described)

    def _code(self, operator: schema.OperatorT) -> int:
        return int(self._model.operatorCodes[operator.opcodeIndex].builtinCode)

    def _unpacks_weights(self, operator: schema.OperatorT) -> bool:
        if len(operator.inputs) == 0:
            return False
        source = operator.inputs[0]
        is_known = source in self._unpacking or self._data(source) is not None
        return self._code(operator) in UNPACKING and is_known

    def _data(self, index: int) -> Array | None:
        data: Array | None = self._model.buffers[self._graph.tensors[index].buffer].data
        return data

    def _layer(self, operator: schema.OperatorT) -> str:
        known = [index for index in operator.inputs if index >= 0 and self._data(index) is not None]
        tensors = [self._graph.tensors[index] for index in [operator.outputs[0], *known]]
        return layer_of([tensor.name.decode(errors="replace") for tensor in tensors])

    def _cut_out(self, operator: schema.OperatorT, given: Mapping[int, Array]) -> Interpreter:
        """Make a model of one operator, and of what unpacks its weights."""
        operators = [*self._unpackers(operator), operator]
        used = dict.fromkeys(index for one in operators for index in _touched(one))
        places = {index: place for place, index in enumerate(used)}
        buffers = [schema.BufferT()]
        graph = schema.SubGraphT(
            tensors=[self._tensor(index, given.get(index), buffers) for index in used],
            inputs=[places[index] for index in given],
            outputs=[places[index] for index in operator.outputs],
            operators=[_renumbered(one, places) for one in operators],
        )
        model = copy.copy(self._model)
        model.subgraphs, model.buffers, model.signatureDefs = [graph], buffers, None
        model.metadata = [self._noted(note, buffers) for note in self._model.metadata or []]
        return open_interpreter(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))

    def _unpackers(self, operator: schema.OperatorT) -> Iterator[schema.OperatorT]:
        for index in operator.inputs:
            if index in self._unpacking:
                yield from self._unpackers(self._unpacking[index])
                yield self._unpacking[index]

    def _tensor(
        self, index: int, value: Array | None, buffers: list[schema.BufferT]
    ) -> schema.TensorT:
        tensor = copy.copy(self._graph.tensors[index])
        if value is not None:
            tensor.shape, tensor.shapeSignature = list(value.shape), None
        tensor.buffer = self._kept(tensor.buffer, buffers)
        return tensor

    def _noted(self, note: schema.MetadataT, buffers: list[schema.BufferT]) -> schema.MetadataT:
        """Keep what the file says of itself, such as which precision it may be computed in."""
        note = copy.copy(note)
        note.buffer = self._kept(note.buffer, buffers)
        return note

    def _kept(self, number: int, buffers: list[schema.BufferT]) -> int:
        """Return the number of a buffer among those of a piece; 0 is the empty one."""
        if self._model.buffers[number].data is None:
            return 0
        buffers.append(self._model.buffers[number])
        return len(buffers) - 1


def _refuse_calls(model: schema.ModelT) -> None:
    calling = {int(code.builtinCode) for code in model.operatorCodes} & _CALLS_A_GRAPH
    if calling:
        raise ModelError(
            f"The model has the operator {operator_name(min(calling))}, which calls another graph "
            "and cannot be timed by itself: export it without loops and branches."
        )


def _key(operator: schema.OperatorT, given: Mapping[int, Array]) -> object:
    """Return what distinguishes an operator from others: all but the values that it is given."""
    weights = tuple(None if index in given else int(index) for index in operator.inputs)
    shapes = tuple((array.shape, array.dtype.str) for array in given.values())
    options = {} if operator.builtinOptions is None else vars(operator.builtinOptions)
    return operator.opcodeIndex, weights, shapes, len(operator.outputs), repr(options)


def _touched(operator: schema.OperatorT) -> list[int]:
    indices = [*operator.inputs, *operator.outputs, *_listed(operator.intermediates)]
    return [index for index in indices if index != _ABSENT]


def _listed(indices: Any) -> list[int]:
    return [] if indices is None else list(indices)


def _renumbered(operator: schema.OperatorT, places: Mapping[int, int]) -> schema.OperatorT:
    found = copy.copy(operator)
    for name in ("inputs", "outputs", "intermediates"):
        indices = _listed(getattr(operator, name))
        setattr(found, name, [places.get(index, _ABSENT) for index in indices])
    return found


def _call(interpreter: Interpreter, given: Sequence[Array]) -> list[Array]:
    for details, value in zip(interpreter.get_input_details(), given, strict=True):
        interpreter.set_tensor(details["index"], value)
    interpreter.invoke()
    return [
        interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()
    ]


def _rounds(interpreters: Sequence[Interpreter], *, seconds: float) -> Iterator[list[int]]:
    """Call all in turn, again and again; yield the nanoseconds of each."""
    end = time.perf_counter() + seconds
    for done in range(_MOST_ROUNDS):
        if done >= _FEWEST_ROUNDS and time.perf_counter() > end:
            return
        yield [_nanoseconds(interpreter) for interpreter in interpreters]


def _nanoseconds(interpreter: Interpreter) -> int:
    start = time.thread_time_ns()
    interpreter.invoke()
    return time.thread_time_ns() - start
