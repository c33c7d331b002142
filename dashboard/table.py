"""The table of variants, smallest first, the chosen one marked."""

from __future__ import annotations

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from dashboard.charts.tradeoff import UNPRUNED
from edac_core.studies import BASELINE
from edac_core.studies.select import CONFIGURATION, pareto_front

_MARK = "●"
_MCNEMAR_HELP = (
    "Does it decide rightly as often as the float32 baseline of its run, on the same test "
    "recordings, each at its own threshold? A small p says no (McNemar's exact test; p values of "
    "runs are combined by Rüger's rule, since runs share recordings). A large one does not show "
    "that they are equal. Of 20 variants as good as the baseline, one may be below 0.05 by chance. "
    "Augmented copies count as recordings of their own."
)


def variant_table(
    summary: pd.DataFrame, comparison: pd.DataFrame, *, chosen: object
) -> pd.DataFrame:
    """Return the rows of a network as they stand in the table.

    Parameters
    ----------
    summary : DataFrame
        The rows of one network from `edac_core.studies.select.summarise`.
    comparison : DataFrame
        Their rows of `edac_core.studies.compare.summarise_comparison`; may lack some.
    chosen
        The label of the row that is marked.
    """
    rows = summary.assign(on_front=pareto_front(summary["zip_bytes"], summary["auc"]))
    rows = rows.join(comparison.set_index(CONFIGURATION), on=CONFIGURATION)
    rows = rows.sort_values("zip_bytes")
    return pd.DataFrame(
        {
            "chosen": [_MARK if label == chosen else "" for label in rows.index],
            "precision": rows["precision"],
            "schedule": rows["schedule"].replace(BASELINE, UNPRUNED),
            "sparsity": 100 * rows["sparsity"],
            "auc": rows["auc"],
            "test_set": rows["auc_half_width"],
            "between_runs": rows["auc_std"],
            "difference": rows["auc_difference"],
            "uar": rows["uar"],
            "mcnemar_p": rows["mcnemar_p"],
            "zeros": 100 * (rows["weights"] - rows["nonzero_weights"]) / rows["weights"],
            "zip": rows["zip_bytes"] / 1e3,
            "zip_ratio": rows["zip_ratio"],
            "file": rows["raw_bytes"] / 1e3,
            "latency": rows["latency_ms"],
            "speedup": rows["speedup"],
            "weights": rows["nonzero_weights"],
            "on_front": rows["on_front"],
        }
    )


def draw_variant_table(table: pd.DataFrame) -> None:
    """Draw the table; its place and scroll stay as the marked row changes."""
    st.dataframe(
        table,
        height=320,
        hide_index=True,
        key="variants",
        placeholder="\N{EN DASH}",
        column_config={**_COLUMNS},
        alt="All variants of this network, smallest zip first",
    )


def _number(label: str, pattern: str, help_text: str | None = None) -> ColumnConfig:
    return st.column_config.NumberColumn(label, format=pattern, help=help_text)


_COLUMNS: dict[str, ColumnConfig | str] = {
    "chosen": st.column_config.TextColumn("Shown", help="The variant shown above", width=60),
    "precision": "Precision",
    "schedule": "Schedule",
    "sparsity": _number("Sparsity", "%.6g %%"),
    "auc": _number("AUC", "%.3f", "Mean over runs"),
    "test_set": _number("± test", "%.3f", "Half the 95 % interval one test set leaves open"),
    "between_runs": _number("± runs", "%.3f", "Standard deviation over the runs"),
    "difference": _number("Difference", "%+.3f", "From the float32 baseline of the same run"),
    "uar": _number(
        "UAR",
        "%.3f",
        "Unweighted average recall: the mean of sensitivity and specificity, at the "
        "threshold that is best on validation",
    ),
    "mcnemar_p": _number("McNemar p", "%.2g", _MCNEMAR_HELP),
    "zeros": _number(
        "Weights set to zero", "%.1f %%", "By pruning, or by rounding: int8 rounds small ones to 0"
    ),
    "zip": _number("Zip (kB)", "%,.0f"),
    "zip_ratio": _number("Smaller", "%.1fx", "Zip of the float32 baseline over this zip"),
    "file": _number("File (kB)", "%,.0f"),
    "latency": _number("Latency (ms)", "%.2f"),
    "speedup": _number("Faster", "%.1fx", "Latency of the float32 baseline over this one"),
    "weights": _number("Weights left", "%,.0f"),
    "on_front": st.column_config.CheckboxColumn(
        "Unbeaten", help="No smaller variant has as high an AUC"
    ),
}
