"""Waveforms, spectrograms and the inputs of networks."""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import plotly.colors
import plotly.graph_objects as go
from PIL import Image

from dashboard.charts import SENTENCE, empty_figure

FloatArray = npt.NDArray[np.float32]

MOST_COLUMNS = 1_000
"""An envelope has at most this many columns, however long the waveform."""

_CRISP_ROWS = 192
_LEGEND_BLOCKS = 10
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
    outline = {
        "type": "scatter",
        "x": np.concatenate([wave.seconds, wave.seconds[::-1]]),
        "y": np.concatenate([wave.high, wave.low[::-1]]),
        "mode": "lines",
        "fill": "toself",
        "fillcolor": _WAVE_COLOUR,
        "line": {"width": 0.5, "color": _WAVE_COLOUR},
        "hoverinfo": "skip",
    }
    return _figure(
        outline,
        title=title,
        x={"title": "Time (s)", "range": [0, seconds], "showgrid": False},
        y={"title": "Amplitude", "range": [-peak, peak], "nticks": 5},
        ink=ink,
    )


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


def colour_legend(low: str, high: str) -> str:
    """Return a line of text that tells what the colours of `coloured` mean at both ends."""
    blocks = "".join(
        f'<span style="color:rgb({red},{green},{blue})">\N{FULL BLOCK}</span>'
        for red, green, blue in _VIRIDIS[np.linspace(0, 255, _LEGEND_BLOCKS).astype(int)]
    )
    return f"{low} {blocks} {high}"


def draw_picture(
    picture: Picture, *, title: str, legend: str = "", ink: str | None = None
) -> go.Figure:
    """Draw a picture; `legend` says below the title what its colours mean."""
    image = {
        "source": _as_address(picture.pixels), "xref": "x", "yref": "y", "x": 0, "y": picture.y_end,
        "sizex": picture.x_end, "sizey": picture.y_end, "sizing": "stretch", "layer": "below",
    }  # fmt: skip
    y = {"title": picture.y_title, "range": [0, picture.y_end], "showgrid": False}
    if picture.y_ticks:
        places, texts = zip(*picture.y_ticks, strict=True)
        y |= {"tickvals": places, "ticktext": texts}
    return _figure(
        # Without a trace Plotly draws no axes.
        {
            "type": "scatter",
            "x": [0],
            "y": [0],
            "mode": "markers",
            "opacity": 0,
            "hovertemplate": SENTENCE,
        },
        title=title,
        legend=legend,
        x={"title": picture.x_title, "range": [0, picture.x_end], "showgrid": False},
        y=y,
        images=[image],
        ink=ink,
    )


def _figure(
    trace: Mapping[str, Any],
    *,
    title: str,
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    legend: str = "",
    images: Sequence[Mapping[str, Any]] = (),
    ink: str | None,
) -> go.Figure:
    """Fill an empty figure; Plotly takes ten times as long to change a figure as to make one."""
    layout = _empty_layout(with_legend=bool(legend), ink=ink)
    subtitle = {**layout["title"]["subtitle"], "text": legend}
    return go.Figure(
        data=[trace],
        layout={
            **layout,
            "title": {**layout["title"], "text": title, "subtitle": subtitle},
            "xaxis": _axis(layout["xaxis"], x),
            "yaxis": _axis(layout["yaxis"], y),
            "images": images,
        },
    )


def _axis(empty: Mapping[str, Any], filled: Mapping[str, Any]) -> dict[str, Any]:
    return {**empty, **filled, "title": {**empty.get("title", {}), "text": filled["title"]}}


@functools.cache
def _empty_layout(*, with_legend: bool, ink: str | None) -> dict[str, Any]:
    """Return the layout of an empty figure as plain values, which nobody changes."""
    margin = {**_MARGIN, "t": 60 if with_legend else _MARGIN["t"]}
    layout: dict[str, Any] = empty_figure("", margin=margin, ink=ink).to_plotly_json()["layout"]
    return layout


def _as_address(pixels: npt.NDArray[np.uint8], *, form: Literal["PNG"] = "PNG") -> str:
    file = io.BytesIO()
    # Browsers smooth what they enlarge, and the few rows of a network's input are to be told apart.
    times = max(1, _CRISP_ROWS // len(pixels))
    crisp = pixels[::-1].repeat(times, axis=0).repeat(min(times, 4), axis=1)
    Image.fromarray(crisp).save(file, form, compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
