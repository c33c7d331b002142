"""What variants answer about one recording: asked apart, kept, and told in words and figures."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard.comparing.contestants import Contestant
from dashboard.recordings import LABELS
from dashboard.workers import workers
from edac_core.apart import Workers
from edac_core.audio import Waveform
from edac_core.disturb import disturb
from edac_core.errors import EdacError
from edac_core.previews import Change, Preview, preview
from edac_core.verdicts import FloatArray, Hearing, ModelFile, drift, hear_out, prepare

T = TypeVar("T")

SEED = 0
"""Of the noise that is added."""

_COLUMNS = ["title", "precision", "method", "threshold", "is_baseline", "chosen", "probability",
            "latency_ms", "problem"]  # fmt: skip
_SECONDS = 60
_CACHED = 64


@dataclass(frozen=True)
class Question:
    """A recording, and the variants that are asked about it.

    Parameters
    ----------
    waveform
        Shape (n,), float32, mono at 22,050 Hz.
    sha256
        Digest of the recording's file, by which answers are kept.
    frontend
        The name of the front-end that the variants take.
    chosen
        The variants whose answers are shown.
    asked
        These, and the float32 baseline if it is here.
    """

    waveform: Waveform
    sha256: str
    frontend: str
    chosen: tuple[Contestant, ...]
    asked: tuple[Contestant, ...]

    @property
    def key(self) -> tuple[object, ...]:
        """What the answers depend on."""
        return (self.sha256, self.frontend, self.files)

    @property
    def files(self) -> tuple[ModelFile, ...]:
        """The files of the variants that are asked."""
        return tuple(contestant.file for contestant in self.asked)


def warm(frontend: str, contestants: Sequence[Contestant]) -> None:
    """Begin to load, in the background, what the first recording will need."""
    _warming(frontend, tuple(contestant.file for contestant in contestants))


def ask(question: Question) -> Hearing:
    """Ask variants about a recording, once for all sessions.

    Raises
    ------
    EdacError
        If the recording cannot be brought before them at all; a variant that cannot be asked has
        a problem of its own.
    """
    hearing = _asked(question, question.key)
    if any(verdict.problem for verdict in hearing.verdicts):
        # The file may be mended before the next question.
        _asked.clear(question, question.key)
    return hearing


def drifted(question: Question, disturbance: str) -> FloatArray:
    """Ask variants at every strength of a disturbance; see `edac_core.verdicts.drift`.

    Raises
    ------
    EdacError
        As in `ask`.
    """
    return _drifted(question, question.key, disturbance)


def disturbed(question: Question, disturbance: str, strength: float) -> Waveform:
    """Disturb a recording as `drifted` does.

    Raises
    ------
    EdacError
        If it takes too long.
    """
    return _disturbed(question, question.sha256, disturbance, strength)


def pictured(question: Question) -> Preview:
    """Return the pictures of a recording that a front-end of pictures goes by.

    Raises
    ------
    EdacError
        If they cannot be computed.
    """
    return _pictured(question, question.sha256, question.frontend)


def answers(question: Question, hearing: Hearing) -> pd.DataFrame:
    """Return a row a variant that was asked: what it is and what it says.

    Returns
    -------
    DataFrame
        Columns title, precision, method, threshold, is_baseline, chosen, probability, positive
        (probability >= threshold), difference (from the baseline's probability), latency_ms and
        problem. What was not answered is NaN, and not positive.
    """
    table = pd.DataFrame(
        [
            {
                "title": contestant.title,
                "precision": contestant.precision,
                "method": contestant.method,
                "threshold": contestant.threshold,
                "is_baseline": contestant.is_baseline,
                "chosen": contestant in question.chosen,
                **asdict(verdict),
            }
            for contestant, verdict in zip(question.asked, hearing.verdicts, strict=True)
        ],
        columns=_COLUMNS,
    )
    table["positive"] = table["probability"] >= table["threshold"]
    baseline = table.loc[table["is_baseline"], "probability"]
    table["difference"] = table["probability"] - (baseline.iloc[0] if len(baseline) else np.nan)
    return table


def describe_answers(table: pd.DataFrame) -> str:
    """Say in a sentence or two how far the variants agree.

    Parameters
    ----------
    table
        Rows of `answers` that have one.
    """
    if table.empty:
        return "No variant could be asked."
    positive, asked = int(table["positive"].sum()), len(table)
    said = f"**{positive} of {asked}** variants call this recording positive."
    if positive in {0, asked}:
        all_of = "The variant calls" if asked == 1 else f"All {asked} variants call"
        said = f"**{all_of} this recording {LABELS[int(positive > 0)]}.**"
    others = table[~table["is_baseline"]].dropna(subset="difference")
    if others.empty:
        return said
    furthest = others.iloc[int(others["difference"].abs().argmax())]
    return (
        f"{said} The furthest from the float32 baseline is {furthest['title']}: "
        f"{write.difference(furthest['difference'])}."
    )


@st.cache_resource(max_entries=_CACHED, show_spinner=False)
def _warming(frontend: str, files: tuple[ModelFile, ...]) -> threading.Thread:
    thread = threading.Thread(target=_prepare, args=(workers(), frontend, files), daemon=True)
    thread.start()
    return thread


def _prepare(pool: Workers, frontend: str, files: tuple[ModelFile, ...]) -> None:
    with contextlib.suppress(EdacError):
        pool.call(prepare, frontend, files, seconds=_SECONDS)


# What is cached is kept by the key alone and never changed, so that sessions can share it.
@st.cache_resource(max_entries=_CACHED, show_spinner="Asking the variants")
def _asked(_question: Question, key: object) -> Hearing:  # noqa: ARG001
    return _call(hear_out, _question.waveform, _question.frontend, _question.files)


@st.cache_resource(max_entries=_CACHED, show_spinner="Disturbing the recording")
def _drifted(_question: Question, key: object, disturbance: str) -> FloatArray:  # noqa: ARG001
    return _call(drift, _question.waveform, _question.frontend, _question.files, disturbance, SEED)


@st.cache_resource(max_entries=_CACHED, show_spinner=False)
def _disturbed(
    _question: Question,
    key: object,  # noqa: ARG001 - for the cache
    disturbance: str,
    strength: float,
) -> Waveform:
    return _call(disturb, _question.waveform, disturbance, strength, SEED)


@st.cache_resource(max_entries=_CACHED, show_spinner=False)
def _pictured(_question: Question, key: object, frontend: str) -> Preview:  # noqa: ARG001
    return _call(preview, _question.waveform, Change(), frontend)


def _call(function: Callable[..., T], *arguments: object) -> T:
    return workers().call(function, *arguments, seconds=_SECONDS, subject="The recording")
