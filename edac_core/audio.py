"""Bytes or a path to one waveform, through one decoder.

soundfile decodes what libsndfile knows (WAV, FLAC, MP3, Ogg); PyAV decodes the rest, such as
the WebM of a browser's recorder or a telephone's M4A. What is too long, too wide or oddly
sampled is refused from the file's header, before any of it is decoded.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from edac_core.errors import AudioError

if TYPE_CHECKING:
    from av.container import InputContainer

SAMPLE_RATE = 22_050
"""Sample rate of every waveform that enters a front-end, in Hz."""

# libsndfile's value for "the header does not say".
_UNKNOWN_LENGTH = np.iinfo(np.int64).max

# Playlists are kept out on purpose: they make FFmpeg open other files and addresses.
_AV_FORMATS = (
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,ogg,mp3,wav,w64,flac,aac,aiff,caf,amr,asf,avi,au"
)

Waveform = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Limits:
    """What a recording may be at most; the rest is refused.

    Parameters
    ----------
    max_seconds
        Longest duration, in seconds.
    max_channels
        Most channels.
    min_sample_rate, max_sample_rate
        Accepted native sample rates, in Hz, both included.
    """

    max_seconds: float = 300.0
    max_channels: int = 8
    min_sample_rate: int = 4_000
    max_sample_rate: int = 192_000


@dataclass(frozen=True)
class Sound:
    """A decoded recording as it was stored.

    Parameters
    ----------
    samples
        Shape (channels, n), float32, full scale at 1.
    sample_rate
        In Hz.
    """

    samples: Waveform
    sample_rate: int


class EmptyAudioError(AudioError):
    """A recording is a whole file without a single sample in it."""


class _NotForSoundfileError(Exception):
    """Soundfile cannot tell what this is; PyAV may."""


def read(
    source: str | Path | bytes, *, name: str | None = None, limits: Limits | None = None
) -> Sound:
    """Decode a recording at its native sample rate, with all its channels.

    Parameters
    ----------
    source
        A path, or the bytes of a file.
    name
        What error messages call the recording; a path's own name by default.
    limits
        What to refuse; `Limits()` by default.

    Returns
    -------
    Sound
        Samples of shape (channels, n), all finite, n >= 1.

    Raises
    ------
    EmptyAudioError
        There is nothing in the file, or no samples.
    AudioError
        The file is missing, cannot be decoded, holds values that are not finite, or is outside
        the limits.
    """
    name = name or _name_of(source)
    with _open(source, name=name) as stream:
        if not stream.read(1):
            raise EmptyAudioError(f"{name} is an empty file: record it again.")
        stream.seek(0)
        sound = _decode(stream, name=name, limits=limits or Limits())
    _refuse_unusable(sound.samples, name=name)
    return sound


def to_waveform(sound: Sound, *, sample_rate: int = SAMPLE_RATE) -> Waveform:
    """Average the channels and resample.

    Parameters
    ----------
    sound
        A decoded recording.
    sample_rate
        Of the result, in Hz.

    Returns
    -------
    numpy.ndarray
        Shape (n,), float32, at `sample_rate`.
    """
    mono = sound.samples.mean(axis=0, dtype=np.float32)
    resampled = soxr.resample(mono, sound.sample_rate, sample_rate)
    return np.ascontiguousarray(resampled, dtype=np.float32)


def load(
    source: str | Path | bytes, *, name: str | None = None, limits: Limits | None = None
) -> Waveform:
    """Decode a recording to the mono waveform that front-ends take.

    Parameters
    ----------
    source, name, limits
        As for `read`.

    Returns
    -------
    numpy.ndarray
        Shape (n,), float32, at 22,050 Hz.

    Raises
    ------
    AudioError
        As for `read`.
    """
    return to_waveform(read(source, name=name, limits=limits))


def _name_of(source: str | Path | bytes) -> str:
    return "The recording" if isinstance(source, bytes) else Path(source).name


def _open(source: str | Path | bytes, *, name: str) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise AudioError(
            f"{name} cannot be opened ({error.strerror}): check the path {source}."
        ) from error


def _decode(stream: BinaryIO, *, name: str, limits: Limits) -> Sound:
    try:
        return _decode_with_soundfile(stream, name=name, limits=limits)
    except _NotForSoundfileError:
        stream.seek(0)
        return _decode_with_av(stream, name=name, limits=limits)


def _decode_with_soundfile(stream: BinaryIO, *, name: str, limits: Limits) -> Sound:
    try:
        with soundfile.SoundFile(stream) as file:
            if file.frames == _UNKNOWN_LENGTH:
                raise _NotForSoundfileError
            _refuse_shape(file.samplerate, file.channels, name=name, limits=limits)
            _refuse_longer(file.frames / file.samplerate, name=name, limits=limits)
            samples = file.read(dtype="float32", always_2d=True)
            return Sound(np.ascontiguousarray(samples.T), file.samplerate)
    # A TypeError is soundfile asking for the layout of headerless data (a path ending in .raw).
    except (soundfile.SoundFileError, TypeError) as error:
        raise _NotForSoundfileError from error


def _decode_with_av(stream: BinaryIO, *, name: str, limits: Limits) -> Sound:
    import av  # noqa: PLC0415 - few recordings need it, and it takes long to import

    try:
        with av.open(stream, mode="r", options={"format_whitelist": _AV_FORMATS}) as container:
            _refuse_by_container(container, name=name, limits=limits)
            return _joined(list(_blocks(container, name=name, limits=limits)), name=name)
    # A ValueError is PyAV's, for a stream whose layout changes half-way.
    except (av.error.FFmpegError, ValueError) as error:
        raise _undecodable(name) from error


def _undecodable(name: str) -> AudioError:
    return AudioError(
        f"{name} cannot be decoded as audio: export it again as WAV, FLAC, MP3, Ogg, WebM or M4A."
    )


def _refuse_by_container(container: "InputContainer", *, name: str, limits: Limits) -> None:
    if not container.streams.audio:
        raise AudioError(f"{name} has no audio track: choose a file with sound.")
    context = container.streams.audio[0].codec_context
    if context is None:
        raise _undecodable(name)
    _refuse_shape(context.sample_rate, context.channels, name=name, limits=limits)
    # FFmpeg counts durations in microseconds; a live recording's header has none.
    _refuse_longer((container.duration or 0) / 1e6, name=name, limits=limits)


def _blocks(container: "InputContainer", *, name: str, limits: Limits) -> Iterator[Sound]:
    """Decode block by block, so that a header that says less than the truth cannot hurt."""
    import av  # noqa: PLC0415 - see _decode_with_av

    to_float = av.AudioResampler(format="fltp")
    seconds = 0.0
    for frame in container.decode(audio=0):
        for block in to_float.resample(frame):
            samples = block.to_ndarray()
            # AAC may decode to twice the rate its header gives (SBR), so look again.
            _refuse_shape(block.sample_rate, len(samples), name=name, limits=limits)
            seconds += samples.shape[1] / block.sample_rate
            _refuse_longer(seconds, name=name, limits=limits)
            yield Sound(samples.astype(np.float32, copy=False), block.sample_rate)


def _joined(blocks: list[Sound], *, name: str) -> Sound:
    if not blocks:
        raise EmptyAudioError(f"{name} holds no samples: record it again.")
    if len({(block.sample_rate, len(block.samples)) for block in blocks}) > 1:
        raise _undecodable(name)
    return Sound(np.concatenate([block.samples for block in blocks], 1), blocks[0].sample_rate)


def _refuse_shape(sample_rate: int, channels: int, *, name: str, limits: Limits) -> None:
    if not limits.min_sample_rate <= sample_rate <= limits.max_sample_rate:
        raise AudioError(
            f"{name} is sampled at {sample_rate:,} Hz: resample it to between "
            f"{limits.min_sample_rate:,} and {limits.max_sample_rate:,} Hz."
        )
    if channels > limits.max_channels:
        raise AudioError(
            f"{name} has {channels:,} channels: mix it down to {limits.max_channels} or fewer."
        )


def _refuse_longer(seconds: float, *, name: str, limits: Limits) -> None:
    if seconds > limits.max_seconds:
        raise AudioError(
            f"{name} lasts {seconds:,.1f} s, longer than the {limits.max_seconds:g} s accepted: "
            "cut it into shorter recordings."
        )


def _refuse_unusable(samples: Waveform, *, name: str) -> None:
    if samples.size == 0:
        raise EmptyAudioError(f"{name} holds no samples: record it again.")
    if not np.isfinite(samples).all():
        raise AudioError(f"{name} holds values that are not finite: export it again.")
