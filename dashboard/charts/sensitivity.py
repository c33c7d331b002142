"""Which layers mind? Change of validation AUC by layer and sparsity."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboard import format as write
from dashboard.charts import SENTENCE, Entry, empty_figure, hover_texts, legend
from dashboard.theme import INKS

QUESTION = "Which layers mind being pruned?"
FULL_COLOUR = 0.1
"""A change of AUC of this, or more, has the strongest colour: in every chart the same."""

WORSE, BETTER = "#8C4799", "#1B7F5A"
_UNCHANGED = {INKS["light"]: "#EEF0F2", INKS["dark"]: "#343B44"}
_ROW_PIXELS, _LEAST_PIXELS = 38, 200
_TOP, _BOTTOM, _RIGHT, _LETTER = 64, 44, 4, 7
_NAME_WIDTH = 13


@dataclass(frozen=True)
class LayerMap:
    """The cells of the chart: layers in the network's order, one below the other.

    `changes` and `sentences` have a row a layer and a column a sparsity, in per cent; `names` are
    the layers', with how many weights they have.
    """

    changes: pd.DataFrame
    sentences: pd.DataFrame
    names: tuple[str, ...]

    @property
    def height(self) -> int:
        """Pixels: as much as its layers take."""
        return max(_TOP + _BOTTOM + _ROW_PIXELS * len(self.names), _LEAST_PIXELS)

    @property
    def margin(self) -> dict[str, int]:
        """Pixels around the plot: a phone has none to give away."""
        longest = max(len(part) for name in self.names for part in name.split("<br>"))
        return {"l": 12 + _LETTER * longest, "r": _RIGHT, "t": _TOP, "b": _BOTTOM}


def layer_map(measured: pd.DataFrame) -> LayerMap:
    """Prepare the cells.

    Parameters
    ----------
    measured : DataFrame
        Rows of `Store.sensitivities` of one network in one precision.
    """
    cells = measured.assign(
        change=measured["auc"] - measured["auc_before"],
        column=[write.per_cent(sparsity) for sparsity in measured["sparsity"]],
        sentence=[_sentence(row) for row in measured.to_dict("records")],
    ).sort_values("sparsity", kind="stable")
    layers = measured.drop_duplicates("layer").set_index("layer")["weights"]
    columns = cells["column"].unique()
    changes, sentences = (
        cells.pivot_table(name, "layer", "column", aggfunc="first").loc[layers.index, columns]
        for name in ("change", "sentence")
    )
    names = tuple(f"{_short(str(name))}<br>{write.count(count)}" for name, count in layers.items())
    return LayerMap(changes, sentences, names)


def draw_layer_map(chart: LayerMap, *, ink: str | None = None) -> go.Figure:
    """Return the figure; `ink` is the colour of the words, which tells light from dark."""
    figure = empty_figure(QUESTION, margin=chart.margin, legend=_LEGEND, ink=ink)
    columns = list(chart.changes.columns)
    figure.update_xaxes(
        title_text="Share of the layer's weights that are set to zero", tickvals=_places(columns),
        ticktext=columns, showgrid=False,
    )  # fmt: skip
    figure.update_yaxes(
        tickvals=_places(chart.names), ticktext=list(chart.names), showgrid=False,
        range=[len(chart.names) - 0.5, -0.5], ticklabelstandoff=4,
    )  # fmt: skip
    middle = _UNCHANGED.get(ink or "", _UNCHANGED[INKS["light"]])
    figure.add_trace(
        go.Heatmap(
            z=chart.changes.to_numpy().tolist(),
            zmin=-FULL_COLOUR, zmax=FULL_COLOUR, showscale=False, xgap=2, ygap=2,
            colorscale=[[0, WORSE], [0.5, middle], [1, BETTER]],
            text=[[write.difference(change) for change in row] for row in chart.changes.to_numpy()],
            texttemplate="%{text}", textfont={"size": 10.5},
            customdata=[hover_texts(row) for row in chart.sentences.to_numpy()],
            hovertemplate=SENTENCE, hoverongaps=False,
        )
    )  # fmt: skip
    return figure


def describe_measured(measured: pd.DataFrame) -> str:
    """Say in a sentence what the figures of one network are."""
    return (
        "Each cell: the change of validation AUC of this run's float32 baseline when that layer "
        "alone is pruned by magnitude (its smallest weights set to zero) and stored in this "
        f"precision, with no fine-tuning, on {measured['recordings'].iloc[0]:,} validation "
        f"recordings. The whole network has {write.auc(measured['auc_before'].iloc[0])}; 0 % is "
        "rounding alone. Fine-tuning wins much of it back: this ranks layers and foretells no "
        "variant."
    )


_LEGEND = legend(
    [Entry("worse", WORSE, "square"), Entry("better", BETTER, "square")]
) + f"    strongest from {FULL_COLOUR:g} on"  # fmt: skip


def _places(names: Sequence[str]) -> list[int]:
    return list(range(len(names)))


def _short(name: str) -> str:
    kept = name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"
    return html.escape(kept)


def _sentence(row: Mapping[Any, Any]) -> str:
    return (
        f"{html.escape(row['layer'])} ({write.count(row['weights'])} weights), "
        f"{write.per_cent(row['sparsity'])} of them set to zero, {row['precision']}: validation "
        f"AUC {write.auc(row['auc'])}, where the whole network has "
        f"{write.auc(row['auc_before'])} ({write.difference(row['auc'] - row['auc_before'])}), on "
        f"{row['recordings']:,} validation recordings"
    )
