import numpy as np
import pytest
from scipy import stats

from edac_core.errors import DataError
from edac_core.measure.resampling import bootstrap_auc_difference
from edac_core.measure.significance import delong_difference


def two_classifiers(seed, *, n=120, decimals=1):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    shared = labels + rng.normal(size=n)
    return labels, *(shared + rng.normal(size=(2, n))).round(decimals)


def difference(labels, first, second):
    """Of the AUCs, from the sums of the positive recordings' ranks."""
    gained = (stats.rankdata(second) - stats.rankdata(first))[labels == 1].sum()
    return gained / (labels == 1).sum() / (labels == 0).sum()


def test_the_interval_of_recordings_is_scipys_percentile_interval():
    labels, first, second = two_classifiers(0)
    found = bootstrap_auc_difference(labels, first, second, draws=4000)
    theirs = stats.bootstrap(
        (labels, first, second), difference, paired=True, vectorized=False, method="percentile",
        n_resamples=1000, rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert found.difference == pytest.approx(difference(labels, first, second))
    np.testing.assert_allclose((found.low, found.high), theirs, atol=0.01)
    assert (found.clusters, found.draws) == (120, 4000)


def test_weighting_pairs_gives_what_ranking_the_drawn_recordings_gives():
    labels, first, second = two_classifiers(3, n=30, decimals=0)
    person = np.arange(30) // 3
    found = bootstrap_auc_difference(
        labels, first, second, participants=person.astype(str), draws=25, seed=4, level=0.5
    )
    times = np.random.default_rng(4).multinomial(10, np.full(10, 0.1), size=25)
    drawn = [np.repeat(np.arange(30), one[person]) for one in times]
    redone = [difference(labels[at], first[at], second[at]) for at in drawn]
    np.testing.assert_allclose((found.low, found.high), np.quantile(redone, [0.25, 0.75]))
    assert (found.clusters, found.draws) == (10, 25)


def test_recordings_that_repeat_a_participant_add_no_certainty():
    labels, first, second = two_classifiers(5, n=80)
    once = bootstrap_auc_difference(labels, first, second)
    four = [np.repeat(values, 4) for values in (labels, first, second)]
    as_people = bootstrap_auc_difference(*four, participants=np.repeat(np.arange(80), 4))
    as_recordings = bootstrap_auc_difference(*four)
    assert (as_people.low, as_people.high) == pytest.approx((once.low, once.high))
    width = as_recordings.high - as_recordings.low
    assert width == pytest.approx((once.high - once.low) / 2, rel=0.1)


def test_recordings_of_unknown_participants_are_drawn_by_themselves():
    labels, first, second = two_classifiers(6, n=8)
    people = ["anna", None, "anna", np.nan, "ben", None, "ben", "anna"]
    found = bootstrap_auc_difference(labels, first, second, participants=people, draws=50)
    assert found.clusters == 5
    nobody = bootstrap_auc_difference(labels, first, second, participants=[None] * 8, draws=50)
    assert nobody == bootstrap_auc_difference(labels, first, second, draws=50)


def test_it_agrees_with_delong_where_recordings_are_independent():
    labels, first, second = two_classifiers(7, n=400, decimals=3)
    found = bootstrap_auc_difference(labels, first, second)
    delong = delong_difference(labels, first, second)
    np.testing.assert_allclose((found.low, found.high), (delong.low, delong.high), atol=0.01)


def test_seeds_decide_the_draws():
    sample = two_classifiers(8)
    one, again, other = (bootstrap_auc_difference(*sample, seed=seed) for seed in (1, 1, 2))
    assert one == again != other


def test_draws_of_one_class_are_left_out():
    found = bootstrap_auc_difference([0, 1, 1], [1, 2, 3], [3, 2, 1], draws=500)
    # 1 - (1/3)^3 - (2/3)^3 = 2/3 of draws have both classes.
    assert found.draws == pytest.approx(333, abs=50)
    assert (found.difference, found.low, found.high) == (-1, -1, -1)


def test_draws_that_never_have_both_classes_are_refused():
    # With this seed one of the two is drawn twice.
    with pytest.raises(DataError, match="None of 1 draws has recordings of both classes"):
        bootstrap_auc_difference([0, 1], [1, 2], [2, 1], draws=1, seed=3)


def test_participants_must_match_recordings():
    with pytest.raises(DataError, match=r"\(1,\) but there are 2 recordings"):
        bootstrap_auc_difference([0, 1], [1, 2], [2, 1], participants=["anna"])
