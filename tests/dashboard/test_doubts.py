import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dashboard import doubts
from dashboard.claims import Shown, read_studies
from dashboard.doubts import (
    augmented_test_set,
    beside_clean,
    clean_twin,
    file_for_zeros,
    int8_alone,
    levels_going_on,
    mean_interval,
    paper_study,
    speed_of_int8,
)
from dashboard.studies import find_studies
from edac_core.papers import PUBLISHED_MODELS


@pytest.fixture
def shown(stores, made_up):
    stores(shipped=made_up)
    studies, _ = find_studies()
    found, problems = read_studies(studies, PUBLISHED_MODELS)
    assert not problems
    return found


def plain(text):
    return text.replace("\\", "")


def varied(one, *, dataset="covid19-cough", protocol="clean", start=None, epochs=None, **more):
    """The study as if it had been run otherwise."""
    plan = {
        **one.study.plan,
        "data": {"protocol": protocol, "dataset": dataset},
        "training": {"epochs": epochs},
        "compression": {"start": start or "baseline"},
    }
    study = dataclasses.replace(one.study, plan=plan, data={**one.study.data, "dataset": dataset})
    return Shown(study, one.summary.assign(**more))


def test_the_mean_has_students_interval():
    values = pd.Series([0.1, 0.2, 0.25])
    mean, half = mean_interval(values)
    low, high = stats.t.interval(0.95, 2, loc=values.mean(), scale=stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_one_run_has_no_interval():
    mean, half = mean_interval(pd.Series([0.1, np.nan]))
    assert mean == 0.1
    assert math.isnan(half)


def test_a_pruned_file_is_preferred_for_signs_of_zeros(shown):
    """The made-up study has no level of 90 %: its smallest baseline is taken."""
    found = file_for_zeros(shown)
    assert (found.model, found.pruned) == ("cnn", False)
    relabelled = shown[0].summary.replace({"sparsity": {0.95: doubts.LEVEL}})
    rows = doubts._float_rows(relabelled)
    assert set(rows["sparsity"]) == {0.0, doubts.LEVEL}
    assert set(rows["precision"]) == {"float32"}


def test_no_file_is_no_measurement(shown):
    assert file_for_zeros([]) is None
    int8_only = Shown(shown[0].study, shown[0].summary.query("precision == 'int8'"))
    assert file_for_zeros([int8_only]) is None


def test_int8_alone_is_told_with_both_figures(shown):
    text = plain(int8_alone(shown))
    summary = shown[0].summary.query("model == 'cnn' and precision == 'int8'")
    alone = summary.query("sparsity == 0")["zip_ratio"].item()
    both = summary.query("sparsity == 0.95 and schedule == 'polynomial'")["zip_ratio"].item()
    assert "EDAC's 105.76x is 60.0x by int8 alone" in text
    assert f"Here it is {alone:.1f}x by int8 alone, and {both:.1f}x with 95 %" in text
    assert "| int8, 95 % pruned | 215 kB | 0.868 |" in text


def test_speed_is_told_with_and_without_pruning(shown):
    text = plain(speed_of_int8(shown))
    assert "| float32 | 1.00x | 1.00x |" in text
    assert "| float32, 95 % pruned | 0.98x |" in text
    assert "| int8, 95 % pruned | 1.37x |" in text


@pytest.mark.parametrize("tell", [int8_alone, speed_of_int8, augmented_test_set])
def test_without_a_study_a_plan_is_named_and_nothing_is_made_up(tell):
    text = tell([])
    assert "Not measured here yet: `edac run plans/" in text
    assert "| --- |" not in text


def test_the_augmented_test_set_waits_for_its_plan(shown):
    assert "plans/cnn-paper.toml" in augmented_test_set(shown)


def test_a_study_by_the_papers_protocol_is_found_and_its_twin(shown):
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


def test_levels_that_go_on_are_compared_where_both_are_here(shown):
    ours, theirs = varied(shown[0]), varied(shown[0], start="previous", auc=0.123)
    text = plain(levels_going_on([ours, theirs]))
    assert "130 epochs" in text
    baseline = ours.summary.query(
        "model == 'cnn' and schedule == 'polynomial' and sparsity == 0.95 and precision=='float32'"
    )["auc"].item()
    assert f"| polynomial, 95 % | 0.123 | {baseline:.3f} |" in text
    elsewhere = varied(shown[0], start="previous", dataset="coswara")
    assert "not measured here yet" in levels_going_on([ours, elsewhere])
