import itertools
import math

import numpy as np
import pytest
from scipy import stats

from edac_core.errors import DataError
from edac_core.measure.significance import McNemar, combine_p_values, mcnemar, mcnemar_p


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
