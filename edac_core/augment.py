"""The papers' augmentation of waveforms."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock

import audiomentations
import numpy as np
import numpy.typing as npt
from audiomentations.core.transforms_interface import BaseWaveformTransform as Transform

from edac_core.audio import SAMPLE_RATE
from edac_core.errors import AudioError, PlanError

Waveform = npt.NDArray[np.float32]

REVISION = 1
"""Raise it when an augmentation changes, so that nothing computed before is served."""

EDAC_COPIES = ("aug1", "aug1+aug2")
"""The pipelines of the two copies that EDAC adds for each positive recording of Coswara."""

# The versions that the papers used knew no other method; newer ones default to another.
_METHOD = "librosa_phase_vocoder"

# audiomentations draws from the interpreter's one global generator.
_GLOBAL_GENERATOR = Lock()


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
}
"""Builders of EDAC's augmentations for Coswara, by name: transforms in order."""


def apply(
    waveform: Waveform, pipeline: str, *, seed: int, sample_rate: int = SAMPLE_RATE
) -> Waveform:
    """Augment one waveform.

    Parameters
    ----------
    waveform : np.ndarray, shape (n,), float32
        Mono samples.
    pipeline : str
        Names of `AUGMENTATIONS`, joined by "+", each applied to the output of the one before:
        "aug1" or "aug1+aug2".
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
        If the pipeline names an unknown augmentation.
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
        If a pipeline names an unknown augmentation.
    AudioError
        If nothing is left of the waveform, or it is not finite.
    """
    chains = [check(pipeline) for pipeline in pipelines]
    known: dict[tuple[str, ...], Waveform] = {(): waveform}
    for chain in chains:
        for position, name in enumerate(chain):
            if chain[: position + 1] not in known:
                known[chain[: position + 1]] = _step(
                    known[chain[:position]], name, seed=(seed, position), sample_rate=sample_rate
                )
    return [known[chain] for chain in chains]


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


def check(pipeline: str) -> tuple[str, ...]:
    """Split a pipeline into the names of its augmentations.

    Parameters
    ----------
    pipeline : str
        As in `apply`.

    Returns
    -------
    tuple of str
        Names of `AUGMENTATIONS`, in order.

    Raises
    ------
    PlanError
        If one of them is unknown.
    """
    chain = tuple(pipeline.split("+")) if pipeline else ()
    for name in chain:
        if name not in AUGMENTATIONS:
            raise PlanError(
                f"Augmentation {name!r} of {pipeline!r} is unknown: "
                f"choose from {', '.join(AUGMENTATIONS)}, joined by '+'."
            )
    return chain


def _step(waveform: Waveform, name: str, *, seed: tuple[int, int], sample_rate: int) -> Waveform:
    _refuse_unusable(waveform, name=name)
    transforms = AUGMENTATIONS[name]()
    # All is drawn before anything is applied: what librosa imports on its first call draws too.
    with _seeded(seed):
        for transform in transforms:
            transform.randomize_parameters(waveform, sample_rate)
    for transform in transforms:
        transform.freeze_parameters()
        waveform = np.asarray(transform(waveform, sample_rate), np.float32)
    _refuse_unusable(waveform, name=name)
    return waveform


def _refuse_unusable(waveform: Waveform, *, name: str) -> None:
    if not waveform.size or not np.isfinite(waveform).all():
        raise AudioError(
            f"Augmentation {name!r} takes or leaves a waveform of {waveform.size} samples that "
            f"{'are not all finite' if waveform.size else 'is empty'}: leave the recording out."
        )


@contextmanager
def _seeded(seed: tuple[int, int]) -> Iterator[None]:
    """Seed the interpreter's global generator, and put it back as it was."""
    with _GLOBAL_GENERATOR:
        state = random.getstate()
        random.seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        try:
            yield
        finally:
            random.setstate(state)
