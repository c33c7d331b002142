import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score, roc_curve

from edac_core.errors import DataError
from edac_core.measure.discrimination import (
    Interval,
    Ties,
    auc_interval,
    auc_within,
    decide,
    threshold_for_sensitivity,
    ties,
    youden_threshold,
)


def _sample(seed, *, n=120, decimals=None):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    scores = rng.normal(labels * 0.9, 1.0)
    return labels, scores if decimals is None else scores.round(decimals)


def _naive_delong(labels, scores, level):
    """DeLong et al. 1988, equations 3 to 5, by comparing every pair."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    psi = np.array([[1.0 if x > y else 0.5 if x == y else 0.0 for y in negative] for x in positive])
    auc = psi.mean()
    v10, v01 = psi.mean(axis=1), psi.mean(axis=0)
    m, n = len(positive), len(negative)
    s10 = np.sum((v10 - auc) ** 2) / (m - 1)
    s01 = np.sum((v01 - auc) ** 2) / (n - 1)
    half = norm.ppf(0.5 + level / 2) * np.sqrt(s10 / m + s01 / n)
    return auc, max(0, auc - half), min(1, auc + half)


@pytest.mark.parametrize("decimals", [None, 1, 0])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_interval_equals_naive_delong(decimals, level):
    for seed in range(5):
        labels, scores = _sample(seed, decimals=decimals)
        got = auc_interval(labels, scores, level=level)
        expected = _naive_delong(labels, scores, level)
        np.testing.assert_allclose((got.estimate, got.low, got.high), expected, rtol=1e-12)


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_auc_equals_sklearn(decimals):
    labels, scores = _sample(3, decimals=decimals)
    expected = roc_auc_score(labels, scores)
    assert auc_interval(labels, scores).estimate == pytest.approx(expected, rel=1e-12)


def test_interval_agrees_with_the_bootstrap():
    labels, scores = _sample(11, n=400)
    got = auc_interval(labels, scores)
    rng = np.random.default_rng(0)
    draws = (rng.integers(0, len(labels), len(labels)) for _ in range(1000))
    aucs = [auc_interval(labels[rows], scores[rows]).estimate for rows in draws]
    np.testing.assert_allclose((got.low, got.high), np.percentile(aucs, [2.5, 97.5]), atol=0.01)


def test_float32_scores_and_boolean_labels_are_taken():
    labels, scores = _sample(5)
    from_floats = auc_interval(labels, scores.astype(np.float32).astype(np.float64))
    assert auc_interval(labels == 1, scores.astype(np.float32)) == from_floats


def test_perfect_scores_have_no_width():
    assert auc_interval([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == Interval(1.0, 1.0, 1.0)


def test_interval_is_clipped():
    interval = auc_interval([0, 0, 0, 1, 1], [0.1, 0.2, 0.7, 0.6, 0.9])
    assert interval.high == 1.0
    assert 0 < interval.low < interval.estimate < 1


def test_single_positive_leaves_the_interval_open():
    assert auc_interval([0, 0, 1], [0.1, 0.9, 0.5]) == Interval(0.5, 0.0, 1.0)


def test_auc_within_groups():
    labels, scores = _sample(2, n=200)
    groups = np.where(np.arange(200) % 3 == 0, "telegram", "call-center")
    within = auc_within(labels, scores, groups)
    assert list(within) == ["call-center", "telegram"]
    for name, group in within.items():
        inside = groups == name
        assert (group.group, group.n) == (name, inside.sum())
        assert group.positives == labels[inside].sum()
        assert group.auc == auc_interval(labels[inside], scores[inside])


def test_group_of_one_class_has_no_auc():
    within = auc_within([0, 1, 1, 1], [0.1, 0.4, 0.3, 0.2], ["a", "a", "b", "b"])
    assert within["a"].auc is not None
    assert (within["b"].n, within["b"].positives, within["b"].auc) == (2, 2, None)


def test_groups_must_match_recordings():
    with pytest.raises(DataError, match=r"\(1,\)"):
        auc_within([0, 1], [0.1, 0.9], ["a"])


@pytest.mark.parametrize("decimals", [None, 1])
def test_youden_threshold_reaches_the_best_index_of_the_roc_curve(decimals):
    for seed in range(10):
        labels, scores = _sample(seed, decimals=decimals)
        false_rate, true_rate, _ = roc_curve(labels, scores, drop_intermediate=False)
        point = decide(labels, scores, threshold=youden_threshold(labels, scores))
        index = point.sensitivity + point.specificity - 1
        assert index == pytest.approx((true_rate - false_rate).max(), abs=1e-12)


def test_youden_tie_goes_to_the_highest_sensitivity():
    # At 0.3: sensitivity 1, specificity 1/2. At 0.9: sensitivity 1/2, specificity 1.
    assert youden_threshold([0, 0, 1, 1], [0.1, 0.5, 0.3, 0.9]) == 0.3


@pytest.mark.parametrize("decimals", [None, 1, 0])
@pytest.mark.parametrize("sensitivity", [0.05, 0.5, 0.7, 0.9, 1.0])
def test_threshold_for_a_sensitivity_is_the_best_point_of_the_roc_curve(decimals, sensitivity):
    for seed in range(5):
        labels, scores = _sample(seed, decimals=decimals)
        false_rate, true_rate, thresholds = roc_curve(labels, scores, drop_intermediate=False)
        first = np.argmax(true_rate >= sensitivity)
        threshold = threshold_for_sensitivity(labels, scores, sensitivity=sensitivity)
        assert threshold == thresholds[first]
        point = decide(labels, scores, threshold=threshold)
        assert point.sensitivity == pytest.approx(true_rate[first])
        assert point.specificity == pytest.approx(1 - false_rate[first])


def test_a_sensitivity_that_is_a_whole_number_of_recordings_is_reached_exactly():
    # 0.07 * 100 is a little more than 7 in floating point.
    labels, scores = np.repeat([1, 0], [100, 10]), np.arange(110)
    threshold = threshold_for_sensitivity(labels, scores, sensitivity=0.07)
    assert decide(labels, scores, threshold=threshold).sensitivity == 0.07


@pytest.mark.parametrize("sensitivity", [0, 1.01, -0.5, np.nan])
def test_an_impossible_sensitivity_is_refused(sensitivity):
    with pytest.raises(DataError, match="out of range: use 0 to 1"):
        threshold_for_sensitivity([0, 1], [0.1, 0.9], sensitivity=sensitivity)


def test_ties_are_counted():
    assert ties([0.1, 0.5, 0.5, 0.9, 0.9, 0.9]) == Ties(recordings=6, distinct=3, tied=5)
    assert ties([0.1, 0.2]) == Ties(recordings=2, distinct=2, tied=0)
    assert ties([]) == Ties(0, 0, 0)


def test_eight_bits_tie_scores():
    scores = np.random.default_rng(0).random(1000)
    found = ties(np.round(scores * 256) / 256)
    assert found.distinct <= 257
    assert found.tied > 900


@pytest.mark.parametrize("threshold", [-9.0, 0.0, 0.7, 9.0])
def test_decision_equals_sklearn(threshold):
    labels, scores = _sample(4, decimals=1)
    called = scores >= threshold
    point = decide(labels, scores, threshold=threshold)
    assert point.threshold == threshold
    assert point.sensitivity == pytest.approx(recall_score(labels, called))
    assert point.specificity == pytest.approx(recall_score(labels, called, pos_label=0))
    assert point.uar == pytest.approx(balanced_accuracy_score(labels, called))


def test_a_score_at_the_threshold_is_positive():
    point = decide([0, 1], [0.4, 0.5], threshold=0.5)
    assert (point.sensitivity, point.specificity) == (1.0, 1.0)


@pytest.mark.parametrize("measure", [auc_interval, youden_threshold])
@pytest.mark.parametrize(
    ("labels", "scores", "reason"),
    [
        ([], [], "at least one"),
        ([0, 1], [0.5], "one score"),
        ([1, 1], [0.1, 0.2], "both classes"),
        ([0, 0], [0.1, 0.2], "both classes"),
        ([0, 1], [0.1, np.nan], "not finite"),
        ([0, 1], [0.1, np.inf], "not finite"),
        ([0, 2], [0.1, 0.2], "0 and 1 only"),
    ],
)
def test_unusable_input_is_refused(measure, labels, scores, reason):
    with pytest.raises(DataError, match=reason):
        measure(labels, scores)
