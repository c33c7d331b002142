"""What a variant decides: confusion, ROC and calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from dashboard import format as write
from dashboard.charts import SENTENCE, Entry, empty_figure, hover_texts, legend
from dashboard.inspecting.decisions import Decisions
from dashboard.theme import CHOSEN_COLOUR, FRONT_COLOUR, precision_look
from edac_core.measure.curves import Calibration, Confusion, Roc, roc
from edac_core.measure.discrimination import auc_interval

MOST_POINTS = 1_000
"""Of a curve: more could not be told apart."""

_MATRIX_MARGIN = {"l": 82, "r": 8, "t": 48, "b": 26}
_CURVE_MARGIN = {"l": 58, "r": 14, "t": 64, "b": 44}
_POSITIVE, _NEGATIVE = "positive", "negative"
_LIGHTEST, _DARKEST = 0.06, 0.62


@dataclass(frozen=True)
class RocChart:
    """Curves of a variant and its baseline, and what their thresholds give.

    `swapped` is what the variant gives at the baseline's threshold. `baseline` and what belongs
    to it are None for a baseline itself.
    """

    precision: str
    own: Roc
    own_auc: float
    own_point: Confusion
    baseline: Roc | None
    baseline_auc: float | None
    baseline_point: Confusion | None
    swapped: Confusion | None


def roc_chart(own: Decisions, baseline: Decisions | None, *, precision: str) -> RocChart:
    """Prepare the ROC curves.

    Raises
    ------
    DataError
        If the test examples are of one class.
    """
    other = baseline
    return RocChart(
        precision=precision,
        own=roc(own.labels, own.scores),
        own_auc=auc_interval(own.labels, own.scores).estimate,
        own_point=own.confusion(),
        baseline=None if other is None else roc(other.labels, other.scores),
        baseline_auc=None if other is None else auc_interval(other.labels, other.scores).estimate,
        baseline_point=None if other is None else other.confusion(),
        swapped=None if other is None else own.confusion(threshold=other.threshold),
    )


def draw_roc(chart: RocChart, *, ink: str | None = None) -> go.Figure:
    """Return the figure."""
    colour = precision_look(chart.precision).colour
    entries = [Entry(f"this file, AUC {write.auc(chart.own_auc)}", colour, "solid")]
    if chart.baseline_auc is not None:
        entries.append(
            Entry(f"baseline, AUC {write.auc(chart.baseline_auc)}", FRONT_COLOUR, "solid")
        )
    points = "\N{FISHEYE} own threshold"
    if chart.swapped is not None:
        points += "    \N{MULTIPLICATION SIGN} the baseline's threshold on this file"
    figure = empty_figure(
        "What would other thresholds give?", margin=_CURVE_MARGIN,
        legend=f"{legend(entries)}<br>{points}", ink=ink,
    )  # fmt: skip
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", hoverinfo="skip",
                       line={"dash": "dot", "width": 1, "color": FRONT_COLOUR})  # fmt: skip
    if chart.baseline is not None and chart.baseline_point is not None:
        figure.add_trace(_curve(chart.baseline, "The baseline", FRONT_COLOUR, width=1.5))
    figure.add_trace(_curve(chart.own, "This file", colour, width=2.5))
    if chart.baseline_point is not None:
        figure.add_trace(_point(chart.baseline_point, "the baseline at its own threshold",
                                symbol="circle", colour=FRONT_COLOUR, size=9))  # fmt: skip
    if chart.swapped is not None:
        figure.add_trace(_point(chart.swapped, "this file at the baseline's threshold",
                                symbol="x-thin", colour=colour, size=11))  # fmt: skip
    figure.add_trace(_point(chart.own_point, "this file at its own threshold",
                            symbol="circle", colour=colour, size=9))  # fmt: skip
    figure.add_trace(_point(chart.own_point, "this file at its own threshold",
                            symbol="circle-open", colour=CHOSEN_COLOUR, size=18))  # fmt: skip
    figure.update_xaxes(title="False alarms (1 - specificity)", range=[-0.01, 1.01],
                        tickformat=".0%", nticks=6)  # fmt: skip
    figure.update_yaxes(title="Found (sensitivity)", range=[-0.01, 1.01], tickformat=".0%",
                        nticks=6)  # fmt: skip
    return figure


def draw_calibration(found: Calibration, *, precision: str, ink: str | None = None) -> go.Figure:
    """Return the figure: share of positives against score, with intervals."""
    colour = precision_look(precision).colour
    said = f"expected calibration error {found.expected_error:.3f}    Brier score {found.brier:.3f}"
    figure = empty_figure(
        "Can its scores be read as probabilities?", margin=_CURVE_MARGIN,
        legend=f"{said}<br>on the dotted line they could; bars: 95 % intervals", ink=ink,
    )  # fmt: skip
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", hoverinfo="skip",
                       line={"dash": "dot", "width": 1, "color": FRONT_COLOUR})  # fmt: skip
    bins = found.bins
    figure.add_scatter(
        x=[one.mean_score for one in bins], y=[one.share for one in bins], mode="lines+markers",
        line={"color": colour, "width": 1.5}, marker={"size": 8, "color": colour},
        error_y={"array": [one.high - one.share for one in bins],
                 "arrayminus": [one.share - one.low for one in bins],
                 "color": f"{colour}99", "thickness": 1.5, "width": 3},
        customdata=hover_texts(
            f"{one.n} recordings with scores around {one.mean_score:.2f}: {one.positives} are "
            f"positive, {_share(one.share)} (95 % interval {_share(one.low)} to "
            f"{_share(one.high)})"
            for one in bins
        ),
        hovertemplate=SENTENCE,
    )  # fmt: skip
    figure.update_xaxes(title=f"Mean score of {_bin_size(found)} recordings or so",
                        range=[-0.02, 1.02], tickformat=".1f")  # fmt: skip
    figure.update_yaxes(title="Share that is positive", range=[-0.02, 1.02], tickformat=".0%",
                        nticks=6)  # fmt: skip
    return figure


def draw_matrix(counts: Confusion, *, title: str, colour: str, ink: str | None = None) -> go.Figure:
    """Return a confusion matrix: what recordings are, from the top; what they are called."""
    figure = empty_figure(title, margin=_MATRIX_MARGIN, legend=_rates(counts), ink=ink)
    table = np.array([
        [counts.true_positives, counts.false_negatives],
        [counts.false_positives, counts.true_negatives],
    ])  # fmt: skip
    shares = table / table.sum(axis=1, keepdims=True)
    figure.add_heatmap(
        z=shares.tolist(), x=[f"called {_POSITIVE}", f"called {_NEGATIVE}"],
        y=[f"is {_POSITIVE}", f"is {_NEGATIVE}"], zmin=0, zmax=1, showscale=False, xgap=3, ygap=3,
        colorscale=[[0, _with_alpha(colour, _LIGHTEST)], [1, _with_alpha(colour, _DARKEST)]],
        text=[[f"<b>{n}</b><br>{_share(share)}" for n, share in zip(*row, strict=True)]
              for row in zip(table, shares, strict=True)],
        texttemplate="%{text}", textfont={"size": 14, "color": ink},
        customdata=_cell_sentences(counts), hovertemplate=SENTENCE,
    )  # fmt: skip
    figure.update_xaxes(showgrid=False, side="bottom")
    figure.update_yaxes(autorange="reversed", showgrid=False, ticklabelstandoff=4)
    return figure


def _bin_size(found: Calibration) -> int:
    return round(sum(one.n for one in found.bins) / len(found.bins))


def _rates(counts: Confusion) -> str:
    return (
        f"sensitivity {_share(counts.sensitivity)}    specificity {_share(counts.specificity)}    "
        f"UAR {write.auc(counts.uar)}"
    )


def _cell_sentences(counts: Confusion) -> list[list[str]]:
    positives = counts.true_positives + counts.false_negatives
    negatives = counts.true_negatives + counts.false_positives
    texts = hover_texts([
        f"{counts.true_positives} of {positives} positive recordings are found",
        f"{counts.false_negatives} of {positives} positive recordings are missed",
        f"{counts.false_positives} of {negatives} negative recordings are false alarms",
        f"{counts.true_negatives} of {negatives} negative recordings are rightly called negative",
    ])  # fmt: skip
    return [texts[:2], texts[2:]]


def _curve(found: Roc, whose: str, colour: str, *, width: float) -> go.Scatter:
    shown = np.unique(np.linspace(0, len(found.thresholds) - 1, MOST_POINTS).astype(int))
    points = zip(
        found.thresholds[shown], found.sensitivity[shown], found.false_positive_rate[shown],
        strict=True,
    )  # fmt: skip
    return go.Scatter(
        x=found.false_positive_rate[shown].tolist(), y=found.sensitivity[shown].tolist(),
        mode="lines", line={"color": colour, "width": width},
        customdata=hover_texts(
            f"{whose} from a score of {threshold:.3f} on: {_share(hits)} of the positive "
            f"recordings found, {_share(alarms)} of the negative ones false alarms"
            for threshold, hits, alarms in points
        ),
        hovertemplate=SENTENCE,
    )  # fmt: skip


def _point(counts: Confusion, what: str, *, symbol: str, colour: str, size: int) -> go.Scatter:
    sentence = (
        f"{what}: {_share(counts.sensitivity)} of the positive recordings found, "
        f"{_share(1 - counts.specificity)} of the negative ones false alarms"
    )
    return go.Scatter(
        x=[1 - counts.specificity], y=[counts.sensitivity], mode="markers",
        marker={"symbol": symbol, "size": size, "color": colour,
                "line": {"width": 2.5, "color": colour}},
        customdata=hover_texts([sentence[0].upper() + sentence[1:]]), hovertemplate=SENTENCE,
        cliponaxis=False,
    )  # fmt: skip


def _share(fraction: float) -> str:
    return f"{100 * fraction:.0f} %"


def _with_alpha(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha})"
