import json

import altair as alt
import pandas as pd
import pytest

from dashboard.charts.tradeoff import draw_tradeoff, tradeoff
from edac_core.papers import published_curve

SUMMARY = pd.DataFrame(
    {
        "model": "cnn",
        "schedule": ["none", "none", "polynomial", "constant"],
        "precision": ["float32", "int8", "int8", "int8"],
        "sparsity": [0.0, 0.0, 0.9, 0.9],
        "runs": 3,
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


def plain(spec):
    """The specification as JSON has it, data sets as records."""
    frames = {name: frame.to_dict("records") for name, frame in spec["datasets"].items()}
    return json.loads(json.dumps({**spec, "datasets": frames}))


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


def test_the_specification_is_valid_vega_lite(chart):
    chosen = chart.point(schedule="constant", sparsity=0.9, precision="int8")
    alt.Chart.from_dict(plain(draw_tradeoff(chart, chosen, ink="#000000")))


def test_only_the_chosen_data_change_with_the_slider(chart):
    one, other = (
        draw_tradeoff(chart, chart.point(schedule=s, sparsity=0.9, precision="int8"))
        for s in ("constant", "polynomial")
    )
    assert {**one, "datasets": None} == {**other, "datasets": None}
    assert one["datasets"]["points"] is other["datasets"]["points"]


def test_a_network_without_published_figures_has_none():
    assert tradeoff(SUMMARY, PUBLISHED.iloc[:0]).published.empty
