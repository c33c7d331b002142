import json
import math

import plotly.graph_objects as go
import plotly.io
import plotly.tools
import pytest

from dashboard.charts import Drawn, empty_figure, hover_texts, marked, size_axis, value_axis


def marks_within(axis):
    low, high = (10**end for end in axis["range"])
    return [mark for mark in axis["tickvals"] if low <= mark <= high]


@pytest.mark.parametrize(
    "sizes", [(318e3, 414e3), (39e3, 22.7e6), (200e3,), (2e6, 2.1e6), (), (0, math.nan)]
)
@pytest.mark.parametrize("most", [3, 6])
def test_a_size_axis_always_has_marks_to_read_by(sizes, most):
    axis = size_axis(sizes, title="Size", most=most)
    assert 1 <= len(marks_within(axis)) <= most
    assert len(axis["ticktext"]) == len(axis["tickvals"])


def test_sizes_are_written_in_powers_of_ten():
    axis = size_axis([39e3, 22.7e6], title="Size", most=3)
    assert axis["tickvals"] == [10**5, 10**6, 10**7]
    assert axis["ticktext"] == ["100 kB", "1 MB", "10 MB"]
    assert axis["type"] == "log"


def test_a_size_axis_has_room_for_all_sizes():
    low, high = size_axis([39e3, 22.7e6], title="Size", most=3)["range"]
    assert low < math.log10(39e3) < math.log10(22.7e6) < high


def test_noise_does_not_fill_a_value_axis():
    low, high = value_axis([0.700, 0.702, math.nan], title="AUC", narrowest=0.04)["range"]
    assert high - low >= 0.04
    assert (low + high) / 2 == pytest.approx(0.701)


def test_a_value_axis_can_start_at_zero():
    low, high = value_axis([1.5, 1.6], title="Latency (ms)", from_zero=True)["range"]
    assert low == 0
    assert high > 1.7


def test_hover_texts_keep_their_words():
    sentence = "int8, polynomial 90 %: AUC 0.780 ± 0.010 over 3 runs at 200 kB, 113x smaller"
    (text,) = hover_texts([sentence])
    assert "<br>" in text
    assert text.replace("<br>", " ") == sentence


def test_words_have_the_pages_ink():
    layout = empty_figure("Why?", margin={"l": 1}, ink="#123456").layout
    words = (
        layout.font, layout.title.font, layout.title.subtitle.font, layout.hoverlabel.font,
        layout.xaxis.tickfont, layout.yaxis.title.font,
    )  # fmt: skip
    assert {font.color for font in words} == {"#123456"}


def test_marking_leaves_the_figure_alone():
    figure = empty_figure("Why?", margin={"l": 1}, ink=None).to_plotly_json()
    marks = marked(figure, [{"type": "scatter"}], shapes=[{"type": "line"}])
    assert (len(marks["data"]), len(marks["layout"]["shapes"])) == (1, 1)
    assert not figure["data"]
    assert "shapes" not in figure["layout"]
    assert marks["layout"]["title"] is figure["layout"]["title"]


def test_what_is_drawn_reaches_the_browser_as_it_is(monkeypatch):
    """Streamlit takes it without building a figure of it, and writes what it would of one."""
    plain = marked({"data": [], "layout": {"title": {"text": "Why?"}}}, [
        {"type": "scatter", "x": [1, 2], "y": [3, 4], "customdata": ["a", "b"]}
    ])  # fmt: skip
    whole = go.Figure(plain)
    monkeypatch.setattr(go.Figure, "__init__", None)
    taken = plotly.tools.return_figure_from_figure_or_data(Drawn(plain), validate_figure=True)
    assert json.loads(plotly.io.to_json(taken, validate=False)) == plain
    assert json.loads(plotly.io.to_json(whole)) | {"layout": None} == plain | {"layout": None}
