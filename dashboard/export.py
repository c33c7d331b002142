"""Handing out what was chosen: the model file of a variant."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard import frame
from dashboard.choices import RUN, Network
from dashboard.studies import Study, read_model
from edac_core.errors import StoreError

_DAMAGED = "_damaged"
# Streamlit writes "Failed to generate file" below a button until the page has said why.
_OUR_WORDS_ONLY = "<style>[data-testid=stDownloadButtonError] {display: none}</style>"


def draw_download(network: Network, row: pd.Series) -> None:
    """Offer the chosen variant's file, one a run."""
    names = {
        str(number): f"Run {number} (split {split}, seed {seed})"
        for number, (split, seed) in enumerate(network.runs, start=1)
    }
    place, button = st.columns([3, 2], vertical_alignment="bottom")
    number = place.selectbox(
        "Run", list(names), key=RUN.key, format_func=names.__getitem__,
        help="Each run trained its own network; any of them is a fair sample.",
    )  # fmt: skip
    files = network.present_files(row)
    problem = st.session_state.pop(_DAMAGED, None)
    if problem or number not in files:
        button.button("Download .tflite", disabled=True, width="stretch")
        if problem:
            frame.draw_problems([problem])
        else:
            st.markdown(f":small[{_where_instead(files)}]")
        return
    sha256 = files[number]
    st.html(_OUR_WORDS_ONLY)
    button.download_button(
        "Download .tflite",
        functools.partial(read_model, network.study, sha256),
        file_name=_file_name(row, number),
        mime="application/octet-stream",
        on_click=_check_file,
        args=(network.study, sha256),
        width="stretch",
        icon=":material/download:",
    )


def _where_instead(files: Mapping[str, str]) -> str:
    if not files:
        return "This file is not in the store; run the study's plan to make it."
    return f"This file is not in the store; the one of run {next(iter(files))} is."


def _check_file(study: Study, sha256: str) -> None:
    """Note why a file that was asked for cannot be had."""
    try:
        read_model(study, sha256)
    except StoreError as error:
        st.session_state[_DAMAGED] = str(error)


def _file_name(row: pd.Series, run: str) -> str:
    level = write.per_cent_in_address(row["sparsity"])
    return f"{row['model']}-{row['schedule']}-{level}-{row['precision']}-run{run}.tflite"
