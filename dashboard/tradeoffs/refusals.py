"""The variants that could not be made, and why: a row each, beside those that could."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard import frame
from dashboard.choices import Network
from dashboard.studies import read_refusals
from edac_core.errors import StoreError

_ALIKE = ["method", "sparsity", "precision"]
_COLUMNS = {
    "variant": st.column_config.TextColumn("Variant", width=230),
    "runs": st.column_config.NumberColumn("Runs", width=48),
    "reason": st.column_config.TextColumn("Why there is none"),
}


def draw_refusals(network: Network) -> None:
    """Draw the table, folded, if there is anything in it."""
    try:
        found = read_refusals(network.study, network.model)
    except StoreError as error:
        frame.draw_problems([str(error)])
        return
    if found.empty:
        return
    table = refusal_table(found)
    with st.expander(f"{len(table)} variants could not be made", icon=":material/block:"):
        st.dataframe(
            table, hide_index=True, key="refusals", column_config=_COLUMNS,
            alt="Variants that could not be made, and why",
        )  # fmt: skip


def refusal_table(found: pd.DataFrame) -> pd.DataFrame:
    """Return a row a configuration: in how many runs it could not be made, and why at first.

    Parameters
    ----------
    found : DataFrame
        As `Store.refusals` returns it.
    """
    rows = found.groupby(_ALIKE, as_index=False).agg(
        runs=("reason", "size"), reason=("reason", "first")
    )
    names = [
        f"{precision}, {write.level(method, sparsity)}"
        for method, sparsity, precision in rows[_ALIKE].itertuples(index=False)
    ]
    return rows.assign(variant=names)[list(_COLUMNS)]
