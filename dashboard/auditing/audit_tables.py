"""Tables of an audit: its sources, and all its recordings."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from dashboard.auditing.audited import channels, listed
from dashboard.auditing.audits import Audited
from edac_core.datasets.audit import Audit

MOST_ROWS = 5_000
"""A longer listing is cut on the page; the file has all rows."""

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
_WITHOUT_A_USE = ["path", "verdict"]


def source_table(audit: Audit) -> pd.DataFrame:
    """Describe the usable recordings of each source, the largest first."""
    rows = [
        {
            "source": source,
            "usable": len(rows),
            "positive": 100 * rows["label"].mean(),
            "seconds": rows["seconds"].median(),
            "rates": _shares(rows["sample_rate"], lambda rate: f"{rate / 1e3:g} kHz"),
            "channels": _shares(rows["channels"], channels),
            "bandwidth": rows["bandwidth_hz"].median() / 1e3,
            "loudness": rows["loudness_dbfs"].median(),
            "clipped": int(rows["clipped"].sum()),
        }
        for source, rows in audit.usable.groupby("group")
    ]
    table = pd.DataFrame(rows, columns=list(_SOURCES))
    return table.sort_values("usable", ascending=False, ignore_index=True)


def listing(audited: Audited) -> pd.DataFrame:
    """List all recordings with their facts, those that were never heard at the end."""
    heard = audited.audit.recordings
    table = heard.assign(used=heard["verdict"] == "keep").drop(columns=_WITHOUT_A_USE)
    unheard = audited.dataset.dropped.assign(used=False)
    table = pd.concat([table, unheard], ignore_index=True) if len(unheard) else table
    first = ["recording", "label", "group", "participant", "used", "reason", "clipped"]
    return table[[*first, *table.columns.difference(first, sort=False)]]


def as_csv(table: pd.DataFrame) -> bytes:
    """Write a table for other programs.

    A text that a spreadsheet would take for a formula, such as the name of a recording, has an
    apostrophe before it, by which spreadsheets know a text.
    """
    # With the line ends of RFC 4180 a carriage return within a cell is quoted as well.
    return table.map(_inert).to_csv(index=False, lineterminator="\r\n").encode()


def _inert(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULAS) else cell


def draw_source_table(table: pd.DataFrame) -> None:
    """Draw a row a source."""
    st.dataframe(table, hide_index=True, column_config={**_SOURCES}, placeholder=_NONE,
                 key="sources_table", alt="The usable recordings of each source")  # fmt: skip


def draw_listing(audited: Audited) -> None:
    """Draw a row a recording, and offer them as a file."""
    table = listing(audited)
    shown = table.head(MOST_ROWS).replace("", pd.NA).dropna(axis="columns", how="all")
    st.dataframe(shown, height=320, hide_index=True, column_config={**_LISTING},
                 placeholder=_NONE, key="listing",
                 alt=f"All recordings of {audited.dataset.title} with their facts")  # fmt: skip
    if len(table) > MOST_ROWS:
        st.markdown(f":small[The first {MOST_ROWS:,} of {len(table):,}; the file has all.]")
    st.download_button(
        "Download all as CSV", functools.partial(as_csv, table), mime="text/csv",
        file_name=f"{audited.dataset.name}-audit.csv", on_click="ignore",
        icon=":material/download:",
    )  # fmt: skip


def _shares(values: pd.Series, written: Callable[[float], str]) -> str:
    """Write which values occur, the most frequent first, with counts if there are several."""
    counts = values.map(written).value_counts()
    return str(counts.index[0]) if len(counts) == 1 else listed(counts.to_dict())


def _number(label: str, pattern: str, help_text: str | None = None) -> ColumnConfig:
    return st.column_config.NumberColumn(label, format=pattern, help=help_text)


_NONE = "\N{EN DASH}"
_SOURCES: dict[str, ColumnConfig | str] = {
    "source": "Source",
    "usable": _number("Usable recordings", "%,.0f"),
    "positive": _number("Positive", "%.1f %%"),
    "seconds": _number("Length (s)", "%.1f", "Median"),
    "rates": st.column_config.TextColumn("Sample rate", help="Of the files, as stored"),
    "channels": "Channels",
    "bandwidth": _number("Bandwidth (kHz)", "%.1f", "Median of what holds 99 % of the energy"),
    "loudness": _number("Loudness (dBFS)", "%.0f", "Median"),
    "clipped": _number("Clipped", "%,.0f"),
}
_LISTING: dict[str, ColumnConfig | str] = {
    "recording": st.column_config.TextColumn("Recording", width="medium"),
    "label": _number("Label", "%.0f", "1 is positive"),
    "group": "Source",
    "participant": "Participant",
    "used": st.column_config.CheckboxColumn("Used", help="Not left out by the audit"),
    "reason": st.column_config.TextColumn("Left out because"),
    "clipped": st.column_config.CheckboxColumn("Clipped"),
    "split": st.column_config.TextColumn("Set", help="As the data set prescribes it"),
    "detail": "Decoder's words",
    "sample_rate": _number("Sample rate (Hz)", "%.0f"),
    "channels": _number("Channels", "%.0f"),
    "seconds": _number("Length (s)", "%.2f"),
    "loudness_dbfs": _number("Loudness (dBFS)", "%.1f"),
    "peak": _number("Peak", "%.3f", "1 is full scale"),
    "clipped_share": _number("Clipped samples", "%.4f", "Share at full scale"),
    "bandwidth_hz": _number("Bandwidth (Hz)", "%.0f", "99 % of the energy lies below"),
    "channel_balance_db": _number("Balance (dB)", "%.1f", "First channel over the second"),
    "content": st.column_config.TextColumn("Content", help="SHA-256 of the decoded sound"),
}
