"""The papers' curves, to stand beside ours."""

from __future__ import annotations

from importlib import resources

import pandas as pd
import streamlit as st

from dashboard.theme import model_title


@st.cache_data(max_entries=64, show_spinner=False)
def paper_curve(model: str, schedule: str, precision: str) -> pd.DataFrame:
    """Return what EDAC published of a network by sparsity (a fraction); empty if nothing."""
    with resources.files("edac_core.papers").joinpath("edac_tables_3_to_6.csv").open() as file:
        table = pd.read_csv(file)
    rows = table[
        (table["model"] == model_title(model))
        & (table["schedule"] == schedule)
        & (table["precision"] == precision)
    ]
    return rows.assign(sparsity=rows["sparsity_percent"] / 100).sort_values("sparsity")
