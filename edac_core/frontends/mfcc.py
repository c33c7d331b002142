"""Mel-frequency cepstral coefficients, as the CNN takes them."""

from dataclasses import dataclass
from typing import ClassVar

import librosa
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Mfcc:
    """MFCC of the first seconds of a recording, time first.

    Parameters
    ----------
    sample_rate : int
        Of the waveform, in Hz.
    samples : int
        The waveform is cut, or padded with zeros, at its end to this length: 7 s.
    n_mfcc : int
        Coefficients a frame.
    n_fft, hop_length : int
        Window and step of a frame, in samples.

    References
    ----------
    EDAC (2023), table 1 and its published code, which has a hop of 512 samples; Mahanta et
    al. (2022).

    Examples
    --------
    >>> Mfcc()(np.zeros(22_050, np.float32)).shape
    (302, 15, 1)
    """

    name: ClassVar[str] = "mfcc"
    revision: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("librosa", "numpy", "scipy")

    sample_rate: int = 22_050
    samples: int = 154_350
    n_mfcc: int = 15
    n_fft: int = 2_048
    hop_length: int = 512

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, coefficients, 1."""
        return (1 + self.samples // self.hop_length, self.n_mfcc, 1)

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute the coefficients of one waveform.

        Parameters
        ----------
        waveform : np.ndarray, shape (n,), float32
            Mono samples at `sample_rate`.

        Returns
        -------
        np.ndarray, shape `shape`, float32
            (302, 15, 1) by default.
        """
        return self.features(self.spectrogram(waveform))

    def spectrogram(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute the mel spectrogram of one waveform.

        Parameters
        ----------
        waveform : np.ndarray, shape (n,), float32
            Mono samples at `sample_rate`.

        Returns
        -------
        np.ndarray, shape (128, frames), float32
            In dB; the lowest band first.
        """
        power = librosa.feature.melspectrogram(
            y=librosa.util.fix_length(waveform, size=self.samples),
            sr=self.sample_rate,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
        )
        return np.asarray(librosa.power_to_db(power), np.float32)

    def features(self, spectrogram: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute the coefficients of one spectrogram.

        Parameters
        ----------
        spectrogram : np.ndarray, shape (bands, frames), float32
            As from `spectrogram`.

        Returns
        -------
        np.ndarray, shape `shape`, float32
            (302, 15, 1) by default.
        """
        coefficients = librosa.feature.mfcc(S=spectrogram, n_mfcc=self.n_mfcc)
        return np.ascontiguousarray(coefficients.T[..., np.newaxis], dtype=np.float32)
