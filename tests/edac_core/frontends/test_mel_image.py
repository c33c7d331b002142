import warnings

import cv2
import librosa
import numpy as np
import plotly.colors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edac_core.augment import apply_to_spectrogram
from edac_core.frontends.mel_image import MelImage

RATE = 22_050
SAMPLES = 156_027
PURPLE, YELLOW = np.array([[68, 1, 84], [253, 231, 37]]) / 255


def _noise(n, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


def _tone(hertz, n=SAMPLES):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(n) / RATE)).astype(np.float32)


def _overlaps(cells, pixels):
    """Share of each pixel that each cell fills, shape (pixels, cells)."""
    edges = np.arange(pixels + 1) * cells / pixels
    low = np.maximum(edges[:-1, None], np.arange(cells))
    high = np.minimum(edges[1:, None], np.arange(1, cells + 1))
    return np.maximum(high - low, 0) * pixels / cells


def _second_opinion(waveform):
    """librosa's mel spectrogram, averaged over the area of each pixel in double precision."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Empty filters")
        power = librosa.feature.melspectrogram(
            y=waveform, sr=RATE, n_fft=512, hop_length=512, n_mels=128, fmax=8000, center=True
        )
    decibels = librosa.power_to_db(power, ref=np.max, top_db=80)
    levels = np.round((decibels + 80) / 80 * 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[::-1, :, ::-1] / 255
    return np.einsum("hb,bfc,wf->hwc", _overlaps(128, 39), colours, _overlaps(305, 88))


@pytest.mark.parametrize("make", [lambda: _noise(SAMPLES), lambda: _tone(700)])
def test_equals_a_second_computation(make):
    image = MelImage()(make())
    assert image.shape == MelImage().shape == (39, 88, 3)
    assert image.dtype == np.float32
    # Where a level is rounded may depend on the order of a sum: a colour step of one cell.
    np.testing.assert_allclose(image, _second_opinion(make()), atol=5e-3)


def test_colours_are_viridis():
    """Plotly's ten colours of it, which are as many levels apart."""
    levels = np.linspace(-80, 0, 10)
    image = MelImage(height=10, width=1).features(levels[:, None].astype(np.float32))[::-1, 0]
    hexadecimal = plotly.colors.sequential.Viridis
    expected = [plotly.colors.hex_to_rgb(colour) for colour in hexadecimal]
    np.testing.assert_allclose(image * 255, expected, atol=2)
    np.testing.assert_allclose(image[[0, -1]], [PURPLE, YELLOW], atol=1e-6)


@pytest.mark.parametrize("hertz", [150, 440, 1000, 3000, 7500])
def test_a_tone_lights_its_row(hertz):
    image = MelImage()(_tone(hertz))
    centres = librosa.mel_frequencies(130, fmin=0, fmax=8000)[1:-1]
    band = np.abs(centres - hertz).argmin()
    expected = 38 - band * 39 // 128
    brightest = image[:, 40, 1].argmax()
    # The lowest bands are narrower than a bin, and a window of 23 ms smears over two.
    assert abs(int(brightest) - int(expected)) <= (2 if hertz < 300 else 1)


def test_higher_tones_are_higher_up():
    rows = [MelImage()(_tone(hertz))[:, 40, 1].argmax() for hertz in (300, 1000, 3000, 7000)]
    assert rows == sorted(rows, reverse=True)
    assert rows[0] > 30
    assert rows[-1] < 4


def test_time_runs_to_the_right():
    waveform = np.zeros(SAMPLES, np.float32)
    waveform[: SAMPLES // 2] = _noise(SAMPLES // 2)
    image = MelImage()(waveform)
    assert image[10, :40, 1].min() > image[10, 48:, 1].max()
    np.testing.assert_allclose(image[:, 48:], np.broadcast_to(PURPLE, (39, 40, 3)), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(decibels=st.floats(-12, 20), seed=st.integers(0, 5))
def test_gain_does_not_matter(decibels, seed):
    waveform = _noise(60_000, seed)
    louder = (waveform * 10 ** (decibels / 20)).astype(np.float32)
    difference = np.abs(MelImage()(louder) - MelImage()(waveform))
    # A cell on the edge between two levels may fall on either side.
    assert difference.max() < 0.02
    assert difference.mean() < 1e-4


@settings(max_examples=25, deadline=None)
@given(n=st.integers(0, 200_000), scale=st.sampled_from([0, 1e-7, 1e-3, 1, 100]))
def test_every_waveform_has_an_image(n, scale):
    waveform = _noise(n) * np.float32(scale)
    image = MelImage()(waveform)
    assert image.shape == (39, 88, 3)
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() >= 0
    assert image.max() <= 1
    np.testing.assert_array_equal(MelImage()(waveform), image)


def test_silence_has_the_last_colour():
    silence = MelImage()(np.zeros(1000, np.float32))
    np.testing.assert_allclose(silence, np.broadcast_to(YELLOW, (39, 88, 3)), atol=1e-6)


@pytest.mark.parametrize(("n", "start"), [(156_028, 0), (200_000, 21_986), (200_001, 21_987)])
def test_long_recordings_keep_their_middle(n, start):
    waveform = _noise(n)
    np.testing.assert_array_equal(
        MelImage()(waveform), MelImage()(waveform[start : start + SAMPLES])
    )


def test_short_recordings_are_padded_on_both_sides():
    waveform = _noise(50_000)
    before = (SAMPLES - 50_000) // 2
    padded = np.zeros(SAMPLES, np.float32)
    padded[before : before + 50_000] = waveform
    np.testing.assert_array_equal(MelImage()(waveform), MelImage()(padded))


def test_frequencies_above_fmax_are_left_out():
    quiet_above = _tone(1000) + _tone(10_000)
    np.testing.assert_allclose(MelImage()(quiet_above), MelImage()(_tone(1000)), atol=0.15)


@pytest.mark.parametrize("hop_length", [128, 512])
def test_shape_does_not_follow_the_hop(hop_length):
    frontend = MelImage(hop_length=hop_length)
    spectrogram = frontend.spectrogram(_noise(50_000))
    assert spectrogram.shape == (128, 1 + SAMPLES // hop_length)
    assert frontend.features(spectrogram).shape == frontend.shape == (39, 88, 3)


def test_image_is_that_of_the_spectrogram():
    waveform = _noise(50_000)
    spectrogram = MelImage().spectrogram(waveform)
    assert spectrogram.dtype == np.float32
    assert spectrogram.max() == pytest.approx(0, abs=1e-4)
    assert spectrogram.min() == pytest.approx(-80, abs=1e-4)
    np.testing.assert_array_equal(MelImage().features(spectrogram), MelImage()(waveform))


def test_masks_are_seen_in_the_image():
    spectrogram = MelImage().spectrogram(_noise(SAMPLES))
    masked = apply_to_spectrogram(spectrogram, "specaugment", seed=1)
    changed = MelImage().features(masked) != MelImage().features(spectrogram)
    rows, columns = changed.any(-1).mean(1), changed.any(-1).mean(0)
    assert 0 < (rows > 0.9).sum() <= 12
    assert 0 < (columns > 0.9).sum() <= 11
