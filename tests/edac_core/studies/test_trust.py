import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from edac_core.errors import DataError
from edac_core.measure.noninferiority import Verdict
from edac_core.studies.trust import trust, who_pays


def scores(*, noise, seed=1, n=400, participants=False, copies=False):
    """Scores of a file whose AUC falls with noise, on recordings of two sources."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, n)
    clean = np.clip(0.5 + 0.3 * (label - 0.5) + rng.normal(0, 0.15, n), 0, 1)
    disturbed = np.clip(clean + np.random.default_rng(seed).normal(0, noise, n), 0, 1)
    number = np.arange(n) // (2 if copies else 1)
    return pd.DataFrame({
        "recording": [f"r{at}" for at in number],
        "participant": [f"p{at // 4}" for at in number] if participants else None,
        "label": label,
        "group": np.where(np.arange(n) % 3, "phone", "bot"),
        "sex": np.where(np.arange(n) % 5, "female", None),
        "set": np.where(np.arange(n) < n // 2, "validation", "test"),
        "score": disturbed.astype(np.float32),
    })  # fmt: skip


def test_a_variant_is_compared_on_test_recordings_alone():
    variant, baseline = scores(noise=0.2), scores(noise=0.0)
    found = trust(variant, baseline)
    test, other = (frame[frame["set"] == "test"] for frame in (variant, baseline))
    expected = roc_auc_score(test["label"], test["score"])
    expected -= roc_auc_score(other["label"], other["score"])
    assert found.difference.difference == pytest.approx(expected)
    assert found.resampled.difference == pytest.approx(expected)
    assert found.variant.ties.recordings == 200


@pytest.mark.parametrize(
    ("noise", "margin", "verdict"),
    [
        (0.0, 0.02, Verdict.NOT_WORSE),
        (0.6, 0.02, Verdict.WORSE),
        (0.03, 0.001, Verdict.CANNOT_TELL),
    ],
)
def test_the_verdict_is_about_the_margin(noise, margin, verdict):
    found = trust(scores(noise=noise), scores(noise=0.0), margin=margin)
    assert found.verdict is verdict


def test_participants_are_drawn_together_where_they_are_known():
    one, other = scores(noise=0.1, participants=True), scores(noise=0.0, participants=True)
    found = trust(one, other)
    assert found.by_participant
    assert found.resampled.clusters == 50
    assert not trust(scores(noise=0.1), scores(noise=0.0)).by_participant


def test_copies_are_drawn_with_their_recording():
    found = trust(scores(noise=0.1, copies=True), scores(noise=0.0, copies=True))
    assert found.resampled.clusters == 100


def test_the_operating_point_is_chosen_on_validation():
    variant = scores(noise=0.1)
    point = trust(variant, scores(noise=0.0), sensitivity=0.8).variant.point
    validation, test = (variant[variant["set"] == name] for name in ("validation", "test"))
    positive = validation[validation["label"] == 1]
    assert (positive["score"] >= point.threshold).mean() >= 0.8
    assert (positive["score"] > point.threshold).mean() < 0.8
    assert point.specificity == (test.loc[test["label"] == 0, "score"] < point.threshold).mean()


def test_a_margin_of_nothing_is_refused():
    with pytest.raises(DataError, match="margin is 0"):
        trust(scores(noise=0.1), scores(noise=0.0), margin=0.0)


def test_harm_is_looked_for_by_all_that_is_known():
    harms = who_pays(scores(noise=0.3), scores(noise=0.0), threshold=0.5, baseline_threshold=0.5)
    assert {(harm.grouping, harm.group) for harm in harms} == {
        ("source", "phone"), ("source", "bot"), ("sex", "female"), ("sex", "unknown"),
    }  # fmt: skip
    assert sum(harm.n for harm in harms if harm.grouping == "source") == 200
