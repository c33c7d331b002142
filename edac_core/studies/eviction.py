"""Keeping a cache below a size by deleting what was used least recently.

Model files and features can be made again, so they may go; rows of the store stay, with all
figures and with the weights that levels start from. Loading a model sets its file's time of
modification, as times of access are not kept on every file system.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edac_core.compress import REFERENCE_PRECISION
from edac_core.errors import StoreError
from edac_core.studies import BASELINE, method_of
from edac_core.studies.inputs import FEATURES
from edac_core.studies.journal import LOCK_FILE
from edac_core.studies.store import Store
from edac_core.studies.upkeep.locks import only_user
from edac_core.studies.upkeep.places import is_within, mark_path, model_files

LIMIT_VARIABLE = "EDAC_CACHE_BYTES"

_VARIANTS = """
SELECT sha256, precision, config, variants.key IN (SELECT variant FROM latencies)
FROM variants JOIN jobs ON jobs.key = variants.job
"""


@dataclass(frozen=True)
class Eviction:
    """What was deleted, and how many bytes the cache has left."""

    files: int
    bytes_freed: int
    bytes_left: int


@dataclass(frozen=True)
class _Item:
    """Files that go together; `mark` is what is left in their place."""

    used: float
    files: tuple[Path, ...]
    mark: Path | None = None

    @property
    def bytes(self) -> int:
        return sum(map(_size, self.files))

    def delete(self) -> None:
        # Before the file goes, so that one that has gone is never taken for lost.
        if self.mark is not None:
            self.mark.touch()
        for file in self.files:
            file.unlink(missing_ok=True)


def limit_from_environment() -> int | None:
    """Return how many bytes a cache may have, if `EDAC_CACHE_BYTES` says so.

    Raises
    ------
    StoreError
        If it is not a whole number.
    """
    text = os.environ.get(LIMIT_VARIABLE, "").strip()
    if not text:
        return None
    if not text.isdecimal():
        raise StoreError(
            f"{LIMIT_VARIABLE} is {text!r}: give a number of bytes, such as 20000000000, or none."
        )
    return int(text)


def evict(cache: Path, *, keep_bytes: int) -> Eviction:
    """Delete model files and features, the least recently used first, until a cache is small.

    What later measurements need is spared: float32 baselines, beside which latencies are measured,
    and what has no latency yet.

    Parameters
    ----------
    cache
        Folder of the store, the audits and the features.
    keep_bytes
        What all its files may have together. If they have more when all is deleted that may be,
        that is what is left.

    Raises
    ------
    StoreError
        If a run is writing to the cache, or a file cannot be deleted.
    """
    Store.refuse_absent(cache)
    try:
        with only_user(cache):
            return _evict(_items(cache), keep_bytes=keep_bytes, now=bytes_of(cache))
    except OSError as error:
        raise StoreError(
            f"The cache {cache} cannot be made smaller ({error}): mend the folder's permissions."
        ) from error


def bytes_of(cache: Path) -> int:
    """Return the size of all files of a cache, not following links, but for its locks.

    A lock holds something only while it is held, as by whoever asks.
    """
    return sum(
        _size(Path(folder, name))
        for folder, _, names in os.walk(cache)
        for name in names
        if name != LOCK_FILE
    )


def _evict(items: Iterable[_Item], *, keep_bytes: int, now: int) -> Eviction:
    files, left = 0, now
    for item in sorted(items, key=lambda item: item.used):
        if left <= keep_bytes:
            break
        left -= item.bytes
        files += len(item.files)
        item.delete()
    return Eviction(files, now - left, left)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def _items(cache: Path) -> list[_Item]:
    may_go = _evictable(cache / Store.DATABASE)
    models = [
        _Item(path.stat().st_mtime, (path,), mark_path(cache, sha256))
        for sha256, path in model_files(cache).items()
        if may_go.get(sha256) and _is_own(path, cache)
    ]
    return models + _features(cache)


def _is_own(path: Path, cache: Path) -> bool:
    return path.is_file() and not path.is_symlink() and is_within(path, cache)


def _features(cache: Path) -> list[_Item]:
    path = cache / FEATURES
    if not _is_own(path, cache):
        return []
    journals = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
    files = (path, *(journal for journal in journals if journal.exists()))
    return [_Item(path.stat().st_mtime, files)]


def _evictable(database: Path) -> Mapping[str, bool]:
    """Say of each model file whether no measurement will need it."""
    found: dict[str, bool] = {}
    try:
        uri = f"{database.resolve().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
            for sha256, precision, config, measured in connection.execute(_VARIANTS):
                reference = precision == REFERENCE_PRECISION and _is_baseline(config)
                found[sha256] = found.get(sha256, True) and bool(measured) and not reference
    except sqlite3.Error as error:
        raise StoreError(
            f"The study store in {database.parent} cannot be used: {error}; see edac cache check."
        ) from error
    return found


def _is_baseline(config: str) -> bool:
    try:
        return method_of(json.loads(config)) == BASELINE
    except (ValueError, KeyError, TypeError, AttributeError):
        return True  # What cannot be read is rather kept.
