import math

import pandas as pd
import pytest

from dashboard.charts.papers import (
    AUC,
    FASTER,
    HERE,
    QUANTITIES,
    SMALLER,
    UAR,
    comparison,
    draw_comparison,
)
from dashboard.theme import METHODS, PAPER_COLOUR, PAPER_DASH, PRECISIONS
from edac_core.papers import EDAC, SQUEEZE, published_curve

OURS = pd.DataFrame(
    {"sparsity": [0.0, 0.5, 0.95], "auc": [0.8, 0.81, 0.7], "auc_std": [0.02, math.nan, 0.01],
     "uar": [0.7, 0.7, 0.6], "zip_ratio": [50.0, 60.0, 100.0], "speedup": [3.0, 3.1, math.nan]}
)  # fmt: skip


def chart(quantity, *, ours=OURS, model="cnn", method="constant"):
    published = published_curve(model, method, "int8")
    return comparison(ours, published, quantity=quantity, method=method, precision="int8")


def at(line, position):
    return line[line["position"] == position].iloc[0]


def test_levels_of_both_stand_at_the_same_steps():
    made = chart(AUC)
    assert len(made.levels) == 17
    for level, ours, paper in ((0.5, 0.81, 0.886), (0.95, 0.7, 0.874)):
        position = made.levels.index(level)
        assert at(made.series(HERE), position)["value"] == ours
        assert at(made.series(EDAC), position)["value"] == paper


def test_levels_that_only_one_side_has_are_kept():
    made = chart(SMALLER, ours=OURS.assign(sparsity=[0.0, 0.42, 0.95]))
    assert 0.42 in made.levels
    assert len(made.levels) == 18


@pytest.mark.parametrize(
    ("quantity", "published"), [(SMALLER, 22.739 / 0.193), (FASTER, 1.779 / 1.371)]
)
def test_ratios_are_those_of_the_table(quantity, published):
    made = chart(quantity)
    row = at(made.series(EDAC), made.levels.index(0.95))
    assert row["value"] == pytest.approx(published)


def test_what_was_not_measured_is_not_drawn():
    assert len(chart(FASTER).series(HERE)) == 2
    assert chart(AUC, ours=OURS.iloc[:0]).series(HERE).empty


def test_bands_are_a_standard_deviation_where_it_is_known():
    here = chart(AUC).series(HERE)
    assert (here["high"] - here["low"]).tolist()[::2] == pytest.approx([0.04, 0.02])
    assert math.isnan(here["low"].iloc[1])


def test_the_paper_is_hollow_and_grey_and_ours_has_the_look_of_its_kind():
    figure = draw_comparison(chart(SMALLER), named=True)
    paper, here = figure.data[1], figure.data[3]
    assert (paper.line.color, paper.line.dash, paper.marker.symbol) == (
        PAPER_COLOUR, PAPER_DASH, "circle-open"
    )  # fmt: skip
    assert (here.line.color, here.line.dash) == (
        PRECISIONS["int8"].colour, METHODS["constant"].dash
    )  # fmt: skip
    words = figure.layout.title.subtitle.text
    assert "measured here" in words
    assert "EDAC, as published" in words


def test_a_legend_names_only_what_is_there():
    figure = draw_comparison(chart(SMALLER, ours=OURS.iloc[:0]), named=True)
    assert "measured here" not in figure.layout.title.subtitle.text


def test_two_points_of_a_paper_are_not_joined():
    made = chart(UAR, model="dense_a", method="polynomial")
    assert draw_comparison(made).data[1].mode == "markers"
    assert made.series(SQUEEZE)["value"].tolist() == [0.68, 0.67]


def test_the_ratio_axis_spans_all_and_is_marked():
    axis = draw_comparison(chart(SMALLER)).layout.yaxis
    assert axis.type == "log"
    assert axis.range[0] < 0 < math.log10(1624) < axis.range[1]
    assert list(axis.ticktext) == ["1x", "10x", "100x", "1000x"]


@pytest.mark.parametrize(("model", "paper"), [("cnn", EDAC), ("dense_c", SQUEEZE)])
def test_only_what_a_paper_published_is_compared(model, paper):
    for quantity in QUANTITIES[paper]:
        assert len(chart(quantity, model=model, method="polynomial").series(paper)) > 1
