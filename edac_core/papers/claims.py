"""What the two papers claim, and whether figures measured here bear it out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum

import pandas as pd

from edac_core.papers import EDAC, SQUEEZE
from edac_core.studies import BASELINE

TOLERANCE = 0.10
"""What is left (bytes, weights, time) may be this much less or more than published."""

LOSS_TOLERANCE = 0.01
"""A loss of AUC may be this much larger than published."""

WORKS_NO_MORE = 0.05
"""A variant that loses more AUC than this is no compressed network but a broken one."""

_SAME = 1e-9


class Quantity(Enum):
    """What a claim is about, of a variant beside the float32 baseline of its network."""

    TIMES_SMALLER = "times smaller"
    TIMES_FASTER = "times faster"
    SIZE_SAVED = "share of the zip saved"
    WEIGHTS_REMOVED = "share of the weights removed"
    AUC_LOST = "AUC lost"

    def left(self, value: float) -> float:
        """Turn a value into the fraction that is left of the baseline; not for AUC."""
        is_share = self in {Quantity.SIZE_SAVED, Quantity.WEIGHTS_REMOVED}
        return 1 - value if is_share else 1 / value


class Verdict(StrEnum):
    """What becomes of a claim here."""

    REPRODUCED = "reproduced"
    EXCEEDED = "exceeded"
    NOT_REPRODUCED = "not reproduced"
    WITHOUT_PRUNING = "reached without pruning"
    BROKEN = "reached, but the network broke"
    UNDECIDED = "too few runs to tell"
    NOT_MEASURED = "not measured here yet"


@dataclass(frozen=True)
class Claim:
    """One statement of a paper about a variant of one network or several.

    `published` has the value for each network by our name; `sparsity` is the level of the plans
    that runs it, as a fraction. `dataset` names the recordings that the paper took.
    """

    key: str
    paper: str
    place: str
    statement: str
    quantity: Quantity
    published: Mapping[str, float]
    sparsity: float
    precision: str
    dataset: Mapping[str, str]
    schedule: str = "polynomial"
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """What was measured of a claim's variant: means over the runs of one study.

    `value` is in the claim's quantity, `unpruned` that of the same precision without pruning
    (NaN where the claim itself has none, or it was not measured). `auc_difference` is from the
    float32 baseline within a run, `low` and `high` its 95 % interval over the runs (NaN for one).
    """

    value: float
    unpruned: float
    runs: int
    auc: float
    auc_difference: float
    low: float
    high: float


def find(claim: Claim, model: str, summary: pd.DataFrame) -> Finding | None:
    """Look a claim's variant up among what was measured.

    Parameters
    ----------
    claim : Claim
    model : str
        One of the claim's networks.
    summary : DataFrame
        As `edac_core.studies.select.summarise` returns it.

    Returns
    -------
    Finding or None
        None if the variant, its baseline or the quantity was not measured.
    """
    rows = summary[(summary["model"] == model) & (summary["precision"] == claim.precision)]
    row = _at(rows, claim.schedule, claim.sparsity)
    if row is None or not math.isfinite(value := _value(claim.quantity, row)):
        return None
    unpruned = _at(rows, BASELINE, 0.0) if claim.sparsity else None
    return Finding(
        value=value,
        unpruned=math.nan if unpruned is None else _value(claim.quantity, unpruned),
        runs=int(row["runs"]),
        auc=float(row["auc"]),
        auc_difference=float(row["auc_difference"]),
        low=float(row["auc_difference_low"]),
        high=float(row["auc_difference_high"]),
    )


def judge(claim: Claim, model: str, finding: Finding | None) -> Verdict:
    """Say what becomes of a claim.

    A size, speed or count is reproduced if what is left of the baseline is within `TOLERANCE` of
    what was published, exceeded if less is left, and not reproduced if more is. It is reached
    without pruning if the unpruned network in the same precision gets there as well. Where it
    took pruning, and more than `WORKS_NO_MORE` AUC, the network broke. A loss of AUC is judged
    by the interval over the runs: reproduced if all of it loses at most `LOSS_TOLERANCE` more
    than published, not reproduced if all of it loses more, undecided otherwise.
    """
    if finding is None:
        return Verdict.NOT_MEASURED
    published = claim.published[model]
    if claim.quantity is Quantity.AUC_LOST:
        return _judge_loss(finding, most=published + LOSS_TOLERANCE)
    left = claim.quantity.left(finding.value) / claim.quantity.left(published)
    if left > 1 + TOLERANCE:
        return Verdict.NOT_REPRODUCED
    if _reached_unpruned(claim, published, finding):
        return Verdict.WITHOUT_PRUNING
    if finding.auc_difference < -WORKS_NO_MORE:
        return Verdict.BROKEN
    return Verdict.REPRODUCED if left >= 1 - TOLERANCE else Verdict.EXCEEDED


def _judge_loss(finding: Finding, *, most: float) -> Verdict:
    if finding.low >= -most:
        return Verdict.REPRODUCED
    if finding.high < -most:
        return Verdict.NOT_REPRODUCED
    return Verdict.UNDECIDED


def _reached_unpruned(claim: Claim, published: float, finding: Finding) -> bool:
    if not math.isfinite(finding.unpruned):
        return False
    left = claim.quantity.left(finding.unpruned) / claim.quantity.left(published)
    return left <= 1 + TOLERANCE


def _at(rows: pd.DataFrame, schedule: str, sparsity: float) -> pd.Series | None:
    wanted = schedule if sparsity else BASELINE
    same_level = (rows["sparsity"] - sparsity).abs() < _SAME
    found = rows[(rows["method"] == wanted) & same_level]
    return None if found.empty else found.iloc[0]


def _value(quantity: Quantity, row: pd.Series) -> float:
    """Compute a quantity from means over runs; NaN where it was not measured."""
    value = {
        Quantity.TIMES_SMALLER: lambda: row["zip_ratio"],
        Quantity.TIMES_FASTER: lambda: row["speedup"],
        Quantity.SIZE_SAVED: lambda: 1 - 1 / row["zip_ratio"],
        Quantity.WEIGHTS_REMOVED: lambda: 1 - row["nonzero_weights"] / row["weights"],
        Quantity.AUC_LOST: lambda: -row["auc_difference"],
    }[quantity]()
    return float(value)


_EDAC_DATA = {"cnn": "coswara", "cnn_lstm": "coughvid"}
_SQUEEZE_DATA = dict.fromkeys(("dense_a", "dense_b", "dense_c"), "urtic")


def _edac(
    key: str,
    statement: str,
    quantity: Quantity,
    value: float,
    *,
    model: str,
    sparsity: float,
    place: str,
    note: str = "",
) -> Claim:
    return Claim(
        key, EDAC, place, statement, quantity, {model: value}, sparsity, "int8", _EDAC_DATA,
        note=note,
    )  # fmt: skip


def _squeeze(
    key: str,
    statement: str,
    quantity: Quantity,
    values: tuple[float, float, float],
    *,
    sparsity: float,
    precision: str,
    note: str = "",
) -> Claim:
    published = dict(zip(_SQUEEZE_DATA, values, strict=True))
    return Claim(
        key, SQUEEZE, "section 4, table 3", statement, quantity, published, sparsity, precision,
        _SQUEEZE_DATA, note=note,
    )  # fmt: skip


CLAIMS: tuple[Claim, ...] = (
    _edac(
        "cnn-size", "The CNN gets about 105.76 times smaller, at 95 % sparsity and in int8.",
        Quantity.TIMES_SMALLER, 105.76, model="cnn", sparsity=0.95,
        place="abstract, section 5.2, table 4",
    ),
    _edac(
        "cnn-auc", "The same CNN loses 0.018 AUC by it.",
        Quantity.AUC_LOST, 0.018, model="cnn", sparsity=0.95, place="section 5.2, table 4",
    ),
    _edac(
        "cnn-speed", "The same CNN takes about 1.37 times less time.",
        Quantity.TIMES_FASTER, 1.37, model="cnn", sparsity=0.95,
        place="abstract, section 5.2, table 4",
    ),
    _edac(
        "cnn-lstm-size",
        "The CNN-LSTM gets about 19.34 times smaller, at 90 % sparsity and in int8.",
        Quantity.TIMES_SMALLER, 19.34, model="cnn_lstm", sparsity=0.9,
        place="abstract, section 5.2, table 6",
    ),
    _edac(
        "cnn-lstm-auc", "The same CNN-LSTM loses 0.01 AUC by it.",
        Quantity.AUC_LOST, 0.01, model="cnn_lstm", sparsity=0.9, place="section 5.2, table 6",
    ),
    _edac(
        "cnn-lstm-speed", "The CNN-LSTM takes about 1.71 times less time in int8.",
        Quantity.TIMES_FASTER, 1.71, model="cnn_lstm", sparsity=0.9,
        place="abstract, section 5.2, table 6",
        note="The text reads as if this were at 95 %; the rows of table 6 give 1.71 at 90 % "
        "(100.650 / 58.816 ms) and 1.69 at 95 %.",
    ),
    _squeeze(
        "dense-weights", "Pruning removes 89.8 % of the weights.",
        Quantity.WEIGHTS_REMOVED, (0.898, 0.898, 0.898), sparsity=0.9, precision="float32",
        note="The target was 90 %; their schedule's last update came before its last step.",
    ),
    _squeeze(
        "dense-pruned", "Pruning alone makes the zip about 79 % smaller.",
        Quantity.SIZE_SAVED, (0.790, 0.792, 0.792), sparsity=0.9, precision="float32",
    ),
    _squeeze(
        "dense-quantised", "int8 alone makes the zip about 76 % smaller.",
        Quantity.SIZE_SAVED, (0.766, 0.763, 0.759), sparsity=0.0, precision="int8",
        note="The text says approximately 75 %; table 3 has the figures.",
    ),
    _squeeze(
        "dense-both", "Pruning and int8 together make the zip about 95 % smaller.",
        Quantity.SIZE_SAVED, (0.949, 0.948, 0.948), sparsity=0.9, precision="int8",
    ),
)  # fmt: skip
"""In the order of the papers."""
