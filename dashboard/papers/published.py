"""A published table beside what a study here measured of the same network."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from dashboard.choices import Network
from dashboard.theme import PRECISIONS, in_order
from edac_core.measure.parts import MEBIBYTE
from edac_core.papers import EDAC, SQUEEZE, published_curve
from edac_core.studies.select import curve

UNITS = {EDAC: ("MB", 1e6), SQUEEZE: ("MiB", MEBIBYTE)}
"""What each paper calls an MB, and how many bytes that is."""

_SAME = 1e-9


@dataclass(frozen=True)
class Measured:
    """What is shown of a paper and, where it was measured, of a study.

    `network` is None where no study here has the network.
    """

    model: str
    network: Network | None

    @property
    def key(self) -> tuple[str, ...]:
        """What distinguishes this, as it stands now, from all others."""
        return (self.model, *(self.network.key if self.network else ()))

    def methods(self) -> list[str]:
        """Methods that the paper published of it."""
        return [
            name
            for name in ("polynomial", "constant")
            if (published_curve(self.model, name, "float32")["sparsity"] > 0).any()
        ]

    def precisions(self) -> list[str]:
        """Precisions that the paper published of it."""
        published = [
            name for name in PRECISIONS if len(published_curve(self.model, "polynomial", name))
        ]
        return in_order(published, PRECISIONS)

    def ours(self, *, method: str, precision: str) -> pd.DataFrame:
        """Return the study's rows by sparsity; none if it has not measured the network."""
        if self.network is None:
            return _NOTHING
        return curve(
            self.network.summary,
            model=self.model,
            protocol=self.network.study.protocol,
            method=method,
            precision=precision,
        )


def published_table(measured: Measured, *, method: str) -> pd.DataFrame:
    """Return a published table, each figure beside the one measured here.

    Parameters
    ----------
    measured : Measured
    method : str
        One of its methods: each has a table of its own.

    Returns
    -------
    DataFrame
        One row a sparsity (per cent) and precision. Of each figure there is a column that ends
        with ``_paper`` and one that ends with ``_here``; sizes are in the paper's own unit.
    """
    parts = []
    for precision in measured.precisions():
        published = published_curve(measured.model, method, precision)
        ours = measured.ours(method=method, precision=precision)
        parts.append(_beside(published, ours).assign(precision=precision))
    table = pd.concat(parts, ignore_index=True)
    _, unit = UNITS[table["paper"].iloc[0]]
    for side in ("paper", "here"):
        table[f"zip_{side}"] = table.pop(f"zip_bytes_{side}") / unit
    rank = table["precision"].map(list(PRECISIONS).index)
    table = table.assign(rank=rank, sparsity=100 * table["sparsity"])
    table = table.sort_values(["sparsity", "rank"], ignore_index=True)
    return table[[name for name in _COLUMNS if _has_something(table, name)]]


def _has_something(table: pd.DataFrame, name: str) -> bool:
    """Say whether a column has figures to show, ours only beside the paper's."""
    twin = name.replace("_here", "_paper")
    known = [column for column in (name, twin) if column in table]
    return all(table[column].notna().any() for column in known) and name in table


def draw_published_table(table: pd.DataFrame, *, unit: str, alt: str) -> None:
    """Draw the table; `unit` is that of its sizes."""
    config = {name: column for name, column in _COLUMNS.items() if name in table}
    for side in ("paper", "here"):
        config[f"zip_{side}"] = _number(f"Zip ({unit}), {side}", "%.3f", _ZIP_HELP[unit])
    st.dataframe(
        table, height=320, hide_index=True, key="published", placeholder="\N{EN DASH}",
        column_config={**config}, alt=alt,
    )  # fmt: skip


def _beside(published: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Join two curves by sparsity, which may differ in the last digit."""
    here = ours.assign(level=ours["sparsity"].round(9)).set_index("level")
    here = here[_FIGURES].add_suffix("_here")
    table = published.rename(columns={name: f"{name}_paper" for name in _PAPERS})
    return table.assign(level=table["sparsity"].round(9)).join(here, on="level")


def _number(label: str, pattern: str, help_text: str | None = None) -> ColumnConfig:
    return st.column_config.NumberColumn(label, format=pattern, help=help_text)


_FIGURES = ["runs", "auc", "uar", "zip_bytes", "zip_ratio", "latency_ms", "speedup"]
_PAPERS = ["auc", "uar", "uar_devel", "zip_bytes", "zip_ratio", "latency_ms", "speedup"]
_NOTHING = pd.DataFrame(columns=["sparsity", *_FIGURES], dtype=float)
_ZIP_HELP = {
    "MB": "10⁶ bytes, as EDAC has it",
    "MiB": "2²⁰ bytes (1.05 MB): what Squeeze for Sneeze calls an MB",
}
_COLUMNS: dict[str, ColumnConfig | str] = {
    "sparsity": _number("Sparsity", "%.6g %%"),
    "precision": "Precision",
    "auc_paper": _number("AUC, paper", "%.3f"),
    "auc_here": _number("AUC, here", "%.3f", "Mean over the runs"),
    "uar_paper": _number("UAR, paper", "%.2f", "On URTIC's test set (table 3)"),
    "uar_devel_paper": _number("UAR devel, paper", "%.2f", "On its rebalanced devel set (table 2)"),
    "uar_here": _number("UAR, here", "%.3f", "Mean over the runs"),
    "zip_paper": "Zip, paper",
    "zip_here": "Zip, here",
    "zip_ratio_paper": _number("Smaller, paper", "%.1fx", "Than its unpruned float32 zip"),
    "zip_ratio_here": _number("Smaller, here", "%.1fx", "Than the unpruned float32 zip of a run"),
    "latency_ms_paper": _number("Latency (ms), paper", "%.2f", "Mean, on its authors' machine"),
    "latency_ms_here": _number("Latency (ms), here", "%.2f", "Median, on one thread of ours"),
    "speedup_paper": _number("Faster, paper", "%.2fx", "Than the unpruned float32 network"),
    "speedup_here": _number("Faster, here", "%.2fx", "Than the float32 baseline of a run"),
    "runs_here": _number("Runs here", "%d"),
}
