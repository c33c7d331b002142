"""Whether two classifiers decide differently, beyond chance, on the same recordings."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from edac_core.errors import DataError

BoolArray = npt.NDArray[np.bool_]


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


def _checked(values: npt.ArrayLike) -> BoolArray:
    raw = np.asarray(values)
    if raw.ndim != 1 or not len(raw):
        raise DataError(
            f"Labels or decisions have shape {raw.shape}: give a list of at least one recording."
        )
    if raw.dtype != bool and not np.isin(raw, (0, 1)).all():
        raise DataError(f"Labels or decisions hold {np.unique(raw)[:5]}: use 0 and 1 only.")
    return raw.astype(bool)
