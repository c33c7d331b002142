"""What can happen to a recording on its way to a classifier, from a little to much of it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from edac_core.audio import SAMPLE_RATE, Waveform
from edac_core.errors import PlanError

_ROLLOFF = 24
"""Of the low-pass filter, in dB an octave."""


@dataclass(frozen=True)
class Disturbance:
    """A disturbance and the strengths at which it is looked at.

    Parameters
    ----------
    name
        One of `DISTURBANCES`.
    transform
        The name of audiomentations' transform.
    bounds
        The names of the transform's bounds of its strength.
    unit
        Of the strengths.
    strengths
        In the order in which they stand beside each other.
    untouched
        The strength that leaves the recording as it is.
    options
        What else the transform takes.
    """

    name: str
    transform: str
    bounds: tuple[str, str]
    unit: str
    strengths: tuple[float, ...]
    untouched: float
    options: tuple[tuple[str, Any], ...] = ()


NOISE = Disturbance(
    "noise", "AddGaussianSNR", ("min_snr_db", "max_snr_db"), "dB",
    (math.inf, 40, 35, 30, 25, 20, 15, 10, 5, 0, -5), math.inf,
)  # fmt: skip
"""White noise, by the ratio of the recording's mean power to the noise's."""

GAIN = Disturbance(
    "gain", "Gain", ("min_gain_db", "max_gain_db"), "dB",
    (-30, -24, -18, -12, -6, 0, 6, 12, 18, 24, 30), 0,
)  # fmt: skip
"""Quieter or louder; what is beyond full scale is clipped."""

LOW_PASS = Disturbance(
    "low-pass", "LowPassFilter", ("min_cutoff_freq", "max_cutoff_freq"), "Hz",
    (math.inf, 8_000, 6_000, 4_000, 3_000, 2_000, 1_500, 1_000, 700, 500, 300), math.inf,
    (("min_rolloff", _ROLLOFF), ("max_rolloff", _ROLLOFF)),
)  # fmt: skip
"""A Butterworth filter, by the frequency at which it has 3 dB less."""

DISTURBANCES: Mapping[str, Disturbance] = {kind.name: kind for kind in (NOISE, GAIN, LOW_PASS)}
"""Disturbances by name."""


def disturb(waveform: Waveform, name: str, strength: float, seed: int) -> Waveform:
    """Disturb a waveform.

    Parameters
    ----------
    waveform
        Shape (n,), float32, mono at 22,050 Hz.
    name
        One of `DISTURBANCES`.
    strength
        In the disturbance's unit.
    seed
        The noise depends on this and on the number of samples alone, so that more of it is the
        same noise, louder.

    Returns
    -------
    numpy.ndarray
        Shape (n,), float32; the waveform itself at the strength that leaves it untouched, else
        clipped to full scale, as a recorder and a loudspeaker do.

    Raises
    ------
    PlanError
        If there is no such disturbance.
    """
    if name not in DISTURBANCES:
        raise PlanError(f"Disturbance {name!r} is unknown: choose from {', '.join(DISTURBANCES)}.")
    kind = DISTURBANCES[name]
    if strength == kind.untouched:
        return waveform
    with _seeded(seed):
        disturbed = _transform(kind, strength)(waveform, SAMPLE_RATE)
    return np.asarray(np.clip(disturbed, -1, 1), np.float32)


def _transform(kind: Disturbance, strength: float) -> Any:
    import audiomentations  # noqa: PLC0415 - who only lists the disturbances need not load it

    bounds = dict.fromkeys(kind.bounds, strength)
    return getattr(audiomentations, kind.transform)(**bounds, **dict(kind.options), p=1.0)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the global generators that audiomentations draws from, and put them back."""
    plain, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - audiomentations'
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - audiomentations draws from it
    try:
        yield
    finally:
        random.setstate(plain)
        np.random.set_state(numpy)  # noqa: NPY002 - audiomentations'
