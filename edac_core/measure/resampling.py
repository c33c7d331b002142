"""How far a difference of two AUCs could lie elsewhere had other people been recorded."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from edac_core.errors import DataError
from edac_core.measure.discrimination import checked_scores

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BootstrapDifference:
    """The second classifier's AUC less the first's, with its bootstrap interval.

    `clusters` is how many participants, or recordings of unknown ones, were drawn from; `draws`
    how many draws had recordings of both classes and were used.
    """

    difference: float
    low: float
    high: float
    clusters: int
    draws: int


def bootstrap_auc_difference(
    labels: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    participants: npt.ArrayLike | None = None,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> BootstrapDifference:
    """Compare the AUC of two classifiers by drawing participants again, with replacement.

    All recordings of a participant are drawn together, since they are not independent of each
    other. A recording whose participant is not known is drawn by itself; where a test set has
    augmented copies, give the recording's name as its participant. Draws without recordings of
    both classes are left out.

    Parameters
    ----------
    labels : array_like, shape (n,)
        1 for positive, 0 for negative recordings.
    first, second : array_like, shape (n,)
        Each classifier's scores; higher means more likely positive.
    participants : array_like, shape (n,), optional
        Who was recorded; None or NaN where it is not known.
    draws : int
        How often to draw as many participants as there are.
    seed : int
        Of the draws.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    BootstrapDifference
        Of the second's AUC less the first's; the interval is the percentile one.

    Raises
    ------
    DataError
        If the arrays are empty, of different length, not finite, or hold one class only, or if
        no draw has both classes.

    References
    ----------
    Efron & Tibshirani (1993), "An introduction to the bootstrap", section 13.3 (percentile
    interval). Field & Welsh (2007), "Bootstrapping clustered data", Journal of the Royal
    Statistical Society B 69(3), 369-390 (drawing whole clusters).
    """
    is_positive, one = checked_scores(labels, first)
    _, other = checked_scores(labels, second)
    cluster = _clusters(participants, n=len(one))
    gained = _wins(is_positive, other) - _wins(is_positive, one)
    found = _drawn(is_positive, gained, cluster, draws=draws, seed=seed)
    if not len(found):
        raise DataError(
            f"None of {draws} draws has recordings of both classes: test on more participants."
        )
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    clusters = int(cluster.max()) + 1
    return BootstrapDifference(float(gained.mean()), float(low), float(high), clusters, len(found))


def _clusters(participants: npt.ArrayLike | None, *, n: int) -> npt.NDArray[np.intp]:
    """Give each recording its participant's number, or one of its own where that is unknown."""
    if participants is None:
        return np.arange(n)
    names = np.asarray(participants, dtype=object)
    if names.shape != (n,):
        raise DataError(
            f"Participants have shape {names.shape} but there are {n} recordings: give one, or "
            "None, for each recording."
        )
    codes, known = pd.factorize(names)
    unknown = codes < 0
    return np.where(unknown, len(known) + np.cumsum(unknown) - 1, codes)


def _wins(is_positive: BoolArray, scores: FloatArray) -> FloatArray:
    """Compare each positive recording with each negative one: 1 if above, 1/2 if equal."""
    positive, negative = scores[is_positive][:, np.newaxis], scores[~is_positive]
    return np.asarray((1 + np.sign(positive - negative)) / 2)


def _drawn(
    is_positive: BoolArray,
    gained: FloatArray,
    cluster: npt.NDArray[np.intp],
    *,
    draws: int,
    seed: int,
) -> FloatArray:
    """Return the difference in each draw, from how often it has each recording.

    Weighting every pair of recordings by how often it is drawn gives what ranking the drawn
    recordings would, ties included, in one product of matrices.
    """
    clusters = int(cluster.max()) + 1
    rng = np.random.default_rng(seed)
    times = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=draws)[:, cluster]
    positive, negative = times[:, is_positive].astype(float), times[:, ~is_positive].astype(float)
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    gains = ((positive @ gained) * negative).sum(axis=1)
    return np.asarray(gains[pairs > 0] / pairs[pairs > 0])
