"""Choosing a recording: a sample, a file, or the microphone; the same on every page."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import address, frame
from dashboard import format as write
from dashboard.address import Field
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
LABELS = {0: "negative", 1: "positive"}
_SET_RANKS = {"test": 0, "validation": 1, "": 2, "train": 3}
_SET_NAMES = {"test": "test set", "validation": "validation set", "train": "training set"}
_FROM = "recording_from"

DATASET = Field("dataset", "data set")
RECORDING = Field("recording", "recording")
SAMPLE_FIELDS = (DATASET, RECORDING)


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


@dataclass(frozen=True)
class Sets:
    """Which recordings of a data set a network learnt from, and which it was tested on.

    `of` gives "train", "validation" or "test" by the name of a recording.
    """

    dataset: str
    of: Mapping[str, str]

    def of_recording(self, recording: Recording) -> str | None:
        """Return the set of a recording; None if it is in none of them."""
        if recording.dataset != self.dataset or recording.identifier is None:
            return None
        return self.of.get(recording.identifier)


def choose_recording(sets: Sets | None = None) -> Recording | None:
    """Let the viewer choose a recording; None, and what is wrong, if there is none.

    Parameters
    ----------
    sets
        The sets of the network that will be asked: its data set comes first, and in it the
        recordings on which it was tested.
    """
    if address.asks_for(RECORDING):
        st.session_state[_FROM] = SAMPLE
    st.session_state.setdefault(_FROM, SAMPLE)
    left, right = st.columns([3, 5])
    how = left.segmented_control(
        "Recording from", [SAMPLE, UPLOAD, MICROPHONE], key=_FROM, required=True
    )
    try:
        with right:
            if how == SAMPLE:
                return _sample(sets)
            return _upload() if how == UPLOAD else _microphone()
    except EdacError as error:
        frame.draw_problems([str(error)])
        return None


def fields_in_address() -> tuple[Field, ...]:
    """Return what of the choice belongs into the address: a file cannot be linked to."""
    state = st.session_state
    known = state.get(_FROM) == SAMPLE and all(field.key in state for field in SAMPLE_FIELDS)
    return SAMPLE_FIELDS if known else ()


def _upload() -> Recording | None:
    # Without `type`: Streamlit would raise where a name ends otherwise or holds a null byte, before
    # the page could say a word, and the decoder goes by what is in the file.
    file = st.file_uploader(
        f"A cough as {', '.join(FORMATS)}", key="recording_file",
        help="At most 10 MB. It stays on this server, in memory, until you leave.",
    )  # fmt: skip
    return None if file is None else Recording(write.file_name(file.name), file.getvalue())


def _microphone() -> Recording | None:
    file = st.audio_input("Record a cough", sample_rate=48_000, key="recording_spoken")
    return None if file is None else Recording("Your recording", file.getvalue())


def _sample(sets: Sets | None) -> Recording:
    left, right = st.columns([2, 5])
    names = sorted(datasets_here(), key=lambda name: sets is not None and name != sets.dataset)
    address.settle(DATASET, names, default=names[0])
    dataset = left.selectbox(
        "Data set", names, address.position(DATASET, names), key=DATASET.key,
        on_change=address.touch,
    )  # fmt: skip
    titles = _titles(dataset, sets)
    address.settle(RECORDING, list(titles), default=next(iter(titles)))
    chosen = right.selectbox(
        "Recording", list(titles), address.position(RECORDING, list(titles)), key=RECORDING.key,
        format_func=titles.__getitem__, on_change=address.touch,
    )  # fmt: skip
    return read_sample(dataset, chosen)


def _titles(dataset: str, sets: Sets | None) -> dict[str, str]:
    """Return the titles of a data set's recordings by name, those a network was tested on first."""
    table = _recordings_of(dataset)
    titles = dict(zip(table.index.astype(str), table["title"].astype(str), strict=True))
    if sets is None or sets.dataset != dataset:
        return titles
    ranked = sorted(titles, key=lambda name: _SET_RANKS[sets.of.get(name, "")])
    return {
        name: f"{titles[name]}, {_SET_NAMES.get(sets.of.get(name, ''), 'in no set')}"
        for name in ranked
    }


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
        If there is no such recording, or its file cannot be read.
    """
    recordings = _recordings_of(dataset)
    if identifier not in recordings.index:
        raise DataError(
            f"Data set {dataset!r} has no recording {identifier[:60]!r}: choose another."
        )
    row: dict[Any, Any] = recordings.loc[identifier].to_dict()
    data = _synthetic(identifier) if dataset == SYNTHETIC else _bytes_of(row)
    return Recording(str(row["title"]), data, dataset, identifier, int(row["label"]))


def _bytes_of(row: Mapping[Any, Any]) -> bytes:
    try:
        return Path(row["path"]).read_bytes()
    except OSError as error:
        raise DataError(
            f"The file of {row['title']} cannot be read ({error.strerror}): choose another."
        ) from error


@st.cache_data(ttl=60, max_entries=16, show_spinner=False)
def _recordings_of(dataset: str) -> pd.DataFrame:
    """Return label, path and title of a data set's recordings, by name."""
    if dataset == SYNTHETIC:
        return _synthetic_recordings()
    table = open_dataset(dataset).recordings.set_index("recording")
    described = table["group"] + ", " + table["label"].map(LABELS)
    return table.assign(title=table.index + " (" + described + ")")


def _synthetic_recordings() -> pd.DataFrame:
    rows = [
        {"recording": f"{source.name}-{LABELS[label]}-{seed}", "label": label, "path": "",
         "title": f"Synthetic cough {seed}, {source.name} ({LABELS[label]})"}
        for seed in range(1, _SYNTHETIC_SEEDS + 1) for source in SOURCES for label in (1, 0)
    ]  # fmt: skip
    return pd.DataFrame(rows).set_index("recording")


@st.cache_data(max_entries=32, show_spinner=False)
def _synthetic(identifier: str) -> bytes:
    source, label, seed = identifier.rsplit("-", 2)
    by_word = {word: number for number, word in LABELS.items()}
    return encoded(synthesize(by_word[label], seed=int(seed), source=source))
