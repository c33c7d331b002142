"""Does a method beat just a smaller network of equal size? One row a method."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard.choices import Network
from dashboard.theme import METHODS, in_order
from edac_core.studies import BASELINE, SMALLER_NETWORKS
from edac_core.studies.targets import against_smaller_networks

_NOTE = (
    "A smaller network is the same architecture with fewer units, trained from scratch. Each "
    "variant is set against the best one whose zip is no larger, by mean AUC over the runs."
)
_COLUMNS = {
    "method": st.column_config.TextColumn("Method", width=170),
    "variants": st.column_config.NumberColumn("Variants", width=70),
    "better": st.column_config.NumberColumn(
        "Beat it", width=64, help="Variants with a higher mean AUC than that smaller network"
    ),
    "gain": st.column_config.NumberColumn(
        "Best gain", format="%+.3f", width=80, help="Largest difference of mean AUC"
    ),
    "at": st.column_config.TextColumn("Where", width=170),
    "no_rival": st.column_config.NumberColumn(
        "No rival", width=72, help="Variants smaller than every smaller network that was trained"
    ),
}  # fmt: skip


def draw_contest(network: Network) -> None:
    """Draw the table, if the study trained smaller networks."""
    table = contest_table(network.summary)
    if table.empty:
        return
    st.markdown(f"**Does it beat a smaller network?** :small[{_NOTE}]")
    st.dataframe(
        table, hide_index=True, key="contest", column_config=_COLUMNS, placeholder="\N{EN DASH}",
        alt="Each method against a smaller network of equal size",
    )  # fmt: skip


def contest_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Return a row a method that is no smaller network itself; none if there is no such network.

    Parameters
    ----------
    summary : DataFrame
        Rows of one network, as `edac_core.studies.select.summarise` returns them.
    """
    if not summary["method"].isin(SMALLER_NETWORKS).any():
        return pd.DataFrame(columns=list(_COLUMNS))
    compared = summary.join(against_smaller_networks(summary), how="inner")
    methods = in_order(compared["method"], (BASELINE, *METHODS))
    return pd.DataFrame([_row(name, compared[compared["method"] == name]) for name in methods])


def _row(name: str, rows: pd.DataFrame) -> dict[str, object]:
    known = rows.dropna(subset="gain")
    best = None if known.empty else known.nlargest(1, "gain").iloc[0]
    return {
        "method": "not compressed but for its precision" if name == BASELINE else name,
        "variants": len(rows),
        "better": int((known["gain"] > 0).sum()),
        "gain": None if best is None else best["gain"],
        "at": "" if best is None else _where(best),
        "no_rival": len(rows) - len(known),
    }


def _where(row: pd.Series) -> str:
    return f"{row['precision']}, {write.per_cent(row['sparsity'])}, {write.size(row['zip_bytes'])}"
