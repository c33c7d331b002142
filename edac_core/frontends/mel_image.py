"""Mel spectrograms drawn as small colour images, as the CNN-LSTM takes them."""

import functools
import warnings
from dataclasses import dataclass
from typing import ClassVar

import cv2
import librosa
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class MelImage:
    """Mel spectrogram of the middle of a recording as an RGB image, low frequencies at the bottom.

    The loudest cell has the colour map's last colour, what is `top_db` below it or less the first:
    level = round(255 * (1 + dB / top_db)). So the image does not depend on the recording's gain,
    as long as librosa's floor of -100 dB lies below that range; silence has the last colour
    everywhere. Colours are averaged as real numbers, not rounded again.

    Parameters
    ----------
    sample_rate : int
        Of the waveform, in Hz.
    samples : int
        The waveform is cut, or padded with zeros, on both sides to this length: 7.08 s.
    n_mels : int
        Bands of the spectrogram.
    n_fft, hop_length : int
        Window and step of a frame, in samples.
    fmax : float
        Upper end of the highest band, in Hz.
    top_db : float
        Range that is drawn, in dB below the loudest cell.
    height, width : int
        Of the image, in pixels.

    References
    ----------
    EDAC (2023), table 1, and its and Hamdi et al.'s (2022) published code, which have a hop of 512
    samples. They drew with matplotlib, saved the picture and divided it by 225; here colours are
    looked up and divided by 255.

    Examples
    --------
    >>> MelImage()(np.zeros(22_050, np.float32)).shape
    (39, 88, 3)
    """

    name: ClassVar[str] = "mel_image"
    revision: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("librosa", "numpy", "scipy", "opencv-python-headless")

    sample_rate: int = 22_050
    samples: int = 156_027
    n_mels: int = 128
    n_fft: int = 512
    hop_length: int = 512
    fmax: float = 8_000.0
    top_db: float = 80.0
    height: int = 39
    width: int = 88

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, 3."""
        return (self.height, self.width, 3)

    def __call__(self, waveform: FloatArray) -> FloatArray:
        """Draw the image of one waveform.

        Parameters
        ----------
        waveform : np.ndarray, shape (n,), float32
            Mono samples at `sample_rate`.

        Returns
        -------
        np.ndarray, shape `shape`, float32
            Red, green and blue in 0..1; (39, 88, 3) by default.
        """
        return self.features(self.spectrogram(waveform))

    def spectrogram(self, waveform: FloatArray) -> FloatArray:
        """Compute the mel spectrogram of one waveform.

        Parameters
        ----------
        waveform : np.ndarray, shape (n,), float32
            Mono samples at `sample_rate`.

        Returns
        -------
        np.ndarray, shape (n_mels, 1 + samples // hop_length), float32
            In dB below the loudest cell, from `-top_db` to 0; the lowest band first.
        """
        frames = librosa.stft(
            _centred(waveform, self.samples), n_fft=self.n_fft, hop_length=self.hop_length
        )
        bands = _mel_bands(self.sample_rate, self.n_fft, self.n_mels, self.fmax)
        power = bands @ np.square(np.abs(frames))
        decibels = librosa.power_to_db(power, ref=np.max, top_db=self.top_db)
        return np.asarray(decibels, np.float32)

    def features(self, spectrogram: FloatArray) -> FloatArray:
        """Draw the image of one spectrogram.

        Parameters
        ----------
        spectrogram : np.ndarray, shape (bands, frames), float32
            As from `spectrogram`.

        Returns
        -------
        np.ndarray, shape `shape`, float32
            Red, green and blue in 0..1; (39, 88, 3) by default.
        """
        levels = np.rint(255 * (1 + spectrogram[::-1] / self.top_db)).clip(0, 255)
        image = _viridis()[levels.astype(np.uint8)]
        resized = cv2.resize(image, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return np.asarray(resized, np.float32)


def _centred(waveform: FloatArray, size: int) -> FloatArray:
    start = max(0, (len(waveform) - size) // 2)
    centred = librosa.util.pad_center(waveform[start : start + size], size=size)
    return np.asarray(centred, np.float32)


@functools.cache
def _mel_bands(sample_rate: int, n_fft: int, n_mels: int, fmax: float) -> FloatArray:
    with warnings.catch_warnings():
        # The papers' lowest bands are narrower than a bin, so a few hold none: they stay dark.
        warnings.filterwarnings("ignore", "Empty filters", UserWarning)
        bands = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmax=fmax)
    return np.asarray(bands, np.float32)


@functools.cache
def _viridis() -> FloatArray:
    """Red, green and blue of each level, in 0..1."""
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    blue_green_red = np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS))[:, 0]
    return np.asarray(blue_green_red[:, ::-1] / 255, np.float32)
