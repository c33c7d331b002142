"""What does size cost in AUC? Every variant of a network, and the Pareto front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboard import format as write
from dashboard.charts import PADDING, TOOLTIP, compact, size_axis
from dashboard.theme import (
    CHOSEN_COLOUR,
    FRONT_COLOUR,
    PAPER_COLOUR,
    PRECISIONS,
    SCHEDULES,
    UNPRUNED_SHAPE,
    in_order,
    precision_look,
    schedule_look,
)
from edac_core.studies.jobs import BASELINE
from edac_core.studies.select import pareto_front

QUESTION = "What does size cost in AUC?"
UNPRUNED = "not pruned"


@dataclass(frozen=True)
class Tradeoff:
    """What the chart shows.

    `points` has a row a variant: schedule (in words), precision, sparsity, zip_bytes, auc, low
    and high (one standard deviation over the runs), on_front, sentence. `published` has
    zip_bytes, auc and sentence.
    """

    points: pd.DataFrame
    published: pd.DataFrame

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
        A paper's curve: sparsity, auc_mean, zip_megabytes_mean; may be empty.
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
    papers = pd.DataFrame(
        {
            "zip_bytes": published["zip_megabytes_mean"] * 1e6,
            "auc": published["auc_mean"],
            "sentence": [_published_sentence(row) for _, row in published.iterrows()],
        }
    )
    return Tradeoff(points, papers)


def draw_tradeoff(
    chart: Tradeoff, chosen: pd.DataFrame, *, ink: str | None = None
) -> dict[str, Any]:
    """Return the Vega-Lite specification, with its data sets as frames.

    Parameters
    ----------
    chart : Tradeoff
    chosen : DataFrame
        The row of `chart.points` that gets the ring.
    ink : str, optional
        The colour of the words.
    """
    sizes = [*chart.points["zip_bytes"], *chart.published["zip_bytes"]]
    return {
        "title": QUESTION,
        "config": compact(ink),
        "padding": PADDING,
        "datasets": {
            "points": chart.points,
            "front": chart.front,
            "published": chart.published,
            "chosen": chosen,
        },
        "encoding": {
            "x": {
                "field": "zip_bytes",
                "type": "quantitative",
                "scale": {"type": "log", "nice": False, "padding": 14},
                "axis": size_axis(sizes, title="Zip size (log scale)", steps=(1, 2, 5)),
            },
            "y": {
                "field": "auc",
                "type": "quantitative",
                "scale": {"zero": False, "nice": True},
                "axis": {"title": "AUC (mean over runs)", "format": ".2f"},
            },
        },
        "layer": [
            _front(),
            _published(),
            _error_bars(chart),
            _points(chart),
            _chosen_point(chart),
            _ring(),
        ],
    }


def _front() -> dict[str, Any]:
    mark = {"type": "line", "interpolate": "step-after", "color": FRONT_COLOUR, "strokeWidth": 1.5}
    return {"data": {"name": "front"}, "mark": mark}


def _published() -> dict[str, Any]:
    mark = {"type": "point", "filled": False, "color": PAPER_COLOUR, "size": 36, "opacity": 1}
    return {"data": {"name": "published"}, "mark": mark, "encoding": {"tooltip": TOOLTIP}}


def _error_bars(chart: Tradeoff) -> dict[str, Any]:
    return {
        "data": {"name": "points"},
        "mark": {"type": "rule", "strokeWidth": 1, "opacity": 0.35},
        "encoding": {
            "y": {"field": "low", "type": "quantitative"},
            "y2": {"field": "high"},
            "color": _colour(chart),
        },
    }


def _points(chart: Tradeoff) -> dict[str, Any]:
    return {
        "data": {"name": "points"},
        "mark": {"type": "point", "filled": True, "size": 55},
        "encoding": {
            "color": _colour(chart),
            "shape": _shape(chart),
            "opacity": {"condition": {"test": "datum.on_front", "value": 1}, "value": 0.65},
            "tooltip": TOOLTIP,
        },
    }


def _chosen_point(chart: Tradeoff) -> dict[str, Any]:
    """Draw the chosen variant once more, above those that cover it."""
    return {
        "data": {"name": "chosen"},
        "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
        "encoding": {"color": _colour(chart), "shape": _shape(chart)},
    }


def _ring() -> dict[str, Any]:
    mark = {"type": "point", "filled": False, "size": 330, "color": CHOSEN_COLOUR,
            "strokeWidth": 3, "opacity": 1}  # fmt: skip
    return {"data": {"name": "chosen"}, "mark": mark, "encoding": {"tooltip": TOOLTIP}}


def _shape(chart: Tradeoff) -> dict[str, Any]:
    schedules = in_order(chart.points["schedule"], (UNPRUNED, *SCHEDULES))
    shapes = [
        UNPRUNED_SHAPE if name == UNPRUNED else schedule_look(name).shape for name in schedules
    ]
    return {
        "field": "schedule",
        "type": "nominal",
        "scale": {"domain": schedules, "range": shapes},
        "legend": {
            "title": None,
            "orient": "bottom",
            "symbolFillColor": FRONT_COLOUR,
            "symbolStrokeWidth": 0,
        },
    }


def _colour(chart: Tradeoff) -> dict[str, Any]:
    precisions = in_order(chart.points["precision"], PRECISIONS)
    return {
        "field": "precision",
        "type": "nominal",
        "scale": {"domain": precisions, "range": [precision_look(p).colour for p in precisions]},
        "legend": {"title": None, "orient": "top"},
    }


def _sentence(row: pd.Series) -> str:
    level = UNPRUNED if row["schedule"] == BASELINE else f"{row['schedule']} "
    if row["schedule"] != BASELINE:
        level += write.per_cent(row["sparsity"])
    return (
        f"{row['precision']}, {level}: AUC {write.auc(row['auc'], row['auc_std'])} over "
        f"{row['runs']:.0f} runs at {write.size(row['zip_bytes'])}, "
        f"{write.smaller(row['zip_ratio'])} than the float32 baseline"
    )


def _published_sentence(row: pd.Series) -> str:
    return (
        f"EDAC published: AUC {write.auc(row['auc_mean'])} at "
        f"{write.size(row['zip_megabytes_mean'] * 1e6)} and {write.per_cent(row['sparsity'])} "
        "sparsity, by its own protocol on other recordings"
    )
