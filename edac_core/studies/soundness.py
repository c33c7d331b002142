"""What of a store's rows follows from its other rows, and whether it does.

Nothing keeps a bit of a database from changing on the disk: SQLite notices where its own structure
breaks, and what is stored twice can be compared. The rest cannot be noticed; docs/cache.md lists
it.
"""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import pandas as pd

from edac_core.errors import EdacError
from edac_core.measure.discrimination import Interval, auc_interval, auc_within, decide

_SAME = 1e-9  # What another version of a library may add up differently.
# What damaged JSON, NPZ and scores make their readers raise.
_UNREADABLE = (
    ValueError, KeyError, TypeError, AttributeError, EOFError, RuntimeError, zipfile.BadZipFile,
    zlib.error, EdacError,
)  # fmt: skip
_TEXTS = ("config", "history", "environment")

_VARIANTS = """
SELECT key, precision, auc, auc_low, auc_high, threshold, sensitivity, specificity, uar,
  validation_scores, test_scores
FROM variants WHERE job = ? ORDER BY rowid
"""
_GROUPS = 'SELECT "group", n, positives, auc, auc_low, auc_high FROM groups WHERE variant = ?'

_KEEP_WEIGHTS = (
    "UPDATE jobs SET key = key || '-weights' WHERE weights IS NOT NULL "
    "AND key IN (SELECT job FROM forgotten) AND key IN (SELECT job FROM trainings)",
    "UPDATE trainings SET job = job || '-weights' WHERE job IN (SELECT job FROM forgotten) "
    "AND job || '-weights' IN (SELECT key FROM jobs)",
)
_FORGET = (
    "DELETE FROM groups WHERE variant IN (SELECT key FROM variants JOIN forgotten USING (job))",
    "DELETE FROM latencies WHERE variant IN (SELECT key FROM variants JOIN forgotten USING (job))",
    "DELETE FROM variants WHERE job IN (SELECT job FROM forgotten)",
    "DELETE FROM refusals WHERE job IN (SELECT job FROM forgotten)",
    "DELETE FROM sensitivities WHERE job IN (SELECT job FROM forgotten)",
    "DELETE FROM trainings WHERE job IN (SELECT job FROM forgotten)",
    "DELETE FROM jobs WHERE key IN (SELECT job FROM forgotten)",
    # One that is damaged would be left as it is when its jobs are made again.
    "DELETE FROM splits WHERE key NOT IN (SELECT split FROM jobs)",
)
_DROP_STRAYS = (
    "DELETE FROM study_jobs WHERE study NOT IN (SELECT name FROM studies)",
    "DELETE FROM variants WHERE job NOT IN (SELECT key FROM jobs)",
    "DELETE FROM refusals WHERE job NOT IN (SELECT key FROM jobs)",
    "DELETE FROM sensitivities WHERE job NOT IN (SELECT key FROM jobs)",
    "DELETE FROM trainings WHERE job NOT IN (SELECT key FROM jobs)",
    "DELETE FROM groups WHERE variant NOT IN (SELECT key FROM variants)",
    "DELETE FROM latencies WHERE variant NOT IN (SELECT key FROM variants)",
)
_COUNT_SPARE = (
    "SELECT count(*) FROM jobs AS kept JOIN jobs AS again ON kept.key = again.key || '-weights' "
    "WHERE again.weights IS NOT NULL"
)
_DROP_SPARE = (
    "CREATE TEMP TABLE spare (kept TEXT PRIMARY KEY, again TEXT)",
    "INSERT INTO spare SELECT kept.key, again.key FROM jobs AS kept "
    "JOIN jobs AS again ON kept.key = again.key || '-weights' WHERE again.weights IS NOT NULL",
    "UPDATE trainings SET job = (SELECT again FROM spare WHERE kept = job) "
    "WHERE job IN (SELECT kept FROM spare)",
    "DELETE FROM jobs WHERE key IN (SELECT kept FROM spare)",
    "DROP TABLE spare",
)


@dataclass(frozen=True)
class _Tested:
    """What the scores of a split's variants are aligned to."""

    validated: int
    labels: Any
    groups: Any


def structural_faults(database: sqlite3.Connection) -> list[str]:
    """Return what SQLite finds wrong with a database's pages and indices."""
    found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(5)")]
    return [] if found == ["ok"] else found


def stray_rows(database: sqlite3.Connection) -> int:
    """Count the rows that refer to others which are not there."""
    return len(database.execute("PRAGMA foreign_key_check").fetchall())


def faulty_jobs(database: sqlite3.Connection) -> dict[str, str]:
    """Say of jobs by key why their rows cannot be what the job handed back.

    Texts that cannot be read, weights that cannot be unpacked, scores that are not as many as the
    recordings of their set, and figures that do not follow from the scores.
    """
    splits = {
        key: _tested(recordings)
        for key, recordings in database.execute("SELECT key, recordings FROM splits")
    }
    jobs = database.execute("SELECT key, split FROM jobs ORDER BY rowid").fetchall()
    reasons = {key: _reason(database, key, splits.get(split)) for key, split in jobs}
    return {key: reason for key, reason in reasons.items() if reason}


def faulty_studies(database: sqlite3.Connection) -> list[str]:
    """Name the studies whose plan or facts cannot be read."""
    rows = database.execute("SELECT name, plan, data FROM studies ORDER BY name").fetchall()
    return [name for name, *texts in rows if not all(map(_is_json, texts))]


def spare_weights(database: sqlite3.Connection) -> int:
    """Count the kept weights of forgotten jobs that were made again since."""
    return int(database.execute(_COUNT_SPARE).fetchone()[0])


def models_of(database: sqlite3.Connection) -> Mapping[str, pd.DataFrame]:
    """Return job, precision, raw_bytes and xz_bytes of the variants of each model file."""
    columns = ["sha256", "job", "precision", "raw_bytes", "xz_bytes"]
    rows = database.execute(f"SELECT {', '.join(columns)} FROM variants")  # noqa: S608 - ours
    table = pd.DataFrame(rows.fetchall(), columns=columns)
    return {str(sha256): of_file for sha256, of_file in table.groupby("sha256")}


def forget(database: sqlite3.Connection, jobs: Iterable[str], *, keep_weights: bool) -> None:
    """Delete all rows of jobs, so that the next run makes them again.

    Parameters
    ----------
    jobs
        Their keys.
    keep_weights
        Leave the weights of trained baselines, under the job's key with -weights behind it, where
        a run finds them by their training: it converts them and does not train again.
    """
    with database:
        database.execute("CREATE TEMP TABLE IF NOT EXISTS forgotten (job TEXT PRIMARY KEY)")
        database.execute("DELETE FROM forgotten")
        database.executemany("INSERT OR IGNORE INTO forgotten VALUES (?)", [(key,) for key in jobs])
        for statement in (*(_KEEP_WEIGHTS if keep_weights else ()), *_FORGET):
            database.execute(statement)


def drop_stray_rows(database: sqlite3.Connection) -> None:
    """Delete the rows that refer to others which are not there."""
    _execute(database, _DROP_STRAYS)


def drop_spare_weights(database: sqlite3.Connection) -> None:
    """Delete kept weights whose job has its own again."""
    _execute(database, _DROP_SPARE)


def _execute(database: sqlite3.Connection, statements: Iterable[str]) -> None:
    with database:
        for statement in statements:
            database.execute(statement)


def _tested(recordings: str) -> _Tested | None:
    try:
        table = pd.DataFrame(**json.loads(recordings))
        test = table[table["set"] == "test"]
        validated = int((table["set"] == "validation").sum())
        return _Tested(validated, test["label"].to_numpy(bool), test["group"].to_numpy())
    except _UNREADABLE:
        return None


def _reason(database: sqlite3.Connection, job: str, tested: _Tested | None) -> str:
    """Say in a clause what is wrong with a job; "" if nothing is."""
    if tested is None:
        return "its split cannot be read"
    texts = database.execute(
        f"SELECT {', '.join(_TEXTS)}, weights FROM jobs WHERE key = ?",  # noqa: S608 - our columns
        (job,),
    ).fetchone()
    for name, text in zip(_TEXTS, texts, strict=False):
        if not _is_json(text):
            return f"its {name} cannot be read"
    if not _is_weights(texts[-1]):
        return "its weights cannot be unpacked"
    return next(_faults_of_variants(database, job, tested), "")


def _is_json(text: Any) -> bool:
    try:
        json.loads(text)
    except _UNREADABLE:
        return False
    return True


def _is_weights(blob: Any) -> bool:
    if blob is None:
        return True
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as arrays:
            return all(arrays[name].dtype.kind != "O" for name in arrays.files)
    except _UNREADABLE:
        return False


def _faults_of_variants(database: sqlite3.Connection, job: str, tested: _Tested) -> Iterator[str]:
    for key, precision, *figures, validation, test in database.execute(_VARIANTS, (job,)):
        groups = database.execute(_GROUPS, (key,)).fetchall()
        try:
            same = _follows(figures, groups, (validation, test), tested)
        except _UNREADABLE:
            same = False
        if not same:
            yield f"the figures of its {precision} variant do not follow from its scores"


def _follows(
    figures: list[float], groups: list[Any], blobs: tuple[bytes, bytes], tested: _Tested
) -> bool:
    validation, test = (np.frombuffer(blob, dtype="<f4") for blob in blobs)
    if len(validation) != tested.validated or len(test) != len(tested.labels):
        return False
    auc = auc_interval(tested.labels, test)
    decision = decide(tested.labels, test, threshold=figures[3])
    computed = [*astuple(auc), *astuple(decision)]
    return _alike(figures, computed) and _groups_follow(groups, test, tested)


def _groups_follow(rows: list[Any], scores: Any, tested: _Tested) -> bool:
    stored = {name: figures for name, *figures in rows}
    found = auc_within(tested.labels, scores, tested.groups)
    computed = {
        name: [group.n, group.positives, *_values(group.auc)] for name, group in found.items()
    }
    return stored.keys() == computed.keys() and all(
        _alike(stored[name], values) for name, values in computed.items()
    )


def _values(interval: Interval | None) -> tuple[float, float, float]:
    return (np.nan, np.nan, np.nan) if interval is None else astuple(interval)


def _alike(stored: Iterable[Any], computed: Iterable[float]) -> bool:
    first, second = (np.array(list(values), dtype=float) for values in (stored, computed))
    return bool(np.allclose(first, second, rtol=0, atol=_SAME, equal_nan=True))
