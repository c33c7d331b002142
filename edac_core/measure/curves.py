"""What scores decide at every threshold, and whether they can be read as probabilities."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from edac_core.errors import DataError
from edac_core.measure.discrimination import (
    calibration_error,
    checked_scores,
    count_at_or_above,
    score_bins,
)

_LEVEL = 0.95


@dataclass(frozen=True)
class Roc:
    """A receiver operating characteristic, from (0, 0) to (1, 1).

    All have shape (points,). At `thresholds` and above, a recording is called positive; the first
    is infinite.
    """

    false_positive_rate: npt.NDArray[np.float64]
    sensitivity: npt.NDArray[np.float64]
    thresholds: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Confusion:
    """How many recordings of each class a threshold puts on either side."""

    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int

    @property
    def sensitivity(self) -> float:
        """The share of positive recordings that are called positive."""
        return self.true_positives / (self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float:
        """The share of negative recordings that are called negative."""
        return self.true_negatives / (self.true_negatives + self.false_positives)

    @property
    def uar(self) -> float:
        """The mean of the two: unweighted average recall."""
        return (self.sensitivity + self.specificity) / 2


@dataclass(frozen=True)
class CalibrationBin:
    """Recordings of similar score: the mean score, and how many of them are positive.

    `low` and `high` bound the share of positives (Wilson's 95 % interval).
    """

    mean_score: float
    positives: int
    n: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share of positive recordings."""
        return self.positives / self.n


@dataclass(frozen=True)
class Calibration:
    """Whether scores can be read as probabilities.

    Parameters
    ----------
    bins
        By score.
    expected_error
        Mean distance between score and share of positives over the bins, by their recordings.
    brier
        Mean squared difference between score and label: 0 is perfect, and always saying 0.5
        gives 0.25.
    """

    bins: tuple[CalibrationBin, ...]
    expected_error: float
    brier: float


def roc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Roc:
    """Compute the ROC curve.

    Points that lie on a straight line between others are left out.

    Parameters
    ----------
    labels, scores : array_like, shape (n,)
        As in `edac_core.measure.discrimination.auc_interval`.

    Returns
    -------
    Roc
        By falling threshold.

    Raises
    ------
    DataError
        If the arrays are empty, of different length, not finite, or hold one class only.
    """
    is_positive, checked = checked_scores(labels, scores)
    thresholds = np.unique(checked)[::-1]
    hits = count_at_or_above(thresholds, checked[is_positive])
    alarms = count_at_or_above(thresholds, checked[~is_positive])
    corner = np.ones(len(thresholds), bool)
    corner[1:-1] = (np.diff(hits, 2) != 0) | (np.diff(alarms, 2) != 0)
    return Roc(
        np.append(0, alarms[corner]) / (~is_positive).sum(),
        np.append(0, hits[corner]) / is_positive.sum(),
        np.append(np.inf, thresholds[corner]),
    )


def confusion(labels: npt.ArrayLike, scores: npt.ArrayLike, *, threshold: float) -> Confusion:
    """Count what a threshold decides.

    Parameters
    ----------
    labels, scores : array_like, shape (n,)
        As in `edac_core.measure.discrimination.auc_interval`.
    threshold
        The lowest score that is called positive.

    Returns
    -------
    Confusion
        The four counts.

    Raises
    ------
    DataError
        If the arrays are empty, of different length, not finite, or hold one class only.
    """
    is_positive, checked = checked_scores(labels, scores)
    called = checked >= threshold
    return Confusion(
        true_positives=int((called & is_positive).sum()),
        false_negatives=int((~called & is_positive).sum()),
        false_positives=int((called & ~is_positive).sum()),
        true_negatives=int((~called & ~is_positive).sum()),
    )


def calibration(labels: npt.ArrayLike, scores: npt.ArrayLike, *, bins: int) -> Calibration:
    """Compare scores with how often recordings of such a score are positive.

    Parameters
    ----------
    labels, scores : array_like, shape (n,)
        As in `edac_core.measure.discrimination.auc_interval`, scores between 0 and 1.
    bins
        How many there are at most. Each holds about as many recordings (edges are quantiles of
        the scores); where many scores are equal there are fewer.

    Returns
    -------
    Calibration
        Bins, expected calibration error, Brier score.

    Raises
    ------
    DataError
        If the arrays are empty, of different length, not finite, or hold one class only, or if
        scores are not between 0 and 1.

    References
    ----------
    Brier (1950), "Verification of forecasts expressed in terms of probability", Monthly Weather
    Review 78(1), 1-3. Wilson (1927), "Probable inference, the law of succession, and statistical
    inference", Journal of the American Statistical Association 22(158), 209-212. Naeini, Cooper &
    Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian binning", AAAI.
    """
    is_positive, checked = checked_scores(labels, scores)
    if checked.min() < 0 or checked.max() > 1:
        raise DataError(
            f"Scores go from {checked.min():.3g} to {checked.max():.3g}: give probabilities, which "
            "are between 0 and 1."
        )
    places = score_bins(checked, bins=bins)
    found = tuple(
        _bin(is_positive[places == place], checked[places == place]) for place in np.unique(places)
    )
    error = calibration_error(labels, scores, bins=bins)
    return Calibration(found, error, float(np.mean((checked - is_positive) ** 2)))


def _bin(is_positive: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> CalibrationBin:
    positives, n = int(is_positive.sum()), len(scores)
    interval = binomtest(positives, n).proportion_ci(_LEVEL, method="wilson")
    return CalibrationBin(
        float(scores.mean()), positives, n, float(interval.low), float(interval.high)
    )
