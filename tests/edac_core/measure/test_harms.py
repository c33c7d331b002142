import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from edac_core.errors import DataError
from edac_core.measure.harms import UNKNOWN, harms_by_group
from edac_core.measure.significance import adjust_holm, delong_difference, mcnemar

N = 240


@pytest.fixture(scope="module")
def tested():
    """A variant that lost what it knew of one source, and of no other group."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, N)
    source = np.repeat(["bot", "phone", "studio"], N // 3)
    baseline = labels + rng.normal(scale=0.6, size=N)
    lost = np.where(source == "phone", labels, 0)
    variant = baseline - lost + rng.normal(scale=0.05, size=N)
    return {
        "labels": labels,
        "baseline_called": baseline >= 0.5,
        "variant_called": variant >= 0.5,
        "baseline_scores": baseline,
        "variant_scores": variant,
        "groups": {"source": source, "sex": np.tile(["f", "m"], N // 2)},
    }


def test_the_group_for_whom_it_broke_comes_first(tested):
    found = harms_by_group(**tested)
    assert (found[0].grouping, found[0].group) == ("source", "phone")
    assert found[0].auc.high < -0.2
    assert found[0].p_adjusted < 0.001
    assert [one.harm for one in found] == sorted((one.harm for one in found), reverse=True)
    assert {(one.grouping, one.group) for one in found} == {
        ("source", "bot"), ("source", "phone"), ("source", "studio"), ("sex", "f"), ("sex", "m")
    }  # fmt: skip


def test_each_group_has_the_figures_of_its_recordings(tested):
    labels = tested["labels"]
    for one in harms_by_group(**tested, level=0.9):
        inside = tested["groups"][one.grouping] == one.group
        scores = [tested[f"{who}_scores"][inside] for who in ("baseline", "variant")]
        called = [tested[f"{who}_called"][inside] for who in ("baseline", "variant")]
        truth = labels[inside]
        right = [decided == truth for decided in called]
        assert (one.n, one.positives) == (inside.sum(), truth.sum())
        aucs = [roc_auc_score(truth, values) for values in scores]
        assert (one.baseline_auc, one.variant_auc) == pytest.approx(aucs)
        assert one.auc == delong_difference(truth, *scores, level=0.9)
        assert one.to_wrong == (right[0] & ~right[1]).sum()
        assert one.to_right == (~right[0] & right[1]).sum()
        assert one.flip_rate == pytest.approx((called[0] != called[1]).mean())
        assert one.harm == pytest.approx(right[0].mean() - right[1].mean())
        assert one.p_value == mcnemar(truth, *called).p_value
        assert one.remark == ""


def test_p_values_are_adjusted_for_every_group(tested):
    found = harms_by_group(**tested)
    adjusted = adjust_holm([one.p_value for one in found])
    assert [one.p_adjusted for one in found] == adjusted


def test_groups_with_too_few_recordings_say_so(tested):
    few = np.where(np.arange(N) < 4, "rare", "common")
    of_one_class = np.where(tested["labels"] == 1, "ill", "well")
    found = harms_by_group(**{**tested, "groups": {"kind": few, "label": of_one_class}})
    by_name = {one.group: one for one in found}
    assert by_name["common"].auc is not None
    for name in ("rare", "ill", "well"):
        one = by_name[name]
        assert (one.auc, one.baseline_auc, one.variant_auc) == (None, None, None)
        assert one.remark.startswith(
            f"No AUC: {one.positives} positive and {one.n - one.positives}"
        )
        assert one.p_value <= 1


def test_recordings_without_a_group_come_together(tested):
    half = np.where(np.arange(N) < N // 2, "known", None)
    half[0] = np.nan
    found = harms_by_group(**{**tested, "groups": {"device": half}})
    assert {one.group: one.n for one in found} == {"known": N // 2 - 1, UNKNOWN: N // 2 + 1}


def test_nothing_changes_between_a_variant_and_itself(tested):
    same = {f"variant_{what}": tested[f"baseline_{what}"] for what in ("called", "scores")}
    for one in harms_by_group(**{**tested, **same}):
        assert (one.flip_rate, one.harm, one.p_adjusted) == (0, 0, 1)
        assert one.auc.difference == 0


def test_without_groupings_there_are_no_groups(tested):
    assert harms_by_group(**{**tested, "groups": {}}) == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"groups": {"sex": ["f"]}}, "'sex' has 1 values but there are 240 recordings"),
        ({"variant_scores": [0.5]}, r"240 labels but variant_scores has shape \(1,\)"),
        ({"labels": np.full(N, 2)}, "0 and 1 only"),
    ],
)
def test_what_does_not_match_is_refused(tested, changes, reason):
    with pytest.raises(DataError, match=reason):
        harms_by_group(**{**tested, **changes})
