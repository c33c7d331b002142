"""Whether two classifiers differ, beyond chance, on the same recordings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, ndtr, ndtri

from edac_core.errors import DataError
from edac_core.measure.discrimination import checked_scores, placements, standard_error

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AucDifference:
    """The second classifier's AUC less the first's, with its confidence interval.

    `p_value` is two-sided, of the hypothesis that the AUCs are equal.
    """

    difference: float
    low: float
    high: float
    p_value: float
    standard_error: float


@dataclass(frozen=True)
class McNemar:
    """The recordings that only one of two classifiers decides rightly, and what they show."""

    only_first_right: int
    only_second_right: int
    p_value: float


def mcnemar(labels: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> McNemar:
    """Test whether two classifiers are right on the same recordings equally often.

    The exact, two-sided test: of the recordings that only one of the two decides rightly, each is
    the first's with probability 1/2 if there is no difference. Where there are none, p is 1.
    It takes recordings to be independent of each other.

    Parameters
    ----------
    labels : array_like, shape (n,)
        1 for positive, 0 for negative recordings.
    first, second : array_like, shape (n,)
        What each classifier calls the recordings: 1 for positive, 0 for negative.

    Returns
    -------
    McNemar
        The discordant counts and the p value.

    Raises
    ------
    DataError
        If the arrays are empty, of different length, or hold anything but 0 and 1.

    References
    ----------
    McNemar (1947), "Note on the sampling error of the difference between correlated proportions
    or percentages", Psychometrika 12(2), 153-157.
    Squeeze for Sneeze (2020), section 3.4, compares its variants by it.
    """
    truth, one, other = (_checked(values) for values in (labels, first, second))
    if not truth.shape == one.shape == other.shape:
        raise DataError(
            f"Labels have shape {truth.shape} and decisions {one.shape} and {other.shape}: "
            "give one of each for every recording."
        )
    only_first = int(((one == truth) & (other != truth)).sum())
    only_second = int(((one != truth) & (other == truth)).sum())
    return McNemar(only_first, only_second, float(mcnemar_p(only_first, only_second)))


def mcnemar_p(only_first: npt.ArrayLike, only_second: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the p values of `mcnemar` for many pairs of discordant counts at once.

    Parameters
    ----------
    only_first, only_second : array_like of int, shape (n,)
        How many recordings only one of the two classifiers decides rightly.

    Returns
    -------
    ndarray, shape (n,)
    """
    one, other = np.asarray(only_first), np.asarray(only_second)
    # Both tails are alike. scipy.stats' binomtest says the same, but takes a second to import.
    tails = np.asarray(bdtr(np.minimum(one, other), one + other, 0.5), dtype=np.float64)
    return np.minimum(1.0, 2 * tails)


def combine_p_values(p_values: Sequence[float]) -> float:
    """Combine the p values of tests that may depend on each other in any way.

    Runs of a study share recordings, so their tests are not independent. Of n values the k-th
    smallest, k being half of n rounded up, times n / k: about twice the median, and the value
    itself if there is only one.

    Parameters
    ----------
    p_values : sequence of float
        At least one.

    Returns
    -------
    float
        A p value of the hypothesis that there is no difference in any of the tests.

    References
    ----------
    Rüger (1978), "Das maximale Signifikanzniveau des Tests: Lehne H0 ab, wenn k unter n gegebenen
    Tests zur Ablehnung führen", Metrika 25, 171-178.
    """
    middle = math.ceil(len(p_values) / 2)
    return min(1.0, sorted(p_values)[middle - 1] * len(p_values) / middle)


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for having made so many tests, by Holm's method.

    However the tests depend on each other, the chance that any true hypothesis is rejected where
    the adjusted value is at most alpha is at most alpha.

    Parameters
    ----------
    p_values : sequence of float

    Returns
    -------
    list of float
        In the order given.

    References
    ----------
    Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian Journal
    of Statistics 6(2), 65-70.
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    return [float(value) for value in np.minimum(1.0, adjusted)]


def delong_difference(
    labels: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike, *, level: float = 0.95
) -> AucDifference:
    """Compare the AUC of two classifiers on the same recordings by DeLong's test.

    The interval is Wald's, clipped to [-1, 1]. That recordings are the same is accounted for;
    they are taken to be independent of each other, so that where participants have several, see
    `edac_core.measure.resampling.bootstrap_auc_difference`. With a single recording of a class the
    variance cannot be estimated: the interval is [-1, 1] and p is 1.

    Parameters
    ----------
    labels : array_like, shape (n,)
        1 for positive, 0 for negative recordings.
    first, second : array_like, shape (n,)
        Each classifier's scores; higher means more likely positive.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    AucDifference
        Of the second's AUC less the first's.

    Raises
    ------
    DataError
        If the arrays are empty, of different length, not finite, or hold one class only.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988), "Comparing the areas under two or more correlated
    receiver operating characteristic curves: a nonparametric approach", Biometrics 44(3), 837-845.
    """
    return delong_differences(labels, first, [second], level=level)[0]


def delong_differences(
    labels: npt.ArrayLike,
    baseline: npt.ArrayLike,
    variants: Sequence[npt.ArrayLike],
    *,
    level: float = 0.95,
) -> tuple[AucDifference, ...]:
    """Do what `delong_difference` does for many variants of one baseline.

    Parameters
    ----------
    labels, baseline : array_like, shape (n,)
        As in `delong_difference`.
    variants : sequence of array_like, shape (n,)
        The scores of each.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    tuple of AucDifference
        Of each variant's AUC less the baseline's, in the order given.

    Raises
    ------
    DataError
        If any of the arrays are as `delong_difference` refuses them.
    """
    if not len(variants):
        return ()
    is_positive, of_baseline = checked_scores(labels, baseline)
    above_first, below_first = placements(is_positive, of_baseline)
    pairs = [placements(*checked_scores(labels, scores)) for scores in variants]
    above = np.stack([one for one, _ in pairs]) - above_first
    below = np.stack([other for _, other in pairs]) - below_first
    return _wald(above.mean(axis=1), standard_error(above, below), level=level)


def _wald(
    differences: FloatArray, errors: FloatArray, *, level: float
) -> tuple[AucDifference, ...]:
    half = ndtri((1 + level) / 2) * errors
    # Where nothing varies, a difference of nothing is no evidence and any other is conclusive.
    certain = np.where(differences == 0, 0.0, np.inf)
    ratios = np.divide(np.abs(differences), errors, out=certain, where=errors > 0)
    columns = (
        differences,
        np.maximum(-1.0, differences - half),
        np.minimum(1.0, differences + half),
        2 * ndtr(-ratios),
        errors,
    )
    return tuple(AucDifference(*map(float, row)) for row in zip(*columns, strict=True))


def _checked(values: npt.ArrayLike) -> BoolArray:
    raw = np.asarray(values)
    if raw.ndim != 1 or not len(raw):
        raise DataError(
            f"Labels or decisions have shape {raw.shape}: give a list of at least one recording."
        )
    if raw.dtype != bool and not np.isin(raw, (0, 1)).all():
        raise DataError(f"Labels or decisions hold {np.unique(raw)[:5]}: use 0 and 1 only.")
    return raw.astype(bool)
