"""What a variant and its baseline decide about every test example."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard.inspecting.variant import Chosen
from dashboard.studies import Shelf
from edac_core.errors import DataError, StoreError
from edac_core.measure.curves import Calibration, Confusion, calibration, confusion
from edac_core.measure.discrimination import GroupAuc, auc_within
from edac_core.measure.significance import McNemar, mcnemar

MENDED, BROKEN = "mended", "broken"
_FEWEST_IN_BIN, _MOST_BINS = 20, 10

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Decisions:
    """The scores of one file on its test examples, and what they decide.

    `known` are its scores of validation and test examples, as `Store.scores` returns them;
    `threshold` is the file's own, chosen on validation recordings.
    """

    known: pd.DataFrame
    threshold: float

    @functools.cached_property
    def examples(self) -> pd.DataFrame:
        """Recording, label, group, copy and score, a row a test example."""
        return self.known[self.known["set"] == "test"].reset_index(drop=True)

    @property
    def labels(self) -> BoolArray:
        """Which examples are positive."""
        return self.examples["label"].to_numpy(bool)

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """What the file says of each."""
        return self.examples["score"].to_numpy(np.float64)

    @property
    def called(self) -> BoolArray:
        """Which it calls positive, at its own threshold."""
        return np.asarray(self.scores >= self.threshold)

    def confusion(self, *, threshold: float | None = None) -> Confusion:
        """Count what a threshold decides, its own by default."""
        chosen = self.threshold if threshold is None else threshold
        return confusion(self.labels, self.scores, threshold=chosen)

    def calibration(self) -> Calibration | None:
        """Compare scores with shares of positives; None if they are no probabilities."""
        bins = int(np.clip(len(self.examples) // _FEWEST_IN_BIN, 2, _MOST_BINS))
        try:
            return calibration(self.labels, self.scores, bins=bins)
        except DataError:
            return None

    def within_sources(self) -> pd.DataFrame:
        """Return the AUC within each source, as the words beside scores want it."""
        groups = auc_within(self.labels, self.scores, self.examples["group"])
        return pd.DataFrame([_group(found) for found in groups.values()])


def read_decisions(chosen: Chosen) -> tuple[Decisions, Decisions | None]:
    """Read what a variant decides, and what its baseline does if there is another.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    shelf = chosen.network.study.shelf
    own = _decisions(shelf, chosen.row)
    baseline = chosen.compared
    return own, None if baseline is None else _decisions(shelf, baseline)


def flips(own: Decisions, baseline: Decisions) -> pd.DataFrame:
    """List the test examples that the two decide differently, each at its own threshold.

    Returns
    -------
    DataFrame
        recording, group, label, copy, before and after (scores), direction ("mended" where only
        the variant is right, "broken" where only the baseline is). The broken ones first, those
        whose score moved most before others.
    """
    table = own.examples.assign(
        before=baseline.examples["score"], after=own.examples["score"],
        direction=np.where(own.called == own.labels, MENDED, BROKEN),
        moved=(own.examples["score"] - baseline.examples["score"]).abs(),
    )  # fmt: skip
    table = table[own.called != baseline.called]
    ordered: pd.DataFrame = table.sort_values(["direction", "moved"], ascending=[True, False])
    columns = ["recording", "group", "label", "copy", "before", "after", "direction"]
    return ordered[columns].reset_index(drop=True)


def compare(own: Decisions, baseline: Decisions) -> McNemar:
    """Test whether the two are right equally often; the baseline comes first."""
    return mcnemar(own.labels, baseline.called, own.called)


def _group(found: GroupAuc) -> dict[str, object]:
    auc = found.auc
    known = {"auc": np.nan, "auc_half_width": np.nan}
    if auc is not None:
        known = {"auc": auc.estimate, "auc_half_width": (auc.high - auc.low) / 2}
    return {"group": found.group, "n": found.n, **known}


def _decisions(shelf: Shelf, variant: pd.Series) -> Decisions:
    try:
        known = _scores(shelf.folder, str(variant["key"]), shelf)
    except (ValueError, KeyError) as error:
        raise StoreError(
            f"The scores of {variant['key']!r} in {shelf.folder} are not what this program wrote; "
            "run the study's plan again."
        ) from error
    return Decisions(known, float(variant["threshold"]))


# What a variant scored never changes, though its store may grow.
@st.cache_resource(max_entries=64, show_spinner=False)
def _scores(folder: str, key: str, _shelf: Shelf) -> pd.DataFrame:  # noqa: ARG001 - for the cache
    with _shelf.open() as store:
        return store.scores(key)
