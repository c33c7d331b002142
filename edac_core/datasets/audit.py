"""What is wrong with a data set, before anything is learnt from it.

The audit decodes every recording, drops those that cannot be used, flags those that are clipped,
and asks how well the circumstances of a recording alone predict its label: a classifier that
hears those need not hear the disease.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from edac_core.datasets.facts import gather
from edac_core.datasets.recordings import Dataset

SILENT_DBFS = -60.0
"""A recording whose peak is below this level is silent."""

SHORTEST_SECONDS = 0.1
"""A recording shorter than this cannot hold a cough."""

CLIPPED_SHARE = 0.001
"""A recording with more than this share of its samples at full scale is flagged as clipped."""

REASONS = (
    "undecodable",
    "empty",
    "too short",
    "silent",
    "contradictory labels",
    "duplicate",
)
"""Why a recording is dropped; the first that holds is given."""

_COPIED = ("contradictory labels", "duplicate")
_FEWEST_PER_LABEL = 2

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Audit:
    """The verdict on each recording of a data set.

    Parameters
    ----------
    recordings
        The data set's table with the columns verdict ("keep" or "drop"), reason (one of `REASONS`
        or ""), detail (the decoder's sentence, or ""), clipped (bool) and the facts: sample_rate,
        channels, seconds, loudness_dbfs, peak, clipped_share, bandwidth_hz, channel_balance_db
        and content, as `edac_core.datasets.facts.Facts` describes them.
    metadata_auc
        How well each property alone predicts the label among kept recordings; columns property,
        auc and n (recordings that have the property). See `metadata_auc`.
    """

    recordings: pd.DataFrame
    metadata_auc: pd.DataFrame

    @property
    def usable(self) -> pd.DataFrame:
        """Rows of the kept recordings."""
        kept = self.recordings["verdict"] == "keep"
        return self.recordings[kept].reset_index(drop=True)

    def summary(self) -> dict[str, int]:
        """Count recordings by what became of them.

        Returns
        -------
        dict
            "usable", then each of `REASONS` that occurs, to its number of recordings.
        """
        counts = self.recordings["reason"].value_counts()
        found = {reason: int(counts[reason]) for reason in REASONS if reason in counts}
        return {"usable": int(counts.get("", 0)), **found}

    def copies(self) -> pd.DataFrame:
        """Put recordings of the same decoded content together.

        Those that are dropped for what they hold (empty, too short, silent) are left out: they are
        alike because there is nothing in them.

        Returns
        -------
        pandas.DataFrame
            The rows of `recordings` that share their content with another, by sound and name, with
            the column sound in front: 0 for the first sound, and so on in the order of their first
            names. The rows of one sound either all have the reason "contradictory labels", or the
            first is the kept one and the others are its duplicates.
        """
        table = self.recordings[self.recordings["reason"].isin(["", *_COPIED])]
        table = table.sort_values("recording")
        shared = table[table.duplicated("content", keep=False)]
        numbered = shared.assign(sound=shared.groupby("content", sort=False).ngroup())
        ordered = numbered.sort_values(["sound", "recording"], ignore_index=True)
        return ordered[["sound", *self.recordings.columns]]


def audit(dataset: Dataset, *, cache: Path | None = None, workers: int = 2) -> Audit:
    """Decode, measure and judge every recording of a data set.

    A recording is dropped if it is undecodable (missing, damaged, or refused by
    `edac_core.audio`), empty, shorter than `SHORTEST_SECONDS`, or silent (peak below
    `SILENT_DBFS`). Of recordings with the same decoded content that agree on the label, the first
    by name is kept; if they disagree, all are dropped, as nobody knows which label is right.

    Parameters
    ----------
    dataset
        Any.
    cache
        Folder that keeps the facts of recordings between audits.
    workers
        Number of processes that decode.

    Returns
    -------
    Audit
        With one row a recording, in the data set's order.
    """
    facts = gather(dataset.recordings["path"].tolist(), cache=cache, workers=workers)
    table = pd.concat([dataset.recordings, facts.drop(columns="problem")], axis=1)
    table = table.astype({"sample_rate": "Int64", "channels": "Int64"})
    table["reason"] = _reasons(table, problem=facts["problem"])
    table["verdict"] = np.where(table["reason"] == "", "keep", "drop")
    table["clipped"] = table["clipped_share"] > CLIPPED_SHARE
    return Audit(table, metadata_auc(table[table["verdict"] == "keep"]))


def metadata_auc(recordings: pd.DataFrame) -> pd.DataFrame:
    """Measure how well properties of a recording, none of them its sound, predict the label.

    A number (duration, loudness, bandwidth, channel balance) is its own score, and the AUC is that
    of the better direction, so at least 0.5. A category (source, sample rate) is scored by the
    share of positives among the recordings of the same category in the other four of five
    stratified folds (shuffled, seed 0), and the AUC is the mean over the folds, so it can come out
    below 0.5. (Pooled over folds it would be too low: a fold with more positives in a category
    leaves fewer to the others.)

    Parameters
    ----------
    recordings
        With label, recording, group and the facts.

    Returns
    -------
    pandas.DataFrame
        Columns property, auc and n: the recordings that have the property. The AUC is NaN where
        they are not at least two of each label.
    """
    # Folds are drawn by position: sorted, so that the answer does not depend on the rows' order.
    ordered = recordings.sort_values("recording")
    rows = []
    for name, (column, score) in _PROPERTIES.items():
        known = ordered[ordered[column].notna()]
        labels = known["label"].to_numpy()
        enough = np.bincount(labels, minlength=2).min() >= _FEWEST_PER_LABEL
        auc = score(labels, known[column]) if enough else np.nan
        rows.append({"property": name, "auc": auc, "n": len(known)})
    return pd.DataFrame(rows)


def _reasons(table: pd.DataFrame, *, problem: pd.Series) -> pd.Series:
    reason = problem.copy()
    reason[(reason == "") & (table["seconds"] < SHORTEST_SECONDS)] = "too short"
    reason[(reason == "") & (table["peak"] < 10 ** (SILENT_DBFS / 20))] = "silent"
    left = table[reason == ""].sort_values("recording")
    labels = left.groupby("content")["label"].transform("nunique")
    contradictory = left.index[labels > 1]
    reason[left.index[left["content"].duplicated()]] = "duplicate"
    reason[contradictory] = "contradictory labels"
    return reason


def _direction_free_auc(labels: Labels, values: pd.Series) -> float:
    area = float(roc_auc_score(labels, values))
    return max(area, 1 - area)


def _out_of_fold_auc(labels: Labels, values: pd.Series) -> float:
    categories = values.to_numpy()
    folds = StratifiedKFold(min(5, *np.bincount(labels)), shuffle=True, random_state=0)
    areas = []
    for others, held_out in folds.split(categories, labels):
        rates = pd.Series(labels[others]).groupby(categories[others]).mean()
        scores = pd.Series(categories[held_out]).map(rates).fillna(labels[others].mean())
        areas.append(roc_auc_score(labels[held_out], scores))
    return float(np.mean(areas))


# Each property's column, and how its values predict the label.
_PROPERTIES: dict[str, tuple[str, Callable[[Labels, pd.Series], float]]] = {
    "source": ("group", _out_of_fold_auc),
    "sample rate": ("sample_rate", _out_of_fold_auc),
    "duration": ("seconds", _direction_free_auc),
    "loudness": ("loudness_dbfs", _direction_free_auc),
    "bandwidth": ("bandwidth_hz", _direction_free_auc),
    "channel balance": ("channel_balance_db", _direction_free_auc),
}
