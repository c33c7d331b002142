"""The front-end that stands before the model: waveform to features, in NumPy alone.

A reference to port from and to test a port against: each step is written out, in double precision.
`compute` takes a waveform and the settings in frontend.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Settings = Mapping[str, Any]

# Slaney's mel scale: linear up to 1 kHz, where 15 mel are reached, logarithmic above.
_HERTZ_A_MEL = 200 / 3
_KNEE_HERTZ = 1_000.0
_KNEE_MEL = _KNEE_HERTZ / _HERTZ_A_MEL
_LOG_STEP = np.log(6.4) / 27


def compute(waveform: npt.ArrayLike, settings: Settings) -> npt.NDArray[np.float32]:
    """Compute the model's input from one recording.

    Parameters
    ----------
    waveform : array_like, shape (n,)
        Mono samples at `settings["sample_rate"]`, full scale at 1.
    settings : mapping
        The contents of frontend.json.

    Returns
    -------
    np.ndarray, float32
        Of `settings["shape"]`.
    """
    features = FRONTENDS[settings["name"]](np.asarray(waveform, np.float64), settings)
    return np.ascontiguousarray(features, np.float32)


def mfcc(waveform: Array, settings: Settings) -> Array:
    """Compute mel-frequency cepstral coefficients, shape (frames, coefficients, 1)."""
    kept = waveform[: settings["samples"]]
    cut = np.pad(kept, (0, settings["samples"] - len(kept)))
    decibels = power_to_db(mel_power(cut, settings), reference=1.0, settings=settings)
    coefficients = dct_matrix(settings["n_mfcc"], settings["n_mels"]) @ decibels
    return coefficients.T[..., np.newaxis]


def mel_image(waveform: Array, settings: Settings) -> Array:
    """Draw the mel spectrogram as an image, shape (height, width, 3), low frequencies below."""
    power = mel_power(centred(waveform, settings["samples"]), settings)
    decibels = power_to_db(power, reference=power.max(), settings=settings)
    levels = np.rint(255 * (1 + decibels[::-1] / settings["top_db"])).clip(0, 255).astype(int)
    colours = np.array([list(bytes.fromhex(code)) for code in settings["colours"]]) / 255
    rows = area_matrix(levels.shape[0], settings["height"])
    columns = area_matrix(levels.shape[1], settings["width"])
    return np.asarray(np.einsum("hb,bfc,wf->hwc", rows, colours[levels], columns, optimize=True))


FRONTENDS: dict[str, Callable[[Array, Settings], Array]] = {"mfcc": mfcc, "mel_image": mel_image}


def mel_power(waveform: Array, settings: Settings) -> Array:
    """Sum the power of each frame in mel bands, shape (bands, frames)."""
    n_fft, hop_length = settings["n_fft"], settings["hop_length"]
    padded = np.pad(waveform, n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    # Hann's window, periodic: it would be 0 again at sample n_fft.
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    return np.asarray(mel_bands(settings) @ power.T)


def mel_bands(settings: Settings) -> Array:
    """Return the triangular filters, each of unit area in Hz, shape (bands, n_fft // 2 + 1)."""
    highest = float(hertz_to_mel(np.array(settings["fmax"], float)))
    edges = mel_to_hertz(np.linspace(0, highest, settings["n_mels"] + 2))
    bins = np.arange(settings["n_fft"] // 2 + 1) * settings["sample_rate"] / settings["n_fft"]
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.asarray(np.maximum(0, np.minimum(rising, falling)) * 2 / (high - low))


def hertz_to_mel(hertz: Array) -> Array:
    """Convert frequencies to Slaney's mel scale."""
    above = _KNEE_MEL + np.log(np.maximum(hertz, _KNEE_HERTZ) / _KNEE_HERTZ) / _LOG_STEP
    return np.where(hertz < _KNEE_HERTZ, hertz / _HERTZ_A_MEL, above)


def mel_to_hertz(mel: Array) -> Array:
    """Convert from Slaney's mel scale to frequencies."""
    above = _KNEE_HERTZ * np.exp(_LOG_STEP * (mel - _KNEE_MEL))
    return np.where(mel < _KNEE_MEL, mel * _HERTZ_A_MEL, above)


def power_to_db(power: Array, *, reference: float, settings: Settings) -> Array:
    """Convert power to dB above a reference, at most `top_db` below the loudest cell."""
    floor = settings["amin"]
    decibels = 10 * np.log10(np.maximum(floor, power) / max(floor, reference))
    return np.asarray(np.maximum(decibels, decibels.max() - settings["top_db"]))


def dct_matrix(coefficients: int, bands: int) -> Array:
    """Return the first rows of the orthonormal DCT-II, shape (coefficients, bands)."""
    order, place = np.arange(coefficients)[:, None], np.arange(bands)
    matrix = np.cos(np.pi * order * (2 * place + 1) / (2 * bands)) * np.sqrt(2 / bands)
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix)


def centred(waveform: Array, size: int) -> Array:
    """Cut a waveform, or pad it with zeros, on both sides alike."""
    start = max(0, (len(waveform) - size) // 2)
    kept = waveform[start : start + size]
    missing = size - len(kept)
    return np.pad(kept, (missing // 2, missing - missing // 2))


def area_matrix(cells: int, pixels: int) -> Array:
    """Return what share of each pixel each cell fills, shape (pixels, cells)."""
    edges = np.arange(pixels + 1) * cells / pixels
    low = np.maximum(edges[:-1, None], np.arange(cells))
    high = np.minimum(edges[1:, None], np.arange(1, cells + 1))
    return np.asarray(np.maximum(high - low, 0) * pixels / cells)
