"""A recording that somebody hands over: decoded, and what can be said of it before it is scored."""

from __future__ import annotations

from dataclasses import dataclass

from edac_core.audio import SAMPLE_RATE, Waveform, read, to_waveform


@dataclass(frozen=True)
class Heard:
    """A recording as front-ends take it, and how it was stored.

    Parameters
    ----------
    waveform
        Shape (n,), float32, mono at 22,050 Hz.
    stored_sample_rate
        Of the file, in Hz.
    channels
        Of the file.
    """

    waveform: Waveform
    stored_sample_rate: int
    channels: int

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
        As for `edac_core.audio.read`.
    """
    sound = read(data, name=name)
    return Heard(to_waveform(sound), sound.sample_rate, len(sound.samples))
