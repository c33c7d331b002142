"""The row of figures for the chosen variant, each beside the float32 baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import streamlit as st

from dashboard import format as write

Tone = Literal["green", "red", "gray"]
_OPEN = (math.nan, math.nan)
_IS_BASELINE = "the baseline itself"

_AUC_HELP = (
    "Area under the ROC curve: how often a positive recording scores above a negative one; "
    "0.5 is guessing. It is the mean over the runs. **±** is half the 95 % confidence interval "
    "that one test set of this size leaves open (DeLong, mean over the runs); **between runs** "
    "is the standard deviation over the runs, which differ in their random seeds.\n\n"
    "The difference from the float32 baseline is taken within each run and then averaged. "
    "**n.s.** (not significant): its 95 % interval includes 0, so these runs cannot tell the two "
    "apart. That does not show that they are equal. Over several splits the interval allows for "
    "the recordings that they share (Nadeau and Bengio 2003); of one split it is DeLong's."
)
_ZIP_HELP = (
    "The .tflite file in a DEFLATE zip, as both papers measure size. 1 MB is 10⁶ bytes. Pruning "
    "shows here, since zeros compress well."
)
_FILE_HELP = "The .tflite file as it lies on a device. Zeros take as much room as any weight."
_LATENCY_HELP = (
    "Median time for one recording on one processor thread, without the computation of the "
    "features, against the float32 baseline measured in turns with it. **n.s.** (not "
    "significant): the 95 % interval of the ratio over the runs (Student's t) includes 1."
)
_WEIGHTS_HELP = "Weights of the network that are not zero, and their share of all."


@dataclass(frozen=True)
class Cell:
    """A figure: what it is, its value, the change it means, and a fact to read it by."""

    label: str
    value: str
    change: str
    tone: Tone
    note: str
    help: str


def cells(
    row: pd.Series, baseline: pd.Series | None, *, bounds: tuple[float, float] = _OPEN
) -> tuple[Cell, ...]:
    """Return the figures of a variant.

    Parameters
    ----------
    row, baseline : Series
        Rows of `edac_core.studies.select.summarise`: the variant and the float32 baseline of
        its network, if there is one.
    bounds : tuple of float
        Of the 95 % interval of its AUC difference; NaN where it is not known.
    """
    is_baseline = baseline is not None and row.name == baseline.name
    return (
        _auc(row, bounds, is_baseline=is_baseline),
        _size("Zip size", "zip", row, baseline, is_baseline=is_baseline, help_text=_ZIP_HELP),
        _size("File size", "raw", row, baseline, is_baseline=is_baseline, help_text=_FILE_HELP),
        _latency(row, is_baseline=is_baseline),
        _weights(row),
    )


def draw_cells(row: tuple[Cell, ...]) -> None:
    """Draw the figures side by side, fewer to a line where there is less room."""
    with st.grid(len(row), min_column_width=150, gap="small", border=True, key="metrics") as grid:
        for cell in row:
            with grid.cell(), st.container(gap="xxsmall"):
                _draw(cell)


def _draw(cell: Cell) -> None:
    st.metric(
        cell.label,
        cell.value,
        cell.change,
        delta_color=cell.tone,
        delta_arrow="off",
        help=cell.help,
    )
    st.markdown(f":small[{cell.note}]")


def _auc(row: pd.Series, bounds: tuple[float, float], *, is_baseline: bool) -> Cell:
    low, high = bounds
    change, tone = _judged(write.difference(row["auc_difference"]), low=low, high=high, neutral=0)
    if is_baseline:
        change, tone = _IS_BASELINE, "gray"
    runs = int(row["runs"])
    spread = f"± {row['auc_std']:.3f} between {runs} runs" if runs > 1 else "one run"
    value = write.auc(row["auc"], row["auc_half_width"])
    return Cell("AUC", value, change, tone, spread, _AUC_HELP)


def _size(
    label: str,
    kind: Literal["zip", "raw"],
    row: pd.Series,
    baseline: pd.Series | None,
    *,
    is_baseline: bool,
    help_text: str,
) -> Cell:
    change = write.smaller(row[f"{kind}_ratio"])
    tone: Tone = "gray"
    if change.endswith("smaller"):
        tone = "green"
    elif change.endswith("larger"):
        tone = "red"
    note = "no baseline yet" if baseline is None else _was(write.size(baseline[f"{kind}_bytes"]))
    value = write.size(row[f"{kind}_bytes"])
    return Cell(label, value, _IS_BASELINE if is_baseline else change, tone, note, help_text)


def _latency(row: pd.Series, *, is_baseline: bool) -> Cell:
    change, tone = _judged(
        write.faster(row["speedup"]),
        low=row["speedup_low"],
        high=row["speedup_high"],
        neutral=1,
    )
    if is_baseline:
        change, tone = _IS_BASELINE, "gray"
    value = write.milliseconds(row["latency_ms"])
    note = f"95 % under {write.milliseconds(row['latency_p95_ms'])}"
    if value == write.UNKNOWN:
        change, tone, note = "not yet", "gray", "measured when a run ends"
    return Cell("Latency", value, change, tone, note, _LATENCY_HELP)


def _weights(row: pd.Series) -> Cell:
    share = row["nonzero_weights"] / row["weights"]
    return Cell(
        "Weights left",
        write.count(row["nonzero_weights"]),
        write.per_cent(round(share, 4)),
        "gray",
        f"of {write.count(row['weights'])}",
        _WEIGHTS_HELP,
    )


def _was(baseline: str) -> str:
    return f"float32: {baseline}"


def _judged(text: str, *, low: float, high: float, neutral: float) -> tuple[str, Tone]:
    """Mark a change inside its noise; colour one outside it."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return text, "gray"
    if low <= neutral <= high:
        return f"{text} n.s.", "gray"
    return text, "green" if low > neutral else "red"
