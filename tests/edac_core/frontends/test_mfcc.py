import librosa
import numpy as np
import pytest

from edac_core.errors import PlanError
from edac_core.frontends import FRONTENDS, get_frontend
from edac_core.frontends.mfcc import Mfcc


def _noise(n, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


def test_equals_librosa_on_seven_seconds():
    waveform = _noise(154_350)
    expected = librosa.feature.mfcc(y=waveform, sr=22_050, n_mfcc=15, n_fft=2048, hop_length=512)
    features = Mfcc()(waveform)
    assert features.shape == Mfcc().shape == (302, 15, 1)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features[..., 0], expected.T)


@pytest.mark.parametrize("n", [1, 5000, 154_350, 200_000])
def test_goes_by_way_of_its_spectrogram(n):
    waveform = _noise(n)
    spectrogram = Mfcc().spectrogram(waveform)
    assert (spectrogram.shape, spectrogram.dtype) == ((128, 302), np.float32)
    np.testing.assert_array_equal(Mfcc().features(spectrogram), Mfcc()(waveform))


def test_long_recordings_are_cut_at_the_end():
    waveform = _noise(200_000)
    np.testing.assert_array_equal(Mfcc()(waveform), Mfcc()(waveform[:154_350]))


def test_short_recordings_are_padded_with_silence_at_the_end():
    waveform = _noise(50_000)
    padded = np.zeros(154_350, np.float32)
    padded[:50_000] = waveform
    np.testing.assert_array_equal(Mfcc()(waveform), Mfcc()(padded))


def test_silence_is_finite():
    assert np.isfinite(Mfcc()(np.zeros(1000, np.float32))).all()


@pytest.mark.parametrize(("samples", "hop_length"), [(4096, 512), (4095, 512), (10_000, 128)])
def test_shape_follows_the_configuration(samples, hop_length):
    frontend = Mfcc(samples=samples, hop_length=hop_length, n_mfcc=13)
    assert frontend(_noise(3000)).shape == frontend.shape


def test_registry_builds_the_papers_configuration():
    assert get_frontend("mfcc") == Mfcc()
    assert all(get_frontend(name).name == name for name in FRONTENDS)


def test_unknown_frontend_names_the_known():
    with pytest.raises(PlanError, match=r"'mel' is unknown: choose from mfcc"):
        get_frontend("mel")
