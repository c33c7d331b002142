import subprocess
import sys

import librosa
import numpy as np
import pytest

from edac_core.augment import apply, apply_to_spectrogram
from edac_core.datasets.synthetic import synthesize
from edac_core.errors import AudioError, PlanError
from edac_core.frontends import get_frontend
from edac_core.operations import RECIPES, Gain
from edac_core.previews import PICTURED, Change, Masking, Stage, preview


@pytest.fixture(scope="module")
def waveform():
    return synthesize(1, seed=3)


def whole(*names, seed=0):
    return Change(tuple(Stage(name, RECIPES[name]) for name in names), seed=seed)


@pytest.mark.parametrize("frontend", PICTURED)
def test_without_a_change_it_shows_what_the_network_gets(waveform, frontend):
    seen = preview(waveform, Change(), frontend)
    built = get_frontend(frontend)
    np.testing.assert_array_equal(seen.waveform, waveform)
    np.testing.assert_array_equal(seen.spectrogram, built.spectrogram(waveform))
    np.testing.assert_array_equal(seen.coefficients, get_frontend("mfcc")(waveform)[..., 0])
    np.testing.assert_array_equal(seen.features, built(waveform))
    assert seen.covered is None
    assert seen.outcomes == ()
    assert seen.seconds == pytest.approx(7.0, abs=0.1)


@pytest.mark.parametrize("names", [("aug1",), ("aug1", "aug2"), ("pitch_down",)])
def test_a_whole_pipeline_is_what_trains_the_network(waveform, names):
    for seed in (0, 7):
        seen = preview(waveform, whole(*names, seed=seed), "mfcc")
        expected = apply(waveform, "+".join(names), seed=seed)
        np.testing.assert_array_equal(seen.waveform, expected)
        np.testing.assert_array_equal(seen.features, get_frontend("mfcc")(expected))
        assert [len(stage) for stage in seen.outcomes] == [len(RECIPES[name]) for name in names]


@pytest.mark.parametrize("frontend", PICTURED)
def test_masks_are_those_that_train_the_network(waveform, frontend):
    built = get_frontend(frontend)
    for seed in range(5):
        seen = preview(waveform, Change(masking=Masking(), seed=seed), frontend)
        expected = apply_to_spectrogram(built.spectrogram(waveform), "specaugment", seed=seed)
        np.testing.assert_array_equal(seen.spectrogram, expected)
        np.testing.assert_array_equal(seen.features, built.features(expected))
        np.testing.assert_array_equal(seen.waveform, waveform)
        first, last = seen.covered.bands
        assert (seen.spectrogram[first:last] == built.spectrogram(waveform).mean()).all()


def test_what_masks_cover_is_told_in_hertz_and_seconds(waveform):
    """Bands as wide as the filters whose whole triangles they are."""
    built = get_frontend("mel_image")
    filters = librosa.filters.mel(
        sr=built.sample_rate, n_fft=2**15, n_mels=built.n_mels, fmax=built.fmax
    )
    hertz = librosa.fft_frequencies(sr=built.sample_rate, n_fft=2**15)
    covered = preview(waveform, Change(masking=Masking(), seed=2), "mel_image").covered
    touched = hertz[filters[slice(*covered.bands)].any(axis=0)]
    assert covered.bands[0] < covered.bands[1]
    np.testing.assert_allclose(covered.hertz, [touched.min(), touched.max()], atol=1.5)
    assert 0 <= covered.seconds[0] <= covered.seconds[1] <= 7.1


@pytest.mark.parametrize("frontend", PICTURED)
def test_a_tone_lies_at_its_mark(frontend):
    marks = preview(np.ones(22_050, np.float32), Change(), frontend).hertz
    seconds = np.arange(3 * 22_050) / 22_050
    for band, hertz in marks:
        tone = 0.1 * np.sin(2 * np.pi * min(hertz, 7_900) * seconds).astype(np.float32)
        loudness = preview(tone, Change(), frontend).spectrogram.mean(axis=1)
        assert loudness.argmax() + 0.5 == pytest.approx(band, abs=1.6)


def test_too_short_a_recording_is_refused():
    with pytest.raises(AudioError, match=r"0\.005 s long, shorter than one window .*0\.093 s"):
        preview(np.ones(100, np.float32), Change(), "mfcc")


def test_silence_and_little_sound_have_pictures():
    for samples in (np.zeros(2_048, np.float32), np.full(2_048, 0.1, np.float32)):
        seen = preview(samples, whole("aug1", "aug2"), "mel_image")
        assert np.isfinite(seen.spectrogram).all()
        assert np.isfinite(seen.features).all()


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_what_becomes_infinite_is_refused(waveform):
    change = Change((Stage("gain", (Gain(800, 800, 1),)),))
    with pytest.raises(AudioError, match="not all finite"):
        preview(waveform, change, "mfcc")


def test_an_unknown_frontend_is_refused(waveform):
    with pytest.raises(PlanError, match="'compare' has no picture: choose from mfcc, mel_image"):
        preview(waveform, Change(), "compare")


def test_who_asks_for_a_preview_need_not_have_what_computes_it():
    code = (
        "import sys, edac_core.previews;"
        "print({'audiomentations', 'librosa', 'cv2', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
