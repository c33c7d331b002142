"""A recording that somebody hands over: decoded, and what can be said of it before it is scored."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import soundfile

from edac_core.audio import SAMPLE_RATE, EmptyAudioError, Limits, Waveform, read, to_waveform
from edac_core.errors import AudioError
from edac_core.quality import Quality, judge

MOST_SAMPLES = 2**25
"""Of all channels of a recording, as stored: more than five minutes of stereo at 48 kHz have.

A file of a few MB can hold fifty times as many, and would fill the memory before its time is up.
"""

LOUDEST = 2.0**31
"""Magnitude that samples may have: that of 32-bit integers, written as they are into floats.

Front-ends square spectra, and single precision ends not far beyond.
"""


@dataclass(frozen=True)
class Heard:
    """A recording as front-ends take it, and how it was stored.

    Parameters
    ----------
    waveform
        Shape (n,), float32, mono at 22,050 Hz; n >= 1.
    stored_sample_rate
        Of the file, in Hz.
    channels
        Of the file.
    quality
        What is wrong with it.
    """

    waveform: Waveform
    stored_sample_rate: int
    channels: int
    quality: Quality

    @property
    def seconds(self) -> float:
        """Its duration."""
        return len(self.waveform) / SAMPLE_RATE


def hear(data: bytes, name: str) -> Heard:
    """Decode the bytes of a file.

    Parameters
    ----------
    data
        The file.
    name
        What error messages call it.

    Raises
    ------
    AudioError
        As for `edac_core.audio.read`, and if the recording is shorter than one sample at 22,050 Hz,
        or outside `MOST_SAMPLES` or `LOUDEST`.
    """
    _refuse_large(data, name=name)
    sound = read(data, name=name)
    _refuse_loud(sound.samples, name=name)
    waveform = to_waveform(sound)
    if not len(waveform):
        raise EmptyAudioError(f"{name} holds too few samples to hear anything: record it again.")
    return Heard(waveform, sound.sample_rate, len(sound.samples), judge(sound))


def _refuse_large(data: bytes, *, name: str) -> None:
    """Refuse by its header what soundfile decodes; the rest has the memory of a process apart."""
    try:
        header = soundfile.info(io.BytesIO(data))
    except (soundfile.SoundFileError, TypeError):
        return
    # What is too long, or of unknown length, is for `read`.
    samples = header.frames * header.channels
    if header.frames <= Limits().max_seconds * header.samplerate and samples > MOST_SAMPLES:
        raise AudioError(
            f"{name} holds {samples:,} samples in {header.channels} channels, more than the "
            f"{MOST_SAMPLES:,} accepted: cut it, mix it down or resample it."
        )


def _refuse_loud(samples: Waveform, *, name: str) -> None:
    if (peak := float(np.abs(samples).max())) > LOUDEST:
        raise AudioError(f"{name} is {peak:.2g} times as loud as full scale: export it again.")
