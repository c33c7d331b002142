"""The single steps of EDAC's augmentation of waveforms, with their parameters.

audiomentations, which performs them, is imported when a step is built and not before: who only
shows the parameters need not wait for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

if TYPE_CHECKING:
    from audiomentations.core.transforms_interface import BaseWaveformTransform

Transform: TypeAlias = "BaseWaveformTransform"

# The versions that the papers used knew no other method; newer ones default to another.
_METHOD = "librosa_phase_vocoder"


class Operation(Protocol):
    """A frozen dataclass of one step's parameters.

    `name` is what messages call it; `probability` is the share of waveforms it is applied to.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    name: ClassVar[str]

    @property
    def probability(self) -> float:
        """Share of the waveforms that it is applied to."""

    def build(self) -> Transform:
        """Make the transform that performs it."""

    def drawn(self, parameters: Mapping[str, Any]) -> float | None:
        """Return what a transform that was applied drew, in the unit of the parameters."""


@dataclass(frozen=True)
class Ranged:
    """An operation by an amount that is equally likely anywhere between two bounds.

    Parameters
    ----------
    low, high : float
        The bounds.
    probability : float
        Share of the waveforms that it is applied to.
    """

    name: ClassVar[str]
    _parameter: ClassVar[str]

    low: float
    high: float
    probability: float

    def drawn(self, parameters: Mapping[str, Any]) -> float | None:
        """Return the amount that a transform drew.

        Parameters
        ----------
        parameters : mapping
            Those of the transform after it was applied.
        """
        return float(parameters[self._parameter])


class TimeStretch(Ranged):
    """Play it at another rate (2 is twice as fast), with its pitch and its length kept.

    What is too short then is filled up with zeros, what is too long is cut.
    """

    name = "time stretch"
    _parameter = "rate"

    def build(self) -> Transform:
        """Make the transform that performs it."""
        from audiomentations import TimeStretch as Performed  # noqa: PLC0415 - it takes long

        return Performed(self.low, self.high, method=_METHOD, p=self.probability)


class PitchShift(Ranged):
    """Raise it by semitones, with its tempo kept."""

    name = "pitch shift"
    _parameter = "num_semitones"

    def build(self) -> Transform:
        """Make the transform that performs it."""
        from audiomentations import PitchShift as Performed  # noqa: PLC0415 - it takes long

        return Performed(self.low, self.high, method=_METHOD, p=self.probability)


class Shift(Ranged):
    """Move it later by a fraction of its length; what leaves at one end comes in at the other."""

    name = "shift"
    _parameter = "shift_amount"

    def build(self) -> Transform:
        """Make the transform that performs it."""
        from audiomentations import Shift as Performed  # noqa: PLC0415 - it takes long

        return Performed(self.low, self.high, rollover=True, fade_duration=0.0, p=self.probability)


class Gain(Ranged):
    """Make it louder by decibels; nothing is clipped."""

    name = "gain"
    _parameter = "amplitude_ratio"

    def build(self) -> Transform:
        """Make the transform that performs it."""
        from audiomentations import Gain as Performed  # noqa: PLC0415 - it takes long

        return Performed(self.low, self.high, p=self.probability)

    def drawn(self, parameters: Mapping[str, Any]) -> float | None:
        """Return the decibels that a transform drew.

        Parameters
        ----------
        parameters : mapping
            Those of the transform after it was applied.
        """
        return 20 * math.log10(parameters[self._parameter])


@dataclass(frozen=True)
class Trim:
    """Cut silence off both ends.

    Parameters
    ----------
    top_db : float
        What is this much below the loudest frame is silence, in dB.
    probability : float
        Share of the waveforms that it is applied to.
    """

    name: ClassVar[str] = "trim"

    top_db: float
    probability: float

    def build(self) -> Transform:
        """Make the transform that performs it."""
        from audiomentations import Trim as Performed  # noqa: PLC0415 - it takes long

        return Performed(top_db=self.top_db, p=self.probability)

    def drawn(self, parameters: Mapping[str, Any]) -> None:
        """Return nothing: no amount is drawn."""


@dataclass(frozen=True)
class PolarityInversion:
    """Turn it upside down, which nobody hears.

    Parameters
    ----------
    probability : float
        Share of the waveforms that it is applied to.
    """

    name: ClassVar[str] = "polarity inversion"

    probability: float

    def build(self) -> Transform:
        """Make the transform that performs it."""
        from audiomentations import PolarityInversion as Performed  # noqa: PLC0415 - it takes long

        return Performed(p=self.probability)

    def drawn(self, parameters: Mapping[str, Any]) -> None:
        """Return nothing: no amount is drawn."""


def _edac(stretch: TimeStretch) -> tuple[Operation, ...]:
    return (
        stretch,
        PitchShift(-2.0, 4.0, 1.0),
        Shift(-0.5, 0.5, 0.8),
        Trim(30.0, 1.0),
        Gain(-12.0, 12.0, 1.0),
        PolarityInversion(0.8),
    )


RECIPES: Mapping[str, tuple[Operation, ...]] = {
    "aug1": _edac(TimeStretch(0.7, 1.4, 0.9)),
    "aug2": _edac(TimeStretch(0.8, 1.25, 0.5)),
    "pitch_down": (PitchShift(-4.0, -4.0, 1.0),),
}
"""EDAC's augmentations of waveforms, by name: operations in order."""
