"""Measurements that take some seconds: made apart while the page goes on, once for all sessions."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard import format as write
from dashboard.workers import workers
from edac_core.errors import EdacError

POLL_SECONDS = 1.0
SECONDS = 120
"""A measurement that takes longer is stopped."""


@dataclass(frozen=True)
class Measurement:
    """A call of a core function in a worker.

    `key` tells it from all others; `meanwhile` says what is going on, and `tell` what came out.
    """

    key: tuple[object, ...]
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    subject: str
    meanwhile: str
    tell: Callable[[Any], str]

    def begun(self) -> Future[Any]:
        """Begin it, unless it has been begun before."""
        return _begun(self, self.key)

    def forget(self) -> None:
        """Have it begun again next time."""
        _begun.clear(self, self.key)


def draw_measurement(measurement: Measurement) -> None:
    """Say what came out, or that it is being measured; looks again until it is done."""
    waits = not measurement.begun().done()
    st.fragment(_draw, run_every=POLL_SECONDS if waits else None)(measurement, waits=waits)


def _draw(measurement: Measurement, *, waits: bool) -> None:
    future = measurement.begun()
    if not future.done():
        st.markdown(measurement.meanwhile)
        return
    if waits:
        # Drawn anew the page no longer looks again.
        st.rerun()
    try:
        st.markdown(measurement.tell(future.result()))
    except EdacError as error:
        st.warning(write.literally(str(error)), icon=":material/warning:")
        st.button("Measure again", key=f"again {measurement.key}", on_click=measurement.forget)


@st.cache_resource(show_spinner=False)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "measuring")


@st.cache_resource(max_entries=64, show_spinner=False)
def _begun(_measurement: Measurement, key: tuple[object, ...]) -> Future[Any]:  # noqa: ARG001
    return _threads().submit(
        workers().call, _measurement.function, *_measurement.arguments,
        seconds=SECONDS, subject=_measurement.subject,
    )  # fmt: skip
