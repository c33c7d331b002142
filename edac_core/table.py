"""``edac table``: which figures of a study it shows, and how a terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from edac_core.apart import Workers
from edac_core.dissection import footprint_of
from edac_core.errors import StoreError
from edac_core.measure.parts import Footprint
from edac_core.studies.compare import compare_variants, in_full
from edac_core.studies.store import Store
from edac_core.studies.tables import (
    means,
    overlaps_of,
    with_footprints,
    with_operating_points,
    with_verdicts,
)
from edac_core.verdicts import ModelFile

TABLE_HELP = (
    "Print the variants of a study, a row each. auc stands with half its 95 % interval (DeLong); "
    "diff is the AUC less that of the float32 baseline of the same run, with half its paired 95 % "
    "interval (DeLong); uar is at the variant's own threshold; zip_MiB is the zipped file in units "
    "of 2^20 bytes; zero_% is the share of the weights that are zero; ms is the median latency; "
    "mcnemar_p compares its decisions with those of the unpruned float32 network of the same run. "
    "With --means, a row a configuration over all runs: std is over the runs, worst the lowest AUC "
    "of a run, from and to are the bounds of the 95 % interval of diff, which allows for splits "
    "that share recordings. --csv and --json print all columns: intervals, verdict at the margin, "
    "sensitivity, specificity, thresholds, discordant counts, calibration error, number of "
    "different scores, sizes in bytes and MiB, numbers of weights, latencies, digests."
)

# Heading, column and how a figure is written.
Columns = Sequence[tuple[str, str, str]]

_IDENTIFYING: Columns = (
    ("model", "model", "{}"),
    ("protocol", "protocol", "{}"),
    ("method", "method", "{}"),
    ("sparsity", "sparsity", "{:g}"),
    ("precision", "precision", "{}"),
)
_VARIANTS: Columns = (
    *_IDENTIFYING,
    ("split", "split_seed", "{}"),
    ("seed", "training_seed", "{}"),
    ("auc", "auc", "{:.3f}"),
    ("±", "auc_half_width", "{:.3f}"),
    ("diff", "auc_difference", "{:+.3f}"),
    ("±diff", "difference_half_width", "{:.3f}"),
    ("uar", "uar", "{:.3f}"),
    ("zip_MiB", "zip_mib", "{:.2f}"),
    ("zero_%", "zero_percent", "{:.1f}"),
    ("ms", "latency_ms", "{:.2f}"),
    ("mcnemar_p", "mcnemar_p", "{:.2g}"),
)
_MEANS: Columns = (
    *_IDENTIFYING,
    ("runs", "runs", "{}"),
    ("auc", "auc", "{:.3f}"),
    ("std", "auc_std", "{:.3f}"),
    ("worst", "auc_worst", "{:.3f}"),
    ("diff", "auc_difference", "{:+.3f}"),
    ("from", "auc_difference_low", "{:+.3f}"),
    ("to", "auc_difference_high", "{:+.3f}"),
    ("zip_x", "zip_ratio", "{:.3g}"),
    ("file_x", "raw_ratio", "{:.3g}"),
    ("faster", "speedup", "{:.3g}"),
    ("mcnemar_p", "mcnemar_p", "{:.2g}"),
)
_POINTS: Columns = (
    ("sens@", "point_sensitivity", "{:.3f}"),
    ("spec@", "point_specificity", "{:.3f}"),
)
_DEVICES: Columns = (
    ("RAM_kB", "ram_kb", "{:.1f}"),
    ("MMACs", "megamacs", "{:.2f}"),
    ("runtimes", "runtimes", "{}"),
)
_FOOTPRINT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a table is to say.

    Parameters
    ----------
    margin
        The largest loss of AUC that would still do.
    means
        Whether variants are averaged over runs.
    sensitivity
        What operating points are to reach; none are shown without it.
    devices
        Whether RAM, multiplications and runtimes are estimated from the files.
    """

    margin: float
    means: bool = False
    sensitivity: float | None = None
    devices: bool = False


def table_of(store: Store, study: str, wanted: Wanted) -> pd.DataFrame:
    """Make a study's table with every column.

    Raises
    ------
    StoreError
        If means are asked for together with what single files have.
    DataError
        If margin or sensitivity are out of range.
    """
    variants = store.variants(study)
    comparison = compare_variants(variants, store.scores)
    if wanted.means:
        if wanted.devices or wanted.sensitivity is not None:
            raise StoreError("--means averages over files: leave out --devices and --sensitivity.")
        (facts,) = (row["data"] for _, row in store.studies().iterrows() if row["name"] == study)
        overlaps = overlaps_of(facts, variants["model"].unique())
        return means(variants, comparison, margin=wanted.margin, overlaps=overlaps)
    table = with_verdicts(in_full(variants, comparison), margin=wanted.margin)
    if wanted.sensitivity is not None:
        table = with_operating_points(table, store.scores, sensitivity=wanted.sensitivity)
    return _with_devices(table, store) if wanted.devices else table


def for_terminal(table: pd.DataFrame, wanted: Wanted) -> pd.DataFrame:
    """Choose and write the columns that a terminal has room for."""
    columns = (*_VARIANTS, *_POINTS) if wanted.sensitivity is not None else _VARIANTS
    columns = (*columns, *_DEVICES) if wanted.devices else columns
    shown = table.assign(
        **_half_widths(table), **(_in_thousands(table) if wanted.devices else {})
    )  # fmt: skip
    return pd.DataFrame({
        heading: ["-" if pd.isna(value) else written.format(value) for value in shown[column]]
        for heading, column, written in (_MEANS if wanted.means else columns)
    })  # fmt: skip


def _half_widths(table: pd.DataFrame) -> dict[str, pd.Series]:
    half = {"difference_half_width": "auc_difference", "auc_half_width": "auc"}
    return {
        name: (table[f"{column}_high"] - table[f"{column}_low"]) / 2
        for name, column in half.items()
        if f"{column}_high" in table
    }


def _in_thousands(table: pd.DataFrame) -> dict[str, pd.Series]:
    return {"ram_kb": table["ram_bytes"] / 1e3, "megamacs": table["macs"] / 1e6}


def _with_devices(table: pd.DataFrame, store: Store) -> pd.DataFrame:
    workers = Workers(processes=1)

    def ask(digest: str) -> Footprint:
        file = ModelFile(str(store.folder), store.live, digest)
        subject = f"The model file {digest[:12]}"
        return workers.call(footprint_of, file, seconds=_FOOTPRINT_SECONDS, subject=subject)

    try:
        return with_footprints(table, ask)
    finally:
        workers.close()
