from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import auc, confusion_matrix

from dashboard.charts.decisions import (
    MOST_POINTS,
    draw_calibration,
    draw_matrix,
    draw_roc,
    roc_chart,
)
from dashboard.inspecting.decisions import Decisions


def decided(seed, *, n=300, threshold=0.5, labels=None):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n) if labels is None else labels
    scores = 1 / (1 + np.exp(-rng.normal(labels - 0.5, 1)))
    examples = pd.DataFrame({
        "recording": [f"r{at}" for at in range(n)], "label": labels, "group": "all",
        "copy": "", "score": scores,
    })  # fmt: skip
    return Decisions(examples.assign(set="test"), threshold)


@pytest.fixture
def pair():
    own = decided(1, threshold=0.4)
    return own, decided(2, threshold=0.6, labels=own.examples["label"].to_numpy())


def is_on(x, y, line, *, close=1e-9):
    corners = list(zip(line.x, line.y, strict=True))
    return any(
        abs((x - x1) * (y2 - y1) - (y - y1) * (x2 - x1)) < close
        and x1 - close <= x <= x2 + close
        and y1 - close <= y <= y2 + close
        for (x1, y1), (x2, y2) in pairwise(corners)
    )


def test_points_stand_on_their_curves(pair):
    own, baseline = pair
    figure = draw_roc(roc_chart(own, baseline, precision="int8"))
    _, grey, curve, of_baseline, swapped, point, ring = figure.data
    for marker, line in ((of_baseline, grey), (swapped, curve), (point, curve), (ring, curve)):
        assert is_on(marker.x[0], marker.y[0], line)
    assert not is_on(point.x[0], point.y[0] - 0.01, curve)
    assert auc(curve.x, curve.y) == pytest.approx(roc_chart(own, None, precision="int8").own_auc)


def test_a_baseline_has_one_curve_and_one_point():
    figure = draw_roc(roc_chart(decided(1), None, precision="float32"))
    assert len(figure.data) == 4
    assert "baseline" not in str(figure.layout.title)


def test_a_curve_of_many_examples_is_thinned_out():
    figure = draw_roc(roc_chart(decided(3, n=20_000), None, precision="int8"))
    curve = figure.data[1]
    assert len(curve.x) <= MOST_POINTS
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)


def test_calibration_has_a_point_a_bin(pair):
    own, _ = pair
    found = own.calibration()
    figure = draw_calibration(found, precision="int8")
    points = figure.data[1]
    assert len(points.x) == len(found.bins) == 10
    assert f"{found.brier:.3f}" in figure.layout.title.subtitle.text
    reach = np.array(points.y) + np.array(points.error_y.array)
    assert (reach <= 1).all()


def test_few_recordings_make_few_bins():
    assert len(decided(1, n=60).calibration().bins) == 3
    assert len(decided(1, n=12).calibration().bins) == 2


def test_scores_that_are_no_probabilities_have_no_calibration(pair):
    own, _ = pair
    beyond = Decisions(own.examples.assign(score=own.scores * 3), 0.5)
    assert beyond.calibration() is None


def test_the_matrix_is_sklearns_with_positives_first(pair):
    own, _ = pair
    figure = draw_matrix(own.confusion(), title="At its own", colour="#0072B2")
    cells = figure.data[0]
    counts = [[int(cell.split("<b>")[1].split("<")[0]) for cell in row] for row in cells.text]
    expected = confusion_matrix(own.labels, own.called, labels=[True, False])
    assert counts == expected.tolist()
    assert [sum(row) for row in cells.z] == pytest.approx([1, 1])
