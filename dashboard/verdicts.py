"""What variants answer about one recording: asked apart, kept, and told in words and figures."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard.contestants import Contestant
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

_SECONDS = 60
_CACHED = 64


def warm(frontend: str, contestants: Sequence[Contestant]) -> None:
    """Begin to load, in the background, what the first recording will need."""
    _warming(frontend, tuple(contestant.file for contestant in contestants))


def ask(
    waveform: Waveform, sha256: str, *, frontend: str, contestants: Sequence[Contestant]
) -> Hearing:
    """Ask variants about a recording, once for all sessions.

    Raises
    ------
    EdacError
        If the recording cannot be brought before them at all; a variant that cannot be asked has
        a problem of its own.
    """
    files = tuple(contestant.file for contestant in contestants)
    hearing = _asked(waveform, sha256, frontend, files)
    if any(verdict.problem for verdict in hearing.verdicts):
        # The file may be mended before the next question.
        _asked.clear(waveform, sha256, frontend, files)
    return hearing


def drifted(
    waveform: Waveform,
    sha256: str,
    *,
    frontend: str,
    contestants: Sequence[Contestant],
    disturbance: str,
) -> FloatArray:
    """Ask variants about a recording at every strength of a disturbance; see `edac_core.verdicts`.

    Raises
    ------
    EdacError
        As in `ask`.
    """
    files = tuple(contestant.file for contestant in contestants)
    return _drifted(waveform, sha256, frontend, files, disturbance)


def disturbed(waveform: Waveform, sha256: str, *, disturbance: str, strength: float) -> Waveform:
    """Disturb a recording as `drifted` does.

    Raises
    ------
    EdacError
        If it takes too long.
    """
    return _disturbed(waveform, sha256, disturbance, strength)


def pictured(waveform: Waveform, sha256: str, *, frontend: str) -> Preview:
    """Return the pictures of a recording that a front-end of pictures goes by.

    Raises
    ------
    EdacError
        If they cannot be computed.
    """
    return _pictured(waveform, sha256, frontend)


def answers(contestants: Sequence[Contestant], hearing: Hearing) -> pd.DataFrame:
    """Return a row a variant: what it is and what it says.

    Parameters
    ----------
    contestants
        Which were asked, the float32 baseline among them if it is here.
    hearing
        Their answers, in the same order.

    Returns
    -------
    DataFrame
        Columns code, title, precision, schedule, sparsity, threshold, zip_bytes, is_baseline,
        probability, positive (probability >= threshold), difference (from the baseline's
        probability), latency_ms and problem. What was not answered is NaN, and not positive.
    """
    table = pd.DataFrame(
        [
            {
                "code": contestant.code,
                "title": contestant.title,
                "precision": contestant.precision,
                "schedule": contestant.schedule,
                "sparsity": contestant.sparsity,
                "threshold": contestant.threshold,
                "zip_bytes": contestant.zip_bytes,
                "is_baseline": contestant.is_baseline,
                "probability": verdict.probability,
                "latency_ms": verdict.latency_ms,
                "problem": verdict.problem,
            }
            for contestant, verdict in zip(contestants, hearing.verdicts, strict=True)
        ]
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


@st.cache_resource(max_entries=_CACHED, show_spinner="Asking the variants")
def _asked(
    _waveform: Waveform,
    sha256: str,  # noqa: ARG001 - for the cache
    frontend: str,
    files: tuple[ModelFile, ...],
) -> Hearing:
    return _call(hear_out, _waveform, frontend, files)


@st.cache_resource(max_entries=_CACHED, show_spinner="Disturbing the recording")
def _drifted(
    _waveform: Waveform,
    sha256: str,  # noqa: ARG001 - for the cache
    frontend: str,
    files: tuple[ModelFile, ...],
    disturbance: str,
) -> FloatArray:
    return _call(drift, _waveform, frontend, files, disturbance, SEED)


@st.cache_resource(max_entries=_CACHED, show_spinner=False)
def _disturbed(
    _waveform: Waveform,
    sha256: str,  # noqa: ARG001 - for the cache
    disturbance: str,
    strength: float,
) -> Waveform:
    return _call(disturb, _waveform, disturbance, strength, SEED)


@st.cache_resource(max_entries=_CACHED, show_spinner=False)
def _pictured(_waveform: Waveform, sha256: str, frontend: str) -> Preview:  # noqa: ARG001 - as above
    return _call(preview, _waveform, Change(), frontend)


def _call(function: Callable[..., T], *arguments: object) -> T:
    return workers().call(function, *arguments, seconds=_SECONDS, subject="The recording")
