"""What does sparsity cost and save? AUC, size and latency along the levels of a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dashboard import format as write
from dashboard.charts import PADDING, TOOLTIP, compact, size_axis
from dashboard.theme import CHOSEN_COLOUR, PAPER_COLOUR, PAPER_DASH, precision_look, schedule_look

PAPER = "EDAC"
_SAME = 1e-9


@dataclass(frozen=True)
class Quantity:
    """What stands on the vertical axis.

    `published` names the paper's column and `unit` what one of it is in ours.
    """

    column: str
    question: str
    axis: Mapping[str, Any]
    scale: Mapping[str, Any]
    written: Callable[[float], str]
    published: str
    unit: float = 1.0


AUC = Quantity(
    "auc",
    "Does pruning lower the AUC?",
    {"title": "AUC", "format": ".2f"},
    {"zero": False},
    write.auc,
    "auc_mean",
)
SIZE = Quantity(
    "zip_bytes",
    "How much smaller does it get?",
    {"title": "Zip size (log)"},
    {"type": "log"},
    write.size,
    "zip_megabytes_mean",
    1e6,
)
LATENCY = Quantity(
    "latency_ms",
    "Does it get faster?",
    {"title": "Latency (ms)"},
    {"zero": True},
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

    def point(self, *, schedule: str, sparsity: float) -> pd.DataFrame:
        """Return the slider's position on a schedule's line."""
        lines = self.lines
        position = self.levels.index(sparsity)
        return lines[(lines["series"] == schedule) & (lines["position"] == position)]


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
    chart: SparsityCurves,
    chosen: pd.DataFrame,
    *,
    first: bool = False,
    last: bool = False,
    ink: str | None = None,
) -> dict[str, Any]:
    """Return the Vega-Lite specification, with its data sets as frames.

    Parameters
    ----------
    chart : SparsityCurves
    chosen : DataFrame
        The row of `chart.lines` at the slider's position.
    first : bool
        Whether it is the first of several charts: the one that says which line is which.
    last : bool
        Whether it is the last: the one that names the axis they share.
    ink : str, optional
        The colour of the words.
    """
    quantity = chart.quantity
    return {
        "title": quantity.question,
        "config": compact(ink),
        "padding": PADDING,
        "datasets": {"lines": chart.lines, "chosen": chosen},
        "data": {"name": "lines"},
        "encoding": {
            "x": _levels_axis(chart.levels, titled=last),
            "y": {
                "field": "value",
                "type": "quantitative",
                "scale": dict(quantity.scale),
                "axis": _value_axis(chart),
            },
        },
        "layer": [
            _band(chart),
            _slider_line(),
            _lines(chart, legend=first),
            _paper_points(),
            _our_points(chart),
            _ring(),
        ],
    }


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


def _value_axis(chart: SparsityCurves) -> dict[str, Any]:
    axis = dict(chart.quantity.axis)
    if chart.quantity is SIZE:
        axis = size_axis(chart.lines["value"], title=axis["title"], steps=(1,))
    return {"tickCount": 4, "minExtent": 46, "maxExtent": 46, **axis}


def _levels_axis(levels: tuple[float, ...], *, titled: bool) -> dict[str, Any]:
    labels = [write.per_cent_in_address(level) for level in levels]
    return {
        "field": "position",
        "type": "quantitative",
        "scale": {"domain": [0, max(len(levels) - 1, 1)], "nice": False, "padding": 8},
        "axis": {
            "title": "Sparsity (%), at the slider's steps" if titled else None,
            "values": list(range(len(levels))),
            "labelExpr": f"{labels}[datum.value]",
            "labelOverlap": "greedy",
            "labelFlush": False,
            "grid": False,
        },
    }


def _band(chart: SparsityCurves) -> dict[str, Any]:
    return {
        "mark": {"type": "area", "opacity": 0.14, "color": precision_look(chart.precision).colour},
        "encoding": {
            "y": {"field": "low", "type": "quantitative"},
            "y2": {"field": "high"},
            "detail": {"field": "series"},
        },
    }


def _slider_line() -> dict[str, Any]:
    return {
        "data": {"name": "chosen"},
        "mark": {"type": "rule", "color": CHOSEN_COLOUR, "strokeWidth": 1.5, "opacity": 0.8},
        "encoding": {"y": {"value": 0}, "y2": {"value": "height"}},
    }


def _lines(chart: SparsityCurves, *, legend: bool) -> dict[str, Any]:
    series = list(chart.lines["series"].unique())
    colour = precision_look(chart.precision).colour
    colours = [PAPER_COLOUR if name == PAPER else colour for name in series]
    dashes = [PAPER_DASH if name == PAPER else schedule_look(name).dash for name in series]
    shown = {"title": None, "orient": "top", "symbolSize": 400} if legend else None
    shared = {"field": "series", "type": "nominal", "legend": shown}
    return {
        "mark": {"type": "line", "strokeWidth": 2},
        "encoding": {
            "color": {**shared, "scale": {"domain": series, "range": colours}},
            "strokeDash": {**shared, "scale": {"domain": series, "range": dashes}},
        },
    }


def _paper_points() -> dict[str, Any]:
    return {
        "transform": [{"filter": {"field": "series", "equal": PAPER}}],
        "mark": {"type": "point", "filled": False, "color": PAPER_COLOUR, "size": 24, "opacity": 1},
        "encoding": {"tooltip": TOOLTIP},
    }


def _our_points(chart: SparsityCurves) -> dict[str, Any]:
    colour = precision_look(chart.precision).colour
    return {
        "transform": [{"filter": f"datum.series !== '{PAPER}'"}],
        "mark": {"type": "point", "filled": True, "color": colour, "size": 22, "opacity": 1},
        "encoding": {"tooltip": TOOLTIP},
    }


def _ring() -> dict[str, Any]:
    mark = {"type": "point", "filled": False, "size": 200, "color": CHOSEN_COLOUR,
            "strokeWidth": 2.5, "opacity": 1}  # fmt: skip
    return {"data": {"name": "chosen"}, "mark": mark, "encoding": {"tooltip": TOOLTIP}}
