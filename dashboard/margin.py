"""The loss of AUC that would still do: one choice, kept from page to page, and its verdicts."""

from __future__ import annotations

import streamlit as st

from dashboard import address
from dashboard.address import Field
from edac_core.measure.noninferiority import Verdict
from edac_core.studies.trust import MARGIN

LEAST, MOST, STEP = 0.005, 0.2, 0.005

FIELD = Field("margin", "margin of AUC", "{:g}".format, omitted=MARGIN)
ICONS = {
    Verdict.NOT_WORSE: ":material/check_circle:",
    Verdict.WORSE: ":material/cancel:",
    Verdict.CANNOT_TELL: ":material/help:",
}
SHORT = {Verdict.NOT_WORSE: "yes", Verdict.WORSE: "no", Verdict.CANNOT_TELL: "unsettled"}
"""Whether the AUC is within the margin, where there is room for a word."""

_HELP = (
    "The largest loss of AUC that would still do, set before looking. The verdict asks whether the "
    "whole 95 % interval of the difference lies above it: finding no difference is not enough."
)


def settle() -> float:
    """Settle the margin, from the address or as it stands."""
    margin = address.settle_text(
        FIELD, read_margin, default=MARGIN, offered=f"a number from {LEAST:g} to {MOST:g}"
    )
    # Assigned, so that it outlives its widget where a page does not always draw it.
    st.session_state[FIELD.key] = margin
    return margin


def draw_margin() -> float:
    """Let the viewer set the margin, which is settled."""
    return float(
        st.number_input(
            "Margin of AUC", LEAST, MOST, address.standing(FIELD), step=STEP, format="%.3f",
            key=FIELD.key, on_change=address.touch, help=_HELP,
        )
    )  # fmt: skip


def read_margin(text: str) -> float:
    """Read a margin from the address.

    Raises
    ------
    ValueError
        If it is not a number, or not one that can be set.
    """
    margin = float(text)
    if not LEAST <= margin <= MOST:
        raise ValueError(text)
    return margin
