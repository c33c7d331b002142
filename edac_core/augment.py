"""The papers' augmentation of waveforms and of spectrograms."""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edac_core.audio import SAMPLE_RATE
from edac_core.errors import AudioError, PlanError
from edac_core.operations import RECIPES, Operation, Transform

Waveform = npt.NDArray[np.float32]
Spectrogram = npt.NDArray[np.float32]

REVISION = 1
"""Raise it when an augmentation changes, so that nothing computed before is served."""

EDAC_COPIES = ("aug1", "aug1+aug2")
"""The pipelines of the two copies that EDAC adds for each positive recording of Coswara."""

COUGHVID_NEGATIVE = ("specaugment:1",)
"""The pipeline of the copy that EDAC adds for each negative recording of COUGHVID."""

COUGHVID_POSITIVE = (
    "pitch_down",
    "specaugment:1",
    "specaugment:2",
    "pitch_down+specaugment:1",
    "pitch_down+specaugment:2",
)
"""The pipelines of the copies that EDAC adds for each positive recording of COUGHVID."""

WIDEST_MASK = 30
"""F and T: most bands and most frames that one mask of SpecAugment covers."""

# audiomentations draws from the interpreter's one global generator.
_GLOBAL_GENERATOR = Lock()

_STEP = re.compile(r"(?P<name>[^:]*)(:(?P<draw>[1-9][0-9]*))?")


def specaugment(
    spectrogram: Spectrogram,
    generator: np.random.Generator,
    *,
    most_bands: int = WIDEST_MASK,
    most_frames: int = WIDEST_MASK,
) -> Spectrogram:
    """Cover a run of bands and a run of frames with the mean.

    Park's spectrograms are normalised to a mean of 0, which is what their masks hold. Nothing
    is warped in time. Each width is drawn from 0 to the most that it may be, both included, then
    each place at which that width fits is equally likely.

    Parameters
    ----------
    spectrogram : np.ndarray, shape (bands, frames), float32
        In dB.
    generator : np.random.Generator
        Where the masks' widths and places are drawn from.
    most_bands, most_frames : int
        F and T: how many bands and how many frames are covered at most.

    Returns
    -------
    np.ndarray, shape (bands, frames), float32
        A masked copy.

    References
    ----------
    Park et al. (2019), "SpecAugment", section 2; F = T = 30 from EDAC (2023). audiomentations'
    SpecFrequencyMask covers bands with their own mean, and has no mask of frames.
    """
    bands, frames = spectrogram.shape
    masks = draw_masks(bands, frames, generator, most_bands=most_bands, most_frames=most_frames)
    masked = spectrogram.copy()
    mean = spectrogram.mean()
    masked[masks.bands, :] = mean
    masked[:, masks.frames] = mean
    return masked


class Masks(NamedTuple):
    """The runs of bands and of frames that are covered."""

    bands: slice
    frames: slice


def draw_masks(
    bands: int,
    frames: int,
    generator: np.random.Generator,
    *,
    most_bands: int = WIDEST_MASK,
    most_frames: int = WIDEST_MASK,
) -> Masks:
    """Draw what `specaugment` covers.

    Parameters
    ----------
    bands, frames : int
        Of the spectrogram.
    generator, most_bands, most_frames
        As in `specaugment`.

    Returns
    -------
    Masks
        Slices of the rows and of the columns.
    """
    return Masks(
        _span(bands, generator, most=most_bands), _span(frames, generator, most=most_frames)
    )


def _span(size: int, generator: np.random.Generator, *, most: int) -> slice:
    width = min(int(generator.integers(most, endpoint=True)), size)
    start = int(generator.integers(size - width, endpoint=True))
    return slice(start, start + width)


def _built(operations: Sequence[Operation]) -> list[Transform]:
    return [operation.build() for operation in operations]


AUGMENTATIONS: Mapping[str, Callable[[], list[Transform]]] = {
    name: partial(_built, operations) for name, operations in RECIPES.items()
}
"""Builders of EDAC's augmentations of waveforms, by name: transforms in order."""

SPECTROGRAM_AUGMENTATIONS: Mapping[
    str, Callable[[Spectrogram, np.random.Generator], Spectrogram]
] = {"specaugment": specaugment}
"""EDAC's augmentations of spectrograms, by name."""


class Step(NamedTuple):
    """One augmentation of a pipeline."""

    position: int
    name: str
    draw: int

    def __str__(self) -> str:
        return self.name if self.draw == 1 else f"{self.name}:{self.draw}"

    def entropy(self, seed: int) -> tuple[int, ...]:
        """Return what seeds this step, so that draws and positions are independent.

        Parameters
        ----------
        seed : int
            Of the whole pipeline.
        """
        return (seed, self.position) if self.draw == 1 else (seed, self.position, self.draw)


@dataclass(frozen=True)
class Pipeline:
    """Augmentations in order: those of the waveform, then those of its spectrogram.

    As a string it is what `parse` takes, with equal pipelines written alike.
    """

    on_waveform: tuple[Step, ...]
    on_spectrogram: tuple[Step, ...]

    @property
    def waveform_part(self) -> str:
        """The pipeline without what it does to the spectrogram."""
        return "+".join(map(str, self.on_waveform))

    def __str__(self) -> str:
        return "+".join(map(str, self.on_waveform + self.on_spectrogram))


def parse(pipeline: str) -> Pipeline:
    """Read a pipeline.

    Parameters
    ----------
    pipeline : str
        Names of `AUGMENTATIONS`, then of `SPECTROGRAM_AUGMENTATIONS`, joined by "+", each applied
        to the output of the one before: "aug1+aug2". A name may be followed by the number of an
        independent draw, counted from 1: "specaugment" is "specaugment:1", and "specaugment:2"
        has other masks. "" does nothing.

    Returns
    -------
    Pipeline
        Its steps.

    Raises
    ------
    PlanError
        If an augmentation is unknown, its draw is not a number from 1, or one of the waveform
        comes after one of the spectrogram.
    """
    words = pipeline.split("+") if pipeline else []
    steps = [_step(word, position, pipeline) for position, word in enumerate(words)]
    on_spectrogram = [step for step in steps if step.name in SPECTROGRAM_AUGMENTATIONS]
    on_waveform = [step for step in steps if step.name in AUGMENTATIONS]
    if steps != on_waveform + on_spectrogram:
        raise PlanError(
            f"Pipeline {pipeline!r} augments the waveform after its spectrogram: "
            f"put '{on_spectrogram[0]}' last."
        )
    return Pipeline(tuple(on_waveform), tuple(on_spectrogram))


def apply(
    waveform: Waveform, pipeline: str, *, seed: int, sample_rate: int = SAMPLE_RATE
) -> Waveform:
    """Augment one waveform.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,), float32
        Mono samples.
    pipeline : str
        As in `parse`, of `AUGMENTATIONS` alone: "aug1" or "aug1+aug2".
    seed : int
        The result depends on the waveform, the pipeline and this alone.
    sample_rate : int
        In Hz.

    Returns
    -------
    np.ndarray, shape (m,), float32
        Trimming makes it shorter than the input.

    Raises
    ------
    PlanError
        If the pipeline cannot be read or has an augmentation of spectrograms.
    AudioError
        If nothing is left of the waveform, or it is not finite.
    """
    return apply_each(waveform, [pipeline], seed=seed, sample_rate=sample_rate)[0]


def apply_each(
    waveform: Waveform, pipelines: Sequence[str], *, seed: int, sample_rate: int = SAMPLE_RATE
) -> list[Waveform]:
    """Augment one waveform by several pipelines, computing what they begin with once.

    Parameters
    ----------
    waveform, seed, sample_rate
        As in `apply`.
    pipelines : sequence of str
        As in `apply`; "" leaves the waveform as it is.

    Returns
    -------
    list of np.ndarray
        One waveform a pipeline, each the same as from `apply`.

    Raises
    ------
    PlanError
        If a pipeline cannot be read or has an augmentation of spectrograms.
    AudioError
        If nothing is left of the waveform, or it is not finite.
    """
    chains = [_waveform_steps(pipeline) for pipeline in pipelines]
    known: dict[tuple[Step, ...], Waveform] = {(): waveform}
    for chain in chains:
        for position, step in enumerate(chain):
            if chain[: position + 1] not in known:
                known[chain[: position + 1]] = _transformed(
                    known[chain[:position]], step, seed=seed, sample_rate=sample_rate
                )
    return [known[chain] for chain in chains]


def apply_to_spectrogram(spectrogram: Spectrogram, pipeline: str, *, seed: int) -> Spectrogram:
    """Augment a spectrogram as a pipeline ends.

    Parameters
    ----------
    spectrogram : np.ndarray, shape (bands, frames), float32
        In dB, of the waveform that the pipeline's beginning made.
    pipeline : str
        As in `parse`, the whole of it: where its augmentations of the spectrogram stand decides
        what they draw.
    seed : int
        The result depends on the spectrogram, the pipeline and this alone.

    Returns
    -------
    np.ndarray, shape (bands, frames), float32
        The spectrogram itself if the pipeline leaves it alone.

    Raises
    ------
    PlanError
        If the pipeline cannot be read.
    """
    for step in parse(pipeline).on_spectrogram:
        generator = np.random.default_rng(step.entropy(seed))
        spectrogram = SPECTROGRAM_AUGMENTATIONS[step.name](spectrogram, generator)
    return spectrogram


@dataclass(frozen=True)
class Outcome:
    """What became of one operation.

    Parameters
    ----------
    operation : Operation
        Which.
    applied : bool
        Whether it was, by its probability.
    amount : float or None
        What it drew, in the unit of its parameters; None where it draws nothing.
    samples : int
        How long the waveform is after it.
    """

    operation: Operation
    applied: bool
    amount: float | None
    samples: int


def perform(
    waveform: Waveform,
    operations: Sequence[Operation],
    *,
    step: Step,
    seed: int,
    sample_rate: int = SAMPLE_RATE,
) -> tuple[Waveform, tuple[Outcome, ...]]:
    """Perform operations as a step of a pipeline, and tell what they drew.

    Parameters
    ----------
    waveform, seed, sample_rate
        As in `apply`.
    operations : sequence of Operation
        In order; those of `RECIPES[step.name]` give what `apply` gives.
    step : Step
        Where in the pipeline it stands decides what is drawn.

    Returns
    -------
    waveform : np.ndarray, shape (m,), float32
        The result.
    outcomes : tuple of Outcome
        One an operation.

    Raises
    ------
    AudioError
        If nothing is left of the waveform, or it is not finite.
    """
    _refuse_unusable(waveform, name=step.name)
    transforms = _built(operations)
    # All is drawn before anything is applied: what librosa imports on its first call draws too.
    with _seeded(step.entropy(seed)):
        for transform in transforms:
            transform.randomize_parameters(waveform, sample_rate)
    outcomes = []
    for operation, transform in zip(operations, transforms, strict=True):
        transform.freeze_parameters()
        waveform = np.asarray(transform(waveform, sample_rate), np.float32)
        outcomes.append(_outcome(operation, transform, samples=len(waveform)))
    _refuse_unusable(waveform, name=step.name)
    return waveform, tuple(outcomes)


def _outcome(operation: Operation, transform: Transform, *, samples: int) -> Outcome:
    applied = bool(transform.parameters["should_apply"])
    amount = operation.drawn(transform.parameters) if applied else None
    return Outcome(operation, applied, amount, samples)


def _step(word: str, position: int, pipeline: str) -> Step:
    match = _STEP.fullmatch(word)
    if match is None:
        raise PlanError(
            f"Augmentation {word!r} of {pipeline!r} has no draw of that number: "
            "count draws from 1, as in 'specaugment:2'."
        )
    known = {**AUGMENTATIONS, **SPECTROGRAM_AUGMENTATIONS}
    if match["name"] not in known:
        raise PlanError(
            f"Augmentation {match['name']!r} of {pipeline!r} is unknown: "
            f"choose from {', '.join(known)}, joined by '+'."
        )
    return Step(position, match["name"], int(match["draw"] or 1))


def _waveform_steps(pipeline: str) -> tuple[Step, ...]:
    steps = parse(pipeline)
    if steps.on_spectrogram:
        raise PlanError(
            f"Augmentation '{steps.on_spectrogram[0]}' of {pipeline!r} is not of a waveform: "
            "apply it to a spectrogram."
        )
    return steps.on_waveform


def _transformed(waveform: Waveform, step: Step, *, seed: int, sample_rate: int) -> Waveform:
    operations = RECIPES[step.name]
    transformed, _ = perform(waveform, operations, step=step, seed=seed, sample_rate=sample_rate)
    return transformed


def _refuse_unusable(waveform: Waveform, *, name: str) -> None:
    if not waveform.size or not np.isfinite(waveform).all():
        raise AudioError(
            f"Augmentation {name!r} takes or leaves a waveform of {waveform.size} samples that "
            f"{'are not all finite' if waveform.size else 'is empty'}: leave the recording out."
        )


@contextmanager
def _seeded(entropy: tuple[int, ...]) -> Iterator[None]:
    """Seed the interpreter's global generator, and put it back as it was."""
    with _GLOBAL_GENERATOR:
        state = random.getstate()
        random.seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        try:
            yield
        finally:
            random.setstate(state)
