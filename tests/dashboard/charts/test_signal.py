import base64
import io

import numpy as np
import plotly.colors
import pytest
from PIL import Image

from dashboard.charts import signal


@pytest.mark.parametrize("count", [1, 999, 1000, 154_350])
def test_an_envelope_holds_every_extreme(count):
    wave = np.random.default_rng(1).normal(size=count).astype(np.float32)
    drawn = signal.envelope(wave, sample_rate=22_050)
    assert len(drawn.seconds) == min(count, signal.MOST_COLUMNS)
    assert (drawn.low.min(), drawn.high.max()) == (wave.min(), wave.max())
    assert (drawn.low <= drawn.high).all()
    assert drawn.seconds[0] == 0
    assert drawn.seconds[-1] < count / 22_050


def test_colours_are_viridis_between_the_bounds():
    values = np.array([[-1.0, 0.0, 0.5, 1.0, 9.0]], dtype=np.float32)
    pixels = signal.coloured(values, low=0, high=1)[0]
    expected = [plotly.colors.hex_to_rgb(f"#{code}") for code in ("440154", "fde725")]
    assert [tuple(pixel) for pixel in pixels[[0, 1, 3, 4]]] == [
        expected[0], expected[0], expected[1], expected[1]
    ]  # fmt: skip


def test_values_that_are_all_alike_have_one_colour():
    assert len(np.unique(signal.coloured(np.zeros((3, 4), np.float32)).reshape(-1, 3), axis=0)) == 1


def test_the_first_row_of_a_picture_is_drawn_at_the_bottom():
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0] = 255
    picture = signal.Picture(pixels, 7.0, 15.0, "Time (s)", "Coefficient")
    figure = signal.draw_picture(picture, title="What does the network get?")
    (image,) = figure.layout.images
    stored = Image.open(io.BytesIO(base64.b64decode(image.source.split(",")[1])))
    assert np.asarray(stored)[-1].min() == 255
    assert np.asarray(stored)[0].max() == 0
    assert (image.sizex, image.sizey) == (7.0, 15.0)
