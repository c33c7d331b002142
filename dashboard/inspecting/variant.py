"""One variant of one run: its row, its baseline's, its file and its figures."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import pandas as pd

from dashboard import format as write
from dashboard.choices import Network
from dashboard.metrics import Cell, Tone
from edac_core.verdicts import ModelFile

NO_FILE = "The file of this variant is not in the store, so what it is made of cannot be shown"


@dataclass(frozen=True)
class Chosen:
    """A variant of one run, and the float32 baseline of that run if it is finished.

    `row` and `baseline` are rows of `Store.variants`.
    """

    network: Network
    number: str
    row: pd.Series
    baseline: pd.Series | None

    @property
    def is_baseline(self) -> bool:
        """Whether the variant is the baseline itself."""
        return self.baseline is not None and bool(self.row["key"] == self.baseline["key"])

    @property
    def compared(self) -> pd.Series | None:
        """The baseline, if it is another variant."""
        return None if self.is_baseline else self.baseline

    @property
    def file(self) -> ModelFile | None:
        """The variant's file, if it is in the store."""
        return self._file_of(self.row)

    @property
    def baseline_file(self) -> ModelFile | None:
        """The baseline's file, if it is in the store."""
        return None if self.baseline is None else self._file_of(self.baseline)

    @functools.cached_property
    def name(self) -> str:
        """What it is, in words."""
        return f"{self.row['precision']}, {write.level(self.row['method'], self.row['sparsity'])}"

    def _file_of(self, row: pd.Series) -> ModelFile | None:
        shelf = self.network.study.shelf
        if not row["has_model"]:
            return None
        return ModelFile(shelf.folder, shelf.live, str(row["sha256"]))


def choose(network: Network, row: pd.Series, *, number: str) -> Chosen | None:
    """Return a variant of one run; None if that run has not got so far.

    Parameters
    ----------
    network : Network
    row : Series
        Of `Network.summary`.
    number : str
        Of the run.
    """
    of_run = _of_run(network, row, number)
    if of_run is None:
        return None
    summary = network.baseline
    baseline = None if summary is None else _of_run(network, summary, number)
    return Chosen(network, number, of_run, baseline)


def cells(chosen: Chosen) -> tuple[Cell, ...]:
    """Return the figures of one file, each beside those of its run's baseline."""
    row, baseline = chosen.row, chosen.compared
    width = (row["auc_high"] - row["auc_low"]) / 2
    return (
        _rate(chosen, "AUC", "auc", write.auc(row["auc"], width), help_text=_AUC_HELP),
        _rate(chosen, "UAR", "uar", write.auc(row["uar"]), help_text=_UAR_HELP),
        _ratio(chosen, "Zip size", "zip_bytes", help_text=_ZIP_HELP),
        _ratio(chosen, "File size", "raw_bytes", help_text=_FILE_HELP),
        _latency(row, baseline, is_baseline=chosen.is_baseline),
        _weights(row),
    )


def where_else(chosen: Chosen) -> str:
    """Say in a sentence which file of this level there is, where a variant's is not."""
    network, row = chosen.network, chosen.row
    levels = network.summary[
        (network.summary["method"] == row["method"])
        & (network.summary["sparsity"] == row["sparsity"])
    ]
    for _, other in levels.iterrows():
        if numbers := list(network.present_files(other)):
            choice = f"{other['precision']} of run {numbers[0]}"
            return (
                f"{NO_FILE}: choose {choice}, which is here, or run the study's plan to make all."
            )
    return f"{NO_FILE}: choose another level, or run the study's plan to make it."


def _of_run(network: Network, row: pd.Series, number: str) -> pd.Series | None:
    split_seed, training_seed = network.runs[int(number) - 1]
    files = network.files(row)
    found = files[(files["split_seed"] == split_seed) & (files["training_seed"] == training_seed)]
    return None if found.empty else found.iloc[0]


_AUC_HELP = (
    "Area under the ROC curve: how often a positive recording scores above a negative one; 0.5 is "
    "guessing. Of this file on its run's test recordings; **±** is half the 95 % confidence "
    "interval (DeLong). One run cannot tell whether a small difference from the baseline is more "
    "than chance; what all runs say together stands on the page Trade-offs."
)
_UAR_HELP = (
    "Unweighted average recall: the mean of sensitivity and specificity, at this file's own "
    "threshold, which was chosen on validation recordings (Youden's index)."
)
_ZIP_HELP = "The file in a DEFLATE zip, as both papers measure size. Zeros compress well."
_FILE_HELP = "The file as it lies on a device. Zeros take as much room as any weight."
_LATENCY_HELP = (
    "Median time for one recording on one processor thread, without the computation of the "
    "features, when the study was run."
)
_WEIGHTS_HELP = "Weights that are not zero, and their share of all."
_ITSELF = "the baseline itself"


def _rate(chosen: Chosen, label: str, column: str, value: str, *, help_text: str) -> Cell:
    baseline = chosen.compared
    change, note = _ITSELF, "float32, not pruned"
    if baseline is not None:
        change = write.difference(chosen.row[column] - baseline[column])
        note = f"float32: {write.auc(baseline[column])}"
    elif not chosen.is_baseline:
        change, note = "no baseline", "not finished yet"
    return Cell(label, value, change, "gray", note, help_text)


def _ratio(chosen: Chosen, label: str, column: str, *, help_text: str) -> Cell:
    row, baseline = chosen.row, chosen.compared
    value = write.size(row[column])
    if baseline is None:
        change = _ITSELF if chosen.is_baseline else "no baseline"
        return Cell(label, value, change, "gray", " ", help_text)
    change = write.smaller(baseline[column] / row[column])
    tones: dict[str, Tone] = {"smaller": "green", "larger": "red"}
    tone = tones.get(change.rpartition(" ")[2], "gray")
    return Cell(label, value, change, tone, f"float32: {write.size(baseline[column])}", help_text)


def _latency(row: pd.Series, baseline: pd.Series | None, *, is_baseline: bool) -> Cell:
    if not math.isfinite(row["latency_ms"]):
        return Cell("Latency", "not yet", "not measured", "gray", "when a run ends", _LATENCY_HELP)
    value = write.milliseconds(row["latency_ms"])
    note = f"95 % under {write.milliseconds(row['latency_p95_ms'])}"
    if baseline is None:
        change = _ITSELF if is_baseline else "no baseline"
    else:
        change = write.faster(row["baseline_latency_ms"] / row["latency_ms"])
    return Cell("Latency", value, change, "gray", note, _LATENCY_HELP)


def _weights(row: pd.Series) -> Cell:
    share = row["nonzero_weights"] / row["weights"]
    return Cell(
        "Weights left", write.count(row["nonzero_weights"]), write.per_cent(round(share, 4)),
        "gray", f"of {write.count(row['weights'])}", _WEIGHTS_HELP,
    )  # fmt: skip
