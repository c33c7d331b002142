"""The recordings whose decision changed against the baseline: listed, and played."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard.decisions import BROKEN, MENDED
from dashboard.player import draw_player
from dashboard.recordings import Recording
from dashboard.studies import Study
from dashboard.workers import workers
from edac_core.datasets import open_dataset
from edac_core.errors import DataError, EdacError
from edac_core.listening import Heard
from edac_core.measure.significance import McNemar

OPENING_SECONDS = 60
TABLE_HEIGHT = 318
SIGNIFICANT = 0.05
_LABELS = {0: "negative", 1: "positive"}
_WORDS = {MENDED: "mended: only this file is right", BROKEN: "broken: only the baseline is right"}
_COLUMNS = {
    "direction": st.column_config.TextColumn(
        "Change", help="Mended: the baseline was wrong, this file is right. Broken: the reverse.",
    ),
    "recording": st.column_config.TextColumn("Recording", width="medium"),
    "group": st.column_config.TextColumn("Source"),
    "label": st.column_config.TextColumn("Label", help="What the data set says"),
    "before": st.column_config.NumberColumn("Baseline's score", format="%.3f"),
    "after": st.column_config.NumberColumn("This file's score", format="%.3f"),
    "copy": st.column_config.TextColumn("Augmented", help="The augmentation of this test example"),
}  # fmt: skip


def describe(test: McNemar, *, examples: int) -> str:
    """Say how many decisions changed, and whether that could be chance."""
    broken, mended = test.only_first_right, test.only_second_right
    if not broken + mended:
        return f"Of {examples} test examples none is decided differently."
    verdict = (
        "n.s. (not significant): chance alone could do that, which does not show that the two are "
        "equally good"
        if test.p_value >= SIGNIFICANT
        else "more than chance alone would do"
    )
    return (
        f"Of {examples} test examples, **{broken} {_were(broken)} broken** (only the baseline is "
        f"right) and **{mended} {_were(mended)} mended** (only this file is), each at its own "
        f"threshold. McNemar's exact test: p = {test.p_value:.2g}, {verdict}."
    )


def shown(flipped: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as they stand in the table; copies have a column only if there are any."""
    columns = [name for name in _COLUMNS if name != "copy" or flipped["copy"].any()]
    return flipped.assign(label=flipped["label"].map(_LABELS))[columns]


def draw_flips(study: Study, flipped: pd.DataFrame, *, key: str) -> None:
    """Draw the table, and a player for the row that is selected.

    Parameters
    ----------
    study : Study
        Whose recordings they are.
    flipped : DataFrame
        As `dashboard.decisions.flips` returns it, with at least one row.
    key : str
        What distinguishes this variant from others.
    """
    left, right = st.columns([3, 2])
    with left:
        event: Any = st.dataframe(
            shown(flipped), height=TABLE_HEIGHT, hide_index=True, key=f"flips-{key}",
            column_config=_COLUMNS, on_select="rerun", selection_mode="single-row-required",
            selection_default={"selection": {"rows": [0]}},
            alt="Recordings whose decision changed against the float32 baseline",
        )  # fmt: skip
    rows = event["selection"]["rows"]
    with right, st.container(border=True, height=TABLE_HEIGHT):
        _draw_recording(study, flipped.iloc[rows[0] if rows else 0])


def sound_of(study: Study, recording: str) -> Heard:
    """Read and decode a recording of a study.

    Raises
    ------
    EdacError
        If the recordings are not on this machine, or this one cannot be decoded.
    OSError
        If its file cannot be read.
    """
    plan = study.plan.get("data", {})
    dataset = str(study.data.get("dataset") or plan.get("dataset") or "")
    if not dataset:
        raise DataError("The study does not say which recordings it used: run its plan again.")
    paths = _paths(dataset, plan.get("path"), json.dumps(plan.get("options") or {}))
    if recording not in paths.index:
        raise DataError(
            f"Data set {dataset!r} on this machine has no recording {recording[:60]!r}: it is "
            "another version than the study used."
        )
    data = Path(paths[recording]).read_bytes()
    return Recording(recording, data, dataset, recording).heard()


def _draw_recording(study: Study, row: pd.Series) -> None:
    st.markdown(
        f"**{write.literally(row['recording'])}**  \n"
        f":small[{write.literally(row['group'])}, {_LABELS[row['label']]}; "
        f"{_WORDS[row['direction']]}]"
    )
    st.markdown(f"Score {row['before']:.3f} in the baseline, **{row['after']:.3f}** in this file.")
    try:
        heard = sound_of(study, str(row["recording"]))
    except (EdacError, OSError) as error:
        st.markdown(f":small[It cannot be played here. {write.literally(str(error))}]")
        return
    draw_player(heard.waveform, alt=f"Recording {row['recording']}")
    st.markdown(f":small[{_played(row, heard)}]")


def _played(row: pd.Series, heard: Heard) -> str:
    length = f"{heard.seconds:.1f} s, {heard.stored_sample_rate / 1e3:g} kHz"
    if row["copy"]:
        return (
            f"{length}. Scored with the augmentation {write.literally(row['copy'])}; this is the "
            "recording as it is."
        )
    return f"{length}."


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


@st.cache_resource(ttl=60, max_entries=8, show_spinner="Looking for the recordings")
def _paths(dataset: str, path: str | None, options: str) -> pd.Series:
    """Return the files of a data set's recordings, by name."""
    opening = functools.partial(
        open_dataset, dataset, path=Path(path) if path else None, **json.loads(options)
    )
    found = workers().call(opening, seconds=OPENING_SECONDS, subject=f"Data set {dataset!r}")
    return found.recordings.set_index("recording")["path"]
