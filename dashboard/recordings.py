"""Choosing a recording: a sample, a file, or the microphone; the same on every page."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import frame
from dashboard.player import encoded
from dashboard.workers import decoded
from edac_core.datasets import DATASETS, open_dataset
from edac_core.datasets.synthetic import SOURCES, synthesize
from edac_core.errors import DataError, EdacError
from edac_core.listening import Heard

FORMATS = ("wav", "flac", "mp3", "ogg", "webm", "m4a")
SAMPLE, UPLOAD, MICROPHONE = "Sample recording", "Upload", "Microphone"
SYNTHETIC = "synthetic"
_NEEDS_A_PATH = "folder"
_SYNTHETIC_SEEDS = 3
_LABELS = {0: "negative", 1: "positive"}


@dataclass(frozen=True)
class Recording:
    """A recording that was chosen.

    `label` and `dataset` are known of samples only; `identifier` is the recording's name in its
    data set. `data` are the bytes of a file and `sha256` is their digest.
    """

    name: str
    data: bytes
    dataset: str | None = None
    identifier: str | None = None
    label: int | None = None

    @property
    def sha256(self) -> str:
        """Digest of the file."""
        return hashlib.sha256(self.data).hexdigest()

    def heard(self) -> Heard:
        """Decode it.

        Raises
        ------
        EdacError
            If it cannot be decoded.
        """
        return decoded(self.data, sha256=self.sha256, name=self.name)


def choose_recording() -> Recording | None:
    """Let the viewer choose a recording; None, and what is wrong, if there is none."""
    how = st.segmented_control(
        "Where from", [SAMPLE, UPLOAD, MICROPHONE], default=SAMPLE, key="recording_from",
        required=True,
    )  # fmt: skip
    try:
        return {SAMPLE: _sample, UPLOAD: _upload, MICROPHONE: _microphone}[how]()
    except (EdacError, OSError) as error:
        frame.draw_problems([str(error)])
        return None


def _upload() -> Recording | None:
    file = st.file_uploader(
        f"A cough as {', '.join(FORMATS)}", type=FORMATS, key="recording_file",
        help="At most 10 MB. It stays on this server, in memory, until you leave.",
    )  # fmt: skip
    return None if file is None else Recording(file.name, file.getvalue())


def _microphone() -> Recording | None:
    file = st.audio_input("Record a cough", sample_rate=48_000, key="recording_spoken")
    return None if file is None else Recording("Your recording", file.getvalue())


def _sample() -> Recording | None:
    left, right = st.columns([1, 2])
    with left:
        dataset = st.selectbox("From", datasets_here(), key="recording_dataset")
    recordings = _recordings_of(dataset)
    with right:
        chosen = st.selectbox(
            "Recording", list(recordings.index), key="recording_sample",
            format_func=recordings["title"].__getitem__,
        )  # fmt: skip
    return read_sample(dataset, chosen)


@st.cache_data(ttl=60, show_spinner=False)
def datasets_here() -> list[str]:
    """Return the data sets whose recordings are on this machine, the synthetic one first."""
    found = [SYNTHETIC]
    for name in DATASETS:
        if name not in {SYNTHETIC, _NEEDS_A_PATH}:
            with contextlib.suppress(DataError):
                open_dataset(name)
                found.append(name)
    return found


def read_sample(dataset: str, identifier: str) -> Recording:
    """Read a recording of a data set.

    Raises
    ------
    DataError
        If there is no such recording.
    OSError
        If its file cannot be read.
    """
    recordings = _recordings_of(dataset)
    if identifier not in recordings.index:
        raise DataError(
            f"Data set {dataset!r} has no recording {identifier[:60]!r}: choose another."
        )
    row: dict[Any, Any] = recordings.loc[identifier].to_dict()
    data = _synthetic(identifier) if dataset == SYNTHETIC else Path(row["path"]).read_bytes()
    return Recording(str(row["title"]), data, dataset, identifier, int(row["label"]))


@st.cache_data(ttl=60, show_spinner=False)
def _recordings_of(dataset: str) -> pd.DataFrame:
    """Return label, path and title of a data set's recordings, by name."""
    if dataset == SYNTHETIC:
        return _synthetic_recordings()
    table = open_dataset(dataset).recordings.set_index("recording")
    described = table["group"] + ", " + table["label"].map(_LABELS)
    return table.assign(title=table.index + " (" + described + ")")


def _synthetic_recordings() -> pd.DataFrame:
    rows = [
        {"recording": f"{source.name}-{_LABELS[label]}-{seed}", "label": label, "path": "",
         "title": f"Synthetic cough {seed}, {source.name} ({_LABELS[label]})"}
        for seed in range(1, _SYNTHETIC_SEEDS + 1) for source in SOURCES for label in (1, 0)
    ]  # fmt: skip
    return pd.DataFrame(rows).set_index("recording")


@st.cache_data(max_entries=32, show_spinner=False)
def _synthetic(identifier: str) -> bytes:
    source, label, seed = identifier.rsplit("-", 2)
    by_word = {word: number for number, word in _LABELS.items()}
    return encoded(synthesize(by_word[label], seed=int(seed), source=source))
