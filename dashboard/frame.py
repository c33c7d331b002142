"""What every page has: title, navigation, and the facts of the study at the foot of the sidebar."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import streamlit as st

from dashboard import format as write
from dashboard import origins
from dashboard.studies import Study
from dashboard.workers import start_early
from dashboard.worth import DISCLAIMER, describe_protocol

NAME = "EDAC Explorer"
SETS = {"train": "to train", "validation": "to validate", "test": "to test"}
PROMISE = "the smallest cough classifier you can still trust"


@dataclass(frozen=True)
class Page:
    """A page in the navigation."""

    script: str
    title: str
    icon: str


PAGES = (
    Page("app.py", "Trade-offs", ":material/scatter_plot:"),
    Page("pages/compare.py", "Compare on a cough", ":material/compare_arrows:"),
    Page("pages/listen.py", "Listen and look", ":material/graphic_eq:"),
    Page("pages/run.py", "Run a study", ":material/play_circle:"),
    Page("pages/inspect.py", "Inspect a variant", ":material/frame_inspect:"),
    Page("pages/papers.py", "Papers", ":material/article:"),
    Page("pages/data.py", "Data", ":material/dataset:"),
)


def begin(script: str) -> None:
    """Set a page of `PAGES` up and draw the navigation and its title; call it first."""
    (page,) = [page for page in PAGES if page.script == script]
    st.set_page_config(page_title=f"{page.title} - {NAME}", layout="wide")
    origins.ask_nobody()
    if page is PAGES[0]:
        start_early()  # Other pages start workers themselves, for what they need.
    with st.sidebar:
        for other in PAGES:
            st.page_link(other.script, label=other.title, icon=other.icon)
    st.subheader(page.title if page is not PAGES[0] else f"{NAME}: {PROMISE}", anchor=False)


def draw_problems(sentences: Iterable[str]) -> None:
    """Say what went wrong and what to do about it."""
    if listed := "\n\n".join(write.literally(sentence) for sentence in sentences):
        st.warning(listed, icon=":material/warning:")


def draw_progress(sentence: str | None) -> None:
    """Say that what is shown is still growing."""
    if sentence:
        st.info(sentence, icon=":material/hourglass_top:")


def nothing_yet() -> None:
    """Say what to do while there is no study."""
    st.info(
        "There is no study to show yet. Run one on the page below, or from the command line:",
        icon=":material/science:",
    )
    (run,) = [page for page in PAGES if page.title == "Run a study"]
    st.page_link(run.script, label=run.title, icon=run.icon)
    st.code("python -m edac_core run plans/quick.toml", language="shell")


def draw_study_facts(study: Study, model: str) -> None:
    """Draw what a study is about, and what a network of it learnt from, in the sidebar."""
    with st.sidebar:
        st.divider()
        st.markdown("\n\n".join(f":small[{line}]" for line in _facts(study, model)))


def _facts(study: Study, model: str) -> list[str]:
    data = study.data
    lines = [f"**{write.literally(study.title)}**"]
    if "recordings" in data:
        title = write.literally(str(data.get("title", data.get("dataset", ""))))
        lines.append(f"{title}: {data['recordings']} usable "
                     f"recordings{_dropped(data.get('dropped', {}))}.")  # fmt: skip
    if sets := study.sets_of(model):
        lines.append(", ".join(f"{sets[n]} {use}" for n, use in SETS.items() if n in sets) + ".")
    lines += [write.literally(note) for note in data.get("notes", [])]
    lines.append(describe_protocol(study))
    if facts := data.get("metadata_auc"):
        lines.append(_metadata(facts))
    if data.get("licence"):
        lines.append(f"Licence: {write.literally(data['licence'])}.")
    return [*lines, f"**{DISCLAIMER}**"]


def _dropped(reasons: dict[str, int]) -> str:
    if not reasons:
        return ""
    return " (left out: " + ", ".join(f"{count} {why}" for why, count in reasons.items()) + ")"


def _metadata(facts: dict[str, float]) -> str:
    listed = ", ".join(f"{name} {write.auc(value)}" for name, value in facts.items())
    return f"AUC of facts about the files alone, without listening: {listed}."
