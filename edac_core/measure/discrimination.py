"""How well scores tell positive from negative recordings: AUC, operating points, UAR."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from edac_core.errors import DataError

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class GroupAuc:
    """The AUC within one group of recordings; `auc` is None where one class is missing."""

    group: str
    n: int
    positives: int
    auc: Interval | None


@dataclass(frozen=True)
class Ties:
    """How many different scores recordings have, and how many share theirs with another."""

    recordings: int
    distinct: int
    tied: int


@dataclass(frozen=True)
class Decision:
    """An operating point: a threshold and what it achieves."""

    threshold: float
    sensitivity: float
    specificity: float
    uar: float


def auc_interval(labels: npt.ArrayLike, scores: npt.ArrayLike, *, level: float = 0.95) -> Interval:
    """Area under the ROC curve with DeLong's confidence interval.

    The interval is Wald's, clipped to [0, 1].
    With a single recording of a class its variance cannot be estimated, and the interval
    is [0, 1].

    Parameters
    ----------
    labels : array_like, shape (n,)
        1 for positive, 0 for negative recordings.
    scores : array_like, shape (n,)
        Higher means more likely positive.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    Interval
        AUC, lower and upper bound.

    Raises
    ------
    DataError
        If the arrays are empty, of different length, not finite, or hold one class only.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44(3), 837-845.
    """
    is_positive, checked = checked_scores(labels, scores)
    above, below = placements(is_positive, checked)
    auc = float(above.mean())
    half = float(ndtri((1 + level) / 2)) * float(standard_error(above, below))
    return Interval(auc, max(0.0, auc - half), min(1.0, auc + half))


def auc_within(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    level: float = 0.95,
) -> dict[str, GroupAuc]:
    """AUC within each group of recordings, such as each source.

    A pooled AUC can come from telling the groups apart; one within a group cannot.

    Parameters
    ----------
    labels, scores : array_like, shape (n,)
        As in `auc_interval`.
    groups : array_like, shape (n,)
        The group of each recording.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    dict of str to GroupAuc
        In the order of the groups' names.

    Raises
    ------
    DataError
        If the arrays are empty, of different length or not finite.
    """
    is_positive, checked = _aligned(labels, scores)
    names = np.asarray(groups).astype(str)
    if names.shape != is_positive.shape:
        raise DataError(
            f"Groups have shape {names.shape} but labels {is_positive.shape}: "
            "give one group for each recording."
        )
    return {
        str(name): _group_auc(str(name), is_positive[names == name], checked[names == name], level)
        for name in np.unique(names)
    }


def youden_threshold(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Choose the score at and above which a recording is called positive, by Youden's index.

    Maximises sensitivity + specificity - 1 over the observed scores. Of thresholds that tie,
    the lowest is taken: the one with the highest sensitivity, since a missed case costs more
    than a second test. Choose it on validation recordings, never on the test set.

    Parameters
    ----------
    labels, scores : array_like, shape (n,)
        As in `auc_interval`.

    Returns
    -------
    float
        One of the observed scores.

    Raises
    ------
    DataError
        If the arrays are empty, of different length, not finite, or hold one class only.

    References
    ----------
    Youden (1950), "Index for rating diagnostic tests", Cancer 3(1), 32-35.
    """
    is_positive, checked = checked_scores(labels, scores)
    thresholds = np.unique(checked)
    true_positives = count_at_or_above(thresholds, checked[is_positive])
    false_positives = count_at_or_above(thresholds, checked[~is_positive])
    # Whole numbers, so that equal indices compare equal.
    index = true_positives * (~is_positive).sum() - false_positives * is_positive.sum()
    return float(thresholds[np.argmax(index)])


def threshold_for_sensitivity(
    labels: npt.ArrayLike, scores: npt.ArrayLike, *, sensitivity: float
) -> float:
    """Choose the score at and above which a recording is called positive, by sensitivity.

    Takes the highest observed score that reaches the sensitivity, which has the best specificity
    of those that do. Choose it on validation recordings, never on the test set, where `decide`
    then says what it achieves: on other recordings the sensitivity may be lower.

    Parameters
    ----------
    labels, scores : array_like, shape (n,)
        As in `auc_interval`.
    sensitivity : float
        The least share of positive recordings to call positive; above 0, at most 1.

    Returns
    -------
    float
        One of the observed scores.

    Raises
    ------
    DataError
        If the sensitivity is out of range, or the arrays are empty, of different length, not
        finite, or hold one class only.
    """
    if not 0 < sensitivity <= 1:
        raise DataError(f"The sensitivity {sensitivity:g} is out of range: use 0 to 1, without 0.")
    is_positive, checked = checked_scores(labels, scores)
    thresholds = np.unique(checked)
    reached = count_at_or_above(thresholds, checked[is_positive]) / is_positive.sum()
    return float(thresholds[reached >= sensitivity].max())


def ties(scores: npt.ArrayLike) -> Ties:
    """Count the scores that several recordings share.

    An output in int8 has 256 levels. No threshold tells recordings of one score apart, and in the
    AUC a tie counts half.

    Parameters
    ----------
    scores : array_like, shape (n,)

    Returns
    -------
    Ties
        Of all scores, whatever their labels.
    """
    values = np.asarray(scores)
    _, counts = np.unique(values, return_counts=True)
    return Ties(values.size, len(counts), int(counts[counts > 1].sum()))


def decide(labels: npt.ArrayLike, scores: npt.ArrayLike, *, threshold: float) -> Decision:
    """Sensitivity, specificity and UAR when scores at or above a threshold are positive.

    Parameters
    ----------
    labels, scores : array_like, shape (n,)
        As in `auc_interval`.
    threshold : float
        The lowest score that is called positive.

    Returns
    -------
    Decision
        The operating point; `uar` is the unweighted average of the two recalls.

    Raises
    ------
    DataError
        If the arrays are empty, of different length, not finite, or hold one class only.
    """
    is_positive, checked = checked_scores(labels, scores)
    called_positive = checked >= threshold
    sensitivity = float(called_positive[is_positive].mean())
    specificity = float((~called_positive[~is_positive]).mean())
    return Decision(threshold, sensitivity, specificity, (sensitivity + specificity) / 2)


def calibration_error(labels: npt.ArrayLike, scores: npt.ArrayLike, *, bins: int) -> float:
    """Return how far scores are from being probabilities, on average over bins of them.

    Parameters
    ----------
    labels, scores : array_like, shape (n,)
        As in `auc_interval`, scores between 0 and 1.
    bins : int
        See `score_bins`.

    Returns
    -------
    float
        The expected calibration error: the mean distance between mean score and share of
        positives of the bins, by their recordings.

    Raises
    ------
    DataError
        If the arrays are empty, of different length, not finite, or hold one class only.

    References
    ----------
    Naeini, Cooper & Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI.
    """
    is_positive, checked = checked_scores(labels, scores)
    # In each bin, n |mean score - share of positives| is the distance between the sums.
    distances = np.bincount(score_bins(checked, bins=bins), weights=checked - is_positive)
    return float(np.abs(distances).sum() / len(checked))


def score_bins(scores: FloatArray, *, bins: int) -> npt.NDArray[np.intp]:
    """Divide scores into at most so many bins of about equally many; equal ones stay together.

    Returns
    -------
    ndarray of int, shape (n,)
        The number of each score's bin, from 0 for the lowest; some may be empty.
    """
    edges = np.quantile(scores, np.linspace(0, 1, bins + 1))
    return np.searchsorted(edges[1:-1], scores)


def _group_auc(name: str, is_positive: BoolArray, scores: FloatArray, level: float) -> GroupAuc:
    both_classes = is_positive.any() and not is_positive.all()
    auc = auc_interval(is_positive, scores, level=level) if both_classes else None
    return GroupAuc(name, len(is_positive), int(is_positive.sum()), auc)


def placements(is_positive: BoolArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return DeLong's structural components V10 (m,) and V01 (n,); a tie counts half.

    They are the share of negative recordings that each positive one is scored above, and the
    share of positive recordings that each negative one is scored below. The mean of either is the
    AUC.
    """
    positive, negative = scores[is_positive], scores[~is_positive]
    above = _below(positive, negative) / len(negative)
    below = 1 - _below(negative, positive) / len(positive)
    return above, below


def standard_error(above: FloatArray, below: FloatArray) -> FloatArray:
    """Return DeLong's standard error from structural components along the last axis.

    Of an AUC, or of the difference of two if the components' differences are given. It is
    infinite where a class has a single recording.
    """
    positives, negatives = above.shape[-1], below.shape[-1]
    if min(positives, negatives) == 1:
        return np.full(above.shape[:-1], np.inf)
    variance = above.var(axis=-1, ddof=1) / positives + below.var(axis=-1, ddof=1) / negatives
    return np.asarray(np.sqrt(variance))


def _below(scores: FloatArray, others: FloatArray) -> FloatArray:
    """Count, for each score, the others below it, and half of those equal to it."""
    ordered = np.sort(others)
    lower = np.searchsorted(ordered, scores, side="left")
    return np.asarray((lower + np.searchsorted(ordered, scores, side="right")) / 2)


def count_at_or_above(thresholds: FloatArray, scores: FloatArray) -> npt.NDArray[np.int64]:
    """Count, for each threshold, the scores that reach it."""
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")


def checked_scores(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[BoolArray, FloatArray]:
    """Return which recordings are positive, and their scores, if both classes occur.

    Raises
    ------
    DataError
        If the arrays are empty, of different length, not finite, or hold one class only.
    """
    is_positive, checked = _aligned(labels, scores)
    if is_positive.all() or not is_positive.any():
        raise DataError(
            f"All {len(is_positive)} recordings are labelled {int(is_positive[0])}: "
            "discrimination needs recordings of both classes."
        )
    return is_positive, checked


def _aligned(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[BoolArray, FloatArray]:
    raw_labels, checked = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if raw_labels.ndim != 1 or raw_labels.shape != checked.shape or not len(checked):
        raise DataError(
            f"Labels have shape {raw_labels.shape} and scores {checked.shape}: "
            "give one label and one score for each of at least one recording."
        )
    if not np.isin(raw_labels, (0, 1)).all():
        raise DataError(f"Labels hold {np.unique(raw_labels)[:5]}: use 0 and 1 only.")
    if not np.isfinite(checked).all():
        raise DataError(
            f"{np.sum(~np.isfinite(checked))} of {len(checked)} scores are not finite: "
            "leave out the recordings that have no score."
        )
    return raw_labels.astype(bool), checked
