"""The table of variants, smallest first; the row of the one that is shown is selected."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from dashboard import format as write
from dashboard import frame
from dashboard.choices import Network
from dashboard.format import UNPRUNED
from dashboard.pickers import choose_labelled, shown_variant
from dashboard.tradeoffs.standing import INTERVAL_HELP, Standing, compared, verdict
from edac_core.errors import StoreError
from edac_core.studies import BASELINE
from edac_core.studies.compare import difference_bounds
from edac_core.studies.select import CONFIGURATION, is_reference, pareto_front, representatives

MOST_ROWS, ROWS_OF_MANY = 300, 60
"""Of more variants than the first, the table has about as many as the second, standing for all."""

_KEY = "variants"
_MCNEMAR_HELP = (
    "Does it decide rightly as often as the float32 baseline of its run, on the same test "
    "recordings, each at its own threshold? A small p says no (McNemar's exact test; p values of "
    "runs are combined by Rüger's rule, since runs share recordings). A large one does not show "
    "that they are equal. Of 20 variants as good as the baseline, one may be below 0.05 by chance. "
    "Augmented copies count as recordings of their own."
)


def rows_of_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a network that the table shows: all, or those that stand for all.

    Parameters
    ----------
    summary : DataFrame
        The rows of one network from `edac_core.studies.select.summarise`.
    """
    if len(summary) <= MOST_ROWS:
        return summary
    return summary[representatives(summary, most=ROWS_OF_MANY)]


def variant_table(
    summary: pd.DataFrame, comparison: pd.DataFrame, *, shown: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the rows of a network as they stand in the table, by their labels.

    Parameters
    ----------
    summary : DataFrame
        The rows of one network from `edac_core.studies.select.summarise`.
    comparison : DataFrame
        Their rows of `edac_core.studies.compare.summarise_comparison`; may lack some.
    shown : DataFrame, optional
        The rows that the table has, if not all.
    """
    rows = summary.assign(on_front=pareto_front(summary["zip_bytes"], summary["auc"]))
    rows = rows if shown is None else rows.loc[shown.index]
    rows = rows.join(comparison.set_index(CONFIGURATION), on=CONFIGURATION)
    rows = rows.join(difference_bounds(rows)).sort_values("zip_bytes")
    return pd.DataFrame(
        {
            "precision": rows["precision"],
            "method": rows["method"].replace(BASELINE, UNPRUNED),
            "sparsity": 100 * rows["sparsity"],
            "auc": rows["auc"],
            "difference": rows["auc_difference"],
            "interval": [_interval(*bounds) for bounds in rows[["low", "high"]].to_numpy()],
            "test_set": rows["auc_half_width"],
            "between_runs": rows["auc_std"],
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
            "standing": _standings(rows),
        }
    )


def judged(table: pd.DataFrame, *, margin: float) -> pd.DataFrame:
    """Put in the place of each variant's standing whether its loss of AUC is within a margin."""
    words = [None if one is None else verdict(one, margin=margin) for one in table["standing"]]
    shown = table.drop(columns="standing")
    before = list(shown.columns).index("interval")
    shown.insert(before, "within", pd.Series(words, index=table.index, dtype=object))
    return shown


def draw_variants(network: Network, row: pd.Series, *, margin: float, height: int) -> None:
    """Draw the table of a network's variants; selecting a row chooses it.

    Parameters
    ----------
    network : Network
    row : Series
        Of its summary: the variant that is shown.
    margin : float
        The loss of AUC that each is judged by.
    height : int
        Pixels.
    """
    summary = network.summary
    try:
        table = _with_row(network, _lasting_table(network, network.key), row)
    except StoreError as error:
        frame.draw_problems([str(error)])
        return
    count = "All variants" if len(table) == len(summary) else _share(table, summary)
    st.markdown(f"**{count}, smallest zip first.** :small[Select a row to choose it.]")
    labels = table.index.tolist()
    # The row of what is shown is selected, whichever way it was chosen. Where this differs in form
    # from what the browser sends, Streamlit takes every answer for a new choice.
    selection = {"rows": [labels.index(row.name)], "columns": [], "cells": []}
    st.session_state[_KEY] = {"selection": selection}
    st.dataframe(
        judged(table, margin=margin),
        height=height,
        hide_index=True,
        key=_KEY,
        on_select=functools.partial(_choose_selected, network, labels, shown_variant()),
        selection_mode="single-row-required",
        placeholder="\N{EN DASH}",
        column_config={**_COLUMNS, "within": _within(margin)},
        alt="Variants of this network, smallest zip first",
    )


# Shared by all sessions and never changed.
@st.cache_resource(max_entries=16, show_spinner=False)
def _lasting_table(_network: Network, key: object) -> pd.DataFrame:  # noqa: ARG001 - for the cache
    """Return the rows that the table has whatever is shown."""
    return _table_of(_network, rows_of_table(_network.summary))


def _with_row(network: Network, table: pd.DataFrame, row: pd.Series) -> pd.DataFrame:
    """Return the table with the row of what is shown, which it may have already."""
    if row.name in table.index:
        return table
    shown = network.summary[network.summary.index == row.name]
    return pd.concat([table, _table_of(network, shown)]).sort_values("zip")


def _table_of(network: Network, rows: pd.DataFrame) -> pd.DataFrame:
    return variant_table(network.summary, compared(network, rows), shown=rows)


def _share(table: pd.DataFrame, summary: pd.DataFrame) -> str:
    return f"{len(table)} of {len(summary):,} variants (unbeaten, and the best of each size)"


def _choose_selected(network: Network, labels: Sequence[int], drawn: tuple[str, ...]) -> None:
    """Show the variant whose row the viewer selected.

    A browser that has not heard yet which row the last move of the slider selected sends the one
    before along with the next move. What moved then is not the table.
    """
    if shown_variant() == drawn:
        choose_labelled(network, labels[st.session_state[_KEY]["selection"]["rows"][0]])


def _standings(rows: pd.DataFrame) -> list[Standing | None]:
    """Return how rows stand beside the baseline, which is none of them."""
    figures = ("auc_difference", "low", "high", "splits")
    return [
        None if reference else Standing(*known)
        for reference, *known in zip(
            is_reference(rows), *(rows[name].tolist() for name in figures), strict=True
        )
    ]


def _interval(low: float, high: float) -> str | None:
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    return write.interval(low, high)


def _within(margin: float) -> ColumnConfig:
    return st.column_config.TextColumn(
        f"Within {margin:g}?",
        help=f"Is it shown to lose no more than {margin:g} AUC? Yes: the whole interval says so. "
        "No: the whole interval says that it loses more. Unsettled: it could be either.",
    )


def _number(label: str, pattern: str, help_text: str | None = None) -> ColumnConfig:
    return st.column_config.NumberColumn(label, format=pattern, help=help_text)


_COLUMNS: dict[str, ColumnConfig | str] = {
    "precision": "Precision",
    "method": "Method",
    "sparsity": _number("Sparsity", "%.6g %%"),
    "auc": _number("AUC", "%.3f", "Mean over runs"),
    "test_set": _number("± test", "%.3f", "Half the 95 % interval one test set leaves open"),
    "between_runs": _number("± runs", "%.3f", "Standard deviation over the runs"),
    "difference": _number("Difference", "%+.3f", "From the float32 baseline of the same run"),
    "interval": st.column_config.TextColumn("95 % interval", help=INTERVAL_HELP),
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
