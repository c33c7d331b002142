import numpy as np
import pandas as pd
import pytest

from dashboard.charts import drift as drifting
from dashboard.charts import verdicts as chart_of
from dashboard.theme import METHODS, PRECISIONS, UNPRUNED_SHAPE
from edac_core.disturb import DISTURBANCES


@pytest.fixture
def answers():
    return pd.DataFrame(
        {
            "title": ["float32, not pruned", "int8, constant 90 %", "int8, polynomial 95 %"],
            "precision": ["float32", "int8", "int8"],
            "method": ["none", "constant", "polynomial"],
            "threshold": [0.4, 0.5, 0.6],
            "probability": [0.7, 0.2, 0.65],
            "positive": [True, False, True],
            "difference": [0.0, -0.5, -0.05],
            "is_baseline": [True, False, False],
            "chosen": True,
        }
    )


def traces(figure):
    return {trace.name: trace for trace in figure.data if trace.name}


def test_every_dot_stands_at_its_probability_and_every_tick_at_its_threshold(answers):
    chart = chart_of.verdicts(answers)
    drawn = traces(chart_of.draw_verdicts(chart))
    assert list(drawn["probability"].x) == [0.7, 0.2, 0.65]
    assert list(drawn["threshold"].x) == [0.4, 0.5, 0.6]
    assert list(drawn["probability"].y) == list(drawn["threshold"].y) == [0, -1, -2]


def test_precision_is_colour_and_schedule_is_shape(answers):
    figure = chart_of.draw_verdicts(chart_of.verdicts(answers))
    marker = traces(figure)["probability"].marker
    int8 = PRECISIONS["int8"].colour
    assert list(marker.color) == [PRECISIONS["float32"].colour, int8, int8]
    shapes = [METHODS[name].shape for name in ("constant", "polynomial")]
    assert list(marker.symbol) == [UNPRUNED_SHAPE, *shapes]


def test_the_names_stand_at_their_rows(answers):
    axis = chart_of.draw_verdicts(chart_of.verdicts(answers)).layout.yaxis
    assert list(axis.ticktext) == answers["title"].tolist()
    assert list(axis.tickvals) == [0, -1, -2]


def test_hovering_says_it_in_a_sentence(answers):
    sentences = chart_of.verdicts(answers).rows["sentence"]
    assert sentences[0] == "float32, not pruned: 0.700, above its threshold of 0.400, so positive"
    assert sentences[1] == (
        "int8, constant 90 %: 0.200, below its threshold of 0.500, so negative; "
        "\N{MINUS SIGN}0.500 from the float32 baseline"
    )


def test_more_rows_make_a_higher_chart_not_narrower_rows(answers):
    one, three = (chart_of.verdicts(answers.head(count)).height for count in (1, 3))
    assert three - one == 2 * chart_of.ROW_HEIGHT


@pytest.fixture
def scores():
    generator = np.random.default_rng(0)
    return generator.uniform(size=(3, len(DISTURBANCES["noise"].strengths))).astype(np.float32)


def test_a_line_goes_through_the_scores_of_its_variant(answers, scores):
    chart = drifting.drift(answers, scores, disturbance="noise")
    figure = drifting.draw_drift(chart)
    for name, row in zip(answers["title"], scores, strict=True):
        line = traces(figure)[name]
        np.testing.assert_array_equal(line.y, row)
        assert list(line.x) == list(range(len(row)))


def test_lines_look_as_everywhere(answers, scores):
    figure = drifting.draw_drift(drifting.drift(answers, scores, disturbance="noise"))
    line = traces(figure)["int8, constant 90 %"]
    assert line.line.color == PRECISIONS["int8"].colour
    assert line.line.dash == METHODS["constant"].dash


@pytest.mark.parametrize("kind", DISTURBANCES.values(), ids=DISTURBANCES)
def test_the_slider_is_marked_at_its_strength(answers, kind):
    scores = np.zeros((3, len(kind.strengths)), np.float32)
    chart = drifting.drift(answers, scores, disturbance=kind.name)
    figure = drifting.draw_drift(chart).to_plotly_json()
    marked = drifting.mark_strength(figure, chart, kind.strengths[4])
    (line,) = marked["layout"]["shapes"]
    assert line["x0"] == line["x1"] == 4
    assert "shapes" not in figure["layout"]
    assert len(chart.at(kind.strengths[4])) == 3


@pytest.mark.parametrize(
    ("name", "strength", "written"),
    [
        ("noise", np.inf, "as recorded"),
        ("noise", -5, "\N{MINUS SIGN}5 dB"),
        ("gain", 0, "as recorded"),
        ("low-pass", 1_500, "1500 Hz"),
    ],
)
def test_strengths_are_written_with_their_unit(name, strength, written):
    assert drifting.write_strength(DISTURBANCES[name], strength) == written


def test_the_drift_in_words(answers):
    scores = np.full((3, len(DISTURBANCES["gain"].strengths)), 0.55, np.float32)
    scores[1] = 0.25
    chart = drifting.drift(answers, scores, disturbance="gain")
    assert drifting.describe_drift(chart, 6) == (
        "The float32 baseline calls it **positive** (0.55); so does 0 of 2 others. The furthest "
        "from it is int8, constant 90 %, by 0.30."
    )


def test_a_baseline_that_is_not_chosen_is_compared_with_but_not_drawn(answers, scores):
    unseen = answers.assign(chosen=[False, True, True])
    chart = drifting.drift(unseen, scores, disturbance="noise")
    drawn = traces(drifting.draw_drift(chart))
    assert list(drawn) == ["int8, constant 90 %", "int8, polynomial 95 %"]
    assert drifting.describe_drift(chart, 20).startswith("The float32 baseline calls it")


def test_the_drift_in_words_without_a_baseline(answers):
    scores = np.full((2, len(DISTURBANCES["gain"].strengths)), 0.55, np.float32)
    chart = drifting.drift(answers.iloc[1:], scores, disturbance="gain")
    assert drifting.describe_drift(chart, 0) == "Variants that call it positive: 1 of 2."
