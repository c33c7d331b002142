"""How sure is each variant? Its probability beside its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboard import format as write
from dashboard.charts import SENTENCE, Entry, empty_figure, hover_texts, legend
from dashboard.format import UNPRUNED
from dashboard.theme import (
    FRONT_COLOUR,
    METHODS,
    PRECISIONS,
    UNPRUNED_SHAPE,
    in_order,
    method_look,
    precision_look,
)
from edac_core.studies.jobs import BASELINE

QUESTION = "How sure is each variant?"
ROW_HEIGHT, FRAME_HEIGHT = 34, 112
_MARGIN = {"l": 158, "r": 14, "t": 64, "b": 42}
_SHARES = (0, 0.25, 0.5, 0.75, 1)


@dataclass(frozen=True)
class Verdicts:
    """What the chart shows, a row a variant, the first at the top.

    `rows` has title, precision, method, probability, threshold and sentence.
    """

    rows: pd.DataFrame

    @property
    def height(self) -> int:
        """Pixels that the chart takes."""
        return FRAME_HEIGHT + ROW_HEIGHT * len(self.rows)


def verdicts(answers: pd.DataFrame) -> Verdicts:
    """Prepare the chart.

    Parameters
    ----------
    answers : DataFrame
        Rows of `dashboard.comparing.verdicts.answers` that have one.
    """
    columns = ["title", "precision", "method", "probability", "threshold"]
    sentences = [_sentence(row) for _, row in answers.iterrows()]
    return Verdicts(answers[columns].assign(sentence=sentences).reset_index(drop=True))


def draw_verdicts(chart: Verdicts, *, ink: str | None = None) -> go.Figure:
    """Return the figure.

    Parameters
    ----------
    chart : Verdicts
    ink : str, optional
        The colour of the words.
    """
    rows = chart.rows
    names = f"{variant_legend(rows)}    <b>|</b> the threshold that decides"
    figure = empty_figure(QUESTION, margin=_MARGIN, legend=names, ink=ink)
    places = [-place for place in range(len(rows))]
    for precision in in_order(rows["precision"], PRECISIONS):
        figure.add_trace(_leads(rows, places, precision))
    figure.add_traces([_thresholds(rows, places, ink=ink), _probabilities(rows, places)])
    figure.update_xaxes(
        title="Probability of the positive class", range=[-0.02, 1.02], tickvals=_SHARES,
        tickformat=".2~f",
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=places, ticktext=rows["title"].tolist(), range=[0.6 - len(rows), 0.6],
        showgrid=False,
    )  # fmt: skip
    return figure


def variant_legend(rows: pd.DataFrame) -> str:
    """Tell what the colours and the shapes of variants mean, a line each.

    Parameters
    ----------
    rows : DataFrame
        With columns precision and method.
    """
    colours = legend(
        Entry(name, precision_look(name).colour, "circle")
        for name in in_order(rows["precision"], PRECISIONS)
    )
    shapes = legend(
        Entry(UNPRUNED if name == BASELINE else name, FRONT_COLOUR, shape_of(name))
        for name in in_order(rows["method"], (BASELINE, *METHODS))
    )
    return f"{colours}<br>{shapes}"


def shape_of(method: str) -> str:
    """Return the shape of a variant's point."""
    return UNPRUNED_SHAPE if method == BASELINE else method_look(method).shape


def _leads(rows: pd.DataFrame, places: Sequence[int], precision: str) -> go.Scatter:
    """Join probabilities to their thresholds: a line's length is how clear a decision is."""
    ends = [
        (row.threshold, row.probability, place)
        for row, place in zip(rows.itertuples(), places, strict=True)
        if row.precision == precision
    ]
    return go.Scatter(
        x=[x for threshold, probability, _ in ends for x in (threshold, probability, None)],
        y=[y for *_, place in ends for y in (place, place, None)],
        mode="lines", line={"color": precision_look(precision).colour, "width": 2}, opacity=0.45,
        hoverinfo="skip",
    )  # fmt: skip


def _thresholds(rows: pd.DataFrame, places: Sequence[int], *, ink: str | None) -> go.Scatter:
    look: dict[str, Any] = {"symbol": "line-ns", "size": 17}
    look["line"] = {"width": 2.5, "color": ink or FRONT_COLOUR}
    return go.Scatter(
        name="threshold", mode="markers", x=rows["threshold"].tolist(), y=places, marker=look,
        hovertemplate="threshold %{x:.3f}<extra></extra>",
    )  # fmt: skip


def _probabilities(rows: pd.DataFrame, places: Sequence[int]) -> go.Scatter:
    return go.Scatter(
        name="probability", mode="markers", x=rows["probability"].tolist(), y=places,
        marker={
            "size": 13,
            "color": [precision_look(name).colour for name in rows["precision"]],
            "symbol": [shape_of(name) for name in rows["method"]],
        },
        cliponaxis=False,
        customdata=hover_texts(rows["sentence"]),
        hovertemplate=SENTENCE,
    )  # fmt: skip


def _sentence(row: pd.Series) -> str:
    side, called = ("above", "positive") if row["positive"] else ("below", "negative")
    change = ""
    if not row["is_baseline"] and pd.notna(row["difference"]):
        change = f"; {write.difference(row['difference'])} from the float32 baseline"
    return (
        f"{row['title']}: {row['probability']:.3f}, {side} its threshold of "
        f"{row['threshold']:.3f}, so {called}{change}"
    )
