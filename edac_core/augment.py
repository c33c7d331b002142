"""The papers' augmentation of waveforms and of spectrograms."""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

import audiomentations
import numpy as np
import numpy.typing as npt
from audiomentations.core.transforms_interface import BaseWaveformTransform as Transform

from edac_core.audio import SAMPLE_RATE
from edac_core.errors import AudioError, PlanError

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

# The versions that the papers used knew no other method; newer ones default to another.
_METHOD = "librosa_phase_vocoder"

# audiomentations draws from the interpreter's one global generator.
_GLOBAL_GENERATOR = Lock()

_STEP = re.compile(r"(?P<name>[^:]*)(:(?P<draw>[1-9][0-9]*))?")


def specaugment(spectrogram: Spectrogram, generator: np.random.Generator) -> Spectrogram:
    """Cover a run of bands and a run of frames with the mean.

    Park's spectrograms are normalised to a mean of 0, which is what their masks hold. Nothing
    is warped in time. Each width is drawn from 0 to `WIDEST_MASK`, both included, then each
    place at which that width fits is equally likely.

    Parameters
    ----------
    spectrogram : np.ndarray, shape (bands, frames), float32
        In dB.
    generator : np.random.Generator
        Where the masks' widths and places are drawn from.

    Returns
    -------
    np.ndarray, shape (bands, frames), float32
        A masked copy.

    References
    ----------
    Park et al. (2019), "SpecAugment", section 2; F = T = 30 from EDAC (2023). audiomentations'
    SpecFrequencyMask covers bands with their own mean, and has no mask of frames.
    """
    masked = spectrogram.copy()
    mean = spectrogram.mean()
    bands, frames = (_span(size, generator) for size in spectrogram.shape)
    masked[bands, :] = mean
    masked[:, frames] = mean
    return masked


def _span(size: int, generator: np.random.Generator) -> slice:
    width = min(int(generator.integers(WIDEST_MASK, endpoint=True)), size)
    start = int(generator.integers(size - width, endpoint=True))
    return slice(start, start + width)


def _edac(*, slowest: float, fastest: float, stretch_probability: float) -> list[Transform]:
    return [
        audiomentations.TimeStretch(slowest, fastest, method=_METHOD, p=stretch_probability),
        audiomentations.PitchShift(-2, 4, method=_METHOD, p=1.0),
        audiomentations.Shift(-0.5, 0.5, rollover=True, fade_duration=0.0, p=0.8),
        audiomentations.Trim(top_db=30.0, p=1.0),
        audiomentations.Gain(-12.0, 12.0, p=1.0),
        audiomentations.PolarityInversion(p=0.8),
    ]


AUGMENTATIONS: Mapping[str, Callable[[], list[Transform]]] = {
    "aug1": lambda: _edac(slowest=0.7, fastest=1.4, stretch_probability=0.9),
    "aug2": lambda: _edac(slowest=0.8, fastest=1.25, stretch_probability=0.5),
    "pitch_down": lambda: [audiomentations.PitchShift(-4, -4, method=_METHOD, p=1.0)],
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


def copies(waveform: Waveform, *, seed: int, sample_rate: int = SAMPLE_RATE) -> list[Waveform]:
    """Make the two copies that EDAC adds for each positive recording of Coswara.

    Parameters
    ----------
    waveform, seed, sample_rate
        As in `apply`.

    Returns
    -------
    list of np.ndarray
        The output of aug1, and that of aug2 applied on top of it.

    Raises
    ------
    AudioError
        If nothing is left of the waveform, or it is not finite.
    """
    return apply_each(waveform, EDAC_COPIES, seed=seed, sample_rate=sample_rate)


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
    _refuse_unusable(waveform, name=step.name)
    transforms = AUGMENTATIONS[step.name]()
    # All is drawn before anything is applied: what librosa imports on its first call draws too.
    with _seeded(step.entropy(seed)):
        for transform in transforms:
            transform.randomize_parameters(waveform, sample_rate)
    for transform in transforms:
        transform.freeze_parameters()
        waveform = np.asarray(transform(waveform, sample_rate), np.float32)
    _refuse_unusable(waveform, name=step.name)
    return waveform


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
