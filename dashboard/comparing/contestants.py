"""Which variants are asked about a recording: of one run of one network, with files here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import address
from dashboard import format as write
from dashboard.address import SEPARATOR, Field
from dashboard.choices import RUN, TOLERATED_LOSS, Network
from dashboard.recordings import LABELS, Recording, Sets
from dashboard.studies import read_files, read_sets
from dashboard.theme import METHODS, PRECISIONS
from edac_core.compress import REFERENCE_PRECISION
from edac_core.models import get_model
from edac_core.studies.jobs import BASELINE
from edac_core.verdicts import ModelFile

COMPARED = Field("compared", "variant", SEPARATOR.join)
ASKED_AT_FIRST = 6


@dataclass(frozen=True)
class Contestant:
    """A variant of one run whose file is here.

    `code` is its name in the address; `threshold` its operating point, chosen on validation.
    """

    code: str
    precision: str
    method: str
    sparsity: float
    threshold: float
    zip_bytes: int
    file: ModelFile

    @property
    def is_baseline(self) -> bool:
        """Whether all others are compared with it."""
        return self.method == BASELINE and self.precision == REFERENCE_PRECISION

    @property
    def title(self) -> str:
        """Its name for people."""
        return f"{self.precision}, {write.level(self.method, self.sparsity)}"


def runs_here(network: Network) -> list[str]:
    """Return the numbers of the runs that have files in the store.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    files = _files(network, network.key)
    here = set(zip(files["split_seed"], files["training_seed"], strict=True))
    return [str(number) for number, run in enumerate(network.runs, start=1) if run in here]


def pick_run(network: Network, numbers: Sequence[str]) -> str:
    """Let the viewer choose one of the runs that have files here."""
    address.settle(RUN, numbers, default=numbers[0])
    chosen = st.selectbox(
        "Run", numbers, address.position(RUN, numbers), key=RUN.key,
        format_func=network.run_titles.__getitem__, on_change=address.touch,
        help="Each run divided the recordings and trained its own network; only runs whose model "
        "files are in the store can be asked.",
    )  # fmt: skip
    return str(chosen)


def contestants_of(network: Network, run: str) -> tuple[Contestant, ...]:
    """Return the variants of a run whose files are here: unpruned ones first, then by level.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    files = _files(network, network.key)
    split_seed, training_seed = network.runs[int(run) - 1]
    of_run = files[(files["split_seed"] == split_seed) & (files["training_seed"] == training_seed)]
    found = [_contestant(network, row) for row in of_run.to_dict("records")]
    return tuple(sorted(found, key=_order))


def pick_contestants(network: Network, offered: Sequence[Contestant]) -> tuple[Contestant, ...]:
    """Let the viewer choose which variants are asked."""
    by_code = {contestant.code: contestant for contestant in offered}
    address.settle_many(COMPARED, list(by_code), default=asked_at_first(network, offered))
    chosen = st.multiselect(
        "Variants to ask", list(by_code), address.standing(COMPARED), key=COMPARED.key,
        on_change=address.touch, format_func=lambda code: by_code[code].title,
        placeholder="Choose some",
        help="Precision, then how it was pruned and by how much. The float32 baseline is always "
        "asked, as what the others differ from.",
    )  # fmt: skip
    return tuple(contestant for contestant in offered if contestant.code in chosen)


def asked_at_first(network: Network, offered: Sequence[Contestant]) -> list[str]:
    """Return the codes of a few good variants: unpruned ones, and pruned ones that lose little.

    Pruned ones are the smallest that lose at most `TOLERATED_LOSS` of AUC, the largest that does,
    and one between; others fill up what is missing.
    """
    unpruned = [contestant for contestant in offered if contestant.method == BASELINE][:3]
    pruned = [contestant for contestant in offered if contestant not in unpruned]
    losses = {row[:3]: row[3] for row in network.summary[
        ["precision", "method", "sparsity", "auc_difference"]
    ].itertuples(index=False, name=None)}  # fmt: skip
    good = [
        contestant for contestant in pruned
        if losses.get((contestant.precision, contestant.method, contestant.sparsity), np.nan)
        >= -TOLERATED_LOSS
    ]  # fmt: skip
    left = ASKED_AT_FIRST - len(unpruned)
    chosen = _spread(sorted(good, key=lambda contestant: contestant.zip_bytes), left)
    rest = [contestant for contestant in pruned if contestant not in chosen]
    chosen += _spread(rest, left - len(chosen))
    kept = {contestant.code for contestant in (*unpruned, *chosen)}
    return [contestant.code for contestant in offered if contestant.code in kept]


def with_baseline(
    chosen: Sequence[Contestant], offered: Sequence[Contestant]
) -> tuple[Contestant, ...]:
    """Return those chosen and the float32 baseline, which differences are taken from."""
    return tuple(c for c in offered if c in chosen or c.is_baseline)


def sets_of(network: Network, run: str) -> Sets:
    """Return which recordings were in which set of a run.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    split_seed, training_seed = network.runs[int(run) - 1]
    files = _files(network, network.key)
    of_run = files[(files["split_seed"] == split_seed) & (files["training_seed"] == training_seed)]
    split = str(of_run["split"].iloc[0])
    dataset = str(network.study.data.get("dataset", ""))
    return Sets(dataset, _sets(network, network.key, split))


def baseline_groups(network: Network) -> pd.DataFrame:
    """Return the AUC within each source of the float32 baseline; none if it is not finished.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    return _baseline_groups(network, network.key)


def describe_origin(recording: Recording, sets: Sets, *, run: str) -> str:
    """Say what a verdict on a recording is worth, by what the network knew of it."""
    label = "" if recording.label is None else f" It is labelled **{LABELS[recording.label]}**."
    if recording.dataset is None:
        return "A recording that no network here has heard."
    if recording.dataset != sets.dataset:
        return f"A recording of another data set than this network's.{label}"
    known = {
        "train": f"**Training set of run {run}: the network was told its label, so a verdict on it "
        "is worth nothing.**",
        "validation": f"Validation set of run {run}: thresholds were chosen on it, so a verdict on "
        "it flatters.",
        "test": f"Test set of run {run}: this network has not learnt from it.",
    }
    found = sets.of_recording(recording)
    return known.get(found or "", "It was left out of the study.") + label


def frontend_of(network: Network) -> str:
    """Return the name of the front-end that a network takes.

    Raises
    ------
    PlanError
        If neither its study nor this program knows the network.
    """
    told = network.study.data.get("networks", {}).get(network.model, {}).get("frontend")
    return str(told or get_model(network.model).frontend)


def _spread(ordered: Sequence[Contestant], count: int) -> list[Contestant]:
    """Return so many of a sequence, from its first to its last."""
    places = np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int)
    return [ordered[place] for place in dict.fromkeys(places)]


def _contestant(network: Network, row: Mapping[Any, Any]) -> Contestant:
    sparsity = float(row["sparsity"])
    level = write.per_cent_in_address(sparsity)
    shelf = network.study.shelf
    return Contestant(
        f"{row['precision']}-{row['method']}-{level}",
        str(row["precision"]),
        str(row["method"]),
        sparsity,
        float(row["threshold"]),
        int(row["zip_bytes"]),
        ModelFile(shelf.folder, shelf.live, str(row["sha256"])),
    )


def _order(contestant: Contestant) -> tuple[object, ...]:
    precisions, methods = list(PRECISIONS), [BASELINE, *METHODS]

    def _rank(name: str, known: list[str]) -> int:
        return known.index(name) if name in known else len(known)

    return (
        contestant.method != BASELINE,
        _rank(contestant.method, methods),
        contestant.method,
        contestant.sparsity,
        _rank(contestant.precision, precisions),
        contestant.precision,
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _files(_network: Network, key: object) -> pd.DataFrame:  # noqa: ARG001 - for the cache
    files = read_files(_network.study, list(_network.measured["job"].unique()))
    return files[files["has_model"]].reset_index(drop=True)


@st.cache_data(max_entries=16, show_spinner=False)
def _baseline_groups(_network: Network, key: object) -> pd.DataFrame:  # noqa: ARG001 - as above
    if _network.baseline is None:
        return pd.DataFrame(columns=["group", "n", "auc", "auc_half_width"])
    return _network.groups(_network.baseline)


@st.cache_resource(max_entries=16, show_spinner=False)
def _sets(_network: Network, key: object, split: str) -> dict[str, str]:  # noqa: ARG001 - as above
    return read_sets(_network.study, split)
