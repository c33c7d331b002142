"""What an audit finds: what predicts the label, classes by source, what was left out, durations."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard import format as write
from dashboard.charts import SENTENCE, Entry, empty_figure, hover_texts, legend

PREDICTORS = "What predicts the label without the sound?"
SOURCES = "Which labels does each source have?"
REASONS = "What was left out, and why?"
DURATIONS = "How long are the recordings?"

LABELS = ("negative", "positive")
LABEL_COLOURS = {"positive": "#56B4E9", "negative": "#98A1AA"}
DOT_COLOUR = "#6E7781"
GUESSING = 0.5
MOST_SOURCES = 8
"""Sources beyond so many are counted together."""

OTHERS = "others"
_BINS = 32
_LONG = 0.98
_NAME_WIDTH = 20
_NAMES_MARGIN = {"l": 138, "r": 16, "t": 52, "b": 44}
_BARS_MARGIN = {"l": 138, "r": 88, "t": 52, "b": 44}
_PLAIN_MARGIN = {"l": 58, "r": 16, "t": 52, "b": 44}


@dataclass(frozen=True)
class Durations:
    """A histogram of durations by label.

    Parameters
    ----------
    edges
        In seconds, one more than there are bars.
    counts
        Of each label, recordings a bar.
    longer
        How many recordings are longer than the last edge; they are counted in the last bar.
    """

    edges: tuple[float, ...]
    counts: dict[str, tuple[int, ...]]
    longer: int


def predictors(table: pd.DataFrame) -> pd.DataFrame:
    """Order what is known to predict the label, the best first, and say it in a sentence.

    Parameters
    ----------
    table
        Columns property, auc and, if known, n; as `edac_core.datasets.audit.metadata_auc` has it.

    Returns
    -------
    DataFrame
        Its rows that have an AUC, with the column sentence.
    """
    known = table.dropna(subset="auc").sort_values("auc", ascending=False, kind="stable")
    sentences = [_predicts(row) for row in known.to_dict("records")]
    return known.assign(sentence=sentences).reset_index(drop=True)


def draw_predictors(points: pd.DataFrame, *, ink: str | None = None) -> go.Figure:
    """Return the figure: a dot a property, and a line where guessing would be."""
    figure = empty_figure(PREDICTORS, margin=_NAMES_MARGIN, legend=_DOTS, ink=ink)
    if points.empty:
        return _empty(figure, "Too few usable recordings of one label to tell")
    low = min(0.45, float(points["auc"].min()) - 0.03)
    figure.update_xaxes(
        title_text="AUC of the property alone", range=[low, 1.0], tick0=GUESSING, dtick=0.1,
        tickformat=".1f",
    )  # fmt: skip
    figure.update_yaxes(_names(points["property"]))
    figure.add_vline(GUESSING, line={"color": DOT_COLOUR, "dash": "2px,3px", "width": 1.5})
    figure.add_traces([_stems(points), _dots(points)])
    written = [f" {write.auc(auc)}" for auc in points["auc"]]
    _write_beside(figure, points["auc"].clip(lower=GUESSING), written)
    return figure


def sources(recordings: pd.DataFrame) -> pd.DataFrame:
    """Count labels by source, the largest source first.

    Parameters
    ----------
    recordings
        Columns group and label.

    Returns
    -------
    DataFrame
        Columns source, negative, positive, n, share (of positives) and sentence; those beyond
        `MOST_SOURCES` are one row.
    """
    counts = pd.crosstab(recordings["group"], recordings["label"]).reindex(
        columns=[0, 1], fill_value=0
    )
    counts.columns = pd.Index(LABELS)
    counts = _fold(counts.assign(n=counts.sum(axis=1)).sort_values("n", ascending=False))
    table = counts.rename_axis("source").reset_index()
    table["share"] = table["positive"] / table["n"]
    return table.assign(sentence=[_holds(row) for row in table.to_dict("records")])


def draw_sources(table: pd.DataFrame, *, ink: str | None = None) -> go.Figure:
    """Return the figure: a bar a source, divided by label."""
    figure = empty_figure(SOURCES, margin=_BARS_MARGIN, legend=_LABEL_LEGEND, ink=ink)
    if table.empty:
        return _empty(figure, "There is no usable recording")
    figure.update_layout(barmode="stack", bargap=0.45)
    figure.update_xaxes(title_text="Usable recordings", range=[0, float(table["n"].max())])
    figure.update_yaxes(_names(table["source"]))
    for label in LABELS[::-1]:
        figure.add_trace(_bars(table, label, colour=LABEL_COLOURS[label]))
    shares = [f"{write.per_cent(round(share, 2))} positive" for share in table["share"]]
    _write_beside(figure, table["n"], shares)
    return figure


def reasons(counts: dict[str, int]) -> pd.DataFrame:
    """Order what was left out by how often; columns reason, n and sentence."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [
        {"reason": reason, "n": n, "sentence": f"{n:,} {_recordings(n)} left out: {reason}"}
        for reason, n in ordered if n
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["reason", "n", "sentence"])


def draw_reasons(table: pd.DataFrame, *, ink: str | None = None) -> go.Figure:
    """Return the figure: a bar a reason."""
    figure = empty_figure(REASONS, margin=_BARS_MARGIN, ink=ink)
    if table.empty:
        return _empty(figure, "Nothing was left out")
    figure.update_layout(bargap=0.45)
    figure.update_xaxes(title_text="Recordings", range=[0, float(table["n"].max())])
    figure.update_yaxes(_names(table["reason"]))
    figure.add_trace(_bars(table, "n", colour=DOT_COLOUR))
    _write_beside(figure, table["n"], [f"{n:,}" for n in table["n"]])
    return figure


def durations(recordings: pd.DataFrame) -> Durations:
    """Count recordings by duration and label.

    Parameters
    ----------
    recordings
        Columns seconds and label. The few longest of them would squeeze all others into one bar:
        what is longer than 98 % is counted in the last bar.
    """
    seconds = recordings["seconds"].to_numpy(dtype=float)
    end = _round_up(float(np.quantile(seconds, _LONG))) if len(seconds) else 1.0
    edges = np.linspace(0, end, _BINS + 1)
    shown = np.minimum(seconds, end)
    labels = recordings["label"].to_numpy()
    counts = {
        name: tuple(int(n) for n in np.histogram(shown[labels == label], edges)[0])
        for label, name in enumerate(LABELS)
    }
    return Durations(tuple(edges.tolist()), counts, int((seconds > end).sum()))


def draw_durations(chart: Durations, *, ink: str | None = None) -> go.Figure:
    """Return the figure: a histogram, divided by label."""
    figure = empty_figure(DURATIONS, margin=_PLAIN_MARGIN, legend=_LABEL_LEGEND, ink=ink)
    totals = np.sum(list(chart.counts.values()), axis=0)
    if not totals.any():
        return _empty(figure, "There is no usable recording")
    figure.update_layout(barmode="stack", bargap=0.08)
    figure.update_xaxes(title_text="Seconds", range=[0, chart.edges[-1]])
    figure.update_yaxes(title_text="Usable recordings", nticks=5, range=[0, 1.06 * totals.max()])
    sentences = hover_texts(_spans(chart))
    centres = [(a + b) / 2 for a, b in zip(chart.edges, chart.edges[1:], strict=False)]
    for label in LABELS[::-1]:
        figure.add_trace(
            go.Bar(
                name=label, x=centres, y=list(chart.counts[label]),
                marker={"color": LABEL_COLOURS[label], "line": {"width": 0}},
                customdata=sentences, hovertemplate=SENTENCE,
            )
        )  # fmt: skip
    return figure


def describe_durations(chart: Durations) -> str:
    """Say what the last bar holds besides."""
    n, end = chart.longer, chart.edges[-1]
    return f"The last bar has also the {n:,} {_recordings(n)} longer than {end:.3g} s."


_LABEL_LEGEND = legend(Entry(label, LABEL_COLOURS[label], "square") for label in LABELS[::-1])
_DOTS = legend([Entry("guessing (0.5)", DOT_COLOUR, "2px,3px")]).replace("○", "┈")


def _predicts(row: dict[Any, Any]) -> str:
    on = f" on {row['n']:,} recordings" if "n" in row else ""
    return f"The {row['property']} alone predicts the label with an AUC of {row['auc']:.3f}{on}"


def _holds(row: dict[Any, Any]) -> str:
    return (
        f"{html.escape(str(row['source']))}: {row['n']:,} usable {_recordings(row['n'])}, "
        f"{row['positive']:,} positive and {row['negative']:,} negative"
    )


def _spans(chart: Durations) -> list[str]:
    negative, positive = (chart.counts[label] for label in LABELS)
    spans = [
        f"{low:.3g} to {high:.3g} s"
        for low, high in zip(chart.edges, chart.edges[1:], strict=False)
    ]
    if chart.longer:
        spans[-1] = f"{chart.edges[-2]:.3g} s or longer"
    return [
        f"{span}: {no + yes:,} usable {_recordings(no + yes)}, {yes:,} positive and {no:,} negative"
        for span, no, yes in zip(spans, negative, positive, strict=True)
    ]


def _recordings(n: int) -> str:
    return "recording" if n == 1 else "recordings"


def _fold(counts: pd.DataFrame) -> pd.DataFrame:
    if len(counts) <= MOST_SOURCES:
        return counts
    rest = counts.iloc[MOST_SOURCES - 1 :]
    folded = pd.DataFrame([rest.sum()], index=[f"{OTHERS} ({len(rest)})"])
    return pd.concat([counts.iloc[: MOST_SOURCES - 1], folded])


def _names(names: Sequence[str] | pd.Series) -> dict[str, Any]:
    """Return a vertical axis that has names at its places, the first one at the top."""
    return {
        "tickvals": list(range(len(names))),
        "ticktext": [_in_two_lines(str(name)) for name in names],
        "range": [len(names) - 0.4, -0.6],
        "showgrid": False,
        "ticklabelstandoff": 6,
    }


def _in_two_lines(name: str) -> str:
    lines = textwrap.wrap(name, _NAME_WIDTH, max_lines=2, placeholder="…")
    return "<br>".join(html.escape(line) for line in lines)


def _stems(points: pd.DataFrame) -> go.Scatter:
    x, y = [], []
    for place, auc in enumerate(points["auc"]):
        x += [GUESSING, auc, None]
        y += [place, place, None]
    line = {"color": LABEL_COLOURS["positive"], "width": 3}
    return go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip")


def _dots(points: pd.DataFrame) -> go.Scatter:
    return go.Scatter(
        name="AUC",
        x=points["auc"].tolist(),
        y=list(range(len(points))),
        mode="markers",
        marker={"size": 12, "color": LABEL_COLOURS["positive"]},
        customdata=hover_texts(points["sentence"]),
        hovertemplate=SENTENCE,
        cliponaxis=False,
    )


def _bars(table: pd.DataFrame, column: str, *, colour: str) -> go.Bar:
    return go.Bar(
        name=column,
        x=table[column].tolist(),
        y=list(range(len(table))),
        orientation="h",
        marker={"color": colour, "line": {"width": 0}},
        customdata=hover_texts(table["sentence"]),
        hovertemplate=SENTENCE,
    )


def _write_beside(figure: go.Figure, lengths: pd.Series, texts: Sequence[str]) -> None:
    """Write at the end of each bar, in the margin if need be."""
    figure.add_trace(
        go.Scatter(
            x=lengths.tolist(), y=list(range(len(texts))), mode="text", hoverinfo="skip",
            text=[f"  {text}" for text in texts], textposition="middle right", cliponaxis=False,
        )
    )  # fmt: skip


def _empty(figure: go.Figure, sentence: str) -> go.Figure:
    figure.update_layout(title_subtitle_text="")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(
        text=sentence, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper",
        font={"size": 14},
    )  # fmt: skip
    return figure


def _round_up(seconds: float) -> float:
    """Return the next multiple of one of the first two figures' unit, so that edges are round."""
    unit = 10 ** np.floor(np.log10(max(seconds, 0.1)))
    return float(np.ceil(seconds / unit * 2) / 2 * unit) or 1.0
