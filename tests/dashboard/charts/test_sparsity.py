import json

import altair as alt
import pandas as pd
import pytest

from dashboard.charts.sparsity import (
    AUC,
    LATENCY,
    PAPER,
    SIZE,
    draw_sparsity_curves,
    sparsity_curves,
)
from dashboard.theme import PAPER_COLOUR, PRECISIONS, SCHEDULES
from edac_core.papers import published_curve

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


def plain(spec):
    """The specification as JSON has it, data sets as records."""
    frames = {name: frame.to_dict("records") for name, frame in spec["datasets"].items()}
    return json.loads(json.dumps({**spec, "datasets": frames}))


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


def test_the_paper_stands_between_our_levels_and_not_beyond():
    """10 % is a fifth of the way from 0 to 50 %; 99 and 99.9 % have no place."""
    paper = line(chart_of(AUC), PAPER)
    assert paper["position"].tolist()[:2] == pytest.approx([0, 0.2])
    assert paper["position"].max() == 2
    assert len(paper) == len(PUBLISHED) - 2


def test_the_papers_last_level_is_ours_too():
    ours = {"constant": curve_of((0.0, 0.999), start=9.0)}
    chart = sparsity_curves(ours, PUBLISHED, quantity=AUC, precision="int8")
    assert len(line(chart, PAPER)) == len(PUBLISHED)


@pytest.mark.parametrize(
    ("quantity", "published", "sentence"),
    [
        (AUC, 0.887, "EDAC published 0.887 at 0 %"),
        (SIZE, 379_000, "EDAC published 379 kB at 0 %"),
        (LATENCY, 1.388, "EDAC published 1.4 ms at 0 %"),
    ],
)
def test_the_papers_figures_are_in_our_units(quantity, published, sentence):
    paper = line(chart_of(quantity), PAPER).iloc[0]
    assert paper["value"] == pytest.approx(published)
    assert paper["sentence"] == sentence


def test_the_sliders_position_is_marked_on_the_chosen_line():
    chart = chart_of(SIZE)
    point = chart.point(schedule="constant", sparsity=0.5)
    assert point[["position", "value"]].to_numpy().tolist() == [[1, 7]]


@pytest.mark.parametrize("quantity", [AUC, SIZE, LATENCY])
@pytest.mark.parametrize("published", [PUBLISHED, PUBLISHED.iloc[:0]])
def test_the_specification_is_valid_vega_lite(quantity, published):
    chart = chart_of(quantity, published)
    chosen = chart.point(schedule="polynomial", sparsity=0.95)
    alt.Chart.from_dict(plain(draw_sparsity_curves(chart, chosen, first=True, last=True)))


def test_one_meaning_one_look():
    chart = chart_of(AUC)
    spec = draw_sparsity_curves(chart, chart.point(schedule="constant", sparsity=0.5), first=True)
    (encoding,) = [la["encoding"] for la in spec["layer"] if "strokeDash" in la.get("encoding", {})]
    colours = dict(zip(*(encoding["color"]["scale"][k] for k in ("domain", "range")), strict=True))
    dashes = dict(
        zip(*(encoding["strokeDash"]["scale"][k] for k in ("domain", "range")), strict=True)
    )
    assert colours == {
        "polynomial": PRECISIONS["int8"].colour,
        "constant": PRECISIONS["int8"].colour,
        PAPER: PAPER_COLOUR,
    }
    assert dashes["constant"] == SCHEDULES["constant"].dash
    assert dashes["polynomial"] == SCHEDULES["polynomial"].dash


def test_unmeasured_latency_is_left_out():
    ours = curve_of(LEVELS, start=9.0).assign(latency_ms=float("nan"))
    chart = sparsity_curves(
        {"constant": ours}, PUBLISHED.iloc[:0], quantity=LATENCY, precision="int8"
    )
    assert chart.lines.empty
    assert chart.point(schedule="constant", sparsity=0.5).empty
