"""What the variants of a study come to: means over runs, differences within runs, what to choose.

A run is a pair of split seed and training seed. Every comparison with the float32 baseline is
made within a run and only then averaged, so that what runs have in common cancels out. Figures of
two protocols are never averaged, compared or joined by a curve.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student_t

from edac_core.compress import REFERENCE_PRECISION
from edac_core.studies.jobs import BASELINE

CONFIGURATION = ["model", "protocol", "schedule", "sparsity", "precision"]
RUN = ["model", "protocol", "split_seed", "training_seed"]

_MEANS = ["auc", "auc_half_width", "uar", "raw_bytes", "zip_bytes", "weights", "nonzero_weights",
          "latency_ms", "latency_p95_ms", "raw_ratio", "zip_ratio"]  # fmt: skip
_SPREADS = ["auc", "zip_bytes", "latency_ms"]
_PAIRED = ["auc_difference", "speedup"]


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


def summarise(variants: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """Average the variants of a study over its runs, each beside its run's float32 baseline.

    Parameters
    ----------
    variants : DataFrame
        As `Store.variants` returns it.
    level : float
        Confidence level of the intervals of paired differences.

    Returns
    -------
    DataFrame
        One row a model, protocol, schedule, sparsity and precision, in that order, with columns
        ``runs``; means ``auc``, ``auc_half_width`` (of DeLong's interval on one test set),
        ``uar``, ``raw_bytes``, ``zip_bytes``, ``weights``, ``nonzero_weights``, ``latency_ms``,
        ``latency_p95_ms``; ``raw_ratio`` and ``zip_ratio``, how many times smaller than the
        baseline; ``auc_difference`` and ``speedup`` (how many times faster) with ``_low`` and
        ``_high`` bounds of Student's interval over the runs, NaN for a single run; and
        ``auc_std``, ``zip_bytes_std`` and ``latency_ms_std`` over the runs.
    """
    groups = _compared(variants).groupby([*CONFIGURATION])
    summary = groups[_MEANS].mean()
    for name in _SPREADS:
        summary[f"{name}_std"] = groups[name].std()
    for name in _PAIRED:
        summary[name] = groups[name].mean()
        half_width = _half_width(groups[name].std(), groups[name].count(), level=level)
        summary[f"{name}_low"] = summary[name] - half_width
        summary[f"{name}_high"] = summary[name] + half_width
    summary.insert(0, "runs", groups.size())
    return summary.reset_index()


def summarise_groups(groups: pd.DataFrame, variants: pd.DataFrame) -> pd.DataFrame:
    """Average the AUC within each group of the test set over the runs.

    Parameters
    ----------
    groups, variants : DataFrame
        As `Store.groups` and `Store.variants` return them.

    Returns
    -------
    DataFrame
        One row a model, protocol, schedule, sparsity, precision and group: mean ``n``,
        ``positives``, ``auc`` and ``auc_half_width``.
    """
    named = groups.merge(variants[["key", *CONFIGURATION]], left_on="variant", right_on="key")
    named["auc_half_width"] = (named["auc_high"] - named["auc_low"]) / 2
    means = named.groupby([*CONFIGURATION, "group"])
    return means[["n", "positives", "auc", "auc_half_width"]].mean().reset_index()


def curve(
    summary: pd.DataFrame, *, model: str, protocol: str, schedule: str, precision: str
) -> pd.DataFrame:
    """Return the rows of one schedule by sparsity, from the baseline (sparsity 0) on."""
    rows = summary[
        (summary["model"] == model)
        & (summary["protocol"] == protocol)
        & summary["schedule"].isin([BASELINE, schedule])
        & (summary["precision"] == precision)
    ]
    return rows.sort_values("sparsity", ignore_index=True)


def smallest_within(summary: pd.DataFrame, *, loss: float) -> pd.DataFrame:
    """Return the smallest variant whose AUC is at most `loss` below the float32 baseline's.

    The mean paired difference decides, among variants that have as many runs as any has. The
    frame has one row, or none if no variant qualifies.
    """
    complete = summary["runs"] == summary["runs"].max()
    kept: pd.DataFrame = summary[complete & (summary["auc_difference"] >= -loss)]
    return kept.nsmallest(1, "zip_bytes")


def is_reference(variants: pd.DataFrame) -> pd.Series[bool]:
    """Mark what all other variants are compared with: unpruned and float32."""
    return (variants["schedule"] == BASELINE) & (variants["precision"] == REFERENCE_PRECISION)


def _compared(variants: pd.DataFrame) -> pd.DataFrame:
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


def _half_width(
    deviations: pd.Series[float], counts: pd.Series[int], *, level: float
) -> pd.Series[float]:
    """Half of Student's interval of a mean; NaN for a single value."""
    quantiles = pd.Series(student_t.ppf((1 + level) / 2, counts - 1), index=counts.index)
    return deviations / np.sqrt(counts) * quantiles
