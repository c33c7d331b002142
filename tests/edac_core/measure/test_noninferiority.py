import math

import numpy as np
import pytest
from scipy import stats

from edac_core.errors import DataError
from edac_core.measure.noninferiority import (
    Needed,
    OverSplits,
    Verdict,
    difference_over_splits,
    non_inferiority,
    recordings_needed,
)
from edac_core.measure.significance import AucDifference, delong_difference
from edac_core.studies.select import Paired


def difference(low, high):
    return AucDifference((low + high) / 2, low, high, p_value=0.5, standard_error=0.01)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.019, 0.03, "not worse by more than the margin"),
        (0.01, 0.03, "not worse by more than the margin"),
        (0.0, 0.0, "not worse by more than the margin"),
        (-0.015, -0.005, "not worse by more than the margin"),
        (-0.05, -0.021, "worse by more than the margin"),
        (-0.05, 0.03, "cannot tell with so few recordings"),
        (-0.02, 0.0, "cannot tell with so few recordings"),
        (-0.03, -0.02, "cannot tell with so few recordings"),
        (-1.0, 1.0, "cannot tell with so few recordings"),
    ],
)
def test_the_interval_decides(low, high, verdict):
    assert non_inferiority(difference(low, high), margin=0.02) == verdict


def test_differences_over_runs_are_judged_alike_and_a_single_run_tells_nothing():
    assert (
        non_inferiority(Paired(0, -0.01, 0.01, runs=3, splits=3), margin=0.02) is Verdict.NOT_WORSE
    )
    single = Paired(0.05, math.nan, math.nan, runs=1, splits=1)
    assert non_inferiority(single, margin=0.02) is Verdict.CANNOT_TELL


@pytest.mark.parametrize("margin", [0, -0.02, math.nan])
def test_a_margin_is_a_loss(margin):
    with pytest.raises(DataError, match="give a loss of AUC above 0"):
        non_inferiority(difference(-0.1, 0.1), margin=margin)
    with pytest.raises(DataError, match="give a loss of AUC above 0"):
        recordings_needed(0.01, positives=50, negatives=50, margin=margin)


def test_recordings_needed_as_computed_by_hand():
    # ((1.95996 + 0.84162) * 0.03 / 0.02) ** 2 = 17.660
    found = recordings_needed(0.03, positives=60, negatives=130, margin=0.02)
    assert found == Needed(math.ceil(17.660 * 60), math.ceil(17.660 * 130))


@pytest.mark.parametrize("error", [0.0, math.inf, math.nan])
def test_a_standard_error_that_says_nothing_gives_no_number(error):
    assert recordings_needed(error, positives=60, negatives=130, margin=0.02) is None


def test_so_many_recordings_settle_the_margin_about_as_often_as_promised():
    def compared(rng, *, positives, negatives):
        labels = np.repeat([1, 0], [positives, negatives])
        shared = labels + rng.normal(size=len(labels))
        first, second = shared + 0.3 * rng.normal(size=(2, len(labels)))
        return delong_difference(labels, first, second)

    rng = np.random.default_rng(0)
    errors = [compared(rng, positives=60, negatives=130).standard_error for _ in range(20)]
    needed = recordings_needed(float(np.mean(errors)), positives=60, negatives=130, margin=0.03)
    verdicts = [
        non_inferiority(
            compared(rng, positives=needed.positives, negatives=needed.negatives), margin=0.03
        )
        for _ in range(200)
    ]
    assert verdicts.count(Verdict.NOT_WORSE) / 200 == pytest.approx(0.8, abs=0.1)


def test_the_interval_over_splits_is_wider_than_students_by_the_correction():
    differences = [-0.03, 0.01, -0.02, 0.0, -0.01]
    found = difference_over_splits(differences, training=640, test=160)
    t = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    # (1/5 + 160/640) / (1/5) = 2.25 = 1.5 ** 2
    half = 1.5 * (t.high - t.low) / 2
    assert (found.low, found.high) == pytest.approx((-0.01 - half, -0.01 + half))
    assert found.difference == pytest.approx(-0.01)
    assert found.splits == 5


def test_splits_that_agree_have_no_width():
    assert difference_over_splits([0.5, 0.5], training=4, test=1) == OverSplits(0.5, 0.5, 0.5, 2)


def test_one_split_has_no_interval():
    with pytest.raises(DataError, match="1 splits: an interval over splits takes 2"):
        difference_over_splits([0.1], training=4, test=1)
