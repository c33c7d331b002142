"""The recordings whose decision changed against the baseline: listed, and played."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard import theme
from dashboard.charts import CONFIG
from dashboard.charts.signal import draw_envelope, envelope
from dashboard.inspecting.decisions import BROKEN, MENDED, Decisions, flips
from dashboard.player import draw_player
from dashboard.recordings import Recording
from dashboard.studies import Study
from dashboard.workers import workers
from edac_core.audio import SAMPLE_RATE
from edac_core.datasets import open_dataset
from edac_core.errors import DataError, EdacError
from edac_core.listening import Heard
from edac_core.measure.significance import McNemar

OPENING_SECONDS = 60
TABLE_HEIGHT, WAVE_HEIGHT = 400, 150
SIGNIFICANT = 0.05
_LABELS = {0: "negative", 1: "positive"}
_WORDS = {MENDED: "mended: only this file is right", BROKEN: "broken: only the baseline is right"}
_COLUMNS = {
    "direction": st.column_config.TextColumn(
        "Change", width=62,
        help="Mended: the baseline was wrong, this file is right. Broken: the reverse.",
    ),
    "recording": st.column_config.TextColumn("Recording", width=148),
    "group": st.column_config.TextColumn("Source", width=84),
    "label": st.column_config.TextColumn("Label", width=66, help="What the data set says"),
    "before": st.column_config.NumberColumn(
        "Baseline", format="%.3f", width=66, help="The baseline's score"
    ),
    "after": st.column_config.NumberColumn(
        "This file", format="%.3f", width=66, help="This file's score"
    ),
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


@st.fragment
def draw_flips(study: Study, own: Decisions, baseline: Decisions, *, key: str) -> None:
    """Draw the table, and a player for the row that is selected.

    Parameters
    ----------
    study : Study
        Whose recordings they are.
    own, baseline : Decisions
        Of which at least one differs.
    key : str
        What distinguishes this variant from others.
    """
    flipped = flips(own, baseline)
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
        row = flipped.iloc[rows[0] if rows else 0]
        st.markdown(_described(row, own=own.threshold, baseline=baseline.threshold))
        _draw_sound(study, row)


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


def _described(row: pd.Series, *, own: float, baseline: float) -> str:
    return (
        f"**{write.literally(row['recording'])}**  \n"
        f":small[{write.literally(row['group'])}, {_LABELS[row['label']]}; "
        f"{_WORDS[row['direction']]}.]  \n"
        f":small[The baseline's score {_against(row['before'], baseline)}; this file's "
        f"{_against(row['after'], own)}.]"
    )


def _against(score: float, threshold: float) -> str:
    side = "reaches" if score >= threshold else "is below"
    return f"{score:.3f} {side} its threshold of {threshold:.3f}"


def _draw_sound(study: Study, row: pd.Series) -> None:
    try:
        heard = sound_of(study, str(row["recording"]))
    except (EdacError, OSError) as error:
        st.markdown(f":small[It cannot be played here. {write.literally(str(error))}]")
        return
    draw_player(heard.waveform, alt=f"Recording {row['recording']}")
    wave = envelope(heard.waveform, sample_rate=SAMPLE_RATE)
    peak = float(np.abs(heard.waveform).max()) or 1.0
    figure = draw_envelope(
        wave, title="Its waveform", seconds=heard.seconds, peak=peak, ink=theme.ink()
    )
    st.plotly_chart(
        figure, height=WAVE_HEIGHT, key="flip-wave", config=CONFIG, alt="Its waveform",
    )  # fmt: skip
    if row["copy"]:
        augmented = write.literally(row["copy"])
        st.markdown(f":small[It was scored with the augmentation {augmented}; here it is without.]")


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
