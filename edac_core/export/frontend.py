"""A front-end's parameters as data, for those who port it."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np

from edac_core.export.kit import frontend as reference
from edac_core.frontends.base import Frontend
from edac_core.frontends.compare import Compare
from edac_core.frontends.mel_image import MelImage
from edac_core.frontends.mfcc import Mfcc

# What librosa takes for granted and a port has to know.
_SPECTROGRAM = {
    "window": "hann, periodic",
    "padding": "n_fft / 2 zeros on both sides",
    "mel_scale": "slaney",
    "mel_normalisation": "slaney (unit area in Hz)",
    "fmin": 0.0,
    "amin": 1e-10,
    "top_db": 80.0,
}


def frontend_settings(frontend: Frontend) -> dict[str, Any]:
    """Return all that decides a front-end's values.

    Parameters
    ----------
    frontend
        One of `edac_core.frontends.FRONTENDS`.

    Returns
    -------
    dict
        Plain values: its name, configuration, the shape of its features, what its libraries
        imply, and the versions of those. `tolerance`, where there is a reference implementation,
        is how far that may be off: the project's own computes in single precision.
    """
    return {
        "name": frontend.name,
        "revision": frontend.revision,
        **asdict(frontend),
        "shape": list(frontend.shape),
        **_IMPLIED[frontend.name](frontend),
        "libraries": {name: importlib.metadata.version(name) for name in frontend.libraries},
    }


def has_reference(frontend: Frontend) -> bool:
    """Say whether the bundle's frontend.py can compute a front-end."""
    return frontend.name in reference.FRONTENDS


def _of_mfcc(frontend: Mfcc) -> dict[str, Any]:
    return {
        **_SPECTROGRAM,
        "cut": "at the end",
        "n_mels": 128,
        "fmax": frontend.sample_rate / 2,
        "reference": "1",
        "transform": "DCT-II, orthonormal",
        "tolerance": 0.01,
    }


def _of_mel_image(frontend: MelImage) -> dict[str, Any]:
    return {
        **_SPECTROGRAM,
        "top_db": frontend.top_db,
        "cut": "on both sides",
        "reference": "the loudest cell",
        "resize": "mean over each pixel's area",
        "colours": viridis(),
        "tolerance": 0.005,
    }


def _of_compare(_: Compare) -> dict[str, Any]:
    return {
        "feature_set": "ComParE_2016",
        "feature_level": "functionals",
        "feature_names": list(Compare().feature_names()),
    }


_IMPLIED: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "mfcc": _of_mfcc,
    "mel_image": _of_mel_image,
    "compare": _of_compare,
}


@functools.cache
def viridis() -> tuple[str, ...]:
    """Return the colour of each of the 256 levels as hexadecimal red, green and blue."""
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    blue_green_red = np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), np.uint8)[:, 0]
    return tuple(bytes(colour[::-1]).hex() for colour in blue_green_red)
