"""What the variants of a study come to: means over runs, differences within runs, what to choose.

A run is a pair of split seed and training seed. Every comparison with the float32 baseline is
made within a run and only then averaged, so that what runs have in common cancels out. Figures of
two protocols are never averaged, compared or joined by a curve.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit

from edac_core.compress import REFERENCE_PRECISION
from edac_core.measure.noninferiority import difference_over_splits
from edac_core.studies import BASELINE

CONFIGURATION = ["model", "protocol", "method", "sparsity", "precision"]
RUN = ["model", "protocol", "split_seed", "training_seed"]
TESTED_ALIKE = ["protocol", "split", "split_seed", "training_seed"]

_MEANS = ["auc", "auc_half_width", "uar", "raw_bytes", "zip_bytes", "weights", "nonzero_weights",
          "latency_ms", "latency_p95_ms", "raw_ratio", "zip_ratio"]  # fmt: skip
_SPREADS = ["auc", "zip_bytes", "latency_ms"]
_PAIRED = ["auc_difference", "speedup"]

AUC_DROP: Final = "auc_drop"
ZIP_BYTES: Final = "zip_bytes"
RAW_BYTES: Final = "raw_bytes"
LATENCY_MS: Final = "latency_ms"
LIMITED = (AUC_DROP, ZIP_BYTES, RAW_BYTES, LATENCY_MS)
"""What `Limits` can limit, as columns of `over_runs`."""

_STEPS = {AUC_DROP: 0.01, ZIP_BYTES: 1e3, RAW_BYTES: 1e3, LATENCY_MS: 0.1}
_FEWEST_SPLITS = 2
_NO_MORE = 1e-9  # What two ways of adding the same numbers may differ by.


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a variant has to meet; None does not limit.

    `auc_drop` is how far the AUC may lie below the float32 baseline's of the same run, sizes are
    in bytes, latency in milliseconds.
    """

    auc_drop: float | None = None
    zip_bytes: float | None = None
    raw_bytes: float | None = None
    latency_ms: float | None = None

    def given(self) -> dict[str, float]:
        """Return the limits that there are, by column of `over_runs`."""
        every = {name: getattr(self, name) for name in LIMITED}
        return {name: limit for name, limit in every.items() if limit is not None}


@dataclass(frozen=True)
class Miss:
    """A variant that breaks limits: its label, and by how much it is over each of them."""

    label: int
    excess: dict[str, float]


@dataclass(frozen=True)
class Choice:
    """What `smallest_meeting` found.

    Labels are those of the frame it searched. `chosen` meets every limit, None if nothing does;
    `next_smaller` is the variant that comes just before it by size; `nearest` the one that comes
    closest, where nothing meets them. `incomplete` counts the variants left out because they lack
    runs, `unknown` those left out because a limited figure of theirs is not known.
    """

    chosen: int | None
    next_smaller: Miss | None
    nearest: Miss | None
    incomplete: int
    unknown: int


@dataclass(frozen=True)
class Paired:
    """The mean difference of two variants' AUC within runs, with an interval over the splits.

    The interval allows for splits that share recordings; its bounds are NaN for a single split,
    everything is for none.
    """

    difference: float
    low: float
    high: float
    runs: int
    splits: int


def pareto_front(sizes: npt.ArrayLike, aucs: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Mark the variants that no other beats in size or AUC without losing in the other.

    Parameters
    ----------
    sizes : array_like, shape (n,)
        Bytes.
    aucs : array_like, shape (n,)
        Areas under the ROC curve.

    Returns
    -------
    ndarray of bool, shape (n,)
        True on the front. Equal variants are on it together; what is not finite never is.
    """
    size, auc = np.asarray(sizes, dtype=float), np.asarray(aucs, dtype=float)
    known = np.isfinite(size) & np.isfinite(auc)
    levels, level = np.unique(size[known], return_inverse=True)
    best = np.full(len(levels), -np.inf)
    np.maximum.at(best, level, auc[known])
    best_of_smaller = np.concatenate(([-np.inf], np.maximum.accumulate(best)[:-1]))
    front = np.zeros(len(size), dtype=bool)
    front[known] = (auc[known] == best[level]) & (auc[known] > best_of_smaller[level])
    return front


Overlaps = Mapping[str, tuple[int, int]]
"""How many recordings a split trains and tests on, by network."""


def summarise(
    variants: pd.DataFrame, *, level: float = 0.95, overlaps: Overlaps | None = None
) -> pd.DataFrame:
    """Average the variants of a study over its runs, each beside its run's float32 baseline.

    Parameters
    ----------
    variants : DataFrame
        As `Store.variants` returns it.
    level : float
        Confidence level of the intervals of paired differences.
    overlaps : mapping of str to tuple of int, optional
        What decides how far splits share recordings; where it is not known, nor are the corrected
        intervals.

    Returns
    -------
    DataFrame
        One row a model, protocol, method, sparsity and precision, in that order, with columns
        ``runs`` and ``splits``; means ``auc``, ``auc_half_width`` (of DeLong's interval on one
        test set), ``uar``, ``raw_bytes``, ``zip_bytes``, ``weights``, ``nonzero_weights``,
        ``latency_ms``, ``latency_p95_ms``; ``raw_ratio`` and ``zip_ratio``, how many times smaller
        than the baseline; ``auc_difference`` and ``speedup`` (how many times faster) with ``_low``
        and ``_high`` bounds of Student's interval over the runs, NaN for a single run;
        ``corrected_low`` and ``corrected_high``, bounds of the interval of ``auc_difference`` over
        the splits that allows for what these share (see
        `edac_core.measure.noninferiority.difference_over_splits`), NaN for a single split; and
        ``auc_std``, ``zip_bytes_std`` and ``latency_ms_std`` over the runs.
    """
    paired = beside_baseline(variants)
    groups = paired.groupby([*CONFIGURATION])
    summary = groups[_MEANS].mean()
    for name in _SPREADS:
        summary[f"{name}_std"] = groups[name].std()
    for name in _PAIRED:
        summary[name] = groups[name].mean()
        counts = groups[name].count()
        half_width = groups[name].std() / np.sqrt(counts) * _student(counts, level=level)
        summary[f"{name}_low"] = summary[name] - half_width
        summary[f"{name}_high"] = summary[name] + half_width
    summary.insert(0, "runs", groups.size())
    # Groups are told apart by their numbers: that is much faster than by what they are.
    over_splits = _over_splits(paired.assign(group=groups.ngroup()), level, overlaps or {})
    return summary.reset_index().join(over_splits)


def summarise_groups(groups: pd.DataFrame, variants: pd.DataFrame) -> pd.DataFrame:
    """Average the AUC within each group of the test set over the runs.

    Parameters
    ----------
    groups, variants : DataFrame
        As `Store.groups` and `Store.variants` return them.

    Returns
    -------
    DataFrame
        One row a model, protocol, method, sparsity, precision and group: mean ``n``,
        ``positives``, ``auc`` and ``auc_half_width``.
    """
    named = groups.merge(variants[["key", *CONFIGURATION]], left_on="variant", right_on="key")
    named["auc_half_width"] = (named["auc_high"] - named["auc_low"]) / 2
    means = named.groupby([*CONFIGURATION, "group"])
    return means[["n", "positives", "auc", "auc_half_width"]].mean().reset_index()


def curve(
    summary: pd.DataFrame, *, model: str, protocol: str, method: str, precision: str
) -> pd.DataFrame:
    """Return the rows of one method by sparsity, from the baseline (sparsity 0) on."""
    rows = summary[
        (summary["model"] == model)
        & (summary["protocol"] == protocol)
        & (summary["precision"] == precision)
    ]
    own = rows[rows["method"] == method]
    # A method that removes no weights stands where the baseline would.
    starts_itself = (own["sparsity"] == 0).any()
    baseline = rows[(rows["method"] == BASELINE) & (method != BASELINE) & (not starts_itself)]
    return pd.concat([baseline, own]).sort_values("sparsity", ignore_index=True)


def smallest_within(summary: pd.DataFrame, *, loss: float) -> pd.DataFrame:
    """Return the smallest variant whose AUC is at most `loss` below the float32 baseline's.

    The mean paired difference decides, among variants that have as many runs as any has. The
    frame has one row, or none if no variant qualifies.
    """
    complete = summary["runs"] == summary["runs"].max()
    kept: pd.DataFrame = summary[complete & (summary["auc_difference"] >= -loss)]
    return kept.nsmallest(1, "zip_bytes")


def over_runs(variants: pd.DataFrame, *, worst: bool) -> pd.DataFrame:
    """Return what each configuration comes to in its runs, on average or in the worst one.

    Parameters
    ----------
    variants : DataFrame
        As `Store.figures` returns it.
    worst : bool
        Whether each figure is that of the run where it is worst.

    Returns
    -------
    DataFrame
        One row a model, protocol, method, sparsity and precision: ``runs``, ``auc_drop`` (below
        the float32 baseline of the same run), ``zip_bytes``, ``raw_bytes`` and ``latency_ms``;
        NaN where a run's figure is not known.
    """
    paired = beside_baseline(variants)
    figures = paired.assign(auc_drop=-paired["auc_difference"])
    groups = figures.groupby([*CONFIGURATION])[list(LIMITED)]
    found = groups.max() if worst else groups.mean()
    runs = groups.size()
    known = groups.count().eq(runs, axis="index")
    return found.where(known).assign(runs=runs).reset_index()


def smallest_meeting(
    figures: pd.DataFrame, limits: Limits, *, by: Literal["zip_bytes", "raw_bytes"] = "zip_bytes"
) -> Choice:
    """Find the smallest variant within all limits, and what keeps smaller ones out.

    Only variants with as many runs as any has are looked at. Of variants of equal size the one
    that is smaller by the other measure comes first, then the one that loses less AUC. The
    nearest is the one whose largest excess, as a share of its limit, is smallest.

    Parameters
    ----------
    figures : DataFrame
        Rows of one network, as `over_runs` returns them.
    limits : Limits
    by : {"zip_bytes", "raw_bytes"}
        What is to be small.
    """
    given = limits.given()
    complete = figures["runs"] == figures["runs"].max()
    known = figures[list(given)].notna().all(axis=1)
    other = RAW_BYTES if by == ZIP_BYTES else ZIP_BYTES
    ordered = figures[complete & known].sort_values([by, other, AUC_DROP], kind="stable")
    excess = ordered[list(given)] - pd.Series(given, dtype=float)
    fits = (excess <= _NO_MORE).all(axis=1).to_numpy()
    first = int(fits.argmax()) if fits.any() else None
    return Choice(
        chosen=None if first is None else int(ordered.index[first]),
        next_smaller=_miss(excess, first - 1) if first else None,
        nearest=_nearest(excess, given) if first is None and len(ordered) else None,
        incomplete=int((~complete).sum()),
        unknown=int((complete & ~known).sum()),
    )


def paired_difference(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    overlap: tuple[int, int] | None,
    level: float = 0.95,
) -> Paired:
    """Compare the AUC of two configurations within the runs that both have.

    They may be of two networks, where these were tested on the same recordings.

    Parameters
    ----------
    first, second : DataFrame
        Their rows of `Store.variants`, one a run.
    overlap : tuple of int or None
        How many recordings a split trains and tests on; None if that is not known, nor is the
        interval then.
    level : float
        Confidence level of the interval.

    Returns
    -------
    Paired
        Of the second's AUC less the first's.
    """
    both = first.merge(second, on=TESTED_ALIKE, suffixes=("_of_first", ""))
    both["difference"] = both["auc"] - both["auc_of_first"]
    by_split = both.groupby("split_seed")["difference"].mean()
    runs, splits = len(both), len(by_split)
    if splits < _FEWEST_SPLITS or overlap is None:
        return Paired(float(by_split.mean()), math.nan, math.nan, runs, splits)
    training, test = overlap
    found = difference_over_splits(by_split.tolist(), training=training, test=test, level=level)
    return Paired(found.difference, found.low, found.high, runs, splits)


def representatives(summary: pd.DataFrame, *, most: int) -> pd.Series[bool]:
    """Mark the variants that stand for all where there are too many to show.

    The Pareto front is kept whole. Of the rest, the best in AUC of each method, precision and
    step of size is kept: steps are equal on a logarithmic scale, and so many that about `most`
    remain.

    Parameters
    ----------
    summary : DataFrame
        Rows of one network, as `summarise` returns them.
    most : int
        Up to so many, all are kept.
    """
    if len(summary) <= most:
        return pd.Series(data=True, index=summary.index)
    kinds = ["method", "precision"]
    sizes = np.log(summary["zip_bytes"])
    steps = max(most // len(summary[kinds].drop_duplicates()), 1)
    step = ((sizes - sizes.min()) / max(np.ptp(sizes), _NO_MORE) * steps).astype(int)
    best = summary["auc"].groupby([summary[name] for name in kinds] + [step]).idxmax()
    front = pareto_front(summary["zip_bytes"], summary["auc"])
    return pd.Series(front | summary.index.isin(best), index=summary.index)


def is_reference(variants: pd.DataFrame) -> pd.Series[bool]:
    """Mark what all other variants are compared with: unpruned and float32."""
    return (variants["method"] == BASELINE) & (variants["precision"] == REFERENCE_PRECISION)


def beside_baseline(variants: pd.DataFrame) -> pd.DataFrame:
    """Put each variant beside the float32 baseline of its run."""
    baselines = variants.loc[is_reference(variants), [*RUN, "auc", "raw_bytes", "zip_bytes"]]
    paired = variants.merge(baselines, how="left", on=RUN, suffixes=("", "_of_baseline"))
    return paired.assign(
        auc_half_width=(paired["auc_high"] - paired["auc_low"]) / 2,
        auc_difference=paired["auc"] - paired["auc_of_baseline"],
        raw_ratio=paired["raw_bytes_of_baseline"] / paired["raw_bytes"],
        zip_ratio=paired["zip_bytes_of_baseline"] / paired["zip_bytes"],
        speedup=paired["baseline_latency_ms"] / paired["latency_ms"],
    )


def _over_splits(paired: pd.DataFrame, level: float, overlaps: Overlaps) -> pd.DataFrame:
    """Do for every group what `difference_over_splits` does for one."""
    by_split = paired.groupby(["group", "split_seed"])["auc_difference"].mean()
    groups = by_split.groupby("group")
    splits = groups.count()
    models = paired.groupby("group")["model"].first()
    shared = models.map({model: test / training for model, (training, test) in overlaps.items()})
    error = np.sqrt((1 / splits + shared.astype(float)) * groups.var())
    half_width = error * _student(splits, level=level)
    mean = groups.mean()
    return pd.DataFrame(
        {"splits": splits, "corrected_low": mean - half_width, "corrected_high": mean + half_width}
    )


def _miss(excess: pd.DataFrame, at: int) -> Miss:
    over = excess.iloc[at]
    return Miss(int(excess.index[at]), {str(n): float(v) for n, v in over.items() if v > _NO_MORE})


def _nearest(excess: pd.DataFrame, given: dict[str, float]) -> Miss:
    shares = excess / pd.Series({name: max(at, _STEPS[name]) for name, at in given.items()})
    return _miss(excess, int(shares.max(axis=1).to_numpy().argmin()))


def _student(counts: npt.ArrayLike, *, level: float) -> npt.NDArray[np.float64]:
    """Half the width of Student's interval of a mean, in standard errors; NaN for one value."""
    return np.asarray(stdtrit(np.asarray(counts) - 1, (1 + level) / 2))
