"""Sliders for the parameters of augmentation, and how their amounts stand in the page's address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from edac_core.operations import Gain, Operation, PitchShift, Ranged, Shift, TimeStretch, Trim

Amount: TypeAlias = float | tuple[float, float]
"""Where a slider stands: at a value, or at both ends of a range."""

SILENCE_BOUNDS = (10.0, 60.0)
FIXED_SHIFT_BOUNDS = (-12.0, 12.0)
"""Of a slider whose paper gives one value; where it gives a range, that is the slider's."""

_RANGE, _NEXT = "~", ","


@dataclass(frozen=True)
class Knob:
    """A slider from `low` to `high`; of a range if its default is a pair.

    `form` is how its numbers are written, as C has it or "percent".
    """

    label: str
    low: float
    high: float
    step: float
    form: str
    default: Amount
    help: str

    def nearest(self, value: float) -> float:
        """Return the position that is nearest to a value."""
        steps = round((value - self.low) / self.step)
        return min(round(self.low + steps * self.step, 6), self.high)


@dataclass(frozen=True)
class _Look:
    label: str
    step: float
    form: str
    help: str


_LOOKS = {
    TimeStretch.name: _Look("Rate", 0.01, "%.2fx", "2 is twice as fast; the pitch stays."),
    PitchShift.name: _Look("Semitones", 0.1, "%+.1f", "12 are an octave; the tempo stays."),
    Shift.name: _Look(
        "Shift", 0.01, "percent",
        "Later by this share of its length; what leaves at one end comes in at the other.",
    ),
    Trim.name: _Look(
        "Silence", 1.0, "%.0f dB", "What is this much below the loudest part counts as silence."
    ),
    Gain.name: _Look("Gain", 0.5, "%+.1f dB", "6 dB double the amplitude."),
}  # fmt: skip


def knob_of(operation: Operation, *, alone: bool, stage: str = "") -> Knob | None:
    """Return the slider of an operation; None if it has no amount.

    Parameters
    ----------
    operation
        With the paper's parameters, which give the slider's bounds and default.
    alone
        Whether the slider sets an amount; otherwise it narrows the range that is drawn from.
    stage
        What the label begins with, where operations of several stages have sliders.
    """
    if operation.name not in _LOOKS:
        return None
    look = _LOOKS[operation.name]
    low, high, default = _bounds(operation)
    label = f"{stage}: {look.label.lower()}" if stage else look.label
    knob = Knob(label, low, high, look.step, look.form, default, look.help)
    if alone and isinstance(default, tuple):
        knob = replace(knob, default=knob.nearest((low + high) / 2))
    return knob


def _bounds(operation: Operation) -> tuple[float, float, Amount]:
    if isinstance(operation, Trim):
        return (*SILENCE_BOUNDS, operation.top_db)
    if isinstance(operation, Ranged) and operation.low < operation.high:
        return operation.low, operation.high, (operation.low, operation.high)
    return (*FIXED_SHIFT_BOUNDS, operation.low if isinstance(operation, Ranged) else 0.0)


def adjusted(operation: Operation, amount: Amount) -> Operation:
    """Return an operation as its slider says."""
    low, high = amount if isinstance(amount, tuple) else (amount, amount)
    if isinstance(operation, Ranged):
        return replace(operation, low=low, high=high)
    return replace(operation, top_db=low)


def write_amounts(amounts: Iterable[Amount]) -> str:
    """Write amounts as they stand in the page's address.

    >>> write_amounts([(0.7, 1.4), 30.0])
    '0.7~1.4,30'
    """
    return _NEXT.join(_written(amount) for amount in amounts)


def read_amounts(text: str, knobs: Sequence[Knob]) -> tuple[Amount, ...]:
    """Read what `write_amounts` wrote.

    Raises
    ------
    ValueError
        If it does not fit the sliders.
    """
    words = text.split(_NEXT) if text else []
    return tuple(_read(word, knob) for word, knob in zip(words, knobs, strict=True))


def fit(amounts: Iterable[Amount], knobs: Sequence[Knob]) -> bool:
    """Say whether sliders can stand at these amounts."""
    try:
        read_amounts(write_amounts(amounts), knobs)
    except ValueError:
        return False
    return True


def _written(amount: Amount) -> str:
    bounds = amount if isinstance(amount, tuple) else (amount,)
    return _RANGE.join(f"{bound:g}" for bound in bounds)


def _read(word: str, knob: Knob) -> Amount:
    bounds = [float(part) for part in word.split(_RANGE)]
    inside = all(knob.low <= bound <= knob.high for bound in bounds)
    wanted = 2 if isinstance(knob.default, tuple) else 1
    if not inside or len(bounds) != wanted or bounds != sorted(bounds):
        raise ValueError(word)
    at = [knob.nearest(bound) for bound in bounds]
    return (at[0], at[1]) if wanted > 1 else at[0]
