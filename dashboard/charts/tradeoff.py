"""What does size cost in AUC? Every variant of a network, and the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
    paper_of,
    ring,
    size_axis,
    value_axis,
)
from dashboard.theme import (
    FRONT_COLOUR,
    PAPER_COLOUR,
    PRECISIONS,
    SCHEDULES,
    UNPRUNED_SHAPE,
    in_order,
    precision_look,
    schedule_look,
)
from edac_core.studies import BASELINE
from edac_core.studies.select import pareto_front

QUESTION = "What does size cost in AUC?"
UNPRUNED = "not pruned"
MARGIN = {"l": 58, "r": 12, "t": 64, "b": 44}
POINT_SIZE = 9
_FAINT = "59"  # Opacity, as the last digits of a colour.


@dataclass(frozen=True)
class Tradeoff:
    """What the chart shows.

    `points` has a row a variant: schedule (in words), precision, sparsity, zip_bytes, auc, low
    and high (one standard deviation over the runs), on_front, sentence. `published` has
    zip_bytes, auc and sentence. `paper` is the paper that published figures of this network, of
    its AUC or otherwise; empty if none did.
    """

    points: pd.DataFrame
    published: pd.DataFrame
    paper: str

    @property
    def front(self) -> pd.DataFrame:
        """The points that nothing beats, by size."""
        return self.points[self.points["on_front"]].sort_values("zip_bytes", ignore_index=True)

    def point(self, *, schedule: str, sparsity: float, precision: str) -> pd.DataFrame:
        """Return the row of one variant; the unpruned one belongs to every schedule."""
        wanted = UNPRUNED if sparsity == 0 else schedule
        points = self.points
        return points[
            (points["schedule"] == wanted)
            & (points["sparsity"] == sparsity)
            & (points["precision"] == precision)
        ]


def tradeoff(summary: pd.DataFrame, published: pd.DataFrame) -> Tradeoff:
    """Prepare the chart.

    Parameters
    ----------
    summary : DataFrame
        The rows of one network from `edac_core.studies.select.summarise`.
    published : DataFrame
        A paper's figures, as `edac_core.papers.published_curve` returns them; those without an
        AUC have no place here.
    """
    points = pd.DataFrame(
        {
            "schedule": summary["schedule"].replace(BASELINE, UNPRUNED),
            "precision": summary["precision"],
            "sparsity": summary["sparsity"],
            "zip_bytes": summary["zip_bytes"],
            "auc": summary["auc"],
            "low": summary["auc"] - summary["auc_std"].fillna(0),
            "high": summary["auc"] + summary["auc_std"].fillna(0),
            "on_front": pareto_front(summary["zip_bytes"], summary["auc"]),
            "sentence": [_sentence(row) for _, row in summary.iterrows()],
        }
    )
    placed = published.dropna(subset="auc")
    papers = pd.DataFrame(
        {
            "zip_bytes": placed["zip_bytes"],
            "auc": placed["auc"],
            "sentence": [_published_sentence(row) for _, row in placed.iterrows()],
        }
    )
    return Tradeoff(points, papers, paper_of(published))


def draw_tradeoff(chart: Tradeoff, *, ink: str | None = None) -> go.Figure:
    """Return the figure, with no variant chosen.

    Parameters
    ----------
    chart : Tradeoff
    ink : str, optional
        The colour of the words.
    """
    points, published = chart.points, chart.published
    figure = empty_figure(QUESTION, margin=MARGIN, legend=_legend(chart), ink=ink)
    sizes = [*points["zip_bytes"], *published["zip_bytes"]]
    aucs = [*points["low"], *points["high"], *published["auc"]]
    figure.update_xaxes(size_axis(sizes, title="Zip size (log scale)", most=6))
    figure.update_yaxes(
        value_axis(aucs, title="AUC (mean over runs)", tick_format=".2f", narrowest=NARROWEST_AUC)
    )
    figure.add_traces([_front(chart), _published(chart)])
    for precision in in_order(points["precision"], PRECISIONS):
        figure.add_trace(_variants(points[points["precision"] == precision], precision))
    return figure


def mark_variant(figure: Mapping[str, Any], chosen: pd.DataFrame) -> dict[str, Any]:
    """Ring a variant, and draw it once more above those that cover it.

    Parameters
    ----------
    figure : mapping
        The plain form of what `draw_tradeoff` returned.
    chosen : DataFrame
        A row of the chart's points.
    """
    point = {
        "type": "scatter",
        "mode": "markers",
        "x": chosen["zip_bytes"].tolist(),
        "y": chosen["auc"].tolist(),
        "marker": {
            "size": POINT_SIZE,
            "color": [precision_look(name).colour for name in chosen["precision"]],
            "symbol": [_shape(name) for name in chosen["schedule"]],
        },
        "hoverinfo": "skip",
    }
    return marked(figure, [point, ring(chosen, x="zip_bytes", y="auc")])


def _front(chart: Tradeoff) -> go.Scatter:
    return go.Scatter(
        name="Pareto front",
        mode="lines",
        x=chart.front["zip_bytes"].tolist(),
        y=chart.front["auc"].tolist(),
        line={"shape": "hv", "color": FRONT_COLOUR, "width": 1.5},
        hoverinfo="skip",
    )


def _published(chart: Tradeoff) -> go.Scatter:
    return go.Scatter(
        name="published",
        mode="markers",
        x=chart.published["zip_bytes"].tolist(),
        y=chart.published["auc"].tolist(),
        marker={"symbol": "circle-open", "size": 7, "color": PAPER_COLOUR},
        customdata=hover_texts(chart.published["sentence"]),
        hovertemplate=SENTENCE,
    )


def _variants(points: pd.DataFrame, precision: str) -> go.Scatter:
    colour = precision_look(precision).colour
    spread = (points["high"] - points["auc"]).tolist()
    return go.Scatter(
        name=precision,
        mode="markers",
        x=points["zip_bytes"].tolist(),
        y=points["auc"].tolist(),
        error_y={"array": spread, "color": f"{colour}{_FAINT}", "thickness": 1, "width": 0},
        marker={
            "size": POINT_SIZE,
            "color": colour,
            "symbol": [_shape(schedule) for schedule in points["schedule"]],
            "opacity": [1.0 if on_front else 0.65 for on_front in points["on_front"]],
        },
        customdata=hover_texts(points["sentence"]),
        hovertemplate=SENTENCE,
    )


def _legend(chart: Tradeoff) -> str:
    """Explain colour and shape apart from each other, a line each."""
    precisions = in_order(chart.points["precision"], PRECISIONS)
    schedules = in_order(chart.points["schedule"], (UNPRUNED, *SCHEDULES))
    colours = legend(Entry(name, precision_look(name).colour, "circle") for name in precisions)
    shapes = legend(Entry(name, FRONT_COLOUR, _shape(name)) for name in schedules)
    return f"{colours}<br>{shapes}"


def _shape(schedule: str) -> str:
    return UNPRUNED_SHAPE if schedule == UNPRUNED else schedule_look(schedule).shape


def _sentence(row: pd.Series) -> str:
    level = UNPRUNED if row["schedule"] == BASELINE else f"{row['schedule']} "
    if row["schedule"] != BASELINE:
        level += write.per_cent(row["sparsity"])
    auc = f"{write.auc(row['auc'])} in one run"
    if row["runs"] > 1:
        auc = f"{write.auc(row['auc'], row['auc_std'])} over {row['runs']:.0f} runs"
    return (
        f"{row['precision']}, {level}: AUC {auc} at {write.size(row['zip_bytes'])}, "
        f"{write.smaller(row['zip_ratio'])} than the float32 baseline"
    )


def _published_sentence(row: pd.Series) -> str:
    return (
        f"{row['paper']} published: AUC {write.auc(row['auc'])} at "
        f"{write.size(row['zip_bytes'])} and {write.per_cent(row['sparsity'])} "
        "sparsity, by its own protocol on other recordings"
    )
