import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboard.charts.sparsity import (
    AUC,
    LATENCY,
    SIZE,
    draw_sparsity_curves,
    mark_level,
    sparsity_curves,
)
from dashboard.theme import CHOSEN_COLOUR, METHODS, PAPER_COLOUR, PAPER_DASH, PRECISIONS
from edac_core.papers import EDAC, SQUEEZE, published_curve

LEVELS = (0.0, 0.5, 0.95)
PUBLISHED = published_curve("cnn", "constant", "int8")


def curve_of(levels, *, start):
    values = [start - index for index in range(len(levels))]
    frame = {"sparsity": levels}
    for column in ("auc", "zip_bytes", "latency_ms"):
        frame |= {column: values, f"{column}_std": 0.5}
    return pd.DataFrame(frame)


def chart_of(quantity, published=PUBLISHED):
    ours = {"polynomial": curve_of(LEVELS, start=9.0), "constant": curve_of(LEVELS[:2], start=8.0)}
    return sparsity_curves(ours, published, quantity=quantity, precision="int8")


def line(chart, series):
    return chart.lines[chart.lines["series"] == series]


def test_levels_stand_at_the_sliders_steps():
    chart = chart_of(AUC)
    assert chart.levels == LEVELS
    assert line(chart, "polynomial")["position"].tolist() == [0, 1, 2]
    assert line(chart, "constant")["position"].tolist() == [0, 1]


def test_bands_are_one_deviation_wide():
    ours = line(chart_of(AUC), "polynomial")
    assert ours["low"].tolist() == [8.5, 7.5, 6.5]
    assert ours["high"].tolist() == [9.5, 8.5, 7.5]


def test_neighbours_among_very_many_levels_are_one_point():
    levels = tuple(np.linspace(0, 0.999, 1_000).round(3).tolist())
    ours = {"polynomial": curve_of(levels, start=2000.0)}
    chart = sparsity_curves(ours, PUBLISHED, quantity=AUC, precision="int8")
    drawn = line(chart, "polynomial")
    assert len(drawn) == 200
    assert drawn["value"].tolist()[:2] == [1998, 1993]
    assert drawn["position"].tolist()[:2] == [2, 7]
    assert drawn["sentence"].iloc[1].startswith("polynomial, around 0.7 %: ")
    figure = draw_sparsity_curves(chart, last=True)
    assert figure.layout.xaxis.title.text.endswith("; a point is the mean of 5")
    assert len(figure.layout.xaxis.tickvals) == 9
    assert figure.layout.xaxis.ticktext[1] == "12.5"
    (drawn_line,) = figure.select_traces({"name": "polynomial"})
    assert (drawn_line.mode, len(drawn_line.x)) == ("lines", 200)
    # The slider stands on a level of its own all the same.
    point = chart.point(method="polynomial", sparsity=0.006)
    assert point[["position", "value"]].to_numpy().tolist() == [[6, 1994]]


def test_the_paper_stands_between_our_levels_and_not_beyond():
    """10 % is a fifth of the way from 0 to 50 %; 99 and 99.9 % have no place."""
    paper = line(chart_of(AUC), EDAC)
    assert paper["position"].tolist()[:2] == pytest.approx([0, 0.2])
    assert paper["position"].max() == 2
    assert len(paper) == len(PUBLISHED) - 2


def test_the_papers_last_level_is_ours_too():
    ours = {"constant": curve_of((0.0, 0.999), start=9.0)}
    chart = sparsity_curves(ours, PUBLISHED, quantity=AUC, precision="int8")
    assert len(line(chart, EDAC)) == len(PUBLISHED)


@pytest.mark.parametrize(
    ("quantity", "published", "sentence"),
    [
        (AUC, 0.887, "EDAC published 0.887 at 0 %"),
        (SIZE, 379_000, "EDAC published 379 kB at 0 %"),
        (LATENCY, 1.388, "EDAC published 1.4 ms at 0 %"),
    ],
)
def test_the_papers_figures_are_in_our_units(quantity, published, sentence):
    paper = line(chart_of(quantity), EDAC).iloc[0]
    assert paper["value"] == pytest.approx(published)
    assert paper["sentence"] == sentence


def test_the_sliders_position_is_marked_on_the_chosen_line():
    chart = chart_of(SIZE)
    point = chart.point(method="constant", sparsity=0.5)
    assert point[["position", "value"]].to_numpy().tolist() == [[1, 7]]


def trace(figure, name):
    (found,) = figure.select_traces({"name": name})
    return found


@pytest.mark.parametrize("quantity", [AUC, SIZE, LATENCY])
@pytest.mark.parametrize("published", [PUBLISHED, PUBLISHED.iloc[:0]])
def test_every_value_is_drawn_where_it_belongs_with_its_sentence(quantity, published):
    chart = chart_of(quantity, published)
    figure = draw_sparsity_curves(chart)
    assert figure.layout.title.text == quantity.question
    for series, rows in chart.lines.groupby("series"):
        drawn = trace(figure, series)
        assert list(drawn.x) == rows["position"].tolist()
        assert list(drawn.y) == rows["value"].tolist()
        texts = [text.replace("<br>", " ") for text in drawn.customdata]
        assert texts == rows["sentence"].tolist()
        assert drawn.hovertemplate == "%{customdata}<extra></extra>"


def test_one_meaning_one_look():
    figure = draw_sparsity_curves(chart_of(AUC), first=True)
    for method in ("polynomial", "constant"):
        drawn = trace(figure, method)
        assert drawn.line.color == drawn.marker.color == PRECISIONS["int8"].colour
        assert drawn.line.dash == METHODS[method].dash
    paper = trace(figure, EDAC)
    assert (paper.line.color, paper.line.dash) == (PAPER_COLOUR, PAPER_DASH)
    assert (paper.marker.color, paper.marker.symbol) == (PAPER_COLOUR, "circle-open")


def test_the_first_of_several_charts_names_the_lines():
    chart = chart_of(AUC)
    first, other = (draw_sparsity_curves(chart, first=is_first) for is_first in (True, False))
    names = first.layout.title.subtitle.text
    assert all(
        name in names for name in ("━━</span> polynomial", "╍╍</span> constant", "┈○┈</span> EDAC")
    )
    assert not other.layout.title.subtitle.text


def test_a_band_encloses_its_line():
    band = trace(draw_sparsity_curves(chart_of(AUC)), "polynomial, ± one standard deviation")
    assert list(zip(band.x, band.y, strict=True)) == [
        (0, 9.5), (1, 8.5), (2, 7.5), (2, 6.5), (1, 7.5), (0, 8.5)
    ]  # fmt: skip
    assert band.fill == "toself"


def test_every_level_has_a_mark_and_both_ends_a_label():
    levels = tuple(step / 20 for step in range(20))
    chart = sparsity_curves(
        {"constant": curve_of(levels, start=30.0)}, PUBLISHED, quantity=AUC, precision="int8"
    )
    axis = draw_sparsity_curves(chart).layout.xaxis
    assert list(axis.tickvals) == list(range(20))
    assert (axis.ticktext[0], axis.ticktext[-1]) == ("0", "95")
    assert sum(map(bool, axis.ticktext)) == 9


@pytest.mark.parametrize(
    ("method", "sparsity", "expected"), [("constant", 0.5, (1, 7.0)), ("polynomial", 0, (0, 9.0))]
)
def test_the_sliders_position_is_marked(method, sparsity, expected):
    chart = chart_of(SIZE)
    plain = draw_sparsity_curves(chart).to_plotly_json()
    figure = go.Figure(mark_level(plain, chart.point(method=method, sparsity=sparsity)))
    ring = figure.data[-1]
    assert (ring.x[0], ring.y[0]) == expected
    assert (ring.marker.color, ring.marker.symbol) == (CHOSEN_COLOUR, "circle-open")
    (line,) = figure.layout.shapes
    assert (line.x0, line.x1, line.yref) == (expected[0], expected[0], "y domain")


def test_a_ring_moves_no_axis():
    figure = draw_sparsity_curves(chart_of(AUC))
    assert None not in (figure.layout.xaxis.range, figure.layout.yaxis.range)


def test_what_is_not_measured_says_so():
    ours = {"constant": curve_of(LEVELS, start=9.0).assign(latency_ms=float("nan"))}
    chart = sparsity_curves(ours, PUBLISHED, quantity=LATENCY, precision="int8")
    figure = draw_sparsity_curves(chart)
    assert [note.text for note in figure.layout.annotations] == ["Not measured yet"]
    plain = figure.to_plotly_json()
    marked = mark_level(plain, chart.point(method="constant", sparsity=0.5))
    assert marked["layout"]["shapes"] == []
    assert not draw_sparsity_curves(chart_of(LATENCY)).layout.annotations


def test_unmeasured_latency_is_left_out():
    ours = curve_of(LEVELS, start=9.0).assign(latency_ms=float("nan"))
    chart = sparsity_curves(
        {"constant": ours}, PUBLISHED.iloc[:0], quantity=LATENCY, precision="int8"
    )
    assert chart.lines.empty
    assert chart.point(method="constant", sparsity=0.5).empty


SQUEEZED = published_curve("dense_c", "polynomial", "int8")


def dense(quantity, published=SQUEEZED):
    ours = {"polynomial": curve_of((0.0, 0.5, 0.9), start=9.0)}
    return sparsity_curves(ours, published, quantity=quantity, precision="int8")


def test_squeezes_sizes_are_hollow_marks_at_their_two_levels():
    drawn = trace(draw_sparsity_curves(dense(SIZE)), SQUEEZE)
    assert (drawn.mode, drawn.marker.symbol) == ("markers", "circle-open")
    assert list(drawn.x) == [0, 2]
    assert list(drawn.y) == pytest.approx([55.1 * 2**20, 11.8 * 2**20])
    assert drawn.customdata[1].replace("<br>", " ") == (
        "Squeeze for Sneeze published 12.4 MB (11.8 MiB) at 90 %, with a UAR of 0.66 on other "
        "recordings"
    )


@pytest.mark.parametrize("quantity", [AUC, LATENCY])
def test_squeeze_has_no_auc_and_no_latency(quantity):
    chart = dense(quantity)
    assert not chart.paper_is_shown
    assert list(trace(draw_sparsity_curves(chart), SQUEEZE).y) == []


def test_the_legend_says_that_squeeze_has_sizes_only():
    names = draw_sparsity_curves(dense(AUC), first=True).layout.title.subtitle.text
    assert "○</span> Squeeze for Sneeze (size only)" in names
    assert "┈" not in names


def test_without_published_figures_no_paper_is_named():
    chart = dense(AUC, published_curve("mine", "polynomial", "int8"))
    assert chart.paper == ""
    assert "○" not in draw_sparsity_curves(chart, first=True).layout.title.subtitle.text


def test_of_many_methods_the_chosen_one_and_magnitude_pruning_are_drawn():
    names = [*(f"method-{number}" for number in range(6)), "polynomial"]
    many = dict.fromkeys(names, curve_of(LEVELS, start=9.0))
    chart = sparsity_curves(many, PUBLISHED, quantity=AUC, precision="int8", chosen="method-3")
    assert set(chart.curves) == {"method-3", "polynomial"}
    figure = draw_sparsity_curves(chart, first=True)
    assert "5 more to choose" in figure.layout.title.subtitle.text


def test_a_long_legend_is_of_several_lines_that_have_room():
    names = [f"a-rather-long-method-{number}" for number in range(4)]
    chart = sparsity_curves(
        dict.fromkeys(names, curve_of(LEVELS, start=9.0)),
        PUBLISHED, quantity=AUC, precision="int8",
    )  # fmt: skip
    figure = draw_sparsity_curves(chart, first=True)
    assert figure.layout.title.subtitle.text.count("<br>") >= 1
    assert figure.layout.margin.t > draw_sparsity_curves(chart_of(AUC), first=True).layout.margin.t
