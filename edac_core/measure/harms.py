"""Who pays for compression: what changed in each group of recordings, largest harm first.

An AUC over all recordings that hardly moves can hide a group for whom the model broke. With many
groups, though, the one that is hit hardest is so partly by chance: see `GroupHarm.p_adjusted`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from edac_core.errors import DataError
from edac_core.measure.discrimination import auc_interval
from edac_core.measure.significance import (
    AucDifference,
    adjust_holm,
    delong_difference,
    mcnemar,
)

UNKNOWN = "unknown"
"""The group of recordings for which a grouping says nothing."""

FEWEST = 10
"""Recordings of either class below which an AUC within a group is not given."""

BoolArray = npt.NDArray[np.bool_]
Columns = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class GroupHarm:
    """What a variant does differently from its baseline in one group of recordings.

    Parameters
    ----------
    grouping, group
        Such as "sex" and "female".
    n, positives
        How many recordings the group has, and how many of them are positive.
    baseline_auc, variant_auc, auc
        The AUCs within the group and their difference with DeLong's interval; None where there
        are too few recordings.
    to_wrong, to_right
        Recordings that only the baseline, and only the variant, decides rightly.
    p_value, p_adjusted
        McNemar's test of whether these are equally many, and the same adjusted by Holm's method
        for all groups that were looked at.
    remark
        What is missing and why; empty if nothing is.
    """

    grouping: str
    group: str
    n: int
    positives: int
    baseline_auc: float | None
    variant_auc: float | None
    auc: AucDifference | None
    to_wrong: int
    to_right: int
    p_value: float
    p_adjusted: float
    remark: str

    @property
    def flip_rate(self) -> float:
        """The share of recordings whose decision changed."""
        return (self.to_wrong + self.to_right) / self.n

    @property
    def harm(self) -> float:
        """The share of recordings decided wrongly in addition; below 0 if there are fewer."""
        return (self.to_wrong - self.to_right) / self.n


def harms_by_group(
    labels: npt.ArrayLike,
    *,
    baseline_called: npt.ArrayLike,
    variant_called: npt.ArrayLike,
    baseline_scores: npt.ArrayLike,
    variant_scores: npt.ArrayLike,
    groups: Mapping[str, npt.ArrayLike],
    fewest: int = FEWEST,
    level: float = 0.95,
) -> tuple[GroupHarm, ...]:
    """Compare a variant with its baseline within each group of recordings.

    Parameters
    ----------
    labels : array_like, shape (n,)
        1 for positive, 0 for negative recordings.
    baseline_called, variant_called : array_like, shape (n,)
        What each calls the recordings at its own threshold: 1 for positive, 0 for negative.
    baseline_scores, variant_scores : array_like, shape (n,)
        Higher means more likely positive.
    groups : mapping of str to array_like, shape (n,)
        For each grouping ("source", "sex"), the group of each recording; those that are None or
        NaN come together as `UNKNOWN`.
    fewest : int
        Recordings of either class that an AUC within a group takes; at least 2.
    level : float
        Confidence level of intervals, between 0 and 1.

    Returns
    -------
    tuple of GroupHarm
        One a grouping and group, by falling `harm`; of equal ones, that which lost most AUC
        comes first.

    Raises
    ------
    DataError
        If the arrays are empty, of different length, or hold what they must not.
    """
    columns = {
        "labels": np.asarray(labels),
        "baseline_called": np.asarray(baseline_called),
        "variant_called": np.asarray(variant_called),
        "baseline_scores": np.asarray(baseline_scores),
        "variant_scores": np.asarray(variant_scores),
    }
    found = [
        _harm(grouping, group, _within(columns, inside), fewest=fewest, level=level)
        for grouping, group, inside in _divisions(groups, n=len(columns["labels"]))
    ]
    adjusted = adjust_holm([harm.p_value for harm in found])
    tested = (replace(harm, p_adjusted=p) for harm, p in zip(found, adjusted, strict=True))
    return tuple(sorted(tested, key=_mildness))


def _divisions(
    groups: Mapping[str, npt.ArrayLike], *, n: int
) -> Iterator[tuple[str, str, BoolArray]]:
    for grouping, values in groups.items():
        given = pd.Series(np.asarray(values, dtype=object))
        if len(given) != n:
            raise DataError(
                f"Grouping {grouping!r} has {len(given)} values but there are {n} recordings: "
                "give one for each."
            )
        names = given.where(given.notna(), UNKNOWN).astype(str)
        for name in sorted(names.unique()):
            yield grouping, name, (names == name).to_numpy()


def _within(columns: Columns, inside: BoolArray) -> Columns:
    if wrong := [name for name, values in columns.items() if values.shape != inside.shape]:
        raise DataError(
            f"There are {len(inside)} labels but {wrong[0]} has shape {columns[wrong[0]].shape}: "
            "give one value for each recording."
        )
    return {name: values[inside] for name, values in columns.items()}


def _harm(grouping: str, group: str, columns: Columns, *, fewest: int, level: float) -> GroupHarm:
    labels = columns["labels"]
    test = mcnemar(labels, columns["baseline_called"], columns["variant_called"])
    positives = int(labels.sum())
    remark = _too_few(positives, len(labels) - positives, fewest=fewest)
    scores = columns["baseline_scores"], columns["variant_scores"]
    aucs = [None if remark else auc_interval(labels, one).estimate for one in scores]
    return GroupHarm(
        grouping=grouping,
        group=group,
        n=len(labels),
        positives=positives,
        baseline_auc=aucs[0],
        variant_auc=aucs[1],
        auc=None if remark else delong_difference(labels, *scores, level=level),
        to_wrong=test.only_first_right,
        to_right=test.only_second_right,
        p_value=test.p_value,
        p_adjusted=test.p_value,
        remark=remark,
    )


def _too_few(positives: int, negatives: int, *, fewest: int) -> str:
    if min(positives, negatives) >= fewest:
        return ""
    return (
        f"No AUC: {positives} positive and {negatives} negative recordings, where it takes "
        f"{fewest} of each."
    )


def _mildness(harm: GroupHarm) -> tuple[float, float]:
    return -harm.harm, 0.0 if harm.auc is None else harm.auc.difference
