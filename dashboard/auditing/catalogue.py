"""The data sets there are: on this machine, or only known of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard import address, frame
from dashboard import format as write
from dashboard.address import Field
from dashboard.auditing.audits import Progress
from dashboard.recordings import SYNTHETIC, datasets_here
from dashboard.studies import Study
from edac_core.datasets import DATASETS, canonical, data_root, folder, open_dataset
from edac_core.datasets.download import DOWNLOADABLE, instructions
from edac_core.datasets.location import VARIABLE, MissingDataError
from edac_core.errors import DataError

_OWN = (
    "List your recordings in a CSV file with the columns `path` and `label`, and `participant` and "
    "`group` (the recording source) where you know them. Then:"
)
_OWN_COMMAND = "python -m edac_core data audit folder --path recordings.csv"


def _same_name(known: str, asked: str) -> bool:
    return known == canonical(asked)


DATASET = Field("dataset", "data set", same=_same_name)


@dataclass(frozen=True)
class Choice:
    """A data set: whether it is on this machine, and which studies know facts of it."""

    name: str
    here: bool
    studies: tuple[Study, ...]


def choices(studies: Iterable[Study]) -> dict[str, Choice]:
    """Return what there is to choose from, by name; what is on this machine first."""
    here = datasets_here()
    known = tuple(study for study in studies if "recordings" in study.data)
    found = {
        name: Choice(name, name in here, tuple(s for s in known if s.data.get("dataset") == name))
        for name in (*here, *(name for name in DATASETS if name not in here))
    }
    return {name: choice for name, choice in found.items() if name != folder.NAME or choice.studies}


def default(offered: Mapping[str, Choice]) -> str:
    """Return where the page opens: at real recordings that are here and that a study is about."""
    real = [choice for choice in offered.values() if choice.name != SYNTHETIC]
    best = max(real, key=lambda choice: (choice.here, bool(choice.studies)), default=None)
    return best.name if best and (best.here or best.studies) else SYNTHETIC


def pick(offered: Mapping[str, Choice]) -> str:
    """Let the viewer choose a data set."""
    address.settle(DATASET, list(offered), default=default(offered))
    chosen = st.selectbox(
        "Data set", list(offered), address.position(DATASET, list(offered)), key=DATASET.key,
        on_change=address.touch, width=420,
        format_func=lambda name: name if offered[name].here else f"{name} (no recordings here)",
    )  # fmt: skip
    return str(chosen)


def draw_absence(choice: Choice) -> None:
    """Say that a data set is not here and how to get it, or what is wrong with it."""
    try:
        open_dataset(choice.name)
    except MissingDataError:
        st.info(_describe_absence(choice.name), icon=":material/folder_off:")
    except DataError as error:
        frame.draw_problems([str(error)])
        return
    if choice.name in DOWNLOADABLE:
        st.code(f"python -m edac_core data download {choice.name}", language="shell")


def draw_own() -> None:
    """Say how recordings of one's own are audited."""
    with st.expander("Audit recordings of your own", icon=":material/folder_open:"):
        st.markdown(_OWN)
        st.code(_OWN_COMMAND, language="shell")


def facts(choice: Choice) -> list[tuple[Study, Mapping[str, Any]]]:
    """Return what studies know of a data set, without saying the same twice."""
    found: dict[tuple[Any, ...], tuple[Study, Mapping[str, Any]]] = {}
    for study in choice.studies:
        key = tuple(study.data.get(name) for name in ("title", "recordings", "positives"))
        found.setdefault(key, (study, study.data))
    return list(found.values())


def describe_progress(progress: Progress) -> str:
    """Say how far an audit is, and how long still."""
    if not progress.total:
        return "Opening the data set"
    text = f"Decoding and measuring: {progress.done:,} of {progress.total:,} recordings"
    if progress.done == progress.total:
        return f"{text}; comparing them"
    left = progress.seconds_left
    return text if left is None else f"{text}, {_about(left)} left"


def _describe_absence(name: str) -> str:
    root = write.literally(str(data_root()))
    if name == folder.NAME:
        return "These recordings are a user's own, and known here by a study only."
    how = instructions(name, target=data_root()) or "This gets it:"
    return (
        f"There are no recordings of {name} in {root}; if they are elsewhere, set {VARIABLE} to "
        f"the folder that holds its folder, and start the server again. {how}"
    )


def _about(seconds: float) -> str:
    minute = 60
    if seconds < 2 * minute:
        return f"about {max(1, round(seconds)):.0f} s"
    return f"about {seconds / minute:.0f} min"
