"""What a file is made of: where its bytes are, how its weights are spread, what takes its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import plotly.colors
import plotly.graph_objects as go

from dashboard import format as write
from dashboard.charts import SENTENCE, Entry, empty_figure, hover_texts, legend
from dashboard.theme import FRONT_COLOUR, precision_look
from edac_core.measure.parts import OperatorTime, OperatorTimes, Spread, Tensor

Bytes = Literal["raw_bytes", "packed_bytes"]

NO_WEIGHTS_COLOUR = "#8A9199"
GRAPH = "the graph itself"
OTHERS = "all others"
MOST_BARS = 10
"""A chart of operators has no more bars; those that take least are drawn as one."""

_QUESTIONS: dict[Bytes, str] = {
    "raw_bytes": "Which layers fill the file?",
    "packed_bytes": "Which layers fill the zip?",
}
_KILO, _MEGA = 1_000, 1_000_000
_SCALE = "Cividis_r"
# The ends are too glaring for a large tile, and too dark for a dark page.
_SCALE_PART = (0.12, 0.8)
_SHOWN_LEVELS = (0.0, 0.5, 0.9, 1.0)
_KINDS = {"weights": "weights", "biases": "biases", "constants": "constants"}
_TREE_MARGIN = {"l": 0, "r": 0, "t": 52, "b": 4}
_SPREAD_MARGIN = {"l": 58, "r": 12, "t": 52, "b": 44}
_BAR_MARGIN = {"l": 168, "r": 64, "t": 30, "b": 44}


@dataclass(frozen=True)
class Treemap:
    """The tiles of a file.

    `tiles` has a row a layer and a row a tensor of it: id, parent, name, bytes, sparsity (NaN
    without weights), sentence. Those without a parent make up the whole.
    """

    question: str
    tiles: pd.DataFrame


@dataclass(frozen=True)
class Bars:
    """What takes a network's time: `rows` has name, ms, share and sentence, in the graph's order.

    What takes least is one row, the last.
    """

    rows: pd.DataFrame


def layer_table(tensors: Sequence[Tensor]) -> pd.DataFrame:
    """Sum tensors up by layer.

    Returns
    -------
    DataFrame
        One row a layer, in the order of the graph: layer, shape (of its weights), precision,
        parameters, sparsity (share of its weights that are zero; NaN without any), raw_bytes,
        packed_bytes.
    """
    layers = dict.fromkeys(tensor.layer for tensor in tensors)
    parts = {name: [tensor for tensor in tensors if tensor.layer == name] for name in layers}
    return pd.DataFrame([_layer_row(name, found) for name, found in parts.items()])


def treemap(tensors: Sequence[Tensor], *, size: Bytes, whole: int) -> Treemap:
    """Prepare the tiles.

    Parameters
    ----------
    tensors
        As `edac_core.measure.anatomy.dissect` lists them.
    size
        What a tile's area stands for.
    whole
        Bytes of the file or the zip. What tensors leave of it is the graph; by themselves they
        may pack worse than together, and leave nothing.
    """
    layers = layer_table(tensors)
    rows = [_layer_tile(row, size) for _, row in layers.iterrows()]
    rows += [_tensor_tile(number, tensor, size) for number, tensor in enumerate(tensors)]
    rest = whole - sum(getattr(tensor, size) for tensor in tensors)
    if rest > 0:
        said = f"{GRAPH}: operators, shapes and names, {write.size(rest)}".capitalize()
        rows.append(_tile(GRAPH, "", GRAPH, rest, np.nan, said))
    return Treemap(_QUESTIONS[size], pd.DataFrame(rows))


def draw_treemap(chart: Treemap, *, ink: str | None = None) -> go.Figure:
    """Return the figure: area is bytes, colour is sparsity."""
    tiles = chart.tiles
    figure = empty_figure(chart.question, margin=_TREE_MARGIN, legend=_sparsity_legend(), ink=ink)
    figure.add_trace(
        go.Treemap(
            ids=tiles["id"].tolist(),
            labels=tiles["name"].tolist(),
            parents=tiles["parent"].tolist(),
            values=tiles["bytes"].tolist(),
            branchvalues="total",
            text=[write.size(count) for count in tiles["bytes"]],
            texttemplate="%{label}<br>%{text}",
            customdata=hover_texts(tiles["sentence"]),
            hovertemplate=SENTENCE,
            marker={"colors": [_sparsity_colour(level) for level in tiles["sparsity"]],
                    "line": {"width": 1}, "pad": {"t": 18, "l": 2, "r": 2, "b": 2}},
            tiling={"packing": "squarify", "pad": 2},
            pathbar={"visible": False},
            sort=False,
        )
    )  # fmt: skip
    return figure


def draw_spread(spread: Spread, *, precision: str, ink: str | None = None) -> go.Figure:
    """Return the histogram of one tensor's weights: the baseline's outline, the variant's bars."""
    entries = [Entry(f"this file ({precision})", precision_look(precision).colour, "square")]
    if spread.before:
        entries.append(Entry("float32 baseline", FRONT_COLOUR, "solid"))
    figure = empty_figure(
        "How did its weights change?", margin=_SPREAD_MARGIN, legend=legend(entries), ink=ink
    )
    edges = np.array(spread.edges)
    middles = ((edges[1:] + edges[:-1]) / 2).tolist()
    figure.add_bar(
        x=middles, y=_or_nothing(spread.after), marker_color=precision_look(precision).colour,
        marker_line_width=0, customdata=_bin_sentences(spread, spread.after, "this file"),
        hovertemplate=SENTENCE,
    )  # fmt: skip
    if spread.before:
        figure.add_scatter(
            x=middles, y=_or_nothing(spread.before), mode="lines",
            line={"shape": "hvh", "width": 1.5, "color": FRONT_COLOUR},
            customdata=_bin_sentences(spread, spread.before, "the baseline"),
            hovertemplate=SENTENCE,
        )  # fmt: skip
    figure.update_layout(bargap=0)
    figure.update_xaxes(title="Weight", range=[edges[0], edges[-1]], nticks=7, showgrid=False)
    most = max([*spread.before, *spread.after, 1])
    figure.update_yaxes(
        title="Weights (log scale)", type="log", range=[-0.3, np.log10(most) + 0.3],
        tickvals=(marks := [10**power for power in range(9) if 10**power <= most * 1.6]),
        ticktext=[_round(mark) for mark in marks],
    )  # fmt: skip
    return figure


def describe_zeros(spread: Spread) -> str:
    """Say how many weights are zero, which the bars leave out."""
    weights = write.count(spread.elements)
    beside = ""
    if spread.before:
        beside = f" ({_share(spread.zeros_before, spread.elements)} in the baseline)"
    if not spread.zeros_after:
        return f"**None** of {weights} weights is zero{beside}."
    now = _share(spread.zeros_after, spread.elements)
    return f"**{now}** of {weights} weights are zero{beside}; the chart shows the others."


def operator_bars(times: OperatorTimes) -> Bars:
    """Sum operators up by layer and kind, and keep those that take most."""
    together: dict[tuple[str, str], list[OperatorTime]] = {}
    for operator in times.operators:
        together.setdefault((operator.layer, operator.kind), []).append(operator)
    rows = pd.DataFrame([_bar(found, whole=times.sum_ms) for found in together.values()])
    if len(rows) <= MOST_BARS:
        return Bars(rows)
    largest = rows["ms"].nlargest(MOST_BARS - 1).index
    least = rows.drop(largest)
    others = {
        "name": OTHERS, "ms": least["ms"].sum(), "share": least["share"].sum(),
        "sentence": f"{int(least['times'].sum())} more operators, such as "
        f"{least.sort_values('ms')['name'].iloc[-1]}",
    }  # fmt: skip
    return Bars(pd.concat([rows.loc[sorted(largest)], pd.DataFrame([others])], ignore_index=True))


def draw_bars(chart: Bars, *, precision: str, ink: str | None = None) -> go.Figure:
    """Return the figure: a bar for each kind of operator in a layer, first at the top."""
    rows = chart.rows.iloc[::-1]
    figure = empty_figure("Where does its time go?", margin=_BAR_MARGIN, ink=ink)
    figure.add_bar(
        x=rows["ms"].tolist(), y=rows["name"].tolist(), orientation="h",
        marker_color=precision_look(precision).colour,
        text=[f"{write.milliseconds(ms)}" for ms in rows["ms"]], textposition="outside",
        cliponaxis=False, customdata=hover_texts(rows["sentence"]), hovertemplate=SENTENCE,
    )  # fmt: skip
    figure.update_layout(bargap=0.35)
    figure.update_xaxes(title="Processor time for one recording (ms)", rangemode="tozero", nticks=5)
    figure.update_yaxes(showgrid=False, ticklabelstandoff=6)
    return figure


def describe_times(times: OperatorTimes) -> str:
    """Say what the operators' times add up to, beside that of the whole."""
    difference = times.sum_ms / times.whole_ms - 1
    relation = "as much as" if abs(difference) < _HARDLY else (
        f"{100 * abs(difference):.0f} % {'more' if difference > 0 else 'less'} than"
    )  # fmt: skip
    return (
        f"Operators by themselves: {write.milliseconds(times.sum_ms)} in all, {relation} the whole "
        f"file takes at once ({write.milliseconds(times.whole_ms)})."
    )


_HARDLY = 0.02


def _layer_row(name: str, tensors: Sequence[Tensor]) -> dict[str, object]:
    weights = [tensor for tensor in tensors if tensor.role == "weights"]
    count = sum(tensor.elements for tensor in weights)
    zeros = sum(tensor.zeros for tensor in weights)
    return {
        "layer": name or "(unnamed)",
        "shape": ", ".join(_shape(tensor.shape) for tensor in weights),
        "precision": ", ".join(dict.fromkeys(tensor.precision for tensor in weights or tensors)),
        "parameters": sum(tensor.elements for tensor in tensors if tensor.role != "constants"),
        "sparsity": zeros / count if count else np.nan,
        "raw_bytes": sum(tensor.raw_bytes for tensor in tensors),
        "packed_bytes": sum(tensor.packed_bytes for tensor in tensors),
    }


def _layer_tile(row: pd.Series, size: Bytes) -> dict[str, object]:
    sentence = (
        f"{row['layer']}: {write.count(row['parameters'])} parameters, "
        f"{write.size(row['raw_bytes'])} in the file, {write.size(row['packed_bytes'])} packed"
    )
    if not np.isnan(row["sparsity"]):
        sentence += f", {write.per_cent(round(row['sparsity'], 4))} of its weights zero"
    return _tile(row["layer"], "", row["layer"], row[size], row["sparsity"], sentence)


def _tensor_tile(number: int, tensor: Tensor, size: Bytes) -> dict[str, object]:
    layer = tensor.layer or "(unnamed)"
    sparsity = tensor.zeros / tensor.elements if tensor.role == "weights" else np.nan
    sentence = (
        f"{tensor.role} of {layer}, {_shape(tensor.shape)} {tensor.precision}: "
        f"{write.size(tensor.raw_bytes)} in the file, {write.size(tensor.packed_bytes)} packed"
    ).capitalize()
    name = f"{tensor.role} {_shape(tensor.shape)}"
    return _tile(f"{layer}/{number}", layer, name, getattr(tensor, size), sparsity, sentence)


def _tile(
    identifier: str, parent: str, name: str, size: int, sparsity: float, sentence: str
) -> dict[str, object]:
    return {"id": identifier, "parent": parent, "name": name, "bytes": size, "sparsity": sparsity,
            "sentence": sentence}  # fmt: skip


def _shape(shape: Sequence[int]) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(map(str, shape)) or "single"


def _sparsity_colour(level: float) -> str:
    if np.isnan(level):
        return NO_WEIGHTS_COLOUR
    start, end = _SCALE_PART
    (colour,) = plotly.colors.sample_colorscale(_SCALE, [start + (end - start) * float(level)])
    return str(colour)


def _sparsity_legend() -> str:
    levels = [Entry(write.per_cent(level), _sparsity_colour(level), "square")
              for level in _SHOWN_LEVELS]  # fmt: skip
    none = Entry("no weights", NO_WEIGHTS_COLOUR, "square")
    return "Weights that are zero:  " + legend([*levels, none])


def _or_nothing(counts: Sequence[int]) -> list[int | None]:
    """Leave empty bins out: a logarithmic axis has no place for them."""
    return [count or None for count in counts]


def _bin_sentences(spread: Spread, counts: Sequence[int], whose: str) -> list[str]:
    pairs = zip(counts, spread.edges[:-1], spread.edges[1:], strict=True)
    return hover_texts(
        f"{count:,} weights of {whose} are between {low:.4f} and {high:.4f}, zero left out"
        for count, low, high in pairs
    )


def _round(mark: int) -> str:
    """Write a power of ten: 1, 10, 1 k, 1 M."""
    for factor, unit in ((_MEGA, " M"), (_KILO, " k")):
        if mark >= factor:
            return f"{mark // factor}{unit}"
    return str(mark)


def _share(part: int, whole: int) -> str:
    return write.per_cent(round(part / whole, 3)) if part else "none"


def _bar(operators: Sequence[OperatorTime], *, whole: float) -> dict[str, object]:
    first = operators[0]
    times = sum(operator.times for operator in operators)
    total = sum(operator.total_ms for operator in operators)
    often = f", {times} times" if times > 1 else ""
    name = f"{first.layer} \N{MIDDLE DOT} {_kind(first.kind)}"
    return {
        "name": name, "ms": total, "share": total / whole, "times": times,
        "sentence": f"{first.layer}, {first.kind}{often}: {write.milliseconds(total)}, "
        f"{100 * total / whole:.1f} % of what operators take by themselves",
    }  # fmt: skip


def _kind(kind: str) -> str:
    """Write an operator's name as words."""
    return _WORDS.get(kind, kind.lower().replace("_", " "))


_WORDS = {
    "CONV_2D": "convolution",
    "FULLY_CONNECTED": "matrix product",
    "MAX_POOL_2D": "max pooling",
    "AVERAGE_POOL_2D": "average pooling",
    "LOGISTIC": "sigmoid",
    "MUL": "multiply",
}
