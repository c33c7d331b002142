import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboard.charts.tradeoff import draw_tradeoff, mark_variant, tradeoff
from dashboard.theme import (
    CHOSEN_COLOUR,
    FRONT_COLOUR,
    PAPER_COLOUR,
    PRECISIONS,
    SCHEDULES,
    UNPRUNED_SHAPE,
)
from edac_core.papers import published_curve
from edac_core.studies.select import pareto_front

SUMMARY = pd.DataFrame(
    {
        "model": "cnn",
        "schedule": ["none", "none", "polynomial", "constant"],
        "precision": ["float32", "int8", "int8", "int8"],
        "sparsity": [0.0, 0.0, 0.9, 0.9],
        "runs": [3, 3, 3, 1],
        "auc": [0.80, 0.79, 0.78, 0.70],
        "auc_std": [0.01, 0.02, 0.01, float("nan")],
        "zip_bytes": [22.7e6, 4.1e6, 0.2e6, 0.3e6],
        "zip_ratio": [1.0, 5.5, 113.0, 75.0],
    }
)
PUBLISHED = published_curve("cnn", "polynomial", "int8")


@pytest.fixture
def chart():
    return tradeoff(SUMMARY, PUBLISHED)


def trace(figure, name):
    (found,) = figure.select_traces({"name": name})
    return found


def test_points_spread_by_their_deviation(chart):
    assert (chart.points["high"] - chart.points["low"]).tolist() == pytest.approx(
        [0.02, 0.04, 0.02, 0]
    )


def test_the_front_leaves_out_what_is_beaten(chart):
    assert chart.front["zip_bytes"].tolist() == [0.2e6, 4.1e6, 22.7e6]


def test_hover_texts_are_sentences(chart):
    assert chart.points["sentence"].tolist()[2] == (
        "int8, polynomial 90 %: AUC 0.780 ± 0.010 over 3 runs at 200 kB, "
        "113x smaller than the float32 baseline"
    )
    assert chart.points["sentence"].tolist()[0].startswith("float32, not pruned: ")
    assert "EDAC published: AUC 0.887 at 379 kB" in chart.published["sentence"].iloc[0]


def test_one_run_has_no_spread(chart):
    assert ": AUC 0.700 in one run at 300 kB" in chart.points["sentence"].iloc[3]


def test_the_paper_stands_at_its_published_size(chart):
    assert chart.published["zip_bytes"].iloc[0] == pytest.approx(379_000)
    assert len(chart.published) == 17


@pytest.mark.parametrize(
    ("schedule", "sparsity", "expected"),
    [("polynomial", 0.9, 0.2e6), ("constant", 0.9, 0.3e6), ("constant", 0.0, 4.1e6)],
)
def test_the_ring_is_on_the_chosen_variant(chart, schedule, sparsity, expected):
    point = chart.point(schedule=schedule, sparsity=sparsity, precision="int8")
    assert point["zip_bytes"].tolist() == [expected]


def test_the_grey_step_line_is_the_pareto_front(chart):
    line = trace(draw_tradeoff(chart), "Pareto front")
    on_front = SUMMARY[pareto_front(SUMMARY["zip_bytes"], SUMMARY["auc"])]
    expected = on_front.sort_values("zip_bytes")[["zip_bytes", "auc"]].to_numpy()
    assert np.column_stack([line.x, line.y]).tolist() == expected.tolist()
    assert (line.line.shape, line.line.color) == ("hv", FRONT_COLOUR)


def test_precision_is_colour_and_schedule_is_shape(chart):
    figure = draw_tradeoff(chart)
    for precision, rows in chart.points.groupby("precision"):
        drawn = trace(figure, precision)
        assert list(drawn.x) == rows["zip_bytes"].tolist()
        assert list(drawn.y) == rows["auc"].tolist()
        assert drawn.marker.color == PRECISIONS[precision].colour
        assert list(drawn.error_y.array) == pytest.approx((rows["high"] - rows["auc"]).tolist())
        texts = [text.replace("<br>", " ") for text in drawn.customdata]
        assert texts == rows["sentence"].tolist()
    assert list(trace(figure, "int8").marker.symbol) == [
        UNPRUNED_SHAPE, SCHEDULES["polynomial"].shape, SCHEDULES["constant"].shape
    ]  # fmt: skip


def test_what_is_beaten_is_fainter(chart):
    drawn = trace(draw_tradeoff(chart), "int8")
    assert list(drawn.marker.opacity) == [1, 1, 0.65]


def test_the_legend_names_every_precision_and_schedule(chart):
    colours, shapes = draw_tradeoff(chart).layout.title.subtitle.text.split("<br>")
    for name, line in (("float32", colours), ("int8", colours)):
        assert f'<span style="color:{PRECISIONS[name].colour}">●</span> {name}' in line
    assert [word for word in ("◆", "●", "■") if word in shapes] == ["◆", "●", "■"]
    assert "float16" not in colours


def test_published_points_are_hollow_and_grey(chart):
    drawn = trace(draw_tradeoff(chart), "published")
    assert (drawn.marker.symbol, drawn.marker.color) == ("circle-open", PAPER_COLOUR)
    assert list(drawn.x) == chart.published["zip_bytes"].tolist()


def test_the_chosen_variant_is_ringed_and_on_top(chart):
    plain = draw_tradeoff(chart, ink="#000000").to_plotly_json()
    chosen = chart.point(schedule="constant", sparsity=0.9, precision="int8")
    *_, point, ring = go.Figure(mark_variant(plain, chosen)).data
    assert (point.x, point.y) == (ring.x, ring.y) == ((0.3e6,), (0.70,))
    assert point.marker.color == (PRECISIONS["int8"].colour,)
    assert point.marker.symbol == (SCHEDULES["constant"].shape,)
    assert (ring.marker.symbol, ring.marker.color) == ("circle-open", CHOSEN_COLOUR)
    assert "AUC 0.700" in ring.customdata[0]


def test_choosing_changes_the_ring_only(chart):
    plain = draw_tradeoff(chart).to_plotly_json()
    before = json.dumps(plain)
    one, other = (
        mark_variant(plain, chart.point(schedule=s, sparsity=0.9, precision="int8"))
        for s in ("constant", "polynomial")
    )
    assert one["data"][:-2] == other["data"][:-2] == plain["data"]
    assert one["data"][-1] != other["data"][-1]
    assert one["layout"] == other["layout"]
    assert json.dumps(plain) == before


def test_a_network_without_published_figures_has_none():
    chart = tradeoff(SUMMARY, PUBLISHED.iloc[:0])
    assert chart.published.empty
    assert chart.paper == ""


def test_what_has_no_auc_has_no_place_here():
    chart = tradeoff(SUMMARY, published_curve("dense_a", "polynomial", "int8"))
    assert chart.published.empty
    assert chart.paper == "Squeeze for Sneeze"
    assert not trace(draw_tradeoff(chart), "published").x
