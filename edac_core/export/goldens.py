"""Golden inputs: recordings that anybody may have, and what a model answers to them.

They are generated coughs. Real recordings are not this project's to hand out, and what a model
answers to generated ones says nothing of how well it hears: it says that a port computes the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from edac_core.datasets.synthetic import SOURCES, synthesize
from edac_core.frontends.base import Frontend
from edac_core.runtime import Variant

COUNT = 10
_FULL_SCALE = 32_768


@dataclass(frozen=True)
class Golden:
    """Recordings as 16-bit samples at 22,050 Hz, their features and their scores.

    Parameters
    ----------
    waveforms
        One a recording, int16.
    features
        Shape (n, *shape of the front-end), float32.
    scores
        Shape (n,), float32: the probability of the positive class.
    """

    waveforms: tuple[npt.NDArray[np.int16], ...]
    features: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return plain arrays: waveforms padded with zeros to the longest, and their lengths."""
        longest = max(map(len, self.waveforms))
        padded = [np.pad(samples, (0, longest - len(samples))) for samples in self.waveforms]
        return {
            "waveforms": np.array(padded),
            "lengths": np.array([len(samples) for samples in self.waveforms]),
            "seeds": np.arange(len(self.waveforms)),
            "features": self.features,
            "scores": self.scores,
        }


def make_golden(model: bytes, frontend: Frontend) -> Golden:
    """Let a model answer to ten generated coughs, one at a time.

    Raises
    ------
    ModelError
        If the bytes are not a model for this front-end.
    """
    waveforms = tuple(golden_waveform(seed) for seed in range(COUNT))
    with threadpool_limits(1):  # More threads add up in another order: other last digits.
        features = np.stack([frontend(as_float(samples)) for samples in waveforms])
    variant = Variant(model)
    scores = np.array([variant.score_one(row) for row in features], np.float32)
    return Golden(waveforms, features, scores)


def golden_waveform(seed: int) -> npt.NDArray[np.int16]:
    """Generate a cough as 16-bit samples; wet and dry and both sources take turns."""
    source = SOURCES[seed // 2 % len(SOURCES)].name
    samples = np.rint(synthesize(seed % 2, seed=seed, source=source) * _FULL_SCALE)
    return np.asarray(samples.clip(-_FULL_SCALE, _FULL_SCALE - 1), np.int16)


def as_float(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """Return 16-bit samples as front-ends take them, full scale at 1."""
    return (samples / _FULL_SCALE).astype(np.float32)
