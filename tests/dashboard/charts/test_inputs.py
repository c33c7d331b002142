import numpy as np
import pytest

from dashboard.charts import inputs
from edac_core.datasets.synthetic import synthesize
from edac_core.previews import Change, preview


@pytest.mark.parametrize(
    ("frontend", "title", "seconds"),
    [("mfcc", "302 x 15 numbers (MFCC)", 7.0), ("mel_image", "39 x 88 x 3 numbers", 7.08)],
)
def test_pictures_say_how_many_numbers_there_are_and_have_a_time_axis(frontend, title, seconds):
    figure = inputs.draw_pictured(preview(synthesize(1, seed=1), Change(), frontend))
    assert title in figure.layout.title.text
    assert "Time" in figure.layout.xaxis.title.text
    assert figure.layout.xaxis.range[1] == pytest.approx(seconds, abs=0.03)
    (image,) = figure.layout.images
    assert image.source.startswith("data:image/png")


def test_functionals_are_drawn_within_their_extremes():
    values = np.random.default_rng(0).normal(0, 1e4, 6_373).astype(np.float32)
    figure = inputs.draw_functionals(values)
    assert "6,373 numbers (ComParE)" in figure.layout.title.text
    (line,) = figure.data
    assert len(line.x) <= 2_000
    assert max(line.y) == pytest.approx(np.arcsinh(values.max()))
    assert min(line.y) == pytest.approx(np.arcsinh(values.min()))
