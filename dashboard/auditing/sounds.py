"""What an audit found fault with, to listen to: what was dropped, and what is clipped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard import frame
from dashboard.auditing.audited import LABEL_NAMES, channels, seconds
from dashboard.auditing.audits import Audited
from dashboard.player import draw_player
from dashboard.recordings import Recording
from edac_core.datasets.audit import REASONS, SHORTEST_SECONDS, SILENT_DBFS, Audit
from edac_core.errors import EdacError

CLIPPED = "clipped, but kept"
CARDS = 4
"""So many sounds are shown at a time."""

_KIND = "data_kind"
_BADGES = {"positive": "blue", "negative": "gray"}
_EXPLAINED = {
    "contradictory labels": "The same sound, sample by sample, under several names that disagree "
    "on the label. Nobody knows which label is right, so all of them are left out.",
    "duplicate": "The same sound, sample by sample, under several names that agree on the label. "
    "The first is kept: a copy in another set would be tested on what was learnt by heart.",
    "undecodable": "No decoder here can read these files.",
    "empty": "These files hold no sound.",
    "too short": f"Shorter than {SHORTEST_SECONDS:g} s: no cough fits in.",
    "silent": f"Never louder than {SILENT_DBFS:g} dB below full scale.",
    CLIPPED: "Overdriven: some samples are cut off at full scale. Listen for crackling.",
}
_GROUPED = ("contradictory labels", "duplicate")


@dataclass(frozen=True)
class Sound:
    """One sound and all recordings that hold it: rows of `edac_core.datasets.audit.Audit`."""

    recordings: tuple[dict[Any, Any], ...]

    @property
    def audible(self) -> bool:
        """Whether there is anything to play."""
        return bool(self.recordings[0]["content"])


def sounds(audit: Audit) -> dict[str, list[Sound]]:
    """Return the sounds to listen to, by what is wrong with them; none without any."""
    table = audit.recordings
    alone = [reason for reason in REASONS if reason not in _GROUPED]
    found = _together(audit)
    found |= {reason: _singly(table[table["reason"] == reason]) for reason in alone}
    found[CLIPPED] = _singly(table[table["clipped"] & (table["reason"] == "")])
    return {kind: listed for kind, listed in found.items() if listed}


def count(listed: list[Sound], kind: str) -> int:
    """Return how many recordings were left out, or flagged, for one reason."""
    dropped = [row["reason"] for sound in listed for row in sound.recordings]
    return len(dropped) if kind == CLIPPED else dropped.count(kind)


@st.fragment
def draw_sounds(audited: Audited) -> None:
    """Let the viewer choose what is wrong, and listen to it."""
    by_kind = sounds(audited.audit)
    if not by_kind:
        st.markdown("No recording was left out or flagged, so there is nothing to compare here.")
        return
    kind = _pick_kind(by_kind)
    st.markdown(_EXPLAINED[kind])
    page = _pick_page(by_kind[kind], key=f"data_page_{kind}")
    with st.grid(2, min_column_width=320, border=True, key="sounds") as grid:
        for sound in page:
            with grid.cell(), st.container(gap="small"):
                _draw_card(sound, dataset=audited.dataset.name)


def _pick_kind(by_kind: dict[str, list[Sound]]) -> str:
    """Let the viewer choose; what was chosen of another data set may not be here."""
    if st.session_state.get(_KIND) not in by_kind:
        st.session_state[_KIND] = next(iter(by_kind))
    chosen: str | None = st.segmented_control(
        "What is wrong", list(by_kind), required=True, key=_KIND,
        format_func=lambda kind: f"{kind} ({count(by_kind[kind], kind):,})".capitalize(),
    )  # fmt: skip
    return chosen or next(iter(by_kind))


def _pick_page(listed: list[Sound], *, key: str) -> list[Sound]:
    pages = -(-len(listed) // CARDS)
    if pages == 1:
        return listed
    if st.session_state.get(key, 1) > pages:
        del st.session_state[key]
    page = st.pagination(pages, key=key)
    return listed[(page - 1) * CARDS : page * CARDS]


def _singly(rows: pd.DataFrame) -> list[Sound]:
    return [Sound((row,)) for row in rows.sort_values("recording").to_dict("records")]


def _together(audit: Audit) -> dict[str, list[Sound]]:
    found: dict[str, list[Sound]] = {kind: [] for kind in _GROUPED}
    for _, rows in audit.copies().groupby("sound"):
        found[rows["reason"].iloc[-1]].append(Sound(tuple(rows.to_dict("records"))))
    return found


def _draw_card(sound: Sound, *, dataset: str) -> None:
    if sound.audible:
        _draw_player(sound, dataset=dataset)
    for row in sound.recordings:
        st.markdown(_describe(row))
    st.markdown(f":small[{_describe_sound(sound)}]")


def _draw_player(sound: Sound, *, dataset: str) -> None:
    first = sound.recordings[0]
    name = str(first["recording"])
    try:
        data = Path(first["path"]).read_bytes()
        heard = Recording(name, data, dataset, name, int(first["label"])).heard()
    except (EdacError, OSError) as error:
        frame.draw_problems([str(error)])
        return
    draw_player(heard.waveform, alt=f"Recording {name} of {dataset}")


def _describe(row: dict[Any, Any]) -> str:
    label = LABEL_NAMES[row["label"]]
    kept = "" if row["reason"] else " :small[(kept)]"
    return (
        f":{_BADGES[label]}-badge[{label}] {write.literally(row['group'])} "
        f":small[{write.literally(row['recording'])}]{kept}"
    )


def _describe_sound(sound: Sound) -> str:
    row = sound.recordings[0]
    if not sound.audible:
        return write.literally(str(row["detail"]))
    parts = [
        seconds(row["seconds"]), f"{row['sample_rate'] / 1e3:g} kHz", channels(row["channels"])
    ]  # fmt: skip
    if row["clipped"]:
        parts.append(f"{write.per_cent(round(row['clipped_share'], 4))} of the samples clipped")
    return write.literally(", ".join(parts) + ".")
