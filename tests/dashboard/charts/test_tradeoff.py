import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboard.charts.tradeoff import (
    MOST_POINTS,
    clicked,
    draw_tradeoff,
    mark_variants,
    points_of,
    tradeoff,
)
from dashboard.theme import (
    CHOSEN_COLOUR,
    FRONT_COLOUR,
    METHODS,
    PAPER_COLOUR,
    PRECISIONS,
    UNPRUNED_SHAPE,
)
from edac_core.papers import published_curve
from edac_core.studies.select import pareto_front

SUMMARY = pd.DataFrame(
    {
        "model": "cnn",
        "method": ["none", "none", "polynomial", "constant"],
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
        texts = [text.replace("<br>", " ") for text, _ in drawn.customdata]
        assert texts == rows["sentence"].tolist()
        assert [label for _, label in drawn.customdata] == rows.index.tolist()
    assert list(trace(figure, "int8").marker.symbol) == [
        UNPRUNED_SHAPE, METHODS["polynomial"].shape, METHODS["constant"].shape
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


CHOSEN, OTHER, NOBODY = (points_of(SUMMARY.iloc[rows]) for rows in ([3], [2], []))


def test_the_chosen_variant_is_ringed_and_on_top(chart):
    plain = draw_tradeoff(chart, ink="#000000").to_plotly_json()
    *_, point, thin, ring = go.Figure(mark_variants(plain, CHOSEN, NOBODY)).data
    assert (point.x, point.y) == (ring.x, ring.y) == ((0.3e6,), (0.70,))
    assert not thin.x
    assert point.marker.color == (PRECISIONS["int8"].colour,)
    assert point.marker.symbol == (METHODS["constant"].shape,)
    assert (ring.marker.symbol, ring.marker.color) == ("circle-open", CHOSEN_COLOUR)
    assert "AUC 0.700" in ring.customdata[0]


def test_the_pinned_variant_has_a_thin_ring_below_that_of_the_chosen(chart):
    plain = draw_tradeoff(chart).to_plotly_json()
    *_, point, thin, ring = go.Figure(mark_variants(plain, CHOSEN, OTHER)).data
    assert point.x == (0.2e6, 0.3e6)
    assert (thin.x, ring.x) == ((0.2e6,), (0.3e6,))
    assert thin.marker.line.width < ring.marker.line.width


def test_choosing_changes_the_rings_only(chart):
    plain = draw_tradeoff(chart).to_plotly_json()
    before = json.dumps(plain)
    one, other = (mark_variants(plain, chosen, NOBODY) for chosen in (CHOSEN, OTHER))
    assert one["data"][:-3] == other["data"][:-3] == plain["data"]
    assert one["data"][-1] != other["data"][-1]
    assert one["layout"] == other["layout"]
    assert json.dumps(plain) == before


def test_a_click_tells_which_variant_it_was_on(chart):
    figure = draw_tradeoff(chart)
    behind = {"customdata": list(trace(figure, "int8").customdata[1])}
    assert clicked([behind]) == 2
    published = {"customdata": trace(figure, "published").customdata[0]}
    assert clicked([published]) is None
    assert clicked([{"x": 1}, published, behind]) == 2
    assert clicked([]) is None


@pytest.fixture
def crowd():
    rng = np.random.default_rng(7)
    count = 5_000
    rows = {
        "model": "cnn",
        "method": rng.choice(["polynomial", "constant"], count),
        "precision": rng.choice(list(PRECISIONS), count),
        "sparsity": rng.random(count),
        "runs": 1,
        "auc": rng.uniform(0.5, 0.8, count),
        "auc_std": float("nan"),
        "zip_bytes": rng.integers(10_000, 20_000_000, count),
        "zip_ratio": 2.0,
    }
    return pd.DataFrame(rows, index=range(100, 100 + count))


def test_of_many_variants_the_front_and_the_best_are_drawn(crowd):
    chart = tradeoff(crowd, PUBLISHED)
    assert chart.aggregated
    assert MOST_POINTS / 2 < len(chart.points) < 1.2 * MOST_POINTS
    front = crowd[pareto_front(crowd["zip_bytes"], crowd["auc"])]
    assert set(front.index) == set(chart.points.index[chart.points["on_front"]])
    figure = draw_tradeoff(chart)
    drawn = sum(len(trace(figure, name).x) for name in PRECISIONS)
    assert drawn == len(chart.points)
    assert f"{drawn} of 5,000 variants" in figure.layout.annotations[0].text


def test_of_few_all_are_drawn_and_nothing_is_said(chart):
    assert not chart.aggregated
    assert not draw_tradeoff(chart).layout.annotations


def test_a_network_without_published_figures_has_none():
    chart = tradeoff(SUMMARY, PUBLISHED.iloc[:0])
    assert chart.published.empty
    assert chart.paper == ""


def test_what_has_no_auc_has_no_place_here():
    chart = tradeoff(SUMMARY, published_curve("dense_a", "polynomial", "int8"))
    assert chart.published.empty
    assert chart.paper == "Squeeze for Sneeze"
    assert not trace(draw_tradeoff(chart), "published").x
