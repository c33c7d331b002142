"""What does size cost in AUC? Every variant of a network, and the Pareto front."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
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
    with_room,
)
from dashboard.format import UNPRUNED
from dashboard.theme import (
    FRONT_COLOUR,
    METHODS,
    PAPER_COLOUR,
    PRECISIONS,
    UNPRUNED_SHAPE,
    in_order,
    method_look,
    precision_look,
)
from edac_core.studies import BASELINE
from edac_core.studies.select import pareto_front, representatives

QUESTION = "What does size cost in AUC?"
MARGIN = {"l": 58, "r": 12, "t": 64, "b": 44}
POINT_SIZE = 9
MOST_POINTS = 600
"""Of more variants, the chart shows those that stand for all."""

_POINT_FACTS = 2  # What a point carries: its sentence and its label.
_POINT_SENTENCE = "%{customdata[0]}<extra></extra>"
_FAINT = "59"  # Opacity, as the last digits of a colour.


@dataclass(frozen=True)
class Tradeoff:
    """What the chart shows.

    `points` has a row a variant, by its label in the summary: method (in words), precision,
    sparsity, zip_bytes, auc, low and high (one standard deviation over the runs), on_front,
    sentence. `published` has zip_bytes, auc and sentence. `paper` is the paper that published
    figures of this network, of its AUC or otherwise; empty if none did. `of` is how many variants
    the points stand for.
    """

    points: pd.DataFrame
    published: pd.DataFrame
    paper: str
    of: int

    @property
    def front(self) -> pd.DataFrame:
        """The points that nothing beats, by size."""
        return self.points[self.points["on_front"]].sort_values("zip_bytes", ignore_index=True)

    def point(self, summary: pd.DataFrame, label: Hashable) -> pd.DataFrame:
        """Return the point of a row of the summary, shown or not; none if there is no such row."""
        if label in self.points.index:
            return self.points.loc[[label]]
        if label not in summary.index:
            return self.points.iloc[:0]
        return points_of(summary.loc[[label]])

    @property
    def aggregated(self) -> bool:
        """Whether there are variants that are not shown."""
        return len(self.points) < self.of


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
    on_front = pareto_front(summary["zip_bytes"], summary["auc"])
    shown = representatives(summary, most=MOST_POINTS)
    points = points_of(summary[shown]).assign(on_front=on_front[shown])
    placed = published.dropna(subset="auc")
    papers = pd.DataFrame(
        {
            "zip_bytes": placed["zip_bytes"],
            "auc": placed["auc"],
            "sentence": [_published_sentence(row) for _, row in placed.iterrows()],
        }
    )
    return Tradeoff(points, papers, paper_of(published), len(summary))


def points_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of a summary as points; see `Tradeoff`."""
    spread = rows["auc_std"].fillna(0)
    return pd.DataFrame(
        {
            "method": rows["method"].replace(BASELINE, UNPRUNED),
            "precision": rows["precision"],
            "sparsity": rows["sparsity"],
            "zip_bytes": rows["zip_bytes"],
            "auc": rows["auc"],
            "low": rows["auc"] - spread,
            "high": rows["auc"] + spread,
            "sentence": [_sentence(row) for row in rows.to_dict("records")],
        }
    )


def draw_tradeoff(chart: Tradeoff, *, ink: str | None = None) -> go.Figure:
    """Return the figure, with no variant chosen.

    Parameters
    ----------
    chart : Tradeoff
    ink : str, optional
        The colour of the words.
    """
    points, published = chart.points, chart.published
    names = _legend(chart)
    margin = with_room(MARGIN, names, lines=2)
    figure = empty_figure(QUESTION, margin=margin, legend=names, ink=ink)
    sizes = [*points["zip_bytes"], *published["zip_bytes"]]
    aucs = [*points["low"], *points["high"], *published["auc"]]
    figure.update_xaxes(size_axis(sizes, title="Zip size (log scale)", most=6))
    figure.update_yaxes(
        value_axis(aucs, title="AUC (mean over runs)", tick_format=".2f", narrowest=NARROWEST_AUC)
    )
    if chart.aggregated:
        figure.add_annotation(_aggregated(chart))
    figure.add_traces([_front(chart), _published(chart)])
    for precision in in_order(points["precision"], PRECISIONS):
        figure.add_trace(_variants(points[points["precision"] == precision], precision))
    return figure


def mark_variants(
    figure: Mapping[str, Any], chosen: pd.DataFrame, pinned: pd.DataFrame
) -> dict[str, Any]:
    """Ring a variant, and another one thinly, and draw both above those that cover them.

    Parameters
    ----------
    figure : mapping
        The plain form of what `draw_tradeoff` returned.
    chosen, pinned : DataFrame
        A row each of `points_of`; the second may have none.
    """
    shown = pd.concat([pinned, chosen])
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": shown["zip_bytes"].tolist(),
        "y": shown["auc"].tolist(),
        "marker": {
            "size": POINT_SIZE,
            "color": [precision_look(name).colour for name in shown["precision"]],
            "symbol": [_shape(name) for name in shown["method"]],
        },
        "hoverinfo": "skip",
    }
    thin = ring(pinned, x="zip_bytes", y="auc")
    thin |= {"name": "pinned", "marker": {**thin["marker"], "size": 24, "line": {"width": 1.5}}}
    return marked(figure, [points, thin, ring(chosen, x="zip_bytes", y="auc")])


def clicked(points: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the label of the variant behind what was clicked; None if it is not one of ours.

    Parameters
    ----------
    points : sequence of mapping
        As Plotly names them, from the browser.
    """
    for point in points:
        data = point.get("customdata")
        if isinstance(data, list) and len(data) == _POINT_FACTS and isinstance(data[1], int):
            return data[1]
    return None


def _aggregated(chart: Tradeoff) -> go.layout.Annotation:
    """Say that not all variants are drawn, in the corner where few are."""
    count = f"{len(chart.points):,} of {chart.of:,} variants"
    words = f"{count}: the grey line,<br>and the best of each size"
    place = {"x": 1, "y": 0, "xref": "paper", "yref": "paper", "xanchor": "right",
             "yanchor": "bottom", "align": "right", "showarrow": False}  # fmt: skip
    return go.layout.Annotation(text=words, **place)


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
        unselected={"marker": {"opacity": 1}},
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
            "symbol": [_shape(method) for method in points["method"]],
            "opacity": [1.0 if on_front else 0.65 for on_front in points["on_front"]],
        },
        # A click makes Plotly fade all other points until the page has followed it.
        unselected={"marker": {"opacity": 0.65}},
        customdata=list(zip(hover_texts(points["sentence"]), points.index.tolist(), strict=True)),
        hovertemplate=_POINT_SENTENCE,
    )


def _legend(chart: Tradeoff) -> str:
    """Explain colour and shape apart from each other, a line each."""
    precisions = in_order(chart.points["precision"], PRECISIONS)
    methods = in_order(chart.points["method"], (UNPRUNED, *METHODS))
    colours = legend(Entry(name, precision_look(name).colour, "circle") for name in precisions)
    shapes = legend(Entry(name, FRONT_COLOUR, _shape(name)) for name in methods)
    return f"{colours}<br>{shapes}"


def _shape(method: str) -> str:
    return UNPRUNED_SHAPE if method == UNPRUNED else method_look(method).shape


def _sentence(row: Mapping[Hashable, Any]) -> str:
    level = write.level(row["method"], row["sparsity"])
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
