import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dashboard.charts import before_after, signal
from edac_core.datasets.synthetic import synthesize
from edac_core.frontends import get_frontend
from edac_core.operations import Gain
from edac_core.previews import PICTURED, Change, Masking, Stage, preview


@pytest.fixture(scope="module")
def waveform():
    return synthesize(1, seed=1)


@pytest.fixture(scope="module", params=PICTURED)
def frontend(request):
    return request.param


@pytest.fixture(scope="module")
def before(waveform, frontend):
    return preview(waveform, Change(), frontend)


@pytest.fixture(scope="module")
def louder(waveform, frontend):
    return preview(waveform, Change((Stage("gain", (Gain(12, 12, 1),)),)), frontend)


def test_both_sides_have_the_same_axes_and_legend(before, louder):
    for row in before_after.rows(before, louder):
        left, right = (figure.layout for figure in row.figures)
        assert left.xaxis.range == right.xaxis.range
        assert left.yaxis.range == right.yaxis.range
        assert left.title.subtitle.text == right.title.subtitle.text
        assert left.title.text.replace("Before", "After") == right.title.text


def test_what_is_louder_has_lighter_colours(waveform):
    """12 dB of the 80 that are shown: the colours move by 15 % of their scale."""
    quiet = preview(waveform, Change(), "mfcc")
    loud = replace(quiet, spectrogram=quiet.spectrogram + 12)
    pair = before_after.spectrograms(quiet, loud)
    high = loud.spectrogram.max()
    expected = [signal.coloured(each.spectrogram, low=high - 80, high=high)
                for each in (quiet, loud)]  # fmt: skip
    for picture, pixels in zip(pair.pictures, expected, strict=True):
        np.testing.assert_array_equal(picture.pixels, pixels)
    assert "\N{MINUS SIGN}" in pair.legend
    assert pair.legend.endswith(f"{high:.0f} dB")


def test_the_networks_picture_is_its_input(waveform):
    shown = preview(waveform, Change(), "mel_image")
    pair = before_after.inputs(shown, shown)
    features = get_frontend("mel_image")(waveform)
    np.testing.assert_allclose(pair.pictures[0].pixels[::-1] / 255, features, atol=0.5 / 255 + 1e-6)
    assert "39 x 88 pixels" in pair.question


def test_the_networks_numbers_are_its_input(waveform):
    shown = preview(waveform, Change(), "mfcc")
    pair = before_after.inputs(shown, shown)
    features = get_frontend("mfcc")(waveform)[..., 0]
    np.testing.assert_array_equal(pair.pictures[0].pixels, signal.coloured(features.T))
    assert "302 x 15 numbers" in pair.question


def test_every_coefficient_has_a_scale_of_its_own(before):
    pixels = before_after.coefficients(before, before).pictures[0].pixels
    darkest, lightest = signal.coloured(np.array([[0.0, 1.0]], np.float32))[0]
    for row in pixels:
        assert (row == darkest).all(axis=1).any()
        assert (row == lightest).all(axis=1).any()


def test_silence_can_be_drawn(frontend):
    silence = preview(np.zeros(22_050, np.float32), Change(masking=Masking()), frontend)
    assert len(before_after.rows(silence, silence)) == 4


def test_charts_stay_small(before, louder):
    for row in before_after.rows(before, louder):
        for figure in row.figures:
            assert len(figure.to_json()) < 200_000
            assert all(len(trace.x) <= 2 * signal.MOST_COLUMNS for trace in figure.data)


def test_marks_of_the_small_picture_stand_where_those_of_the_large_do(waveform):
    shown = preview(waveform, Change(), "mel_image")
    small = before_after.inputs(shown, shown).pictures[0]
    large = before_after.spectrograms(shown, shown).pictures[0]
    for (low, text), (high, same) in zip(small.y_ticks, large.y_ticks, strict=True):
        assert text == same
        assert low / small.y_end == pytest.approx(high / large.y_end)


def test_pictures_are_stored_with_their_first_row_at_the_bottom(waveform):
    shown = preview(waveform, Change(), "mfcc")
    row = before_after.rows(shown, shown)[1]
    source = row.figures[0].layout.images[0].source
    stored = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))
    expected = before_after.spectrograms(shown, shown).pictures[0].pixels[::-1]
    np.testing.assert_array_equal(stored, expected)
