"""What is wrong with a recording, in plain words, before anybody asks what a network says of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edac_core.audio import Sound
from edac_core.datasets.audit import CLIPPED_SHARE, SHORTEST_SECONDS, SILENT_DBFS
from edac_core.datasets.facts import Facts, describe, spectrum

NARROW_HZ = 4_500.0
"""A recording that holds next to nothing above this frequency is narrow-band, like a telephone's.

A telephone's 8,000 samples a second end at 4 kHz, and resampling them leaves a slope beyond. Of
250 coughs drawn from the set covid19-cough, those of its call centre end below 3.95 kHz and those
of its messenger above 7.3 kHz, by the measure of `edge_hz`.
"""

NEXT_TO_NOTHING_DB = 60.0
"""What is this far below the strongest frequency is next to nothing."""

STANDS_OUT_DB = 10.0
"""A recording whose loud moments stand out by less than this is mostly noise.

Steady noise has less than 2 dB; four of the same 250 coughs have less than 10.
"""

_FRAME_SECONDS = 0.025
_LOUD, _QUIET = 95, 10  # Percentiles of the frames' levels.
_FLOOR = 1e-10  # Mean square of a frame that stands for zero: -100 dB.


@dataclass(frozen=True)
class Finding:
    """Something wrong with a recording.

    Parameters
    ----------
    kind
        "silent", "too short", "clipped", "narrow-band" or "mostly noise".
    sentence
        What was measured, and what to do about it.
    fatal
        Whether there is nothing in the recording to judge; the audit of data sets leaves such
        recordings out.
    """

    kind: str
    sentence: str
    fatal: bool = False


@dataclass(frozen=True)
class Quality:
    """What was measured of a recording, and what is wrong with it, the worst first."""

    facts: Facts
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether there is anything in the recording to judge."""
        return not any(finding.fatal for finding in self.findings)


def judge(sound: Sound) -> Quality:
    """Say what is wrong with a recording.

    It is silent, too short or clipped by the limits of `edac_core.datasets.audit`; narrow-band or
    mostly noise by `NARROW_HZ` and `STANDS_OUT_DB`. Of a recording that is silent or too short
    nothing more is said.

    Parameters
    ----------
    sound
        As it was stored: at its own sample rate, with all its channels.
    """
    facts = describe(sound)
    fatal = tuple(_fatal(facts))
    return Quality(facts, fatal or tuple(_doubtful(facts, sound)))


def edge_hz(sound: Sound) -> float:
    """Return the highest frequency that is within `NEXT_TO_NOTHING_DB` of the strongest.

    Parameters
    ----------
    sound
        Any; silence has an edge of 0.

    Returns
    -------
    float
        In Hz, from Welch's spectrum of all channels, the mean removed.
    """
    hertz, total = spectrum(sound)
    heard = hertz[total > total.max() * 10 ** (-NEXT_TO_NOTHING_DB / 10)]
    return float(heard.max()) if heard.size else 0.0


def stands_out_db(sound: Sound) -> float:
    """Return how far a recording's loud moments stand out of its quiet ones.

    Parameters
    ----------
    sound
        Any.

    Returns
    -------
    float
        The 95th percentile of the levels of frames of 25 ms minus the 10th, in dB; 0 for a
        recording of a single frame.
    """
    mono = sound.samples.mean(axis=0, dtype=np.float64)
    size = math.ceil(_FRAME_SECONDS * sound.sample_rate)
    frames = mono[: len(mono) // size * size].reshape(-1, size)
    if not len(frames):
        return 0.0
    levels = 10 * np.log10(np.square(frames).mean(axis=1) + _FLOOR)
    loud, quiet = np.percentile(levels, [_LOUD, _QUIET])
    return float(loud - quiet)


def _fatal(facts: Facts) -> Iterator[Finding]:
    if facts.seconds < SHORTEST_SECONDS:
        yield Finding(
            "too short",
            f"It lasts {1000 * facts.seconds:.2g} ms, and a cough does not fit in less than "
            f"{1000 * SHORTEST_SECONDS:g} ms: record longer.",
            fatal=True,
        )
    elif facts.peak < 10 ** (SILENT_DBFS / 20):
        yield Finding(
            "silent",
            f"It never gets louder than {_decibels(facts.peak)}: see that the microphone is on "
            "and record again.",
            fatal=True,
        )


def _doubtful(facts: Facts, sound: Sound) -> Iterator[Finding]:
    if facts.clipped_share > CLIPPED_SHARE:
        yield Finding(
            "clipped",
            f"{100 * facts.clipped_share:.2g} % of its samples are at full scale, so that its "
            "loudest moments are cut off: record from further away.",
        )
    if (edge := edge_hz(sound)) < NARROW_HZ:
        yield Finding(
            "narrow-band",
            f"It holds next to nothing above {edge / 1000:.1f} kHz, like a telephone call: a "
            "network may hear the line before it hears the cough.",
        )
    if (contrast := stands_out_db(sound)) < STANDS_OUT_DB:
        yield Finding(
            "mostly noise",
            f"Its loud moments stand only {contrast:.1f} dB above its quiet ones, so that there "
            "may be no cough to hear: record where it is quieter.",
        )


def _decibels(magnitude: float) -> str:
    if magnitude == 0:
        return "zero"
    return f"{-20 * math.log10(magnitude):.0f} dB below full scale"
