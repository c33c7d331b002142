import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc, brier_score_loss, confusion_matrix, roc_curve

from edac_core.errors import DataError
from edac_core.measure.curves import calibration, confusion, roc
from edac_core.measure.discrimination import auc_interval, decide


def _sample(seed, *, n=150, decimals=None):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    scores = 1 / (1 + np.exp(-rng.normal(labels * 1.2 - 0.6, 1.0)))
    return labels, scores if decimals is None else scores.round(decimals)


@pytest.mark.parametrize("decimals", [None, 2, 1])
def test_the_roc_curve_is_that_of_sklearn(decimals):
    for seed in range(5):
        labels, scores = _sample(seed, decimals=decimals)
        got = roc(labels, scores)
        expected = roc_curve(labels, scores, drop_intermediate=True)
        for ours, theirs in zip(
            (got.false_positive_rate, got.sensitivity, got.thresholds), expected, strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_the_area_under_the_roc_curve_is_the_auc():
    labels, scores = _sample(7, decimals=1)
    got = roc(labels, scores)
    area = auc(got.false_positive_rate, got.sensitivity)
    assert area == pytest.approx(auc_interval(labels, scores).estimate, rel=1e-12)


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 0.4, 0.5, 2.0])
def test_the_confusion_counts_are_those_of_sklearn(threshold):
    labels, scores = _sample(4, decimals=1)
    got = confusion(labels, scores, threshold=threshold)
    expected = confusion_matrix(labels, scores >= threshold)
    assert [[got.true_negatives, got.false_positives],
            [got.false_negatives, got.true_positives]] == expected.tolist()  # fmt: skip
    point = decide(labels, scores, threshold=threshold)
    assert (got.sensitivity, got.specificity, got.uar) == pytest.approx(
        (point.sensitivity, point.specificity, point.uar)
    )


@pytest.mark.parametrize("decimals", [None, 1])
@pytest.mark.parametrize("bins", [2, 8])
def test_calibration_is_that_of_sklearn(decimals, bins):
    for seed in range(5):
        labels, scores = _sample(seed, decimals=decimals)
        got = calibration(labels, scores, bins=bins)
        shares, means = calibration_curve(labels, scores, n_bins=bins, strategy="quantile")
        np.testing.assert_allclose([one.share for one in got.bins], shares, rtol=1e-12)
        np.testing.assert_allclose([one.mean_score for one in got.bins], means, rtol=1e-12)
        sizes = [one.n for one in got.bins]
        assert sum(sizes) == len(labels)
        error = np.average(np.abs(shares - means), weights=sizes)
        assert got.expected_error == pytest.approx(error, rel=1e-12)
        assert got.brier == pytest.approx(brier_score_loss(labels, scores), rel=1e-12)


def test_a_bins_interval_is_wilsons():
    # Wilson (1927) by hand: 3 of 10 at 95 %.
    (one,) = calibration([1] * 3 + [0] * 7, [0.5] * 10, bins=4).bins
    z, share, n = 1.959963984540054, 0.3, 10
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert (one.low, one.high) == pytest.approx((middle - half, middle + half), rel=1e-9)
    assert (one.positives, one.n, one.mean_score) == (3, 10, 0.5)


def test_scores_that_are_no_probabilities_are_refused():
    with pytest.raises(DataError, match=r"from -0.2 to 0.9"):
        calibration([0, 1], [-0.2, 0.9], bins=2)


@pytest.mark.parametrize("measure", [roc, lambda *a: calibration(*a, bins=2)])
@pytest.mark.parametrize(
    ("labels", "scores", "reason"),
    [
        ([], [], "at least one"),
        ([1, 1], [0.1, 0.2], "both classes"),
        ([0, 1], [0.1, np.nan], "finite"),
    ],
)
def test_unusable_input_is_refused(measure, labels, scores, reason):
    with pytest.raises(DataError, match=reason):
        measure(labels, scores)
