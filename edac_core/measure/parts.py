"""The parts of a model file, as plain values: reading them needs no LiteRT."""

from dataclasses import dataclass
from typing import Literal

MEBIBYTE = 2**20
"""What Squeeze for Sneeze calls a MB."""

Role = Literal["weights", "biases", "constants"]


@dataclass(frozen=True)
class Tensor:
    """A constant of the file.

    Parameters
    ----------
    layer
        The layer it belongs to, by the name it had in training.
    role
        "weights" are what `edac_core.measure.size.count_weights` counts. "biases" are all other
        parameters, such as what normalisation scales and adds. "constants" are no parameters:
        shapes, axes and the like.
    shape, precision
        As stored.
    elements, zeros
        How many numbers it has, and how many weights among them are zero.
    raw_bytes, packed_bytes
        In the file, and after DEFLATE by itself.
    """

    layer: str
    role: Role
    shape: tuple[int, ...]
    precision: str
    elements: int
    zeros: int
    raw_bytes: int
    packed_bytes: int


@dataclass(frozen=True)
class Spread:
    """How the weights of one tensor are spread, in the baseline and in the variant.

    `edges` bound the bins; `before` and `after` count the weights in them that are not zero.
    `before` is empty, and `zeros_before` is 0, if there is nothing to compare with.
    """

    layer: str
    shape: tuple[int, ...]
    edges: tuple[float, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    zeros_before: int
    zeros_after: int

    @property
    def elements(self) -> int:
        """How many weights there are."""
        return sum(self.after) + self.zeros_after


@dataclass(frozen=True)
class OperatorTime:
    """An operator and what it takes.

    Parameters
    ----------
    layer
        The layer it comes from, by the name that had in training; empty if no name tells.
    kind
        LiteRT's name for it, such as CONV_2D.
    output_shape
        For one recording.
    times
        How often the graph has it with the same weights and shapes, as an unrolled LSTM does.
    milliseconds
        Of processor time; median of one call.
    """

    layer: str
    kind: str
    output_shape: tuple[int, ...]
    times: int
    milliseconds: float

    @property
    def total_ms(self) -> float:
        """What it takes over the whole graph."""
        return self.times * self.milliseconds


@dataclass(frozen=True)
class OperatorTimes:
    """The operators of a model in the order of its graph, and the whole model beside them.

    `whole_ms` is the median of one call of the whole model, over so many rounds.
    """

    operators: tuple[OperatorTime, ...]
    whole_ms: float
    rounds: int

    @property
    def sum_ms(self) -> float:
        """What the operators take by themselves, one after another."""
        return sum(operator.total_ms for operator in self.operators)


@dataclass(frozen=True)
class RuntimeSupport:
    """Whether a runtime takes a file, how that is known, and what stands against it.

    `takes` is "part" where a runtime computes some operators and leaves the others to LiteRT.
    """

    name: str
    takes: Literal["whole", "part", "no"]
    how_known: Literal["by loading", "by operator list"]
    reason: str


@dataclass(frozen=True)
class Footprint:
    """What a file takes on a device.

    Parameters
    ----------
    flash_bytes
        The file as it is; weights are read where they lie.
    arena_bytes
        Estimate of the RAM for what operators hand to each other, one recording at a time; None
        if the file has loops or branches. What a runtime needs for its own book-keeping and
        inside its operators comes on top.
    macs
        Multiplications by weights, each with its addition, for one recording, weights of zero
        included; None if the file has loops or branches.
    runtimes
        Which take the file.
    micro_arena_bytes
        What TFLite Micro took when it loaded the file here (on 64 bits; pointers are half as
        long on a microcontroller); None where it is not installed or does not take the file.
    """

    flash_bytes: int
    arena_bytes: int | None
    macs: int | None
    runtimes: tuple[RuntimeSupport, ...]
    micro_arena_bytes: int | None
