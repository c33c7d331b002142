"""Sound on the page."""

from __future__ import annotations

import io

import numpy as np
import soundfile
import streamlit as st

from edac_core.audio import SAMPLE_RATE, Waveform


def draw_player(waveform: Waveform, *, alt: str) -> None:
    """Draw a player for a waveform at its own level.

    Parameters
    ----------
    waveform
        Shape (n,), float32, mono at 22,050 Hz; what is beyond full scale is clipped, as any
        loudspeaker would.
    alt
        What is played, for those who do not see the page.
    """
    # Streamlit would bring an array to full scale, so that a gain could not be heard.
    st.audio(encoded(waveform), format="audio/wav", alt=alt)


def encoded(waveform: Waveform) -> bytes:
    """Return a waveform as the bytes of a 16-bit WAV file."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(waveform, -1, 1), SAMPLE_RATE, "PCM_16", format="WAV")
    return file.getvalue()
