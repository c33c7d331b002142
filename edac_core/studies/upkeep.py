"""Looking every file of a cache over, and mending what is amiss.

A cache holds nothing that cannot be made again, so mending is deleting: what is damaged goes, and
the jobs that it belonged to are forgotten, so that the next run of their plan makes them again.
What is in the place of a file and is none is set aside, and nothing is deleted through a link.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from edac_core.datasets import facts, synthetic
from edac_core.errors import ModelError, StoreError
from edac_core.frontends.cache import ArrayCache
from edac_core.measure.size import unpack
from edac_core.studies import soundness
from edac_core.studies.inputs import FEATURES
from edac_core.studies.journal import LOCK_FILE, RUNS, SEARCHES, only_writer
from edac_core.studies.store import Store

MODELS = "models"
ASIDE = "set-aside"
"""Folder of a cache that gets what is in the place of a file and is none."""

EVICTED = ".evicted"
"""Suffix of the mark of a model file that was deleted to make room."""

_MODEL = re.compile(r"(?P<sha256>[0-9a-f]{64})\.tflite\.xz")
_ABANDONED_SECONDS = 3600.0
_FOLD = "PRAGMA wal_checkpoint(TRUNCATE)"
_JOURNALS = ("-wal", "-shm", "-journal")
_LOCKS = (LOCK_FILE, f"{SEARCHES}/{LOCK_FILE}", "facts.lock", f"{RUNS}/launch.lock")

Mend = Callable[[], str]


@dataclass(frozen=True)
class Finding:
    """Something that is amiss in a cache.

    Parameters
    ----------
    kind
        lock, leftover, log, database, rows, job, model, orphan, features, facts, recordings or
        search.
    name
        The file within the cache, or the job's key.
    text
        A clause that says what is wrong.
    done
        What was done about it; "" if nothing was.
    remedy
        What there is to do about it by hand, where it cannot be mended.
    """

    kind: str
    name: str
    text: str
    done: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class _Fault:
    """A finding, what mends it and what comes of that."""

    finding: Finding
    mend: Mend | None = None
    then: str = ""


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
    found = list(_seen_to(_odd_locks(cache), repair=repair))
    if not cache.is_dir():
        return found
    with _nobody_writing(cache, repair=repair):
        faults = itertools.chain(
            _leftovers(cache), _faults_of_features(cache), _faults_of_facts(cache),
            _faults_of_recordings(cache), _faults_of_store(cache, repair=repair),
            _faults_of_searches(cache),
        )  # fmt: skip
        found += _seen_to(faults, repair=repair)
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
    with _opened(folder, repair=False) as database:
        faults = [*_faults_of_rows(database), *_faults_of_models(folder, database, whole=False)]
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
    if not Store.exists(cache):
        raise StoreError(f"There is no study store in {cache}; run a plan first.")
    with _nobody_writing(cache, repair=True), _opened(cache, repair=True) as database:
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


def model_path(cache: Path, sha256: str) -> Path:
    """Return where a model file is, or would be."""
    return cache / MODELS / f"{sha256}.tflite.xz"


def mark_path(cache: Path, sha256: str) -> Path:
    """Return where the mark of an evicted model file is, or would be."""
    return cache / MODELS / f"{sha256}{EVICTED}"


def model_files(cache: Path) -> dict[str, Path]:
    """Return what stands where model files do, by digest."""
    entries = sorted((cache / MODELS).iterdir()) if (cache / MODELS).is_dir() else []
    matches = {path: _MODEL.fullmatch(path.name) for path in entries}
    return {match["sha256"]: path for path, match in matches.items() if match}


def is_within(path: Path, cache: Path) -> bool:
    """Say whether no link leads from a cache's folder to that of a path."""
    return path.parent.resolve().is_relative_to(cache.resolve())


@contextlib.contextmanager
def only_user(cache: Path) -> Iterator[None]:
    """Hold the locks of the runs and of the searches of a cache.

    Raises
    ------
    StoreError
        If a run or a search is writing to it.
    """
    with contextlib.ExitStack() as held:
        held.enter_context(only_writer(cache))
        if (cache / SEARCHES).is_dir():
            held.enter_context(only_writer(cache / SEARCHES))
        yield


def _seen_to(faults: Iterable[_Fault], *, repair: bool) -> Iterator[Finding]:
    for fault in faults:
        if not (repair and fault.mend):
            yield fault.finding
            continue
        try:
            yield replace(fault.finding, done=fault.mend() + fault.then)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"What is amiss with {fault.finding.name} ({fault.finding.text}) cannot be mended: "
                f"{error}; make room there, or mend the folder's permissions, and try again."
            ) from error


@contextlib.contextmanager
def _nobody_writing(cache: Path, *, repair: bool) -> Iterator[None]:
    """Keep runs out; a lock that nothing has made yet is not made by looking."""
    if repair:
        with only_user(cache):
            yield
        return
    with contextlib.ExitStack() as held:
        for path in (cache / LOCK_FILE, cache / SEARCHES / LOCK_FILE):
            if path.is_file() and not path.is_symlink():
                _share(held.enter_context(path.open("rb")).fileno(), path)
        yield


def _share(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreError(
            f"A run is writing to {path.parent}; wait for it before the cache is checked."
        ) from None


def _remove(path: Path, cache: Path) -> str:
    """Delete a file or a link; set a folder aside, as nobody knows what it is."""
    if not is_within(path, cache):
        raise OSError(f"{path.parent} is outside the cache, behind a link")
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return "deleted"
    return _set_aside(path, cache)


def _set_aside(path: Path, cache: Path) -> str:
    aside = cache / ASIDE
    aside.mkdir(exist_ok=True)
    # A name of its own, so that nothing that is there already is written over.
    to = aside / f"{path.name}.{time.time_ns()}"
    path.rename(to)
    return f"moved to {_name(to, cache)}"


# -- files beside the store ------------------------------------------------------------------


def _odd_locks(cache: Path) -> Iterator[_Fault]:
    for name in _LOCKS:
        path = cache / name
        if os.path.lexists(path) and not _is_plain(path):
            yield _misplaced("lock", path, cache)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _misplaced(kind: str, path: Path, cache: Path) -> _Fault:
    what = "link" if path.is_symlink() else "folder" if path.is_dir() else "thing that is no file"
    text = f"a {what} is where a file should be"
    return _Fault(Finding(kind, _name(path, cache), text), partial(_remove, path, cache))


def _name(path: Path, cache: Path) -> str:
    return path.relative_to(cache).as_posix()


def _leftovers(cache: Path) -> Iterator[_Fault]:
    """Find what interrupted writers left behind."""
    now = time.time()
    # Model files are written under the lock that is held; other folders may be in use.
    for pattern, age in (
        (f"{MODELS}/.part-*", 0.0),
        (".writing-*", _ABANDONED_SECONDS),
        (f"{synthetic.NAME}/.writing-*", _ABANDONED_SECONDS),
    ):
        for path in sorted(cache.glob(pattern)):
            if now - path.lstat().st_mtime >= age:
                finding = Finding("leftover", _name(path, cache), "its writer was interrupted")
                yield _Fault(finding, partial(_clear, path, cache))


def _clear(path: Path, cache: Path) -> str:
    """Delete what the program itself made, a folder with all that is in it."""
    if path.is_symlink() or not path.is_dir():
        return _remove(path, cache)
    if not is_within(path, cache):
        raise OSError(f"{path.parent} is outside the cache, behind a link")
    shutil.rmtree(path)
    return "deleted"


def _faults_of_facts(cache: Path) -> Iterator[_Fault]:
    if not facts.is_kept_whole(cache):
        path = facts.kept_in(cache)
        finding = Finding("facts", path.name, "what was measured of recordings is damaged")
        yield _Fault(finding, partial(_remove, path, cache), "; it is measured again")


def _faults_of_recordings(cache: Path) -> Iterator[_Fault]:
    for folder in sorted((cache / synthetic.NAME).glob("[0-9a-f]*")):
        # Those of before there were sums cannot be told to be damaged.
        summed = os.path.lexists(folder / synthetic.SUMS)
        if summed and (damage := synthetic.find_damage(folder)):
            finding = Finding("recordings", _name(folder, cache), damage)
            yield _Fault(finding, partial(_clear, folder, cache), "; they are generated again")


def _faults_of_features(cache: Path) -> Iterator[_Fault]:
    path = cache / FEATURES
    journals = [path.with_name(path.name + suffix) for suffix in _JOURNALS]
    for file in (path, *journals):
        if os.path.lexists(file) and not file.is_file():
            yield _misplaced("features", file, cache)
    if path.is_file() and (damage := _damage_of(path)):
        finding = Finding("features", path.name, damage)
        yield _Fault(finding, partial(_remove_all, [path, *journals], cache), _AGAIN)
    arrays = ArrayCache(path)
    if path.is_file() and (damaged := arrays.damaged()):
        finding = Finding("features", path.name, f"{len(damaged)} arrays are not what was put")
        yield _Fault(finding, partial(_told, "forgotten", arrays.forget, damaged), _AGAIN)


_AGAIN = "; features are computed again"


def _remove_all(paths: Iterable[Path], cache: Path) -> str:
    done = [_remove(path, cache) for path in paths if os.path.lexists(path)]
    return done[0]


def _faults_of_searches(cache: Path) -> Iterator[_Fault]:
    for path in sorted((cache / SEARCHES).glob("*.sqlite")):
        if not path.is_file():
            yield _misplaced("search", path, cache)
        elif damage := _damage_of(path):
            finding = Finding("search", _name(path, cache), damage)
            mend = partial(_set_search_aside, path, cache)
            yield _Fault(finding, mend, "; the search begins anew, its jobs are known")


def _damage_of(path: Path) -> str:
    """Say what SQLite finds wrong with a file; "" if nothing is."""
    try:
        with contextlib.closing(_connect(path, write=False)) as database:
            return "; ".join(soundness.structural_faults(database))
    except sqlite3.Error as error:
        return f"it cannot be read ({error})"


def _set_search_aside(path: Path, cache: Path) -> str:
    """Move a search away with its logs, which may hold trials that can be saved by hand."""
    for suffix in _JOURNALS:
        if os.path.lexists(journal := path.with_name(path.name + suffix)):
            _set_aside(journal, cache)
    return _set_aside(path, cache)


# -- the store -------------------------------------------------------------------------------


def _connect(path: Path, *, write: bool) -> sqlite3.Connection:
    # Without a log there is nothing to share, and so no file to make beside the database.
    log = path.with_name(path.name + "-wal")
    alone = not os.path.lexists(log) or (log.is_file() and log.stat().st_size == 0)
    options = "mode=rw" if write else f"mode=ro&immutable={int(alone)}"
    return sqlite3.connect(f"{path.resolve().as_uri()}?{options}", uri=True, timeout=30)


@contextlib.contextmanager
def _opened(folder: Path, *, repair: bool) -> Iterator[sqlite3.Connection]:
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


def _faults_of_store(cache: Path, *, repair: bool) -> Iterator[_Fault]:
    path = cache / Store.DATABASE
    if not os.path.lexists(path):
        return
    for file in (path.with_name(path.name + suffix) for suffix in _JOURNALS):
        if os.path.lexists(file) and not _is_plain(file):
            yield _misplaced("database", file, cache)
    yield from _waiting_log(path, cache)
    damage = _damage_of(path) if path.is_file() else "it is not a file"
    if damage:
        yield _Fault(Finding("database", path.name, damage, remedy=_BEYOND_REPAIR))
        return
    with _opened(cache, repair=repair) as database:
        yield from _faults_of_rows(database)
        yield from _faults_of_models(cache, database, whole=True)
        yield from _orphans(cache, database)


_BEYOND_REPAIR = (
    "put a copy of it back, or move it elsewhere and run the plans again (do not repair the "
    "models in between)"
)


def _waiting_log(path: Path, cache: Path) -> Iterator[_Fault]:
    log = path.with_name(path.name + "-wal")
    if _is_plain(log) and log.stat().st_size:
        size = log.stat().st_size
        finding = Finding("log", _name(log, cache), f"{size:,} bytes wait in the write-ahead log")
        yield _Fault(finding, partial(_fold, path))


def _fold(path: Path) -> str:
    with contextlib.closing(_connect(path, write=True)) as database:
        database.execute(_FOLD)
    return "folded into the database"


def _faults_of_rows(database: sqlite3.Connection) -> Iterator[_Fault]:
    name = Store.DATABASE
    if strays := soundness.stray_rows(database):
        finding = Finding("rows", name, f"{strays} rows refer to others that are not there")
        yield _Fault(finding, partial(_told, "deleted", soundness.drop_stray_rows, database))
    if spare := soundness.spare_weights(database):
        finding = Finding("rows", name, f"weights of {spare} jobs are kept twice")
        mend = partial(_told, "one of them deleted", soundness.drop_spare_weights, database)
        yield _Fault(finding, mend)
    for study in soundness.faulty_studies(database):
        text, remedy = "the study's plan or facts cannot be read", "run its plan, which writes them"
        yield _Fault(Finding("rows", study, text, remedy=remedy))
    for job, reason in soundness.faulty_jobs(database).items():
        mend = partial(_forgotten, database, [job], keep_weights=False)
        yield _Fault(Finding("job", job, reason), mend)


def _told(done: str, mend: Callable[[Any], None], what: Any) -> str:
    mend(what)
    return done


def _forgotten(database: sqlite3.Connection, jobs: Iterable[str], *, keep_weights: bool) -> str:
    jobs = sorted(set(jobs))
    soundness.forget(database, jobs, keep_weights=keep_weights)
    what = "job" if len(jobs) == 1 else f"{len(jobs)} jobs"
    return f"{what} forgotten; the next run of the plan makes it again"


def _faults_of_models(
    folder: Path, database: sqlite3.Connection, *, whole: bool
) -> Iterator[_Fault]:
    """Find model files that are not what the rows say; missing ones only in a whole store."""
    for sha256, rows in soundness.models_of(database).items():
        path = model_path(folder, sha256)
        if not os.path.lexists(path):
            if whole and not mark_path(folder, sha256).exists():
                mend = partial(_forgotten, database, rows["job"], keep_weights=True)
                yield _Fault(Finding("model", _name(path, folder), "it is missing"), mend)
        elif damage := _damage_of_model(path, sha256, rows):
            mend = partial(_replaceable, path, folder, database, rows["job"])
            yield _Fault(Finding("model", _name(path, folder), damage), mend)


def _replaceable(
    path: Path, folder: Path, database: sqlite3.Connection, jobs: Iterable[str]
) -> str:
    """Have a model file made again: a run writes none where one is."""
    done = _remove(path, folder)
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


def _orphans(cache: Path, database: sqlite3.Connection) -> Iterator[_Fault]:
    known = set(soundness.models_of(database))
    for sha256, path in model_files(cache).items():
        if sha256 not in known:
            finding = Finding("orphan", _name(path, cache), "no variant has this model file")
            yield _Fault(finding, partial(_remove, path, cache))
    for mark in sorted((cache / MODELS).glob(f"*{EVICTED}")):
        sha256 = mark.name.removesuffix(EVICTED)
        if sha256 not in known or os.path.lexists(model_path(cache, sha256)):
            finding = Finding("leftover", _name(mark, cache), "what it marks is not evicted")
            yield _Fault(finding, partial(_remove, mark, cache))
