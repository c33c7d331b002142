"""Previews of augmentation, computed apart and kept."""

from __future__ import annotations

import streamlit as st

from dashboard.workers import workers
from edac_core.audio import SAMPLE_RATE, Waveform
from edac_core.previews import Change, Preview, preview

LONGEST_SECONDS = 30
"""Of a longer recording only the beginning is shown."""

_SECONDS = 30
_KEPT = 24


def previewed(
    waveform: Waveform, sha256: str, *, frontend: str, change: Change | None = None
) -> Preview:
    """Preview a change to a recording, once for all sessions.

    Parameters
    ----------
    waveform
        Shape (n,), float32, mono at 22,050 Hz.
    sha256
        Digest of its file, by which it is known.
    frontend, change
        As for `edac_core.previews.preview`; no change by default.

    Raises
    ------
    EdacError
        If it cannot be computed, or takes too long.
    """
    change = change or Change()
    # Streamlit would hash the values of a dataclass without its type.
    return _previewed(waveform, change, sha256, repr(change), frontend)


@st.cache_resource(max_entries=_KEPT, show_spinner="Drawing")
def _previewed(
    _waveform: Waveform,
    _change: Change,
    sha256: str,  # noqa: ARG001 - for the cache
    change: str,  # noqa: ARG001 - for the cache
    frontend: str,
) -> Preview:
    beginning = _waveform[: LONGEST_SECONDS * SAMPLE_RATE]
    return workers().call(
        preview, beginning, _change, frontend, seconds=_SECONDS, subject="The preview"
    )
