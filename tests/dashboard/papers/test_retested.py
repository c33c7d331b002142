import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dashboard.papers.retested import (
    augmented_test_set,
    beside_clean,
    clean_twin,
    mean_interval,
    paper_study,
)


def test_the_mean_has_students_interval():
    values = pd.Series([0.1, 0.2, 0.25])
    mean, half = mean_interval(values)
    low, high = stats.t.interval(0.95, 2, loc=values.mean(), scale=stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_one_run_has_no_interval():
    mean, half = mean_interval(pd.Series([0.1, np.nan]))
    assert mean == 0.1
    assert math.isnan(half)


def test_the_augmented_test_set_waits_for_its_plan(shown):
    assert "plans/cnn-paper.toml" in augmented_test_set(shown)


def test_a_study_by_the_papers_protocol_is_found_and_its_twin(shown, varied):
    clean = varied(shown[0])
    paper = varied(shown[0], protocol="paper")
    elsewhere = varied(shown[0], dataset="coswara")
    short = varied(shown[0], protocol="paper", epochs=3)
    assert paper_study([clean, short, paper]) == (paper.study, "cnn")
    assert paper_study([clean, short]) == (short.study, "cnn")
    assert paper_study([clean]) is None
    assert clean_twin([elsewhere, clean, paper], paper.study, "cnn") is clean.study
    assert clean_twin([elsewhere, paper], paper.study, "cnn") is None


def test_protocols_are_put_side_by_side_by_seed():
    runs = pd.DataFrame({"split_seed": [2, 1], "training_seed": [7, 7], "auc": [0.9, 0.8]})
    clean = pd.DataFrame(
        {"split_seed": [1, 3], "training_seed": [7, 7], "auc": [0.6, 0.5], "auc_low": [0.5, 0.4],
         "auc_high": [0.7, 0.6], "zip_bytes": [1, 2]}
    )  # fmt: skip
    found = beside_clean(runs, clean)
    assert found["auc"].tolist() == [0.8, 0.9]
    assert found["clean_auc"].tolist() == pytest.approx([0.6, math.nan], nan_ok=True)
