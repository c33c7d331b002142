"""What augmentation makes of a recording, and what a network gets of it: for eye and ear.

`preview` is called in a process apart. Who calls it imports this module too, and need not have the
front-ends' libraries for that: they are imported where they are needed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edac_core.audio import SAMPLE_RATE, Waveform
from edac_core.augment import (
    WIDEST_MASK,
    Masks,
    Outcome,
    Spectrogram,
    Step,
    draw_masks,
    perform,
    specaugment,
)
from edac_core.errors import AudioError, PlanError
from edac_core.operations import Operation

if TYPE_CHECKING:
    from edac_core.frontends.mel_image import MelImage
    from edac_core.frontends.mfcc import Mfcc

PICTURED = ("mfcc", "mel_image")
"""The front-ends that go by way of a picture."""

MARKED_HERTZ = (500, 1_000, 2_000, 4_000, 8_000)
"""Where an axis of bands has marks."""

# The phase vocoder's window: less than that has no spectrum to stretch.
_WINDOW = 2_048


@dataclass(frozen=True)
class Stage:
    """A step of a pipeline with operations of its own."""

    name: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Masking:
    """SpecAugment: the most bands and the most frames that its masks cover (F and T)."""

    most_bands: int = WIDEST_MASK
    most_frames: int = WIDEST_MASK


@dataclass(frozen=True)
class Change:
    """What is done to a recording: to its waveform, stage by stage, and then to its spectrogram.

    With the operations of `edac_core.operations.RECIPES` it does what `edac_core.augment.apply`
    does with the names of the stages, joined by "+", and the same seed.
    """

    stages: tuple[Stage, ...] = ()
    masking: Masking | None = None
    seed: int = 0


class HertzMark(NamedTuple):
    """Where a frequency lies on an axis of bands; band k reaches from k to k + 1."""

    band: float
    hertz: int


@dataclass(frozen=True)
class Covered:
    """What masks cover, both ends of each run; a run of no width is empty."""

    bands: tuple[int, int]
    hertz: tuple[float, float]
    seconds: tuple[float, float]


@dataclass(frozen=True)
class Preview:
    """A recording after a change, for the ear and the eye.

    Parameters
    ----------
    waveform
        Shape (n,), float32, at 22,050 Hz.
    outcomes
        What each operation of each stage drew.
    spectrogram
        Shape (bands, frames), float32, in dB: the front-end's, masked if it was asked.
    seconds
        Where the spectrogram ends.
    hertz
        Marks on its axis of bands.
    covered
        What its masks cover; None without masks.
    coefficients
        Shape (frames, 15), float32: the MFCC, whatever the front-end.
    features
        What the network gets: (302, 15, 1) or (39, 88, 3), float32.
    """

    waveform: Waveform
    outcomes: tuple[tuple[Outcome, ...], ...]
    spectrogram: Spectrogram
    seconds: float
    hertz: tuple[HertzMark, ...]
    covered: Covered | None
    coefficients: Spectrogram
    features: Spectrogram


def preview(waveform: Waveform, change: Change, frontend: str) -> Preview:
    """Change a recording and show what becomes of it.

    Parameters
    ----------
    waveform
        Shape (n,), float32, mono at 22,050 Hz.
    change
        What is done to it; `Change()` leaves it as it is.
    frontend
        One of `PICTURED`.

    Returns
    -------
    Preview
        The waveform and its pictures.

    Raises
    ------
    AudioError
        If the recording is too short, or nothing is left of it.
    PlanError
        If there is no such front-end.
    """
    _refuse_short(waveform)
    chosen = _frontend(frontend)
    waveform, outcomes = _changed(waveform, change)
    spectrogram = _masked(chosen.spectrogram(waveform), change)
    mfcc = _frontend("mfcc")
    return Preview(
        waveform,
        outcomes,
        spectrogram,
        seconds=spectrogram.shape[1] * chosen.hop_length / chosen.sample_rate,
        hertz=_hertz_marks(chosen, bands=len(spectrogram)),
        covered=_covered(chosen, spectrogram, change),
        coefficients=mfcc.features(_masked(mfcc.spectrogram(waveform), change))[..., 0],
        features=chosen.features(spectrogram),
    )


def _refuse_short(waveform: Waveform) -> None:
    if len(waveform) < _WINDOW:
        raise AudioError(
            f"The recording is {len(waveform) / SAMPLE_RATE:.3f} s long, shorter than one window "
            f"of the analysis ({_WINDOW / SAMPLE_RATE:.3f} s): choose a longer one."
        )


def _frontend(name: str) -> Mfcc | MelImage:
    from edac_core.frontends.mel_image import MelImage  # noqa: PLC0415 - see above
    from edac_core.frontends.mfcc import Mfcc  # noqa: PLC0415 - see above

    pictured = {kind.name: kind for kind in (Mfcc, MelImage)}
    if name not in pictured:
        raise PlanError(f"Front-end {name!r} has no picture: choose from {', '.join(PICTURED)}.")
    return pictured[name]()


def _changed(
    waveform: Waveform, change: Change
) -> tuple[Waveform, tuple[tuple[Outcome, ...], ...]]:
    outcomes = []
    for position, stage in enumerate(change.stages):
        step = Step(position, stage.name, 1)
        waveform, drawn = perform(waveform, stage.operations, step=step, seed=change.seed)
        outcomes.append(drawn)
    return waveform, tuple(outcomes)


def _masked(spectrogram: Spectrogram, change: Change) -> Spectrogram:
    if change.masking is None:
        return spectrogram
    return specaugment(spectrogram, _generator(change), **asdict(change.masking))


def _generator(change: Change) -> np.random.Generator:
    step = Step(len(change.stages), "specaugment", 1)
    return np.random.default_rng(step.entropy(change.seed))


def _covered(frontend: Mfcc | MelImage, spectrogram: Spectrogram, change: Change) -> Covered | None:
    if change.masking is None:
        return None
    bands, frames = spectrogram.shape
    masks = draw_masks(bands, frames, _generator(change), **asdict(change.masking))
    return _in_units(frontend, masks, bands=bands)


def _in_units(frontend: Mfcc | MelImage, masks: Masks, *, bands: int) -> Covered:
    import librosa  # noqa: PLC0415 - see above

    # The triangle of band k has its feet at k and k + 2: its neighbours' peaks are its edges.
    edges = librosa.mel_frequencies(bands + 2, fmin=0.0, fmax=_highest(frontend))
    low, high = masks.bands.start, masks.bands.stop
    hop = frontend.hop_length / frontend.sample_rate
    return Covered(
        (low, high),
        (float(edges[low]), float(edges[high + 1])),
        (masks.frames.start * hop, masks.frames.stop * hop),
    )


def _hertz_marks(frontend: Mfcc | MelImage, *, bands: int) -> tuple[HertzMark, ...]:
    import librosa  # noqa: PLC0415 - see above

    highest = _highest(frontend)
    marked = [hertz for hertz in MARKED_HERTZ if hertz <= highest]
    # Peaks of the bands are evenly spaced in mel, and band k is drawn around k + 0.5.
    places = librosa.hz_to_mel(np.array(marked)) / librosa.hz_to_mel(highest) * (bands + 1) - 0.5
    return tuple(
        HertzMark(min(float(place), bands), hertz)
        for place, hertz in zip(places, marked, strict=True)
    )


def _highest(frontend: Mfcc | MelImage) -> float:
    """Return where the highest band ends, in Hz."""
    return float(getattr(frontend, "fmax", frontend.sample_rate / 2))
