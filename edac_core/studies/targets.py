"""How far variants get past the papers: zip, file and latency at once, losing little AUC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from edac_core.measure.noninferiority import OverSplits, difference_over_splits
from edac_core.studies import SMALLER_NETWORKS
from edac_core.studies.select import RUN, beside_baseline, summarise
from edac_core.studies.store import Store
from edac_core.studies.tables import overlaps_of

AUC_DROP = 0.02
"""The largest mean loss of AUC, within runs, at which a variant counts."""

FEWEST_RUNS = 3
"""Runs without which a mean loss of AUC says little."""


@dataclass(frozen=True)
class Target:
    """How many times smaller and faster than the float32 baseline, and what a paper reached.

    None where the paper says nothing.
    """

    model: str
    zip_ratio: float
    raw_ratio: float
    speedup: float
    published: tuple[float | None, float | None, float | None]


TARGETS = (
    Target("cnn", 600, 400, 25, (105.76, 4.0, 1.37)),
    Target("cnn_lstm", 300, 150, 40, (19.34, 4.0, 1.71)),
    Target("dense_a", 400, 300, 40, (19.6, 4.0, None)),
)


@dataclass(frozen=True)
class Reached:
    """The variant that comes nearest to a target, or meets it.

    Parameters
    ----------
    label
        Of its row in the summary.
    share
        The smallest of its ratios, as a share of what the target asks for: 1 and above meets it.
    difference
        Its mean AUC less the baseline's, with an interval that allows for splits that overlap
        (Nadeau and Bengio 2003).
    """

    label: int
    share: float
    difference: OverSplits


@dataclass(frozen=True)
class Furthest:
    """The variant of all studies that comes nearest to a target, and where it is.

    `row` is its row in the summary of the study.
    """

    store: Store
    study: str
    row: pd.Series
    reached: Reached


def furthest(stores: Iterable[Store], target: Target) -> Furthest | None:
    """Find the variant that comes nearest to a target in all studies that can tell.

    Those are the studies of real recordings by the clean protocol; see `nearest`.
    """
    found = (one for store in stores for one in _nearest_of(store, target))
    return max(found, key=lambda one: one.reached.share, default=None)


def _nearest_of(store: Store, target: Target) -> Iterator[Furthest]:
    for study in store.studies().to_dict("records"):
        overlap = overlaps_of(study["data"], [target.model]).get(target.model)
        clean = study["plan"]["data"].get("protocol") == "clean"
        if overlap is None or not clean or study["data"].get("synthetic"):
            continue
        figures = store.figures(study["name"])
        summary = summarise(figures)
        reached = nearest(summary, figures, target, overlap=overlap)
        if reached is not None:
            yield Furthest(store, study["name"], summary.loc[[reached.label]].iloc[0], reached)


def nearest(
    summary: pd.DataFrame, variants: pd.DataFrame, target: Target, *, overlap: tuple[int, int]
) -> Reached | None:
    """Find the variant that comes nearest to a target without losing more than `AUC_DROP`.

    Parameters
    ----------
    summary : DataFrame
        Of a study, as `edac_core.studies.select.summarise` returns it.
    variants : DataFrame
        As `Store.figures` returns it.
    target : Target
    overlap : tuple of int
        How many recordings a run trains and tests on.

    Returns
    -------
    Reached or None
        None if no variant of the model has enough runs, latencies and AUC.
    """
    rows = summary[
        (summary["model"] == target.model)
        & (summary["runs"] >= FEWEST_RUNS)
        & (summary["auc_difference"] >= -AUC_DROP)
    ]
    shares = np.minimum.reduce([
        rows["zip_ratio"] / target.zip_ratio,
        rows["raw_ratio"] / target.raw_ratio,
        rows["speedup"] / target.speedup,
    ])  # fmt: skip
    if not np.isfinite(shares).any():
        return None
    best = rows.index[int(np.nanargmax(shares))]
    differences = _differences(variants, rows.loc[best])
    training, test = overlap
    return Reached(
        int(best),
        float(np.nanmax(shares)),
        difference_over_splits(differences, training=training, test=test),
    )


def against_smaller_networks(summary: pd.DataFrame) -> pd.DataFrame:
    """Compare each variant with the best smaller network whose zip is no larger.

    Parameters
    ----------
    summary : DataFrame
        Rows of one network, as `edac_core.studies.select.summarise` returns them.

    Returns
    -------
    DataFrame
        By the label of each variant that is no such network itself: ``reference``, the label of
        the one with the highest AUC among those that are no larger (missing if all are larger),
        and ``gain``, the variant's AUC less that one's.
    """
    smaller = summary[summary["method"].isin(SMALLER_NETWORKS)].sort_values("zip_bytes")
    rows = summary[~summary["method"].isin(SMALLER_NETWORKS)]
    best = smaller["auc"].cummax().to_numpy()
    labels = [smaller["auc"].iloc[: n + 1].idxmax() for n in range(len(smaller))]
    at = np.searchsorted(smaller["zip_bytes"], rows["zip_bytes"], side="right") - 1
    known = at >= 0
    reference = pd.Series(pd.NA, index=rows.index, dtype="Int64")
    gain = pd.Series(np.nan, index=rows.index)
    if len(smaller):
        reference[known] = [labels[n] for n in at[known]]
        gain[known] = rows["auc"][known] - best[at[known]]
    return pd.DataFrame({"reference": reference, "gain": gain})


def _differences(variants: pd.DataFrame, row: pd.Series) -> list[float]:
    """Return a configuration's differences of AUC to the baseline, a split's mean each."""
    alike = beside_baseline(variants)
    for name in ("model", "protocol", "method", "sparsity", "precision"):
        alike = alike[alike[name] == row[name]]
    return (
        alike.groupby([name for name in RUN if name != "training_seed"])["auc_difference"]
        .mean()
        .tolist()
    )
