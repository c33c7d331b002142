"""Whether a variant can be trusted in its baseline's place: computed from stored scores alone."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from edac_core.datasets.recordings import TRAITS
from edac_core.measure.discrimination import (
    Decision,
    Ties,
    calibration_error,
    decide,
    threshold_for_sensitivity,
    ties,
)
from edac_core.measure.harms import GroupHarm, harms_by_group
from edac_core.measure.noninferiority import (
    Needed,
    Verdict,
    non_inferiority,
    recordings_needed,
)
from edac_core.measure.resampling import BootstrapDifference, bootstrap_auc_difference
from edac_core.measure.significance import AucDifference, delong_difference

MARGIN = 0.02
"""The loss of AUC that is usually asked about."""

SENSITIVITY = 0.9
"""The sensitivity that is usually asked for."""

CALIBRATION_BINS = 10
_SOURCE = "source"


@dataclass(frozen=True)
class Scored:
    """What the scores of one file are worth as probabilities, and at a target sensitivity.

    `point` has the threshold that reached the sensitivity on validation recordings, and what it
    comes to on test recordings.
    """

    ties: Ties
    calibration_error: float
    point: Decision


@dataclass(frozen=True)
class Trust:
    """A variant beside its run's float32 baseline on the same test recordings.

    Parameters
    ----------
    difference
        Of AUC, with DeLong's interval, which takes recordings to be independent.
    resampled
        The same, with an interval by drawing participants (recordings, where they are unknown).
    by_participant
        Whether participants are known.
    verdict
        Whether the variant is worse by more than the margin, by `resampled` where participants
        are known and by `difference` elsewhere.
    needed
        How large a test set would settle the margin; None if none would.
    variant, baseline
        Their scores.
    """

    difference: AucDifference
    resampled: BootstrapDifference
    by_participant: bool
    verdict: Verdict
    needed: Needed | None
    variant: Scored
    baseline: Scored


def trust(
    variant: pd.DataFrame,
    baseline: pd.DataFrame,
    *,
    margin: float = MARGIN,
    sensitivity: float = SENSITIVITY,
) -> Trust:
    """Compare a variant with its baseline.

    Parameters
    ----------
    variant, baseline : DataFrame
        Their scores, as `Store.scores` returns them.
    margin : float
        The largest loss of AUC that would still do.
    sensitivity : float
        What an operating point is to reach.

    Raises
    ------
    DataError
        If margin or sensitivity are out of range, or a set has recordings of one class only.
    """
    test, other = _test(variant), _test(baseline)
    labels, known = test["label"].to_numpy(), bool(test["participant"].notna().any())
    difference = delong_difference(labels, other["score"], test["score"])
    # Augmented copies of a recording are drawn together with it.
    drawn = test["participant"].fillna(test["recording"])
    resampled = bootstrap_auc_difference(labels, other["score"], test["score"], participants=drawn)
    return Trust(
        difference,
        resampled,
        known,
        non_inferiority(resampled if known else difference, margin=margin),
        recordings_needed(
            difference.standard_error,
            positives=int(labels.sum()),
            negatives=int((labels == 0).sum()),
            margin=margin,
        ),
        scored_at(variant, sensitivity),
        scored_at(baseline, sensitivity),
    )


def who_pays(
    variant: pd.DataFrame, baseline: pd.DataFrame, *, threshold: float, baseline_threshold: float
) -> tuple[GroupHarm, ...]:
    """Compare a variant with its baseline in each group of recordings, largest harm first.

    Parameters
    ----------
    variant, baseline : DataFrame
        Their scores, as `Store.scores` returns them. Groups are recording sources, and what else
        the data set knows: sex, age band, device.
    threshold, baseline_threshold : float
        At and above which each calls a recording positive.
    """
    test, other = _test(variant), _test(baseline)
    traits = [name for name in TRAITS if name in test]
    return harms_by_group(
        test["label"],
        baseline_called=other["score"] >= baseline_threshold,
        variant_called=test["score"] >= threshold,
        baseline_scores=other["score"],
        variant_scores=test["score"],
        groups={_SOURCE: test["group"], **{name.replace("_", " "): test[name] for name in traits}},
    )


def scored_at(scores: pd.DataFrame, sensitivity: float) -> Scored:
    """Say what a file's scores are worth.

    Parameters
    ----------
    scores : DataFrame
        As `Store.scores` returns it.
    sensitivity : float
        What the operating point is to reach on validation recordings.

    Raises
    ------
    DataError
        If the sensitivity is out of range, or a set has recordings of one class only.
    """
    test, validation = _test(scores), scores[scores["set"] == "validation"]
    threshold = threshold_for_sensitivity(
        validation["label"], validation["score"], sensitivity=sensitivity
    )
    return Scored(
        ties(test["score"]),
        calibration_error(test["label"], test["score"], bins=CALIBRATION_BINS),
        decide(test["label"], test["score"], threshold=threshold),
    )


def _test(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["set"] == "test"].reset_index(drop=True)
