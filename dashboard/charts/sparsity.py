"""What does sparsity cost and save? AUC, size and latency along the levels of a study."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
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
    empty_figure,
    hover_texts,
    legend,
    marked,
    ring,
    size_axis,
    value_axis,
)
from dashboard.theme import CHOSEN_COLOUR, PAPER_COLOUR, PAPER_DASH, precision_look, schedule_look

PAPER = "EDAC"
MOST_LABELS = 9
_FAINT = "24"  # Opacity, as the last digits of a colour.
_SAME = 1e-9


@dataclass(frozen=True)
class Quantity:
    """What stands on the vertical axis.

    `published` names the paper's column and `unit` what one of it is in ours.
    """

    column: str
    question: str
    axis: Callable[[Iterable[float]], dict[str, Any]]
    written: Callable[[float], str]
    published: str
    unit: float = 1.0


AUC = Quantity(
    "auc",
    "Does pruning lower the AUC?",
    functools.partial(value_axis, title="AUC", tick_format=".2f", narrowest=NARROWEST_AUC),
    write.auc,
    "auc_mean",
)
SIZE = Quantity(
    "zip_bytes",
    "How much smaller does it get?",
    functools.partial(size_axis, title="Zip size (log)", most=3),
    write.size,
    "zip_megabytes_mean",
    1e6,
)
LATENCY = Quantity(
    "latency_ms",
    "Does it get faster?",
    functools.partial(value_axis, title="Latency (ms)", from_zero=True),
    write.milliseconds,
    "latency_ms_mean",
)


@dataclass(frozen=True)
class SparsityCurves:
    """One quantity along the levels of a study.

    The levels stand at equal steps, as on the slider: the interesting ones are close together.
    `lines` has columns series (a schedule or PAPER), position, value, low, high (one standard
    deviation over the runs; NaN for the paper) and sentence.
    """

    quantity: Quantity
    precision: str
    levels: tuple[float, ...]
    lines: pd.DataFrame

    def series(self, name: str) -> pd.DataFrame:
        """Return one line."""
        return self.lines[self.lines["series"] == name]

    def point(self, *, schedule: str, sparsity: float) -> pd.DataFrame:
        """Return the slider's position on a schedule's line."""
        line = self.series(schedule)
        return line[line["position"] == self.levels.index(sparsity)]


def sparsity_curves(
    curves: Mapping[str, pd.DataFrame],
    published: pd.DataFrame,
    *,
    quantity: Quantity,
    precision: str,
) -> SparsityCurves:
    """Prepare a chart.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        By schedule, as `edac_core.studies.select.curve` returns them.
    published : DataFrame
        A paper's curve with sparsity and the quantity's column; may be empty.
    quantity : Quantity
    precision : str
    """
    levels = tuple(sorted({float(s) for frame in curves.values() for s in frame["sparsity"]}))
    ours = [_our_line(frame, name, quantity, levels) for name, frame in curves.items()]
    lines = pd.concat([*ours, _paper_line(published, quantity, levels)], ignore_index=True)
    return SparsityCurves(quantity, precision, levels, lines.dropna(subset="value"))


def draw_sparsity_curves(
    chart: SparsityCurves, *, first: bool = False, last: bool = False, ink: str | None = None
) -> go.Figure:
    """Return the figure, with the slider nowhere.

    Parameters
    ----------
    chart : SparsityCurves
    first : bool
        Whether it is the first of several charts: the one that says which line is which.
    last : bool
        Whether it is the last: the one that names the axis they share.
    ink : str, optional
        The colour of the words.
    """
    lines = chart.lines
    margin = {"l": 66, "r": 12, "t": 56 if first else 26, "b": 42 if last else 22}
    names = _legend(chart) if first else ""
    figure = empty_figure(chart.quantity.question, margin=margin, legend=names, ink=ink)
    figure.update_xaxes(_levels_axis(chart.levels, titled=last))
    figure.update_yaxes(chart.quantity.axis([*lines["value"], *lines["low"], *lines["high"]]))
    ours = [name for name in lines["series"].unique() if name != PAPER]
    figure.add_traces([_band(chart, name) for name in ours])
    figure.add_trace(_paper(chart))
    figure.add_traces([_line(chart, name) for name in ours])
    if not ours:
        figure.add_annotation(
            text="Not measured yet", showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper"
        )
    return figure


def mark_level(figure: Mapping[str, Any], chosen: pd.DataFrame) -> dict[str, Any]:
    """Draw a line at the slider's position, and a ring where it meets the chosen schedule's.

    Parameters
    ----------
    figure : mapping
        The plain form of what `draw_sparsity_curves` returned.
    chosen : DataFrame
        The row of the chart's lines at that position; none if nothing was measured there.
    """
    look = {"color": CHOSEN_COLOUR, "width": 1.5}
    shapes = [
        {"type": "line", "x0": position, "x1": position, "y0": 0, "y1": 1, "yref": "y domain",
         "line": look, "opacity": 0.8, "layer": "below"}
        for position in chosen["position"].tolist()
    ]  # fmt: skip
    return marked(figure, [ring(chosen, x="position", y="value")], shapes=shapes)


def _our_line(
    frame: pd.DataFrame, schedule: str, quantity: Quantity, levels: tuple[float, ...]
) -> pd.DataFrame:
    value, spread = frame[quantity.column], frame[f"{quantity.column}_std"].fillna(0)
    return pd.DataFrame(
        {
            "series": schedule,
            "position": [levels.index(sparsity) for sparsity in frame["sparsity"]],
            "value": value,
            "low": value - spread,
            "high": value + spread,
            "sentence": [
                f"{schedule}, {write.per_cent(sparsity)}: {quantity.written(mean)}"
                for sparsity, mean in zip(frame["sparsity"], value, strict=True)
            ],
        }
    )


def _paper_line(
    published: pd.DataFrame, quantity: Quantity, levels: tuple[float, ...]
) -> pd.DataFrame:
    """Put the paper's levels between ours; it has none beyond our last to stand on."""
    published = published[published["sparsity"] <= levels[-1] + _SAME]
    value = published[quantity.published] * quantity.unit
    return pd.DataFrame(
        {
            "series": PAPER,
            "position": np.interp(published["sparsity"], levels, range(len(levels))),
            "value": value,
            "low": np.nan,
            "high": np.nan,
            "sentence": [
                f"EDAC published {quantity.written(mean)} at {write.per_cent(sparsity)}"
                for sparsity, mean in zip(published["sparsity"], value, strict=True)
            ],
        }
    )


def _levels_axis(levels: tuple[float, ...], *, titled: bool) -> dict[str, Any]:
    last = len(levels) - 1
    labelled = set(np.linspace(0, last, min(len(levels), MOST_LABELS)).round())
    return {
        "title": {"text": "Sparsity (%), at the slider's steps" if titled else ""},
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


def _legend(chart: SparsityCurves) -> str:
    colour = precision_look(chart.precision).colour
    return legend(
        Entry(name, PAPER_COLOUR, PAPER_DASH)
        if name == PAPER
        else Entry(name, colour, schedule_look(name).dash)
        for name in chart.lines["series"].unique()
    )


def _band(chart: SparsityCurves, series: str) -> go.Scatter:
    line = chart.series(series)
    return go.Scatter(
        name=f"{series}, ± one standard deviation",
        mode="lines",
        x=[*line["position"], *line["position"][::-1]],
        y=[*line["high"], *line["low"][::-1]],
        line={"width": 0},
        fill="toself",
        fillcolor=f"{precision_look(chart.precision).colour}{_FAINT}",
        hoverinfo="skip",
    )


def _line(chart: SparsityCurves, series: str) -> go.Scatter:
    look = {"color": precision_look(chart.precision).colour}
    dash = schedule_look(series).dash
    return _series(chart, series, line={**look, "dash": dash}, marker={**look, "size": 5})


def _paper(chart: SparsityCurves) -> go.Scatter:
    look = {"color": PAPER_COLOUR}
    marker = {**look, "size": 6, "symbol": "circle-open"}
    return _series(chart, PAPER, line={**look, "dash": PAPER_DASH}, marker=marker)


def _series(
    chart: SparsityCurves, series: str, *, line: Mapping[str, Any], marker: Mapping[str, Any]
) -> go.Scatter:
    shown = chart.series(series)
    return go.Scatter(
        name=series,
        mode="lines+markers",
        x=shown["position"].tolist(),
        y=shown["value"].tolist(),
        line={"width": 2, **line},
        marker=marker,
        customdata=hover_texts(shown["sentence"]),
        hovertemplate=SENTENCE,
    )
