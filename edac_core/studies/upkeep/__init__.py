"""Looking every file of a cache over, and mending what is amiss.

A cache holds nothing that cannot be made again, so mending is deleting: what is damaged goes, and
the jobs that it belonged to are forgotten, so that the next run of their plan makes them again.
What is in the place of a file and is none is set aside, and nothing is deleted through a link.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from edac_core.errors import StoreError
from edac_core.studies import soundness
from edac_core.studies.store import Store
from edac_core.studies.upkeep.database import (
    faults_of_models,
    faults_of_rows,
    faults_of_store,
    opened,
)
from edac_core.studies.upkeep.faults import Finding, seen_to
from edac_core.studies.upkeep.files import (
    faults_of_facts,
    faults_of_features,
    faults_of_recordings,
    faults_of_searches,
    leftovers,
    odd_locks,
)
from edac_core.studies.upkeep.locks import nobody_writing
from edac_core.studies.upkeep.places import mark_path, model_path

__all__ = ["Finding", "check", "check_shipped", "forget_missing"]


def check(cache: Path, *, repair: bool = False) -> list[Finding]:
    """Look over all files of a cache.

    Parameters
    ----------
    cache
        Folder of the store, the audits and the features.
    repair
        Mend what can be mended. Otherwise nothing is changed.

    Returns
    -------
    list of Finding
        What is amiss, or was.

    Raises
    ------
    StoreError
        If a run is writing to the cache, or what is to be mended cannot be.
    """
    cache = Path(cache)
    found = list(seen_to(odd_locks(cache), repair=repair))
    if not cache.is_dir():
        return found
    with nobody_writing(cache, repair=repair):
        faults = itertools.chain(
            leftovers(cache), faults_of_features(cache), faults_of_facts(cache),
            faults_of_recordings(cache), faults_of_store(cache, repair=repair),
            faults_of_searches(cache),
        )  # fmt: skip
        found += seen_to(faults, repair=repair)
    return found


def check_shipped(folder: Path) -> list[Finding]:
    """Look over a finished store that may come without some of its model files.

    Parameters
    ----------
    folder
        Of the store; nothing is changed in it.

    Returns
    -------
    list of Finding
        What is amiss.
    """
    remedy = "get the file again from where the program came from"
    with opened(folder, repair=False) as database:
        faults = [*faults_of_rows(database), *faults_of_models(folder, database, whole=False)]
    return [replace(fault.finding, remedy=remedy) for fault in faults]


def forget_missing(cache: Path, study: str) -> int:
    """Forget the jobs of a study whose model files are not all here.

    Returns
    -------
    int
        How many the next run of the study's plan makes again.

    Raises
    ------
    StoreError
        If there is no such study, or a run is writing to the cache.
    """
    Store.refuse_absent(cache)
    with nobody_writing(cache, repair=True), opened(cache, repair=True) as database:
        claimed = database.execute("SELECT job FROM study_jobs WHERE study = ?", (study,))
        jobs = {job for (job,) in claimed}
        if not jobs:
            raise StoreError(f"There is no study {study!r} in {cache}; see edac status.")
        missing = {
            sha256: rows for sha256, rows in soundness.models_of(database).items()
            if rows["job"].isin(jobs).any() and not model_path(cache, sha256).is_file()
        }  # fmt: skip
        forgotten = {job for rows in missing.values() for job in rows["job"]}
        soundness.forget(database, forgotten, keep_weights=True)
        for sha256 in missing:
            mark_path(cache, sha256).unlink(missing_ok=True)
    return len(forgotten)
