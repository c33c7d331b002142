"""Do the variants drift apart as the recording gets worse? Probabilities by strength."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from dashboard.charts import SENTENCE, empty_figure, hover_texts, marked
from dashboard.charts.verdicts import shape_of, variant_legend
from dashboard.theme import CHOSEN_COLOUR, method_look, precision_look
from edac_core.disturb import DISTURBANCES, Disturbance
from edac_core.studies.jobs import BASELINE

AS_RECORDED = "as recorded"
_MARGIN = {"l": 52, "r": 14, "t": 64, "b": 44}
_KILO = 1_000


@dataclass(frozen=True)
class Words:
    """How a disturbance is named: on its button, in the chart's question and along its axis."""

    title: str
    question: str
    axis: str


WORDS: Mapping[str, Words] = {
    "noise": Words("Noise", "Do the variants drift apart in noise?", "Signal-to-noise ratio (dB)"),
    "gain": Words("Gain", "Do the variants drift apart as it gets louder or quieter?", "Gain (dB)"),
    "low-pass": Words(
        "Low-pass", "Do the variants drift apart as high frequencies go?", "Cut-off (Hz)"
    ),
}


@dataclass(frozen=True)
class Drift:
    """What the chart shows.

    `lines` has a row a variant and strength: title, precision, method, is_baseline, chosen (it is
    drawn; the baseline may only be compared with), position (of the strength), probability,
    positive, sentence.
    """

    disturbance: Disturbance
    lines: pd.DataFrame

    def at(self, strength: float) -> pd.DataFrame:
        """Return the rows of one strength."""
        position = self.disturbance.strengths.index(strength)
        return self.lines[self.lines["position"] == position]


def drift(answers: pd.DataFrame, scores: npt.NDArray[np.float32], *, disturbance: str) -> Drift:
    """Prepare the chart.

    Parameters
    ----------
    answers : DataFrame
        Rows of `dashboard.comparing.verdicts.answers` that have one.
    scores : ndarray
        Shape (variants, strengths), in their order.
    disturbance : str
        One of `edac_core.disturb.DISTURBANCES`.
    """
    kind = DISTURBANCES[disturbance]
    count = len(kind.strengths)
    known = ["title", "precision", "method", "threshold", "is_baseline", "chosen"]
    lines = answers[known].loc[answers.index.repeat(count)].reset_index(drop=True)
    lines["position"] = np.tile(np.arange(count), len(answers))
    lines["probability"] = scores.ravel()
    lines["positive"] = lines["probability"] >= lines["threshold"]
    lines["sentence"] = [_sentence(row, kind) for _, row in lines.iterrows()]
    return Drift(kind, lines)


def draw_drift(chart: Drift, *, ink: str | None = None) -> go.Figure:
    """Return the figure, with the slider nowhere.

    Parameters
    ----------
    chart : Drift
    ink : str, optional
        The colour of the words.
    """
    words = WORDS[chart.disturbance.name]
    drawn = chart.lines[chart.lines["chosen"]]
    names = variant_legend(drawn)
    figure = empty_figure(words.question, margin=_MARGIN, legend=names, ink=ink)
    strengths = chart.disturbance.strengths
    figure.update_xaxes(
        title=words.axis, tickvals=list(range(len(strengths))),
        ticktext=[_tick(strength) for strength in strengths],
        range=[-0.3, len(strengths) - 0.7], showgrid=False,
    )  # fmt: skip
    figure.update_yaxes(title="Probability", range=[-0.03, 1.03], tickformat=".2~f", nticks=5)
    for title, line in drawn.groupby("title", sort=False):
        figure.add_trace(_line(str(title), line))
    return figure


def mark_strength(figure: Mapping[str, Any], chart: Drift, strength: float) -> dict[str, Any]:
    """Draw a line at the slider's position.

    Parameters
    ----------
    figure : mapping
        The plain form of what `draw_drift` returned.
    chart : Drift
    strength : float
        One of the disturbance's.
    """
    position = chart.disturbance.strengths.index(strength)
    line = {
        "type": "line", "x0": position, "x1": position, "y0": 0, "y1": 1, "yref": "y domain",
        "line": {"color": CHOSEN_COLOUR, "width": 1.5}, "opacity": 0.8, "layer": "below",
    }  # fmt: skip
    return marked(figure, [], shapes=[line])


def write_strength(disturbance: Disturbance, strength: float) -> str:
    """Write a strength as it stands at the slider."""
    if strength == disturbance.untouched:
        return AS_RECORDED
    return f"{_signed(strength)} {disturbance.unit}"


def describe_drift(chart: Drift, strength: float) -> str:
    """Say how far the variants are from the float32 baseline at one strength."""
    rows = chart.at(strength).dropna(subset="probability")
    baseline = rows[rows["is_baseline"]]
    others = rows[rows["chosen"] & ~rows["is_baseline"]]
    if baseline.empty or others.empty:
        return f"Variants that call it positive: {int(rows['positive'].sum())} of {len(rows)}."
    reference = baseline.iloc[0]
    alike = int((others["positive"] == reference["positive"]).sum())
    agreeing = f"so {'do' if alike > 1 else 'does'} {alike} of {len(others)} others"
    gaps = (others["probability"] - reference["probability"]).abs()
    furthest = others.iloc[int(gaps.argmax())]
    called = "positive" if reference["positive"] else "negative"
    return (
        f"The float32 baseline calls it **{called}** ({reference['probability']:.2f}); {agreeing}. "
        f"The furthest from it is {furthest['title']}, by {gaps.max():.2f}."
    )


def _line(title: str, line: pd.DataFrame) -> go.Scatter:
    first = line.iloc[0]
    colour = precision_look(first["precision"]).colour
    return go.Scatter(
        name=title, mode="lines+markers",
        x=line["position"].tolist(), y=line["probability"].tolist(),
        line={"color": colour, "width": 2, "dash": _dash(first["method"])},
        marker={"color": colour, "size": 6, "symbol": shape_of(first["method"])},
        customdata=hover_texts(line["sentence"]), hovertemplate=SENTENCE,
    )  # fmt: skip


def _dash(method: str) -> str:
    return "solid" if method == BASELINE else method_look(method).dash


def _tick(strength: float) -> str:
    if math.isinf(strength):
        return "none"
    return f"{strength / _KILO:g}k" if strength >= _KILO else _signed(strength)


def _signed(strength: float) -> str:
    return f"{strength:g}".replace("-", "\N{MINUS SIGN}")


def _sentence(row: pd.Series, disturbance: Disturbance) -> str:
    strength = write_strength(disturbance, disturbance.strengths[row["position"]])
    if pd.isna(row["probability"]):
        return f"{row['title']}, {strength}: not measured"
    called = "positive" if row["positive"] else "negative"
    return f"{row['title']}, {strength}: {row['probability']:.3f}, {called}"
