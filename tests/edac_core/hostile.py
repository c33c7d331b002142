"""Recordings that mean no good, and work that does not end, for tests of several modules."""

import io
import struct
import time

import av
import numpy as np
import soundfile

from edac_core.runtime import Variant

RATE = 22_050
_FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
}
_CONTAINERS = {"webm": ("webm", "libopus", 960), "m4a": ("ipod", "aac", 1024)}


def noise(seconds=1.0, *, rate=RATE, seed=0):
    """Noise that a network will judge, shape (n,)."""
    samples = np.random.default_rng(seed).normal(scale=0.1, size=int(seconds * rate))
    return samples.astype(np.float32)


def encoded(samples, *, rate=RATE, kind="WAV", subtype="FLOAT"):
    """Encode samples of shape (n,) or (n, channels) with soundfile."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format=kind)
    return file.getvalue()


def encoded_as(suffix):
    """Return a second of noise as a file of one of the six kinds that the page asks for."""
    if suffix in _FORMATS:
        kind, subtype = _FORMATS[suffix]
        return encoded(noise(), kind=kind, subtype=subtype)
    return _encoded_with_av(noise(rate=48_000)[np.newaxis], *_CONTAINERS[suffix])


def _encoded_with_av(samples, container, codec, size):
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=48_000)
        stream.layout = "mono"
        for start in range(0, samples.shape[1] - size + 1, size):
            block = np.ascontiguousarray(samples[:, start : start + size])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


def silent_hours(hours, *, rate=4_000, channels=1):
    """Return hours of silence as FLAC, some 590 kB each at 44.1 kHz; written second by second."""
    file = io.BytesIO()
    block = np.zeros((rate * 60, channels), np.int16)
    with soundfile.SoundFile(file, "w", rate, channels, "PCM_16", format="FLAC") as out:
        for _ in range(int(hours * 60)):
            out.write(block)
    return file.getvalue()


def patched(data, offset, value):
    """Overwrite four bytes of a file by a little-endian number."""
    return data[:offset] + struct.pack("<I", value) + data[offset + 4 :]


def of_bytes(length, *, seed=0):
    """Return random bytes."""
    return np.random.default_rng(seed).bytes(length)


def sleep_for_ever(*_):
    """Stand in for a decoder that hangs."""
    while True:
        time.sleep(60)


def score_of(model):
    """Load a model and let it judge zeros, as what is called apart does."""
    variant = Variant(model)
    return variant.score_one(np.zeros(variant.input_shape, np.float32))


def assert_one_sentence(error, *, about=""):
    """Refusals are for people."""
    assert str(error).startswith(about)
    assert str(error)
    assert "\n" not in str(error)
