"""Charts, each in two parts: what to draw, as plain frames, and drawing it with Plotly.

Drawing gives a figure that does not depend on the slider; what does (the ring, the line at the
slider's position) is added to the figure's plain form by a function whose name starts with mark.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.basedatatypes import BaseFigure

from dashboard.theme import CHOSEN_COLOUR

CONFIG = {"displayModeBar": False, "showTips": False}
SENTENCE = "%{customdata}<extra></extra>"
NARROWEST_AUC = 0.04
"""An axis of AUCs spans at least this: a network's noise is not to fill it."""

GLYPHS = {
    "circle": "●",
    "circle-open": "○",
    "square": "■",
    "diamond": "◆",
    "diamond-tall": "♦",
    "triangle-up": "▲",
    "triangle-down": "▼",
    "triangle-left": "◀",
    "triangle-right": "▶",
    "star": "★",
    "hexagram": "✶",
    "pentagon": "⬟",
    "hexagon": "⬢",
    "hexagon2": "⬣",
    "cross": "✚",
    "x": "✖",
    "hourglass": "⧗",
    "bowtie": "⧓",
    "solid": "━━",
    "6px,4px": "╍╍",
    "2px,3px": "┈○┈",
}
"""How a legend writes Plotly's shapes and dashes."""

_OTHER = "╍╍"  # Of many patterns of dashes, none can be told from another in a line of text.
LEGEND_CHARACTERS = 60
"""What a line of a legend has room for on a phone."""
LEGEND_LINE = 16
"""Pixels a line of a legend is high."""

_KILO, _MEGA = 1e3, 1e6
_HOVER_WIDTH = 46
_BAND_OPACITY = "24"  # As the last digits of a colour.
_AIR = 0.08
_NARROWEST_SIZES = math.log10(1.5)
_STEPS = (
    tuple(step / 2 for step in range(2, 20)),
    tuple(range(1, 10)),
    (1, 2, 5),
    (1, 3),
    (1,),
)


@dataclass(frozen=True)
class Entry:
    """A name in a legend; `look` is one of Plotly's shapes or dashes."""

    name: str
    colour: str
    look: str


@dataclass(frozen=True)
class Quantity:
    """What stands on the vertical axis."""

    column: str
    question: str
    axis: Callable[[Iterable[float]], dict[str, Any]]
    written: Callable[[float], str]


def legend(entries: Iterable[Entry]) -> str:
    """Return lines of text that tell what colours, shapes and dashes mean.

    Plotly's own legends take their room from the plot, more or less of it by the chart's width.
    """
    lines, room = [""], LEGEND_CHARACTERS
    for entry in entries:
        glyph = GLYPHS.get(entry.look, _OTHER)
        length = len(f"{glyph} {entry.name}")
        if lines[-1] and length > room:
            lines, room = [*lines, ""], LEGEND_CHARACTERS
        gap = "    " if lines[-1] else ""
        lines[-1] += f'{gap}<span style="color:{entry.colour}">{glyph}</span> {entry.name}'
        room -= len(gap) + length
    return "<br>".join(lines)


def with_room(margin: Mapping[str, int], legend: str, *, lines: int) -> dict[str, int]:
    """Return a margin that has room above for a legend, where it had it for some lines."""
    further = max(0, legend.count("<br>") + 1 - lines)
    return {**margin, "t": margin["t"] + further * LEGEND_LINE}


def empty_figure(
    question: str, *, margin: Mapping[str, int], legend: str = "", ink: str | None = None
) -> go.Figure:
    """Return a figure that has a question as its title and leaves the room to the data.

    Parameters
    ----------
    question
        The title.
    margin
        Pixels around the plot, by Plotly's letters (l, r, t, b): fixed, so that nothing jumps.
    legend
        What colours, shapes and dashes mean; stands below the title.
    ink
        The colour of the words, if not that of Streamlit's own chart theme.
    """
    title = {"text": question, "font": {"size": 15}, "x": 0, "xref": "container", "xanchor": "left",
             "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 2},
             "subtitle": {"text": legend, "font": {"size": 12, "color": ink}}}  # fmt: skip
    figure = go.Figure(
        layout={
            # Streamlit fills the template in; Plotly's own would only be carried along.
            "template": go.layout.Template(),
            "title": title,
            "margin": {**margin, "pad": 0},
            "font": {"size": 12},
            "hovermode": "closest",
            "hoverlabel": {"align": "left", "font": {"size": 13, "color": ink}},
            "dragmode": False,
            "showlegend": False,
            "uirevision": "one",
        }
    )
    # Fixed ranges leave dragging to the page, which a finger wants to scroll.
    figure.update_xaxes(fixedrange=True, automargin=False, tickangle=0, zeroline=False)
    figure.update_yaxes(fixedrange=True, automargin=False, zeroline=False)
    if ink is not None:
        figure.update_layout(font_color=ink, title_font_color=ink)
        words = {"tickfont_color": ink, "title_font_color": ink}
        figure.update_xaxes(words).update_yaxes(words)
    return figure


class Drawn(BaseFigure):  # type: ignore[misc]
    """The plain form of a figure, for Streamlit to take as it is.

    Of a plain form Streamlit would build a figure anew, which looks at every property: a quarter
    of what a move of the slider costs. They were looked at when the figure was drawn.

    Parameters
    ----------
    plain
        As `marked` returns it.
    """

    def __init__(self, plain: Mapping[str, Any]) -> None:
        self._plain = dict(plain)

    def to_dict(self) -> dict[str, Any]:
        """Return the plain form, which is not to be changed."""
        return self._plain


def marked(
    figure: Mapping[str, Any],
    traces: Iterable[Mapping[str, Any]],
    *,
    shapes: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return a figure's plain form with traces and shapes on top; the figure stays as it is."""
    layout = {**figure["layout"], "shapes": list(shapes)}
    return {**figure, "data": [*figure["data"], *traces], "layout": layout}


def ring(chosen: pd.DataFrame, *, x: str, y: str) -> dict[str, Any]:
    """Return the trace that rings the chosen variant."""
    return {
        "type": "scatter",
        "name": "chosen",
        "mode": "markers",
        "x": chosen[x].tolist(),
        "y": chosen[y].tolist(),
        "marker": {
            "symbol": "circle-open", "size": 18, "color": CHOSEN_COLOUR,
            "line": {"width": 3, "color": CHOSEN_COLOUR},
        },
        "customdata": hover_texts(chosen["sentence"]),
        "hovertemplate": SENTENCE,
        "cliponaxis": False,
    }  # fmt: skip


def deviation_band(line: pd.DataFrame, *, name: str, colour: str) -> go.Scatter:
    """Return the band of one standard deviation around a line.

    Parameters
    ----------
    line
        With columns position, low and high.
    name, colour
        Of the line.
    """
    return go.Scatter(
        name=f"{name}, ± one standard deviation",
        mode="lines",
        x=[*line["position"], *line["position"][::-1]],
        y=[*line["high"], *line["low"][::-1]],
        line={"width": 0},
        fill="toself",
        fillcolor=f"{colour}{_BAND_OPACITY}",
        hoverinfo="skip",
    )


def paper_of(published: pd.DataFrame) -> str:
    """Return the name of the paper that published figures; an empty one if there are none."""
    return "" if published.empty else str(published["paper"].iloc[0])


def hover_texts(sentences: Iterable[str]) -> list[str]:
    """Break sentences into lines: Plotly cuts off what is wider than the chart."""
    return ["<br>".join(textwrap.wrap(sentence, _HOVER_WIDTH)) for sentence in sentences]


def size_axis(sizes: Iterable[float], *, title: str, most: int) -> dict[str, Any]:
    """Return a logarithmic axis of bytes, with as many round marks as there is room for.

    Parameters
    ----------
    sizes
        What the axis spans; what is not a positive number is left out.
    title
        Its title.
    most
        How many marks have room.
    """
    known = [math.log10(size) for size in sizes if size > 0] or [6.0]
    low, high = _with_air(known, narrowest=_NARROWEST_SIZES)
    marks = _round_marks(10**low, 10**high, most=most)
    return {
        "title": {"text": title},
        "type": "log",
        "range": [low, high],
        "tickvals": marks,
        "ticktext": [_size(mark) for mark in marks],
    }


def value_axis(
    values: Iterable[float],
    *,
    title: str,
    tick_format: str = "",
    narrowest: float = 0.0,
    from_zero: bool = False,
) -> dict[str, Any]:
    """Return a linear axis with some air around the values.

    Parameters
    ----------
    values
        What the axis spans; what is not finite is left out.
    title
        Its title.
    tick_format
        How numbers at the axis are written, as d3 has it.
    narrowest
        The smallest span that may fill the axis: noise is not to look like an effect.
    from_zero
        Whether the axis starts at zero.
    """
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    known += [0.0] if from_zero else []
    low, high = _with_air(known, narrowest=narrowest)
    return {
        "title": {"text": title},
        "range": [0.0 if from_zero else low, high],
        "tickformat": tick_format,
        "nticks": 5,
    }


def _size(mark: float) -> str:
    return f"{mark / _MEGA:g} MB" if mark >= _MEGA else f"{mark / _KILO:g} kB"


def _with_air(values: Sequence[float], *, narrowest: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    missing = max(narrowest - (high - low), 0.0) / 2
    air = _AIR * max(high - low, narrowest) + missing
    return low - air, high + air


def _round_marks(low: float, high: float, *, most: int) -> list[float]:
    for steps in _STEPS:
        marks = [step * 10**power for power in range(10) for step in steps]
        shown = [mark for mark in marks if low <= mark <= high]
        if len(shown) <= most:
            break
    return shown
