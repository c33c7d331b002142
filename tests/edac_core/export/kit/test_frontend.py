"""The plain NumPy front-ends give what the project's own do, which librosa and OpenCV compute."""

import json

import librosa
import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st

from edac_core.datasets.synthetic import synthesize
from edac_core.export.frontend import frontend_settings
from edac_core.export.kit.frontend import compute, dct_matrix, mel_bands
from edac_core.frontends import get_frontend

SETTINGS = {
    name: json.loads(json.dumps(frontend_settings(get_frontend(name))))
    for name in ("mfcc", "mel_image")
}
# Far below what check.py tolerates, so that a bundle made here passes elsewhere.
CLOSE = {"mfcc": 1e-3, "mel_image": 1e-3}


def noise(n, loudness=0.1, seed=0):
    return np.random.default_rng(seed).normal(0, loudness, n).astype(np.float32)


def tone(n=60_000):
    return (0.5 * np.sin(np.arange(n) / 4)).astype(np.float32)


RECORDINGS = {
    "cough": lambda: synthesize(1, seed=3),
    "telephone": lambda: synthesize(0, seed=4, source="telephone"),
    "longer than is kept": lambda: noise(300_001),
    "shorter than a window": lambda: noise(100),
    "one sample": lambda: np.ones(1, np.float32),
    "silent": lambda: np.zeros(22_050, np.float32),
    "hardly audible": lambda: noise(50_000, 1e-5),
    "beyond full scale": lambda: noise(50_000, 3),
    "tone": tone,
    "click": lambda: np.eye(1, 50_000, 20_000, dtype=np.float32)[0],
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("recording", RECORDINGS)
def test_equals_the_projects_own(name, recording):
    waveform = RECORDINGS[recording]()
    expected = get_frontend(name)(waveform)
    features = compute(waveform, SETTINGS[name])
    assert features.shape == expected.shape
    assert features.dtype == expected.dtype
    np.testing.assert_allclose(features, expected, atol=CLOSE[name])


@given(st.integers(1, 200_000), st.integers(0, 1000), st.sampled_from([1e-4, 0.01, 0.5]))
@settings(max_examples=12, deadline=None)
@pytest.mark.parametrize("name", SETTINGS)
def test_equals_the_projects_own_on_any_noise(name, n, seed, loudness):
    waveform = noise(n, loudness, seed)
    expected = get_frontend(name)(waveform)
    # The colour of a cell may fall on the other side of a rounding.
    np.testing.assert_allclose(
        compute(waveform, SETTINGS[name]), expected, atol=SETTINGS[name]["tolerance"]
    )


@pytest.mark.parametrize("name", SETTINGS)
def test_the_tolerance_tells_other_parameters_apart(name):
    waveform = synthesize(1, seed=3)
    other = {**SETTINGS[name], "fmax": 0.97 * SETTINGS[name]["fmax"]}
    difference = np.abs(compute(waveform, other) - get_frontend(name)(waveform)).max()
    assert difference > 10 * SETTINGS[name]["tolerance"]


@pytest.mark.filterwarnings("ignore:Empty filters")
@pytest.mark.parametrize("name", SETTINGS)
def test_bands_are_librosas(name):
    chosen = SETTINGS[name]
    expected = librosa.filters.mel(
        sr=chosen["sample_rate"], n_fft=chosen["n_fft"], n_mels=chosen["n_mels"],
        fmax=chosen["fmax"],
    )  # fmt: skip
    np.testing.assert_allclose(mel_bands(chosen), expected, atol=1e-8)


def test_the_transform_is_scipys():
    values = noise(128)
    expected = scipy.fft.dct(values, norm="ortho")[:15]
    np.testing.assert_allclose(dct_matrix(15, 128) @ values, expected, atol=1e-5)
