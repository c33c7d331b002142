"""What can be done to a recording on the page Listen and look, and in words what was done."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dashboard import format as write
from dashboard.listening.knobs import Amount, Knob, adjusted, knob_of
from edac_core.audio import SAMPLE_RATE
from edac_core.augment import WIDEST_MASK, Outcome
from edac_core.operations import (
    RECIPES,
    Gain,
    Operation,
    PitchShift,
    PolarityInversion,
    Ranged,
    Shift,
    TimeStretch,
    Trim,
)
from edac_core.previews import Change, Covered, Masking, Preview, Stage

WHOLE = "all"
MASKING = "specaugment"

_WIDEST_OFFERED = 60.0
_MASK_KNOBS = tuple(
    Knob(
        f"Widest mask, in {what}", 0.0, _WIDEST_OFFERED, 1.0, "%.0f", float(WIDEST_MASK),
        f"The mask's width is drawn evenly between none and this; EDAC took {WIDEST_MASK}.",
    )
    for what in ("bands", "frames")
)  # fmt: skip


@dataclass(frozen=True)
class Augmentation:
    """One of EDAC's augmentations: how it is called, what it is for, its stages in `RECIPES`."""

    title: str
    purpose: str
    stages: tuple[str, ...] = ()


AUGMENTATIONS = {
    "aug1": Augmentation(
        "aug1", "EDAC adds a copy like this for each positive recording of Coswara.", ("aug1",)
    ),
    "aug1+aug2": Augmentation(
        "aug1, then aug2",
        "EDAC adds a second copy like this for each positive recording of Coswara.",
        ("aug1", "aug2"),
    ),
    "pitch_down": Augmentation(
        "Pitch shift",
        "EDAC adds a copy like this, four semitones lower, for each positive recording of "
        "COUGHVID.",
        ("pitch_down",),
    ),
    MASKING: Augmentation(
        "SpecAugment",
        "EDAC adds masked copies of COUGHVID's recordings: one of each negative, two of each "
        "positive. Only the spectrogram is masked: what is heard stays as it was.",
    ),
}


@dataclass(frozen=True)
class Selection:
    """An augmentation, or one step of its last stage.

    Parameters
    ----------
    augmentation
        One of `AUGMENTATIONS`.
    step
        One of `steps_of` it.
    """

    augmentation: str
    step: str = WHOLE

    @functools.cached_property
    def stages(self) -> tuple[Stage, ...]:
        """What it does, with the paper's parameters."""
        names = AUGMENTATIONS[self.augmentation].stages
        recipes = tuple(Stage(name, RECIPES[name]) for name in names)
        if self.step == WHOLE:
            return recipes
        operation = _by_slug(recipes[-1].operations)[self.step]
        return (Stage(operation.name, (replace(operation, probability=1.0),)),)

    @functools.cached_property
    def alone(self) -> Operation | None:
        """Its operation, if there is but one."""
        operations = [operation for stage in self.stages for operation in stage.operations]
        return operations[0] if len(operations) == 1 else None

    @property
    def is_drawn(self) -> bool:
        """Whether a seed decides anything."""
        return self.alone is None or _is_drawn(self.alone)

    @functools.cached_property
    def knobs(self) -> tuple[Knob, ...]:
        """Its sliders."""
        if self.augmentation == MASKING:
            return _MASK_KNOBS
        several = len(self.stages) > 1
        found = (
            knob_of(operation, alone=self.alone is not None, stage=stage.name if several else "")
            for stage in self.stages
            for operation in stage.operations
        )
        return tuple(knob for knob in found if knob is not None)

    def amounts(self, *, seed: int) -> tuple[Amount, ...]:
        """Return where a seed puts the sliders; one that narrows a range starts with the whole."""
        if self.alone is None or not _is_drawn(self.alone):
            return tuple(knob.default for knob in self.knobs)
        generator = random.Random(seed)  # noqa: S311 - not a secret
        return tuple(knob.nearest(generator.uniform(knob.low, knob.high)) for knob in self.knobs)

    def change(self, amounts: Sequence[Amount], *, seed: int) -> Change:
        """Return what is done to a recording, with the sliders at these amounts."""
        if self.augmentation == MASKING:
            bands, frames = amounts
            return Change(masking=Masking(_whole(bands), _whole(frames)), seed=seed)
        left = iter(amounts)
        return Change(
            tuple(
                Stage(
                    stage.name,
                    tuple(
                        adjusted(operation, next(left)) if _has_amount(operation) else operation
                        for operation in stage.operations
                    ),
                )
                for stage in self.stages
            ),
            seed=seed,
        )

    def describe(self) -> str:
        """Say in a sentence or two what the paper does."""
        chosen = AUGMENTATIONS[self.augmentation]
        if self.step == WHOLE:
            return chosen.purpose
        operation = _by_slug(RECIPES[chosen.stages[-1]])[self.step]
        return (
            f"In {chosen.stages[-1]} EDAC applies it to {_share(operation.probability)}"
            f"{_drawn_between(operation)}; here it is applied by itself."
        )


def steps_of(augmentation: str) -> dict[str, str]:
    """Return the steps that can be chosen of an augmentation, and how they are called."""
    stages = AUGMENTATIONS[augmentation].stages
    operations = _by_slug(RECIPES[stages[-1]]) if stages else {}
    single = {slug: operation.name.capitalize() for slug, operation in operations.items()}
    return {WHOLE: "All steps"} | (single if len(single) > 1 else {})


def describe_outcome(before: Preview, after: Preview) -> str:
    """Say in words what was drawn and done, without a full stop."""
    if after.covered is not None:
        return _masks_in_words(after.covered)
    samples, stages = len(before.waveform), []
    for outcomes in after.outcomes:
        lengths = [samples, *(outcome.samples for outcome in outcomes)]
        words = [_WORDS[type(outcome.operation)](outcome, length) if outcome.applied
                 else f"no {outcome.operation.name}"
                 for outcome, length in zip(outcomes, lengths, strict=False)]  # fmt: skip
        stages.append(", ".join(words))
        samples = lengths[-1]
    return "; then ".join(stages)


def describe_effect(before: Preview, after: Preview) -> str:
    """Say what one would not expect of the result; an empty text if there is nothing."""
    said = []
    if abs(after.waveform).max() > 1:
        said.append("It is louder than full scale: the player clips it, the network gets it whole.")
    if (before.features == after.features).all():
        said.append("The network gets exactly what it got before.")
    return " ".join(said)


def _by_slug(operations: Sequence[Operation]) -> dict[str, Operation]:
    return {operation.name.replace(" ", "-"): operation for operation in operations}


def _is_drawn(operation: Operation) -> bool:
    return isinstance(operation, Ranged) and operation.low < operation.high


def _has_amount(operation: Operation) -> bool:
    return knob_of(operation, alone=False) is not None


def _whole(amount: Amount) -> int:
    return int(amount if isinstance(amount, float) else amount[0])


def _share(probability: float) -> str:
    return "every copy" if probability == 1 else f"{write.per_cent(probability)} of the copies"


def _drawn_between(operation: Operation) -> str:
    if not isinstance(operation, Ranged):
        return ""
    times = 100 if isinstance(operation, Shift) else 1
    ends = [_signed(times * bound, "g") for bound in (operation.low, operation.high)]
    return f", drawn evenly between {' and '.join(ends)}{_UNITS.get(type(operation), '')}"


def _signed(value: float, form: str) -> str:
    return f"{value:{form}}".replace("-", "\N{MINUS SIGN}")


def _stretch_in_words(outcome: Outcome, _: int) -> str:
    return f"{outcome.amount:.2f} times as fast"


def _pitch_in_words(outcome: Outcome, _: int) -> str:
    return f"{_signed(outcome.amount or 0.0, '+.1f')} semitones"


def _shift_in_words(outcome: Outcome, samples: int) -> str:
    seconds = (outcome.amount or 0.0) * samples / SAMPLE_RATE
    return f"moved {abs(seconds):.2f} s {'later' if seconds > 0 else 'earlier'}"


def _trim_in_words(outcome: Outcome, samples: int) -> str:
    seconds = (samples - outcome.samples) / SAMPLE_RATE
    return f"{seconds:.2f} s trimmed off the ends" if seconds else "nothing to trim"


def _gain_in_words(outcome: Outcome, _: int) -> str:
    return f"{_signed(outcome.amount or 0.0, '+.1f')} dB"


def _polarity_in_words(_: Outcome, __: int) -> str:
    return "polarity inverted"


_UNITS = {Shift: " per cent of its length", Gain: " dB", PitchShift: " semitones"}
_WORDS = {
    TimeStretch: _stretch_in_words,
    PitchShift: _pitch_in_words,
    Shift: _shift_in_words,
    Trim: _trim_in_words,
    Gain: _gain_in_words,
    PolarityInversion: _polarity_in_words,
}


def _masks_in_words(covered: Covered) -> str:
    first, last = covered.bands
    bands, frames = "no bands", "no frames"
    if first < last:
        low, high = covered.hertz
        bands = f"{last - first} bands ({low:.0f} to {high:.0f} Hz)"
    if covered.seconds[0] < covered.seconds[1]:
        frames = f"the frames from {covered.seconds[0]:.2f} to {covered.seconds[1]:.2f} s"
    return f"{bands} and {frames} covered with the mean"
