"""What can be amiss in the store of a cache: its database, its rows and its model files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd

from edac_core.errors import ModelError, StoreError
from edac_core.measure.size import unpack
from edac_core.studies import soundness
from edac_core.studies.store import Store
from edac_core.studies.upkeep.faults import (
    Fault,
    Finding,
    is_plain,
    misplaced,
    name_in,
    remove,
    told,
)
from edac_core.studies.upkeep.places import EVICTED, MODELS, mark_path, model_files, model_path

JOURNALS = ("-wal", "-shm", "-journal")
_FOLD = "PRAGMA wal_checkpoint(TRUNCATE)"
_BEYOND_REPAIR = (
    "put a copy of it back, or move it elsewhere and run the plans again (do not repair the "
    "models in between)"
)


@contextlib.contextmanager
def opened(folder: Path, *, repair: bool) -> Iterator[sqlite3.Connection]:
    """Open the database of a store, whatever state its rows are in."""
    if repair:
        # Refuses what another version wrote, and makes the tables that an older one had not.
        Store(folder).close()
    try:
        with contextlib.closing(_connect(folder / Store.DATABASE, write=repair)) as database:
            yield database
            if repair:
                # Closing does so too, unless a page has the store open.
                database.execute(_FOLD)
    except sqlite3.Error as error:
        raise StoreError(f"The study store in {folder} cannot be used: {error}.") from error


def faults_of_store(cache: Path, *, repair: bool) -> Iterator[Fault]:
    """Find what is amiss in a store; damage of the database hides all the rest."""
    path = cache / Store.DATABASE
    if not os.path.lexists(path):
        return
    for file in (path.with_name(path.name + suffix) for suffix in JOURNALS):
        if os.path.lexists(file) and not is_plain(file):
            yield misplaced("database", file, cache)
    yield from _waiting_log(path, cache)
    damage = damage_of(path) if path.is_file() else "it is not a file"
    if damage:
        yield Fault(Finding("database", path.name, damage, remedy=_BEYOND_REPAIR))
        return
    with opened(cache, repair=repair) as database:
        yield from faults_of_rows(database)
        yield from faults_of_models(cache, database, whole=True)
        yield from _orphans(cache, database)


def faults_of_rows(database: sqlite3.Connection) -> Iterator[Fault]:
    """Find rows that refer to nothing, or do not follow from each other."""
    name = Store.DATABASE
    if strays := soundness.stray_rows(database):
        finding = Finding("rows", name, f"{strays} rows refer to others that are not there")
        yield Fault(finding, partial(told, "deleted", soundness.drop_stray_rows, database))
    if spare := soundness.spare_weights(database):
        finding = Finding("rows", name, f"weights of {spare} jobs are kept twice")
        mend = partial(told, "one of them deleted", soundness.drop_spare_weights, database)
        yield Fault(finding, mend)
    for study in soundness.faulty_studies(database):
        text, remedy = "the study's plan or facts cannot be read", "run its plan, which writes them"
        yield Fault(Finding("rows", study, text, remedy=remedy))
    for job, reason in soundness.faulty_jobs(database).items():
        mend = partial(_forgotten, database, [job], keep_weights=False)
        yield Fault(Finding("job", job, reason), mend)


def faults_of_models(folder: Path, database: sqlite3.Connection, *, whole: bool) -> Iterator[Fault]:
    """Find model files that are not what the rows say; missing ones only in a whole store."""
    for sha256, rows in soundness.models_of(database).items():
        path = model_path(folder, sha256)
        if not os.path.lexists(path):
            if whole and not mark_path(folder, sha256).exists():
                mend = partial(_forgotten, database, rows["job"], keep_weights=True)
                yield Fault(Finding("model", name_in(path, folder), "it is missing"), mend)
        elif damage := _damage_of_model(path, sha256, rows):
            mend = partial(_replaceable, path, folder, database, rows["job"])
            yield Fault(Finding("model", name_in(path, folder), damage), mend)


def damage_of(path: Path) -> str:
    """Say what SQLite finds wrong with a file; "" if nothing is."""
    try:
        with contextlib.closing(_connect(path, write=False)) as database:
            return "; ".join(soundness.structural_faults(database))
    except sqlite3.Error as error:
        return f"it cannot be read ({error})"


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    # Without a log there is nothing to share, and so no file to make beside the database.
    log = path.with_name(path.name + "-wal")
    alone = not os.path.lexists(log) or (log.is_file() and log.stat().st_size == 0)
    options = "mode=rw" if write else f"mode=ro&immutable={int(alone)}"
    return sqlite3.connect(f"{path.resolve().as_uri()}?{options}", uri=True, timeout=30)


def _waiting_log(path: Path, cache: Path) -> Iterator[Fault]:
    log = path.with_name(path.name + "-wal")
    if is_plain(log) and log.stat().st_size:
        size = log.stat().st_size
        finding = Finding("log", name_in(log, cache), f"{size:,} bytes wait in the write-ahead log")
        yield Fault(finding, partial(_fold, path))


def _fold(path: Path) -> str:
    with contextlib.closing(_connect(path, write=True)) as database:
        database.execute(_FOLD)
    return "folded into the database"


def _forgotten(database: sqlite3.Connection, jobs: Iterable[str], *, keep_weights: bool) -> str:
    jobs = sorted(set(jobs))
    soundness.forget(database, jobs, keep_weights=keep_weights)
    what = "job" if len(jobs) == 1 else f"{len(jobs)} jobs"
    return f"{what} forgotten; the next run of the plan makes it again"


def _replaceable(
    path: Path, folder: Path, database: sqlite3.Connection, jobs: Iterable[str]
) -> str:
    """Have a model file made again: a run writes none where one is."""
    done = remove(path, folder)
    return f"{done}, {_forgotten(database, jobs, keep_weights=True)}"


def _damage_of_model(path: Path, sha256: str, rows: pd.DataFrame) -> str:
    """Say what is wrong with a model file, or with what the rows say of it; "" if nothing is."""
    if not path.is_file() or path.is_symlink():
        return "it is not a file"
    try:
        packed = path.read_bytes()
        model = unpack(packed)
    except (OSError, ModelError):
        return "it cannot be unpacked"
    if hashlib.sha256(model).hexdigest() != sha256:
        return "its content is another"
    alike = rows["raw_bytes"].eq(len(model)) & rows["xz_bytes"].eq(len(packed))
    return "" if alike.all() else "its size is not the one that is stored"


def _orphans(cache: Path, database: sqlite3.Connection) -> Iterator[Fault]:
    known = set(soundness.models_of(database))
    for sha256, path in model_files(cache).items():
        if sha256 not in known:
            finding = Finding("orphan", name_in(path, cache), "no variant has this model file")
            yield Fault(finding, partial(remove, path, cache))
    for mark in sorted((cache / MODELS).glob(f"*{EVICTED}")):
        sha256 = mark.name.removesuffix(EVICTED)
        if sha256 not in known or os.path.lexists(model_path(cache, sha256)):
            finding = Finding("leftover", name_in(mark, cache), "what it marks is not evicted")
            yield Fault(finding, partial(remove, mark, cache))
