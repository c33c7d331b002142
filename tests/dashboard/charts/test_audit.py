import numpy as np
import pandas as pd
import pytest

from dashboard.charts import audit as charts


def texts(figure):
    return " ".join(annotation.text for annotation in figure.layout.annotations)


@pytest.fixture
def recordings():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "group": rng.choice(["phone", "<b>bot</b>", "lab"], 200, p=[0.6, 0.3, 0.1]),
            "label": rng.integers(2, size=200),
            "seconds": rng.gamma(2, 1.5, 200),
        }
    )


def test_predictors_stand_in_order_without_unknown_ones():
    table = pd.DataFrame({"property": ["a", "b", "c"], "auc": [0.6, np.nan, 0.9], "n": [10, 0, 12]})
    points = charts.predictors(table)
    assert points["property"].tolist() == ["c", "a"]
    assert points["sentence"][0].endswith("0.900 on 12 recordings")
    figure = charts.draw_predictors(points)
    (dots,) = [trace for trace in figure.data if trace.name == "AUC"]
    assert list(dots.x) == [0.9, 0.6]
    assert [shape.x0 for shape in figure.layout.shapes] == [0.5]
    assert figure.layout.yaxis.ticktext == ("c", "a")


def test_a_predictor_worse_than_guessing_stays_on_the_axis():
    figure = charts.draw_predictors(
        charts.predictors(pd.DataFrame({"property": ["a"], "auc": [0.31]}))
    )
    low, high = figure.layout.xaxis.range
    assert low < 0.31 < high
    (written,) = [trace for trace in figure.data if trace.mode == "text"]
    assert list(written.x) == [0.5]


def test_without_predictors_the_chart_says_so():
    table = pd.DataFrame({"property": ["a"], "auc": [np.nan], "n": [3]})
    assert "Too few" in texts(charts.draw_predictors(charts.predictors(table)))


def test_sources_are_counted_by_label(recordings):
    table = charts.sources(recordings).set_index("source")
    for source, rows in recordings.groupby("group"):
        assert table.loc[source, "positive"] == rows["label"].sum()
        assert table.loc[source, "n"] == len(rows)
        assert table.loc[source, "share"] == pytest.approx(rows["label"].mean())
    assert table["n"].is_monotonic_decreasing


def test_names_of_sources_are_not_taken_for_markup(recordings):
    figure = charts.draw_sources(charts.sources(recordings))
    assert "&lt;b&gt;bot&lt;/b&gt;" in figure.layout.yaxis.ticktext


def test_many_sources_are_folded_without_losing_any():
    label = np.arange(300) % 2
    groups = [f"s{index % 25:02}" for index in range(300)]
    table = charts.sources(pd.DataFrame({"group": groups, "label": label}))
    assert len(table) == charts.MOST_SOURCES
    assert table["source"].iloc[-1] == "others (18)"
    assert (table["n"].sum(), table["positive"].sum()) == (300, 150)


def test_a_source_of_one_label_has_both_counts():
    table = charts.sources(pd.DataFrame({"group": ["a", "a"], "label": [0, 0]}))
    assert table[["negative", "positive", "n"]].to_numpy().tolist() == [[2, 0, 2]]


def test_reasons_stand_by_frequency():
    table = charts.reasons({"silent": 1, "duplicate": 5, "empty": 0})
    assert table["reason"].tolist() == ["duplicate", "silent"]
    assert table["sentence"].tolist()[1] == "1 recording left out: silent"
    assert "Nothing was left out" in texts(charts.draw_reasons(charts.reasons({})))


def test_durations_count_every_recording_once(recordings):
    chart = charts.durations(recordings)
    for label, name in enumerate(charts.LABELS):
        assert sum(chart.counts[name]) == (recordings["label"] == label).sum()
    assert chart.longer == (recordings["seconds"] > chart.edges[-1]).sum()
    assert chart.longer <= 0.02 * len(recordings)
    figure = charts.draw_durations(chart)
    assert [len(trace.x) for trace in figure.data] == [32, 32]
    assert "or longer" in figure.data[0].customdata[-1]


def test_one_long_recording_does_not_squeeze_the_others():
    seconds = np.append(np.linspace(1, 3, 199), 3_600.0)
    chart = charts.durations(pd.DataFrame({"seconds": seconds, "label": 1}))
    assert chart.edges[-1] == 3.0
    assert charts.describe_durations(chart) == (
        "The last bar has also the 1 recording longer than 3 s."
    )


def test_no_recording_gives_empty_charts():
    nothing = pd.DataFrame({"group": [], "label": [], "seconds": []})
    for figure in (
        charts.draw_sources(charts.sources(nothing)),
        charts.draw_durations(charts.durations(nothing)),
    ):
        assert "no usable recording" in texts(figure)
