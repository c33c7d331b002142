"""What does sparsity cost and save? AUC, size and latency along the levels of a study."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
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
    marked,
    paper_of,
    ring,
    size_axis,
    value_axis,
    with_room,
)
from dashboard.theme import CHOSEN_COLOUR, PAPER_COLOUR, PAPER_DASH, method_look, precision_look
from edac_core.compress import SCHEDULES
from edac_core.measure.parts import MEBIBYTE

MOST_LABELS, MOST_MARKS = 9, 60
MOST_LEVELS = 200
"""Of more levels, neighbours are drawn as one point, their mean."""

MOST_METHODS = 4
"""Of more, the chosen one and magnitude pruning are drawn: lines could not be told apart."""

_SAME = 1e-9
_FEWEST_OF_A_CURVE = 3


AUC = Quantity(
    "auc",
    "Does pruning lower the AUC?",
    functools.partial(value_axis, title="AUC", tick_format=".2f", narrowest=NARROWEST_AUC),
    write.auc,
)
SIZE = Quantity(
    "zip_bytes",
    "How much smaller does it get?",
    functools.partial(size_axis, title="Zip size (log)", most=3),
    write.size,
)
LATENCY = Quantity(
    "latency_ms",
    "Does it get faster?",
    functools.partial(value_axis, title="Latency (ms)", from_zero=True),
    write.milliseconds,
)


@dataclass(frozen=True)
class SparsityCurves:
    """One quantity along the levels of a study.

    The levels stand at equal steps, as on the slider: the interesting ones are close together.
    `lines` has columns series (a method or `paper`), position, value, low, high (one standard
    deviation over the runs; NaN for the paper) and sentence; where there are very many levels,
    `together` neighbouring ones are one point. `curves` are the figures it was made of. `paper`
    is the paper that published figures of this network, of this quantity or another; empty if
    none did. `of` is how many methods there are, of which these are some.
    """

    quantity: Quantity
    precision: str
    levels: tuple[float, ...]
    lines: pd.DataFrame
    paper: str
    curves: Mapping[str, pd.DataFrame]
    together: int
    of: int

    @functools.cached_property
    def paper_has_curve(self) -> bool:
        """Whether the paper published enough levels to join them: two far apart are no curve."""
        return len(self.series(self.paper)) >= _FEWEST_OF_A_CURVE

    @functools.cached_property
    def paper_is_shown(self) -> bool:
        """Whether the paper published this quantity."""
        return not self.series(self.paper).empty

    def series(self, name: str) -> pd.DataFrame:
        """Return one line."""
        return self.lines[self.lines["series"] == name]

    def point(self, *, method: str, sparsity: float) -> pd.DataFrame:
        """Return the slider's position on a method's line."""
        curve = self.curves.get(method)
        if curve is None:
            return self.lines.iloc[:0]
        value = float(curve[self.quantity.column][curve["sparsity"] == sparsity].iloc[0])
        point = {
            "position": [float(self.levels.index(sparsity))],
            "value": [value],
            "sentence": [_sentence(method, write.per_cent(sparsity), self.quantity.written(value))],
        }
        return pd.DataFrame(point)[: int(math.isfinite(value))]


def sparsity_curves(
    curves: Mapping[str, pd.DataFrame],
    published: pd.DataFrame,
    *,
    quantity: Quantity,
    precision: str,
    chosen: str = "",
) -> SparsityCurves:
    """Prepare a chart.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        By method, as `edac_core.studies.select.curve` returns them.
    published : DataFrame
        A paper's figures, as `edac_core.papers.published_curve` returns them.
    quantity : Quantity
    precision : str
    chosen : str, optional
        The method whose curve is shown however many there are.
    """
    of = len(curves)
    if of > MOST_METHODS:
        kept = {name: curves[name] for name in curves if name in {chosen, *SCHEDULES}}
        curves = kept or curves
    levels = tuple(sorted({float(s) for frame in curves.values() for s in frame["sparsity"]}))
    together = math.ceil(len(levels) / MOST_LEVELS)
    ours = [
        _our_line(frame, name, quantity, levels, together=together)
        for name, frame in curves.items()
    ]
    lines = pd.concat([*ours, _paper_line(published, quantity, levels)], ignore_index=True)
    lines = lines.dropna(subset="value")
    paper = paper_of(published)
    return SparsityCurves(quantity, precision, levels, lines, paper, curves, together, of)


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
    margin = with_room(margin, names, lines=1)
    figure = empty_figure(chart.quantity.question, margin=margin, legend=names, ink=ink)
    figure.update_xaxes(_levels_axis(chart.levels, title=_steps(chart) if last else ""))
    figure.update_yaxes(chart.quantity.axis([*lines["value"], *lines["low"], *lines["high"]]))
    ours = [name for name in lines["series"].unique() if name != chart.paper]
    figure.add_traces([_band(chart, name) for name in ours])
    figure.add_trace(_paper(chart))
    figure.add_traces([_line(chart, name) for name in ours])
    if not ours:
        figure.add_annotation(
            text="Not measured yet", showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper"
        )
    return figure


def mark_level(figure: Mapping[str, Any], chosen: pd.DataFrame) -> dict[str, Any]:
    """Draw a line at the slider's position, and a ring where it meets the chosen method's.

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
    frame: pd.DataFrame,
    method: str,
    quantity: Quantity,
    levels: tuple[float, ...],
    *,
    together: int,
) -> pd.DataFrame:
    value, spread = frame[quantity.column], frame[f"{quantity.column}_std"].fillna(0)
    every = pd.DataFrame(
        {
            "position": np.searchsorted(levels, frame["sparsity"]),
            "sparsity": frame["sparsity"],
            "value": value,
            "low": value - spread,
            "high": value + spread,
        }
    ).astype(float)
    line = every.groupby(np.arange(len(every)) // together).mean()
    around = "around " if together > 1 else ""
    sentences = [
        _sentence(method, f"{around}{write.per_cent(round(sparsity, 4))}", quantity.written(mean))
        for sparsity, mean in zip(line["sparsity"], line["value"], strict=True)
    ]
    return line.drop(columns="sparsity").assign(series=method, sentence=sentences)


def _sentence(method: str, level: str, figure: str) -> str:
    return f"{method}, {level}: {figure}"


def _paper_line(
    published: pd.DataFrame, quantity: Quantity, levels: tuple[float, ...]
) -> pd.DataFrame:
    """Put the paper's levels between ours; it has none beyond our last to stand on."""
    published = published[published["sparsity"] <= levels[-1] + _SAME]
    value = published[quantity.column].astype(float)
    return pd.DataFrame(
        {
            "series": published["paper"],
            "position": np.interp(published["sparsity"], levels, range(len(levels))),
            "value": value,
            "low": np.nan,
            "high": np.nan,
            "sentence": [
                _published_sentence(row, quantity.written(row[quantity.column]))
                for _, row in published.iterrows()
            ],
        }
    )


def _published_sentence(row: pd.Series, figure: str) -> str:
    """Say what a paper published, with the UAR where that is what it measured."""
    if pd.isna(row["uar"]):
        return f"{row['paper']} published {figure} at {write.per_cent(row['sparsity'])}"
    return (
        f"{row['paper']} published {figure} ({row['zip_bytes'] / MEBIBYTE:.1f} MiB) at "
        f"{write.per_cent(row['sparsity'])}, with a UAR of {row['uar']:.2f} on other recordings"
    )


def _steps(chart: SparsityCurves) -> str:
    """Name the axis, and say so where points are means."""
    means = f"; a point is the mean of {chart.together}" if chart.together > 1 else ""
    return f"Sparsity (%), at the slider's steps{means}"


def _levels_axis(levels: tuple[float, ...], *, title: str) -> dict[str, Any]:
    last = len(levels) - 1
    labelled = set(np.linspace(0, last, min(len(levels), MOST_LABELS)).round().astype(int).tolist())
    many = last >= MOST_MARKS
    marked_steps = sorted(labelled) if many else list(range(len(levels)))
    return {
        "title": {"text": title},
        "range": [-0.5, last + 0.5],
        "tickvals": marked_steps,
        "ticktext": [
            write.per_cent_in_address(round(levels[step], 3 if many else 9))
            if step in labelled
            else ""
            for step in marked_steps
        ],
        "ticks": "outside",
        "ticklen": 3,
        "showgrid": False,
    }


def _legend(chart: SparsityCurves) -> str:
    colour = precision_look(chart.precision).colour
    names = [name for name in chart.lines["series"].unique() if name != chart.paper]
    entries = [Entry(name, colour, method_look(name).dash) for name in names]
    if chart.paper:
        entries.append(_paper_entry(chart))
    left_out = chart.of - len(chart.curves)
    return legend(entries) + (f"    ({left_out} more to choose)" if left_out else "")


def _paper_entry(chart: SparsityCurves) -> Entry:
    look = PAPER_DASH if chart.paper_has_curve else "circle-open"
    name = chart.paper if chart.paper_is_shown else f"{chart.paper} (size only)"
    return Entry(name, PAPER_COLOUR, look)


def _band(chart: SparsityCurves, series: str) -> go.Scatter:
    colour = precision_look(chart.precision).colour
    return deviation_band(chart.series(series), name=series, colour=colour)


def _line(chart: SparsityCurves, series: str) -> go.Scatter:
    look = {"color": precision_look(chart.precision).colour}
    dash = method_look(series).dash
    mode = "lines" if chart.together > 1 else "lines+markers"
    line, marker = {**look, "dash": dash}, {**look, "size": 5}
    return _series(chart, series, line=line, marker=marker, mode=mode)


def _paper(chart: SparsityCurves) -> go.Scatter:
    look = {"color": PAPER_COLOUR}
    line = {**look, "dash": PAPER_DASH}
    mode, size = ("lines+markers", 6) if chart.paper_has_curve else ("markers", 9)
    marker = {**look, "size": size, "symbol": "circle-open"}
    return _series(chart, chart.paper, line=line, marker=marker, mode=mode)


def _series(
    chart: SparsityCurves,
    series: str,
    *,
    line: Mapping[str, Any],
    marker: Mapping[str, Any],
    mode: str,
) -> go.Scatter:
    shown = chart.series(series)
    return go.Scatter(
        name=series,
        mode=mode,
        x=shown["position"].tolist(),
        y=shown["value"].tolist(),
        line={"width": 2, **line},
        marker=marker,
        customdata=hover_texts(shown["sentence"]),
        hovertemplate=SENTENCE,
    )
