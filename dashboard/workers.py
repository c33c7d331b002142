"""What is heavy or dangerous is done apart: decoding, features, scoring. See `edac_core.apart`."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import streamlit as st

from edac_core.apart import Workers
from edac_core.errors import EdacError
from edac_core.rehearsal import rehearse

if TYPE_CHECKING:
    from edac_core.listening import Heard

PROCESSES = 2
DECODING_SECONDS = 10
FIRST_PAGE_SECONDS = 3
"""The first page has the machine to itself for so long."""

_REHEARSAL_SECONDS = 120


@st.cache_resource(show_spinner=False)
def workers() -> Workers:
    """Return the worker processes that all sessions of this server share."""
    return Workers(processes=PROCESSES)


@st.cache_resource(show_spinner=False)
def start_early() -> threading.Timer:
    """Have all workers import what most calls need, in the background, before anybody asks."""
    timer = threading.Timer(FIRST_PAGE_SECONDS, _rehearse_all, [workers()])
    timer.daemon = True
    timer.start()
    return timer


def _rehearse_all(pool: Workers) -> None:
    # Who already uses them is not to wait for a rehearsal between two calls.
    if pool.used:
        return
    for _ in range(PROCESSES):
        threading.Thread(target=_rehearse, args=(pool,), daemon=True).start()


def _rehearse(pool: Workers) -> None:
    # Who asks for the real thing will be told what is wrong.
    with contextlib.suppress(EdacError):
        pool.call(rehearse, seconds=_REHEARSAL_SECONDS)


def decoded(data: bytes, *, sha256: str, name: str) -> Heard:
    """Decode a file, once for all sessions.

    Parameters
    ----------
    data
        The file.
    sha256
        Its digest, by which it is known.
    name
        What error messages call it.

    Raises
    ------
    EdacError
        If it cannot be decoded, or takes too long.
    """
    return _decoded(data, sha256, name)


@st.cache_resource(max_entries=64, show_spinner="Decoding the recording")
def _decoded(_data: bytes, sha256: str, name: str) -> Heard:  # noqa: ARG001 - for the cache
    from edac_core.listening import hear  # noqa: PLC0415 - takes a second; most pages need none

    return workers().call(hear, _data, name, seconds=DECODING_SECONDS, subject=name)
