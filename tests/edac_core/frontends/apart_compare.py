import importlib.metadata
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from edac_core.errors import AudioError, PlanError
from edac_core.frontends import compare, get_frontend
from edac_core.frontends import extract as extracting
from edac_core.frontends.compare import Compare
from edac_core.frontends.extract import extract

RATE = 22_050
SHORTEST = 1_323

opensmile = pytest.importorskip("opensmile", reason="openSMILE is not installed")


def _noise(n, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


@pytest.fixture(scope="module")
def smile():
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.ComParE_2016,
        feature_level=opensmile.FeatureLevel.Functionals,
    )


def test_a_process_that_ended_is_replaced(monkeypatch):
    """As openSMILE's in a process with TensorFlow, which it must not share."""
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(AudioError, match="process in which openSMILE computes has ended"):
        compare._run(os._exit, 1)
    assert compare._run(abs, -1) == 1


@pytest.fixture
def no_opensmile(monkeypatch):
    compare._smile.cache_clear()
    monkeypatch.setitem(sys.modules, "opensmile", None)
    yield
    compare._smile.cache_clear()


@pytest.fixture
def versions_anew():
    extracting._versions.cache_clear()
    yield
    extracting._versions.cache_clear()


@pytest.fixture
def one_recording(tmp_path):
    path = tmp_path / "noise.wav"
    soundfile.write(path, _noise(8000), RATE)
    return pd.DataFrame({"recording": ["cough 3"], "path": [str(path)]})


@pytest.mark.parametrize("n", [SHORTEST, 4000, 60_000])
def test_equals_opensmile(smile, n):
    waveform = _noise(n).clip(-0.99, 0.99)
    expected = smile.process_signal(waveform, RATE)
    features = Compare()(waveform)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, expected.to_numpy()[0])
    assert Compare().feature_names() == tuple(expected.columns) == tuple(smile.feature_names)


def test_names_are_as_many_as_published():
    names = Compare().feature_names()
    assert Compare().shape == (len(names),) == (len(set(names)),) == (6373,)
    assert names[0] == "audspec_lengthL1norm_sma_range"
    assert get_frontend("compare") == Compare()


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(SHORTEST, 20_000),
    scale=st.sampled_from([0, 1e-6, 1e-3, 1, 30]),
    offset=st.sampled_from([-1, -0.3, 0, 0.5, 1]),
)
def test_every_waveform_has_finite_features(n, scale, offset):
    waveform = np.float32(scale) * _noise(n) + np.float32(offset)
    features = Compare()(waveform)
    assert features.shape == (6373,)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    np.testing.assert_array_equal(Compare()(waveform), features)


@pytest.mark.parametrize(("n", "at"), [(1600, 330), (1600, 1495), (5000, 53)])
def test_values_that_are_not_finite_become_zero(smile, n, at):
    """One step of 16 bits in silence is what openSMILE divides by zero on."""
    waveform = np.zeros(n, np.float32)
    waveform[at] = 2**-15
    raw = smile(waveform, RATE).ravel()
    finite = np.isfinite(raw)
    assert 0 < (~finite).sum() < 20
    np.testing.assert_array_equal(Compare()(waveform), np.where(finite, raw, 0))


def test_samples_beyond_full_scale_are_clipped():
    """openSMILE itself would let them wrap round to the other sign."""
    loud = 14 * _noise(8000)
    np.testing.assert_array_equal(Compare()(loud), Compare()(loud.clip(-1, 32_767 / 32_768)))


def test_the_waveform_is_left_alone():
    waveform = 14 * _noise(8000)
    before = waveform.copy()
    Compare()(waveform)
    np.testing.assert_array_equal(waveform, before)


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_what_is_too_short_for_opensmile_is_refused(smile, rate):
    frontend = Compare(sample_rate=rate)
    shortest = -(-6 * rate // 100)
    assert np.isfinite(frontend(_noise(shortest))).all()
    with pytest.raises(AudioError, match=f"{shortest - 1} samples is shorter than the {shortest} "):
        frontend(_noise(shortest - 1))
    with pytest.warns(UserWarning, match="too short"):
        assert np.isnan(smile(_noise(shortest - 1), rate)).all()


def test_a_short_recording_is_named(tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, _noise(1000), RATE)
    row = pd.DataFrame({"recording": ["cough 4"], "path": [str(path)]})
    with pytest.raises(AudioError, match="cough 4: A waveform of 1000 samples"):
        extract(row, frontend=Compare(), cache=None)


def test_opensmile_is_set_up_once(monkeypatch):
    compare._smile.cache_clear()
    built = []
    original = opensmile.Smile
    monkeypatch.setattr(
        opensmile, "Smile", lambda **options: built.append(1) or original(**options)
    )
    for seed in range(3):
        Compare()(_noise(2000, seed))
    assert built == [1]


def test_missing_opensmile_says_what_to_install(no_opensmile):
    for use in (lambda: Compare()(_noise(2000)), Compare().feature_names):
        with pytest.raises(PlanError, match=r"need opensmile.*`pip install opensmile`.*research"):
            use()


def test_missing_opensmile_stops_extraction_before_it_begins(
    one_recording, versions_anew, monkeypatch
):
    version = importlib.metadata.version

    def _version(library):
        if library == "opensmile":
            raise importlib.metadata.PackageNotFoundError(library)
        return version(library)

    monkeypatch.setattr(importlib.metadata, "version", _version)
    with pytest.raises(PlanError, match="`pip install opensmile`"):
        extract(one_recording, frontend=Compare(), cache=None)
    assert extract(one_recording, frontend=get_frontend("mfcc"), cache=None).shape[0] == 1


def test_nothing_else_needs_opensmile(one_recording, no_opensmile):
    for name in ("mfcc", "mel_image"):
        assert extract(one_recording, frontend=get_frontend(name), cache=None).shape[0] == 1
    assert get_frontend("compare").shape == (6373,)


def test_opensmile_is_imported_when_it_is_used():
    code = "import sys, edac_core.frontends.extract; print('opensmile' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "False"


def test_opensmile_starts_without_a_warning():
    code = (
        "import numpy; from edac_core.frontends.compare import Compare;"
        "Compare()(numpy.zeros(2000, numpy.float32))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, check=True, env=os.environ,
    )  # fmt: skip
    assert done.stdout + done.stderr == ""


def test_threads_do_not_disturb_each_other():
    waveforms = [_noise(3000 + 100 * seed, seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        features = list(pool.map(Compare(), waveforms))
    np.testing.assert_array_equal(features, [Compare()(waveform) for waveform in waveforms])
