import itertools
import math

import numpy as np
import pytest
from scipy import stats

from edac_core.errors import DataError
from edac_core.measure.discrimination import auc_interval
from edac_core.measure.significance import (
    AucDifference,
    McNemar,
    adjust_holm,
    combine_p_values,
    delong_difference,
    delong_differences,
    mcnemar,
    mcnemar_p,
)


def outcomes(*, only_first, only_second, both=3, neither=2):
    """Labels and two classifiers' decisions with so many recordings of each outcome."""
    right = np.repeat(
        [(1, 1), (1, 0), (0, 1), (0, 0)], [both, only_first, only_second, neither], axis=0
    )
    labels = np.random.default_rng(0).integers(0, 2, len(right))
    first, second = np.where(right.T, labels, 1 - labels)
    return labels, first, second


def enumerated(only_first, only_second):
    """The p value by tossing a coin for every discordant recording in every possible way."""
    seen = abs(only_first - only_second)
    tosses = list(itertools.product((0, 1), repeat=only_first + only_second))
    as_far = [toss for toss in tosses if abs(2 * sum(toss) - len(toss)) >= seen]
    return len(as_far) / len(tosses)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (0, 6), (5, 5), (1, 8), (7, 4), (2, 11)])
def test_p_is_the_share_of_coin_tosses_as_far_from_even(b, c):
    test = mcnemar(*outcomes(only_first=b, only_second=c))
    assert (test.only_first_right, test.only_second_right) == (b, c)
    assert test.p_value == pytest.approx(enumerated(b, c), rel=1e-12)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        (0, 5, 2 / 32),
        (1, 9, 2 * (1 + 10) / 1024),
        (2, 10, 2 * (1 + 12 + 66) / 4096),
        (4, 4, 1.0),
        (0, 0, 1.0),
    ],
)
def test_p_as_computed_by_hand(b, c, p):
    assert mcnemar(*outcomes(only_first=b, only_second=c)).p_value == pytest.approx(p, rel=1e-12)


def test_p_of_many_is_twice_the_binomial_tail():
    test = mcnemar(*outcomes(only_first=59, only_second=6, both=500))
    tail = sum(math.comb(65, k) for k in range(7)) / 2**65
    assert test.p_value == pytest.approx(2 * tail, rel=1e-9)
    assert test.p_value == pytest.approx(2 * stats.binom.cdf(6, 65, 0.5), rel=1e-9)


def test_many_pairs_of_counts_have_the_p_values_of_the_binomial_test():
    firsts, seconds = np.meshgrid(np.arange(0, 40, 3), np.arange(0, 150, 7))
    expected = [
        stats.binomtest(int(one), int(one + other)).pvalue if one + other else 1.0
        for one, other in zip(firsts.ravel(), seconds.ravel(), strict=True)
    ]
    found = mcnemar_p(firsts.ravel(), seconds.ravel())
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_swapping_the_classifiers_swaps_the_counts_and_keeps_p():
    labels, first, second = outcomes(only_first=3, only_second=9)
    there, back = mcnemar(labels, first, second), mcnemar(labels, second, first)
    assert back == McNemar(there.only_second_right, there.only_first_right, there.p_value)


def test_only_what_they_disagree_on_counts():
    few = mcnemar(*outcomes(only_first=3, only_second=9, both=0, neither=0))
    many = mcnemar(*outcomes(only_first=3, only_second=9, both=400, neither=100))
    assert few == many


def test_booleans_are_taken():
    labels, first, second = outcomes(only_first=3, only_second=9)
    assert mcnemar(labels == 1, first == 1, second) == mcnemar(labels, first, second)


def test_it_rejects_a_true_null_hypothesis_at_most_as_often_as_it_says():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (400, 80))
    first, second = (np.where(rng.random(labels.shape) < 0.7, labels, 1 - labels) for _ in "ab")
    rows = zip(labels, first, second, strict=True)
    ps = np.array([mcnemar(*row).p_value for row in rows])
    assert 0.005 < (ps <= 0.05).mean() <= 0.05


@pytest.mark.parametrize(
    ("p_values", "combined"),
    [
        ([0.03], 0.03),
        ([0.5, 0.01], 0.02),
        ([0.9, 0.02, 0.1], 0.15),
        ([0.01, 0.02, 0.03, 0.9], 0.04),
        ([0.9, 0.8, 0.95], 1.0),
    ],
)
def test_p_values_combine_to_about_twice_their_median(p_values, combined):
    assert combine_p_values(p_values) == pytest.approx(combined)


@pytest.mark.parametrize("dependence", [0.0, 0.9, 1.0])
@pytest.mark.parametrize("tests", [2, 3, 5])
def test_a_combined_p_is_small_no_more_often_than_it_says(dependence, tests):
    rng = np.random.default_rng(2)
    shared, own = rng.normal(size=(4000, 1)), rng.normal(size=(4000, tests))
    normal = math.sqrt(dependence) * shared + math.sqrt(1 - dependence) * own
    combined = np.array([combine_p_values(row) for row in stats.norm.cdf(normal)])
    for level in (0.01, 0.05, 0.2):
        assert (combined <= level).mean() <= level + 3 * math.sqrt(level / 4000)


@pytest.mark.parametrize(
    ("labels", "first", "second", "reason"),
    [
        ([], [], [], "at least one"),
        ([[0, 1]], [[0, 1]], [[0, 1]], "at least one"),
        ([0, 1], [0, 1], [0], r"\(1,\): give one of each"),
        ([0, 1], [0.4, 1], [0, 1], "0 and 1 only"),
        ([0, 1], [0, 1], [0, np.nan], "0 and 1 only"),
    ],
)
def test_unusable_input_is_refused(labels, first, second, reason):
    with pytest.raises(DataError, match=reason):
        mcnemar(labels, first, second)


def two_classifiers(seed, *, n=150, decimals=None, gain=0.3):
    """Labels and the correlated scores of two classifiers, the second of them better."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    shared = rng.normal(size=n)
    first = labels * 0.8 + shared + rng.normal(size=n)
    second = labels * (0.8 + gain) + shared + rng.normal(size=n)
    rounded = (
        (first, second) if decimals is None else (first.round(decimals), second.round(decimals))
    )
    return labels, *rounded


def delong_1988(labels, first, second, level):
    """DeLong et al. (1988), equations 3 to 7, by comparing every pair of recordings."""
    components = []
    for scores in (first, second):
        positive, negative = scores[labels == 1], scores[labels == 0]
        psi = [[1.0 if x > y else 0.5 if x == y else 0.0 for y in negative] for x in positive]
        components.append((np.mean(psi, axis=1), np.mean(psi, axis=0)))
    m, n = (labels == 1).sum(), (labels == 0).sum()
    s10 = np.cov(np.stack([v10 for v10, _ in components]))
    s01 = np.cov(np.stack([v01 for _, v01 in components]))
    contrast = np.array([-1, 1])
    difference = contrast @ [v10.mean() for v10, _ in components]
    error = np.sqrt(contrast @ (s10 / m + s01 / n) @ contrast)
    half = stats.norm.ppf((1 + level) / 2) * error
    p_value = 2 * stats.norm.sf(abs(difference) / error)
    return difference, difference - half, difference + half, p_value, error


def values_of(found):
    return (found.difference, found.low, found.high, found.p_value, found.standard_error)


@pytest.mark.parametrize("decimals", [None, 1, 0])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_a_difference_of_aucs_is_that_of_delong_1988(decimals, level):
    for seed in range(5):
        labels, first, second = two_classifiers(seed, n=90, decimals=decimals)
        found = delong_difference(labels, first, second, level=level)
        expected = delong_1988(labels, first, second, level)
        np.testing.assert_allclose(values_of(found), expected, rtol=1e-9, atol=1e-12)


def test_a_difference_of_aucs_is_the_second_less_the_first():
    labels, first, second = two_classifiers(1)
    there, back = delong_difference(labels, first, second), delong_difference(labels, second, first)
    aucs = [auc_interval(labels, scores).estimate for scores in (first, second)]
    assert there.difference == pytest.approx(aucs[1] - aucs[0])
    assert (back.difference, back.low, back.high) == pytest.approx(
        (-there.difference, -there.high, -there.low)
    )
    assert back.p_value == pytest.approx(there.p_value)


def test_an_interval_of_a_difference_agrees_with_the_bootstrap():
    labels, first, second = two_classifiers(4, n=400)
    rng = np.random.default_rng(0)
    drawn = (rng.integers(0, 400, 400) for _ in range(1000))
    differences = [
        np.subtract(*(auc_interval(labels[at], scores[at]).estimate for scores in (second, first)))
        for at in drawn
    ]
    found = delong_difference(labels, first, second)
    assert found.standard_error == pytest.approx(np.std(differences), rel=0.1)
    np.testing.assert_allclose(
        (found.low, found.high), np.percentile(differences, [2.5, 97.5]), atol=0.01
    )


def test_delong_rejects_equal_classifiers_about_as_often_as_it_says():
    ps = [delong_difference(*two_classifiers(seed, gain=0)).p_value for seed in range(600)]
    assert 0.03 < np.mean(np.array(ps) <= 0.05) < 0.075


def test_many_variants_have_the_differences_that_each_has_by_itself():
    labels, baseline, _ = two_classifiers(2, decimals=1)
    rng = np.random.default_rng(5)
    variants = [baseline, *(baseline + rng.normal(size=(20, len(labels))))]
    found = delong_differences(labels, baseline, variants)
    alone = [delong_difference(labels, baseline, scores) for scores in variants]
    assert list(found) == alone
    assert found[0] == AucDifference(0.0, 0.0, 0.0, p_value=1.0, standard_error=0.0)
    assert delong_differences(labels, baseline, []) == ()


def test_any_increasing_function_of_the_scores_makes_no_difference():
    labels, first, _ = two_classifiers(3)
    assert delong_difference(labels, first, np.exp(first)).p_value == 1


def test_a_difference_without_variance_is_certain():
    found = delong_difference([0, 0, 1, 1], [4, 3, 2, 1], [1, 2, 3, 4])
    assert values_of(found) == (1, 1, 1, 0, 0)


def test_a_single_positive_leaves_the_interval_of_a_difference_open():
    found = delong_difference([0, 0, 1], [0.1, 0.9, 0.5], [0.1, 0.2, 0.5])
    assert values_of(found) == (0.5, -1, 1, 1, np.inf)


@pytest.mark.parametrize(
    ("labels", "first", "second", "reason"),
    [
        ([], [], [], "at least one"),
        ([1, 1], [0.1, 0.2], [0.1, 0.2], "both classes"),
        ([0, 1], [0.1, 0.2], [0.1], "one label and one score"),
        ([0, 1], [0.1, 0.2], [0.1, np.nan], "not finite"),
    ],
)
def test_scores_that_cannot_be_compared_are_refused(labels, first, second, reason):
    with pytest.raises(DataError, match=reason):
        delong_difference(labels, first, second)


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        # 0.01 * 4, 0.02 * 3, 0.03 * 2 (not below the one before), 0.6 * 1.
        ([0.6, 0.01, 0.03, 0.02], [0.6, 0.04, 0.06, 0.06]),
        ([0.4, 0.5, 0.3], [0.9, 0.9, 0.9]),
        ([0.5, 0.5, 0.5], [1.0, 1.0, 1.0]),
    ],
)
def test_holms_p_values_as_computed_by_hand(p_values, adjusted):
    assert adjust_holm(p_values) == pytest.approx(adjusted)


def test_holm_rejects_what_his_steps_reject():
    rng = np.random.default_rng(6)
    for _ in range(50):
        p_values = rng.random(8) ** 3
        rejected = np.zeros(8, bool)
        for place, at in enumerate(np.argsort(p_values)):
            if p_values[at] > 0.05 / (8 - place):
                break
            rejected[at] = True
        assert ((np.array(adjust_holm(list(p_values))) <= 0.05) == rejected).all()
