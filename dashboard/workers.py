"""What is heavy or dangerous is done apart: decoding, features, scoring. See `edac_core.apart`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from edac_core.apart import Workers

if TYPE_CHECKING:
    from edac_core.listening import Heard

DECODING_SECONDS = 10


@st.cache_resource(show_spinner=False)
def workers() -> Workers:
    """Return the worker processes that all sessions of this server share."""
    return Workers(processes=2)


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
