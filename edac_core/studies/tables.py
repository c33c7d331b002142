"""A study as tables: what its variants are worth at a margin, on devices, and over their runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from edac_core.errors import EdacError
from edac_core.measure.noninferiority import non_inferiority
from edac_core.measure.parts import Footprint
from edac_core.studies.compare import difference_bounds, summarise_comparison
from edac_core.studies.select import (
    CONFIGURATION,
    Overlaps,
    beside_baseline,
    is_reference,
    summarise,
)
from edac_core.studies.trust import scored_at

Scores = Callable[[str], pd.DataFrame]

MEANS = [
    *CONFIGURATION, "runs", "splits", "auc", "auc_std", "auc_worst", "auc_half_width",
    "auc_difference", "auc_difference_low", "auc_difference_high", "auc_difference_worst",
    "verdict", "mcnemar_p", "uar", "zip_bytes", "zip_ratio", "raw_bytes", "raw_ratio", "weights",
    "nonzero_weights", "latency_ms", "speedup", "speedup_low", "speedup_high",
]  # fmt: skip


class _Bounds(NamedTuple):
    low: float
    high: float


def with_verdicts(table: pd.DataFrame, *, margin: float) -> pd.DataFrame:
    """Judge the AUC difference of each row by its interval.

    Parameters
    ----------
    table : DataFrame
        With columns ``auc_difference_low`` and ``auc_difference_high``.
    margin : float
        The largest loss of AUC that would still do.

    Returns
    -------
    DataFrame
        With a column ``verdict`` more; it is empty for a baseline.

    Raises
    ------
    DataError
        If the margin is not above 0.
    """
    bounds = zip(table["auc_difference_low"], table["auc_difference_high"], strict=True)
    verdicts = pd.Series(
        [str(non_inferiority(_Bounds(*each), margin=margin)) for each in bounds],
        index=table.index,
        dtype="str",
    )
    return table.assign(verdict=verdicts.mask(is_reference(table), ""))


def with_operating_points(
    table: pd.DataFrame, scores: Scores, *, sensitivity: float
) -> pd.DataFrame:
    """Add what each variant comes to at the threshold that reaches a sensitivity on validation.

    Parameters
    ----------
    table : DataFrame
        Indexed by ``key``, as `edac_core.studies.compare.in_full` returns it.
    scores : callable
        Returns what `Store.scores` does.
    sensitivity : float
        What is to be reached, above 0 and at most 1.

    Returns
    -------
    DataFrame
        With columns ``point_threshold``, ``point_sensitivity`` and ``point_specificity`` more, the
        last two on test recordings.

    Raises
    ------
    DataError
        If the sensitivity is out of range.
    """
    points = [scored_at(scores(key), sensitivity).point for key in table.index]
    return table.assign(
        point_threshold=[point.threshold for point in points],
        point_sensitivity=[point.sensitivity for point in points],
        point_specificity=[point.specificity for point in points],
    )


def with_footprints(table: pd.DataFrame, footprint_of: Callable[[str], Footprint]) -> pd.DataFrame:
    """Add what each variant's file asks of a device, estimated from its graph.

    Parameters
    ----------
    table : DataFrame
        With a column ``sha256``.
    footprint_of : callable
        Returns the footprint of a file by its digest, or raises an `EdacError` if it cannot.

    Returns
    -------
    DataFrame
        With columns ``ram_bytes``, ``macs`` and ``runtimes`` (those that take the whole file)
        more, missing for a file that is not here.
    """
    found = pd.DataFrame(
        [_on_device(digest, footprint_of) for digest in table["sha256"]], index=table.index
    )
    return table.join(found.astype({"ram_bytes": "Int64", "macs": "Int64"}))


def means(
    variants: pd.DataFrame, comparison: pd.DataFrame, *, margin: float, overlaps: Overlaps
) -> pd.DataFrame:
    """Average a study's variants over their runs.

    Parameters
    ----------
    variants, comparison : DataFrame
        As `Store.variants` and `compare_variants` return them.
    margin : float
        The largest loss of AUC that would still do.
    overlaps : mapping of str to tuple of int
        As `overlaps_of` returns it.

    Returns
    -------
    DataFrame
        One row a model, protocol, method, sparsity and precision with the columns `MEANS`:
        ``auc_std`` over the runs, ``auc_worst`` and ``auc_difference_worst`` of the run where each
        is lowest; the interval of the AUC difference is over the splits and allows for what they
        share, where there are several, and DeLong's where there is one.
    """
    summary = summarise(variants, overlaps=overlaps)
    summary = summary.merge(summarise_comparison(comparison, variants), on=CONFIGURATION)
    bounds = difference_bounds(summary)
    summary = summary.assign(
        auc_difference_low=bounds["low"], auc_difference_high=bounds["high"]
    ).merge(_worst(variants), on=CONFIGURATION)
    return with_verdicts(summary, margin=margin)[MEANS]


def overlaps_of(data: Mapping[str, Any], models: Iterable[str]) -> Overlaps:
    """Return how many recordings a split trains and tests on, by network.

    Parameters
    ----------
    data : mapping
        The facts of a study's data set, as `Store.studies` returns them.
    models : iterable of str
        Networks; those whose sets the facts do not tell are left out of what is returned.
    """
    # Studies of before there were several networks have one set of sets.
    sets = {
        model: data.get("networks", {}).get(model, {}).get("sets", data.get("sets", {}))
        for model in models
    }
    return {
        model: (counts["train"], counts["test"])
        for model, counts in sets.items()
        if {"train", "test"} <= counts.keys()
    }


def _worst(variants: pd.DataFrame) -> pd.DataFrame:
    lowest = beside_baseline(variants).groupby([*CONFIGURATION])[["auc", "auc_difference"]].min()
    return lowest.add_suffix("_worst").reset_index()


def _on_device(digest: str, footprint_of: Callable[[str], Footprint]) -> dict[str, Any]:
    try:
        found = footprint_of(digest)
    except EdacError:
        return {"ram_bytes": None, "macs": None, "runtimes": None}
    taking = [runtime.name for runtime in found.runtimes if runtime.takes == "whole"]
    return {"ram_bytes": found.arena_bytes, "macs": found.macs, "runtimes": ", ".join(taking)}
