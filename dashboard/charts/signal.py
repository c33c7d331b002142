"""Waveforms, spectrograms and the inputs of networks."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import plotly.colors
import plotly.graph_objects as go
from PIL import Image

from dashboard.charts import SENTENCE, empty_figure

FloatArray = npt.NDArray[np.float32]

MOST_COLUMNS = 1_000
"""An envelope has at most this many columns, however long the waveform."""

_MARGIN = {"l": 58, "r": 12, "t": 30, "b": 40}
_WAVE_COLOUR = "#6E7781"
_VIRIDIS = np.array(
    [plotly.colors.unlabel_rgb(colour) for colour in plotly.colors.sample_colorscale(
        "Viridis", np.linspace(0, 1, 256).tolist()
    )], dtype=np.uint8,
)  # fmt: skip


@dataclass(frozen=True)
class Envelope:
    """The lowest and highest sample of each column of a waveform's picture.

    `seconds`, `low` and `high` have shape (columns,).
    """

    seconds: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Picture:
    """Values on a plane, as an image with axes in the units of what it shows.

    Parameters
    ----------
    pixels
        Shape (rows, columns, 3), uint8; the first row is drawn at the bottom.
    x_end, y_end
        What the right and the upper edge stand for; the other edges stand for 0.
    x_title, y_title
        Of the axes, with units.
    y_ticks
        Where marks stand on the vertical axis, in its units, and what is written there; empty
        leaves it to Plotly.
    """

    pixels: npt.NDArray[np.uint8]
    x_end: float
    y_end: float
    x_title: str
    y_title: str
    y_ticks: Sequence[tuple[float, str]] = ()


def envelope(waveform: FloatArray, *, sample_rate: int) -> Envelope:
    """Reduce a waveform to what its picture can show."""
    columns = min(MOST_COLUMNS, len(waveform))
    edges = np.linspace(0, len(waveform), columns + 1).astype(int)[:-1]
    return Envelope(
        (edges / sample_rate).astype(np.float32),
        np.minimum.reduceat(waveform, edges),
        np.maximum.reduceat(waveform, edges),
    )


def draw_envelope(
    wave: Envelope, *, title: str, seconds: float, peak: float = 1.0, ink: str | None = None
) -> go.Figure:
    """Draw a waveform.

    Parameters
    ----------
    wave
        What to draw.
    title
        The question that the chart answers, or what it shows.
    seconds
        Where the time axis ends: the same for waveforms that stand side by side.
    peak
        Where the vertical axis ends, on both sides of 0.
    ink
        The colour of the words.
    """
    figure = empty_figure(title, margin=_MARGIN, ink=ink)
    outline = np.concatenate([wave.high, wave.low[::-1]])
    times = np.concatenate([wave.seconds, wave.seconds[::-1]])
    figure.add_scatter(
        x=times, y=outline, mode="lines", fill="toself", fillcolor=_WAVE_COLOUR,
        line={"width": 0.5, "color": _WAVE_COLOUR}, hoverinfo="skip",
    )  # fmt: skip
    figure.update_xaxes(title="Time (s)", range=[0, seconds], showgrid=False)
    figure.update_yaxes(title="Amplitude", range=[-peak, peak], nticks=5)
    return figure


def coloured(
    values: FloatArray, *, low: float | None = None, high: float | None = None
) -> npt.NDArray[np.uint8]:
    """Map values to colours from dark (`low`) to light (`high`), by default their extremes.

    Parameters
    ----------
    values
        Shape (rows, columns).

    Returns
    -------
    numpy.ndarray
        Shape (rows, columns, 3), uint8.
    """
    low = float(values.min()) if low is None else low
    high = float(values.max()) if high is None else high
    scaled = (values - low) / ((high - low) or 1)
    found: npt.NDArray[np.uint8] = _VIRIDIS[np.clip(np.rint(255 * scaled), 0, 255).astype(int)]
    return found


def draw_picture(
    picture: Picture, *, title: str, legend: str = "", ink: str | None = None
) -> go.Figure:
    """Draw a picture; `legend` says below the title what its colours mean."""
    margin = {**_MARGIN, "t": 48 if legend else _MARGIN["t"]}
    figure = empty_figure(title, margin=margin, legend=legend, ink=ink)
    # Without a trace Plotly draws no axes.
    figure.add_scatter(x=[0], y=[0], mode="markers", opacity=0, hovertemplate=SENTENCE)
    figure.add_layout_image(
        source=_as_address(picture.pixels), xref="x", yref="y", x=0, y=picture.y_end,
        sizex=picture.x_end, sizey=picture.y_end, sizing="stretch", layer="below",
    )  # fmt: skip
    figure.update_xaxes(title=picture.x_title, range=[0, picture.x_end], showgrid=False)
    figure.update_yaxes(title=picture.y_title, range=[0, picture.y_end], showgrid=False)
    if picture.y_ticks:
        places, texts = zip(*picture.y_ticks, strict=True)
        figure.update_yaxes(tickvals=places, ticktext=texts)
    return figure


def _as_address(pixels: npt.NDArray[np.uint8], *, form: Literal["PNG"] = "PNG") -> str:
    file = io.BytesIO()
    Image.fromarray(pixels[::-1]).save(file, form)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
