"""A recording that somebody hands over: decoded, and what can be said of it before it is scored."""

from __future__ import annotations

from dataclasses import dataclass

from edac_core.audio import SAMPLE_RATE, EmptyAudioError, Waveform, read, to_waveform
from edac_core.quality import Quality, judge


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
        As for `edac_core.audio.read`, and if the recording is shorter than one sample at 22,050 Hz.
    """
    sound = read(data, name=name)
    waveform = to_waveform(sound)
    if not len(waveform):
        raise EmptyAudioError(f"{name} holds too few samples to hear anything: record it again.")
    return Heard(waveform, sound.sample_rate, len(sound.samples), judge(sound))
