"""The studies that are here, read once and kept until a store changes.

Shipped studies are read-only; those of this machine may be growing while they are shown.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.theme import model_title
from edac_core import locations
from edac_core.errors import StoreError
from edac_core.studies.compare import (
    compare_on_test,
    compare_two,
    difference_of_two,
    summarise_comparison,
)
from edac_core.studies.select import Paired, summarise, summarise_groups
from edac_core.studies.store import Store
from edac_core.studies.tables import overlaps_of

LOCAL_PREFIX = "local/"
VARIANT = ["job", "precision"]
"""What tells one variant from another within a study."""

_UNREADABLE = (StoreError, ValueError, KeyError)


@dataclass(frozen=True)
class Shelf:
    """A store as it stands now; `version` changes whenever it is written to."""

    folder: str
    live: bool
    version: str

    def open(self) -> contextlib.closing[Store]:
        """Open the store for reading; use as a context."""
        return contextlib.closing(Store(Path(self.folder), readonly=True, live=self.live))


@dataclass(frozen=True)
class Study:
    """A study and the facts that say what its figures are worth.

    `identifier` is its name in the page's address: a study of this machine that is named as a
    shipped one has a prefix.
    """

    shelf: Shelf
    name: str
    identifier: str
    title: str
    plan: Mapping[str, Any]
    data: Mapping[str, Any]

    @property
    def synthetic(self) -> bool:
        """Whether the recordings were made by a program."""
        return bool(self.data.get("synthetic"))

    @property
    def protocol(self) -> str:
        """How recordings were divided: "clean" or "paper"."""
        return str(self.plan.get("data", {}).get("protocol", "unknown"))

    def title_of(self, model: str) -> str:
        """Return what a network is called, which for a user's own only its study knows."""
        return str(self._network(model).get("title") or model_title(model))

    def sets_of(self, model: str) -> Mapping[str, int]:
        """Return how many recordings a network's training, validation and test sets have."""
        sets: Mapping[str, int] = self._network(model).get("sets", self.data.get("sets", {}))
        return sets

    def overlap_of(self, model: str) -> tuple[int, int] | None:
        """Return how many recordings a split of a network trains and tests on, if it is known."""
        return overlaps_of(self.data, [model]).get(model)

    def _network(self, model: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.data.get("networks", {}).get(model, {})
        return found


@dataclass(frozen=True)
class Figures:
    """What a page shows of a whole study; it is shared and must not be changed.

    `variants` has one row a file, as `Store.figures`; `summary` are their means over runs, as
    `edac_core.studies.select.summarise` makes them. Both are of the study's own protocol.
    """

    variants: pd.DataFrame
    summary: pd.DataFrame


def find_studies() -> tuple[list[Study], list[str]]:
    """Return the studies that can be read, and a sentence for each store that cannot."""
    studies: dict[str, Study] = {}
    problems = []
    for shelf in _shelves():
        try:
            for study in _studies_on(shelf):
                identifier = study.identifier
                if identifier in studies:
                    identifier = LOCAL_PREFIX + identifier
                studies[identifier] = _renamed(study, identifier)
        except _UNREADABLE as error:
            problems.append(_sentence(error, shelf))
    return list(studies.values()), problems


def read_figures(study: Study) -> Figures:
    """Read a study's variants and average them over its runs.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    with _explained(study.shelf):
        return _read_figures(study.shelf, study.name, study)


def read_files(study: Study, jobs: Sequence[str]) -> pd.DataFrame:
    """Read all that is known of the variants of some jobs, as `Store.variants` returns it.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    with _explained(study.shelf), study.shelf.open() as store:
        return store.variants(study.name, jobs=jobs)


def read_groups(study: Study, files: pd.DataFrame) -> pd.DataFrame:
    """Read the AUC of variants within each source, averaged over their runs.

    Parameters
    ----------
    study : Study
    files : DataFrame
        Their rows of `read_files`.

    Returns
    -------
    DataFrame
        As `edac_core.studies.select.summarise_groups` makes it.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    with _explained(study.shelf):
        return _read_groups(study.shelf, study.name, tuple(files["key"]), files)


def read_comparison(study: Study, model: str, *, only: pd.DataFrame | None = None) -> pd.DataFrame:
    """Test the decisions of a network's variants against those of its float32 baselines.

    It reads the scores of every test example, which takes long for thousands of variants.

    Parameters
    ----------
    study : Study
    model : str
    only : DataFrame, optional
        Job and precision of some variants, to compare no others. The baselines of their runs have
        to be among them.

    Returns
    -------
    DataFrame
        As `edac_core.studies.compare.summarise_comparison` makes it.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    chosen = None if only is None else tuple(only[VARIANT].itertuples(index=False, name=None))
    with _explained(study.shelf):
        return _read_comparison(study.shelf, study.name, model, chosen)


def read_refusals(study: Study, model: str) -> pd.DataFrame:
    """Read which variants of a network could not be made, as `Store.refusals` returns them.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    with _explained(study.shelf):
        found = _read_refusals(study.shelf, study.name)
    return found[found["model"] == model]


def read_sensitivities(study: Study, model: str) -> pd.DataFrame:
    """Read what changes of single layers do to a network, as `Store.sensitivities` returns it.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    with _explained(study.shelf):
        found = _read_sensitivities(study.shelf, study.name)
    return found[found["model"] == model]


def read_two(study: Study, first: pd.DataFrame, second: pd.DataFrame) -> tuple[Paired, float]:
    """Compare two configurations of a study, as they answered the same test examples.

    Parameters
    ----------
    study : Study
    first, second : DataFrame
        Their rows of `read_files`, one a run.

    Returns
    -------
    Paired
        Of the second's AUC less the first's.
    float
        The p value of McNemar's test; NaN if they have no run in common.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    with _explained(study.shelf), study.shelf.open() as store:
        answers = store.test_scores([*first["key"], *second["key"]])
        overlap = study.overlap_of(str(second["model"].iloc[0]))
        paired = difference_of_two(first, second, answers, overlap=overlap)
        return paired, compare_two(first, second, answers)


def read_model(study: Study, sha256: str) -> bytes:
    """Return a model file, checked against its digest.

    Raises
    ------
    StoreError
        If the file is missing or damaged.
    """
    with study.shelf.open() as store:
        return store.model(sha256)


def read_sets(study: Study, split: str) -> dict[str, str]:
    """Return the set of each recording of a split, as `Store.sets` does.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    with study.shelf.open() as store:
        return store.sets(split)


def _shelves() -> Iterator[Shelf]:
    for folder, live in ((locations.SHIPPED, False), (locations.local_cache(), True)):
        if Store.exists(folder):
            yield Shelf(str(folder), live, _version(folder))


def _version(folder: Path) -> str:
    """Fingerprint a store without opening it; what is not yet in the file is in its log."""
    parts = (Store.DATABASE, f"{Store.DATABASE}-wal", "models")
    return ",".join(_stamp(folder / part) for part in parts)


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "-"
    return f"{found.st_mtime_ns}:{found.st_size}"


@st.cache_data(max_entries=8, show_spinner=False)
def _studies_on(shelf: Shelf) -> list[Study]:
    with shelf.open() as store:
        rows = store.studies().to_dict("records")
    return [
        Study(shelf, row["name"], row["name"], row["title"], row["plan"], row["data"])
        for row in rows
    ]


# Shared by all sessions and never changed, so that no rerun has to copy it.
@st.cache_resource(max_entries=8, show_spinner="Reading the study")
def _read_figures(shelf: Shelf, name: str, _study: Study) -> Figures:
    with shelf.open() as store:
        variants = store.figures(name)
    variants = variants[variants["protocol"] == _study.protocol].astype({"sparsity": float})
    overlaps = overlaps_of(_study.data, variants["model"].unique())
    summary = summarise(variants, overlaps=overlaps)
    return Figures(variants.reset_index(drop=True), summary)


# Shared by all sessions and never changed. A slider comes to a row again and again.
@st.cache_resource(max_entries=512, show_spinner=False)
def _read_groups(
    shelf: Shelf,
    name: str,
    variants: tuple[str, ...],  # noqa: ARG001 - for the cache
    _files: pd.DataFrame,
) -> pd.DataFrame:
    with shelf.open() as store:
        return summarise_groups(store.groups(name, jobs=_files["job"].unique()), _files)


# Shared by all sessions and never changed.
@st.cache_resource(max_entries=16, show_spinner=False)
def _read_refusals(shelf: Shelf, name: str) -> pd.DataFrame:
    with shelf.open() as store:
        return store.refusals(name)


# Shared by all sessions and never changed.
@st.cache_resource(max_entries=16, show_spinner=False)
def _read_sensitivities(shelf: Shelf, name: str) -> pd.DataFrame:
    with shelf.open() as store:
        return store.sensitivities(name)


@st.cache_data(max_entries=64, show_spinner=False)
def _read_comparison(
    shelf: Shelf, name: str, model: str, only: tuple[tuple[str, str], ...] | None
) -> pd.DataFrame:
    wanted = None if only is None else pd.DataFrame(only, columns=VARIANT)
    with shelf.open() as store:
        variants = store.variants(name, jobs=None if wanted is None else wanted["job"].unique())
        variants = variants[variants["model"] == model]
        if wanted is not None:
            variants = variants.merge(wanted.drop_duplicates(), on=VARIANT)
        answers = store.test_scores(variants["key"])
    return summarise_comparison(compare_on_test(variants, answers), variants)


@contextlib.contextmanager
def _explained(shelf: Shelf) -> Iterator[None]:
    """Say in a sentence what a store holds that cannot be understood."""
    try:
        yield
    except (ValueError, KeyError) as error:
        raise StoreError(_sentence(error, shelf)) from error


def _renamed(study: Study, identifier: str) -> Study:
    return Study(study.shelf, study.name, identifier, study.title, study.plan, study.data)


def _sentence(error: Exception, shelf: Shelf) -> str:
    if isinstance(error, StoreError):
        return str(error)
    return (
        f"The study store in {shelf.folder} holds what this program did not write; "
        "remove it and run the study's plan again."
    )
