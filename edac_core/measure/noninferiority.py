"""Whether a variant is as good as its baseline, to within a margin that was set beforehand.

That a test finds no difference does not show that there is none. What shows it is an interval of
the difference that lies wholly above the margin.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from scipy.special import ndtri, stdtrit

from edac_core.errors import DataError

_FEWEST_SPLITS = 2


class Verdict(StrEnum):
    """What an interval says about a margin."""

    NOT_WORSE = "not worse by more than the margin"
    WORSE = "worse by more than the margin"
    CANNOT_TELL = "cannot tell with so few recordings"


class Bounded(Protocol):
    """The bounds of a difference of AUC: variant less baseline."""

    @property
    def low(self) -> float:
        """Lower bound."""

    @property
    def high(self) -> float:
        """Upper bound."""


@dataclass(frozen=True)
class Needed:
    """How many recordings of each class it would take: an approximation."""

    positives: int
    negatives: int


@dataclass(frozen=True)
class OverSplits:
    """The mean difference over random splits, with an interval that allows for their overlap."""

    difference: float
    low: float
    high: float
    splits: int


def non_inferiority(difference: Bounded, *, margin: float) -> Verdict:
    """Judge a difference of AUC by its interval.

    With the bounds of a two-sided 95 % interval, "not worse" is the one-sided test at 2.5 % that
    is usual for non-inferiority.

    Parameters
    ----------
    difference
        Variant less baseline: `AucDifference` of `edac_core.measure.significance`,
        `BootstrapDifference` of `edac_core.measure.resampling`, `OverSplits`, or `Paired` of
        `edac_core.studies.select`.
    margin
        The largest loss of AUC that would still do, above 0.

    Returns
    -------
    Verdict
        `CANNOT_TELL` also where bounds are not known.

    Raises
    ------
    DataError
        If the margin is not above 0.

    References
    ----------
    Piaggio et al. (2012), "Reporting of noninferiority and equivalence randomized trials:
    extension of the CONSORT 2010 statement", JAMA 308(24), 2594-2604, figure 1.
    """
    _check_margin(margin)
    if difference.low > -margin:
        return Verdict.NOT_WORSE
    if difference.high < -margin:
        return Verdict.WORSE
    return Verdict.CANNOT_TELL


def recordings_needed(
    standard_error: float,
    *,
    positives: int,
    negatives: int,
    margin: float,
    level: float = 0.95,
    power: float = 0.8,
) -> Needed | None:
    """Estimate how large a test set would settle a margin.

    It is an approximation: for a variant that is truly as good as its baseline, with classes in
    the proportion that they have now, and a standard error that falls with the square root of the
    number of recordings.

    Parameters
    ----------
    standard_error
        Of the difference of AUC on the test set that there is, as `AucDifference` has it.
    positives, negatives
        How many recordings that test set has.
    margin
        The largest loss of AUC that would still do, above 0.
    level
        Of the interval that decides.
    power
        Share of such test sets whose interval would lie above the margin.

    Returns
    -------
    Needed or None
        None where the standard error says nothing: it is 0 (the scores rank the recordings
        alike) or not finite (a class has a single recording).

    Raises
    ------
    DataError
        If the margin is not above 0.

    References
    ----------
    Chow, Shao & Wang (2008), "Sample size calculations in clinical research", section 3.2
    (non-inferiority of means).
    """
    _check_margin(margin)
    if standard_error == 0 or not math.isfinite(standard_error):
        return None
    deviates = float(ndtri((1 + level) / 2) + ndtri(power))
    times = (deviates * standard_error / margin) ** 2
    return Needed(math.ceil(times * positives), math.ceil(times * negatives))


def difference_over_splits(
    differences: Sequence[float], *, training: int, test: int, level: float = 0.95
) -> OverSplits:
    """Average differences of AUC over random splits of the same recordings.

    Student's interval takes the splits to be independent, and is too narrow: their training sets
    overlap, and so do their test sets. Nadeau and Bengio's corrected variance, (1/splits +
    test/training) times that of the differences, allows for it. Report which of the two an
    interval is.

    Parameters
    ----------
    differences
        Variant less baseline, one a split; where a split was trained with several seeds, their
        mean. At least 2.
    training, test
        How many recordings a split trains and tests on, before augmentation.
    level
        Confidence level, between 0 and 1.

    Returns
    -------
    OverSplits
        With Student's quantile at one degree of freedom less than there are splits.

    Raises
    ------
    DataError
        If there are fewer than 2 differences.

    References
    ----------
    Nadeau & Bengio (2003), "Inference for the generalization error", Machine Learning 52, 239-281,
    section 3 (corrected resampled t-test).
    """
    splits = len(differences)
    if splits < _FEWEST_SPLITS:
        raise DataError(f"There are {splits} splits: an interval over splits takes 2 or more.")
    mean, variance = float(np.mean(differences)), float(np.var(differences, ddof=1))
    error = math.sqrt((1 / splits + test / training) * variance)
    half = float(stdtrit(splits - 1, (1 + level) / 2)) * error
    return OverSplits(mean, mean - half, mean + half, splits)


def _check_margin(margin: float) -> None:
    if not margin > 0:
        raise DataError(f"The margin is {margin:g}: give a loss of AUC above 0, such as 0.02.")
