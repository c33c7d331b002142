"""Does it come out as published? A paper's curve and the one measured here, over sparsity."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import format as write
from dashboard.charts import (
    NARROWEST_AUC,
    SENTENCE,
    Entry,
    Quantity,
    deviation_band,
    empty_figure,
    hover_texts,
    legend,
    paper_of,
    value_axis,
)
from dashboard.theme import PAPER_COLOUR, PAPER_DASH, method_look, precision_look
from edac_core.papers import EDAC, SQUEEZE

HERE = "here"
MOST_LABELS = 7
_FEWEST_OF_A_CURVE = 3
_MARKS = [step * 10**power for power in range(5) for step in (1, 2, 5)]
_MOST_MARKS = 7


def _ratio_axis(values: Iterable[float], *, title: str) -> dict[str, Any]:
    """Return a logarithmic axis of ratios, 1 among them."""
    known = [math.log10(value) for value in values if value > 0] + [0.0]
    low, high = min(known) - 0.05, max(*known, math.log10(2)) + 0.08
    shown = [mark for mark in _MARKS if low <= math.log10(mark) <= high]
    if len(shown) > _MOST_MARKS:
        shown = [mark for mark in shown if str(mark).startswith("1")]
    return {
        "title": {"text": title},
        "type": "log",
        "range": [low, high],
        "tickvals": shown,
        "ticktext": [f"{mark}x" for mark in shown],
    }


def _score(name: str) -> Callable[[Iterable[float]], dict[str, Any]]:
    return functools.partial(value_axis, title=name, tick_format=".2f", narrowest=NARROWEST_AUC)


AUC = Quantity("auc", "Does the AUC go as published?", _score("AUC"), write.auc)
UAR = Quantity("uar", "Does the UAR go as published?", _score("UAR"), write.auc)
SMALLER = Quantity(
    "zip_ratio",
    "Does the zip get as much smaller?",
    functools.partial(_ratio_axis, title="Times smaller (log)"),
    write.smaller,
)
FASTER = Quantity(
    "speedup",
    "Does it get as much faster?",
    functools.partial(value_axis, title="Times faster", tick_format=".1f", from_zero=True),
    write.faster,
)
QUANTITIES = {EDAC: (AUC, SMALLER, FASTER), SQUEEZE: (UAR, SMALLER)}
"""What each paper published."""


@dataclass(frozen=True)
class Comparison:
    """One quantity of one network, by method and precision, published and measured here.

    The levels of both stand at equal steps. `lines` has columns series (the paper's name or
    `HERE`), position, value, low, high (one standard deviation over the runs; NaN where it is not
    known) and sentence.
    """

    quantity: Quantity
    method: str
    precision: str
    paper: str
    levels: tuple[float, ...]
    lines: pd.DataFrame

    def series(self, name: str) -> pd.DataFrame:
        """Return one line."""
        return self.lines[self.lines["series"] == name]


def comparison(
    ours: pd.DataFrame,
    published: pd.DataFrame,
    *,
    quantity: Quantity,
    method: str,
    precision: str,
) -> Comparison:
    """Prepare a chart.

    Parameters
    ----------
    ours : DataFrame
        As `edac_core.studies.select.curve` returns it; no rows if nothing was measured.
    published : DataFrame
        As `edac_core.papers.published_curve` returns it.
    quantity : Quantity
    method, precision : str
        Of both.
    """
    paper = paper_of(published)
    levels = tuple(
        sorted({round(float(s), 9) for s in [*ours["sparsity"], *published["sparsity"]]})
    )
    lines = [
        _line(frame, name, quantity, levels) for frame, name in ((published, paper), (ours, HERE))
    ]
    table = pd.concat(lines, ignore_index=True).dropna(subset="value")
    return Comparison(quantity, method, precision, paper, levels, table)


def draw_comparison(chart: Comparison, *, named: bool = False, ink: str | None = None) -> go.Figure:
    """Return the figure.

    Parameters
    ----------
    chart : Comparison
    named : bool
        Whether it says which line is which.
    ink : str, optional
        The colour of the words.
    """
    lines = chart.lines
    figure = empty_figure(
        chart.quantity.question,
        margin={"l": 62, "r": 10, "t": 56, "b": 42},
        legend=_legend(chart) if named else "",
        ink=ink,
    )
    figure.update_xaxes(_levels_axis(chart.levels))
    figure.update_yaxes(chart.quantity.axis([*lines["value"], *lines["low"], *lines["high"]]))
    for name in (chart.paper, HERE):
        figure.add_traces([_band(chart, name), _trace(chart, name)])
    return figure


def _line(
    frame: pd.DataFrame, name: str, quantity: Quantity, levels: tuple[float, ...]
) -> pd.DataFrame:
    value = frame[quantity.column].astype(float)
    spread = frame.get(f"{quantity.column}_std", pd.Series(np.nan, index=frame.index))
    return pd.DataFrame(
        {
            "series": name,
            "position": [levels.index(round(float(level), 9)) for level in frame["sparsity"]],
            "value": value,
            "low": value - spread,
            "high": value + spread,
            "sentence": [
                _sentence(name, level, quantity.written(found))
                for level, found in zip(frame["sparsity"], value, strict=True)
            ],
        }
    )


def _sentence(name: str, level: float, figure: str) -> str:
    said = "Measured here" if name == HERE else f"{name} published"
    return f"{said} at {write.per_cent(level)}: {figure}"


def _levels_axis(levels: tuple[float, ...]) -> dict[str, Any]:
    last = len(levels) - 1
    labelled = set(np.linspace(0, last, min(len(levels), MOST_LABELS)).round())
    return {
        "title": {"text": "Sparsity (%)"},
        "range": [-0.5, last + 0.5],
        "tickvals": list(range(len(levels))),
        "ticktext": [
            write.per_cent_in_address(level) if position in labelled else ""
            for position, level in enumerate(levels)
        ],
        "ticks": "outside",
        "ticklen": 3,
        "showgrid": False,
    }


def _look(chart: Comparison, name: str) -> tuple[str, str, str]:
    """Return colour, dash and shape."""
    if name == HERE:
        method = method_look(chart.method)
        return precision_look(chart.precision).colour, method.dash, method.shape
    return PAPER_COLOUR, PAPER_DASH, "circle-open"


def _legend(chart: Comparison) -> str:
    shown = [name for name in (HERE, chart.paper) if len(chart.series(name))]
    looks = [(name, *_look(chart, name)) for name in shown]
    return legend(
        Entry("measured here" if name == HERE else f"{name}, as published", colour,
              dash if _is_curve(chart, name) else shape)
        for name, colour, dash, shape in looks
    )  # fmt: skip


def _is_curve(chart: Comparison, name: str) -> bool:
    """Say whether there are enough levels to join: two far apart are no curve."""
    return len(chart.series(name)) >= _FEWEST_OF_A_CURVE


def _band(chart: Comparison, name: str) -> go.Scatter:
    line = chart.series(name).dropna(subset=["low", "high"])
    colour, _, _ = _look(chart, name)
    return deviation_band(line, name=name, colour=colour)


def _trace(chart: Comparison, name: str) -> go.Scatter:
    shown = chart.series(name)
    colour, dash, shape = _look(chart, name)
    is_curve = _is_curve(chart, name)
    return go.Scatter(
        name=name,
        mode="lines+markers" if is_curve else "markers",
        x=shown["position"].tolist(),
        y=shown["value"].tolist(),
        line={"width": 2, "color": colour, "dash": dash},
        marker={"color": colour, "symbol": shape, "size": 6 if is_curve else 9},
        customdata=hover_texts(shown["sentence"]),
        hovertemplate=SENTENCE,
    )
