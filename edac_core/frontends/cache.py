"""Arrays by key in one SQLite file: what was computed once is not computed again.

A cache may be lost, so it never stops anybody: what cannot be read is announced by a
`CacheWarning` and computed anew. What cannot be kept, as on a full disk, is announced likewise.
"""

import hashlib
import json
import os
import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# Little-endian whatever the machine, so that a file can be copied to another.
_STORED = np.dtype("<f4")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS arrays (
    key TEXT PRIMARY KEY,
    dtype TEXT NOT NULL,
    shape TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    data BLOB NOT NULL
)
"""
_SELECT = "SELECT dtype, shape, sha256, data FROM arrays WHERE key = ?"
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_LOCK_SECONDS = 30.0


class CacheWarning(UserWarning):
    """Something in a cache cannot be used and is computed anew."""


class ArrayCache:
    """float32 arrays by key, shared by processes through one SQLite file.

    Parameters
    ----------
    path : Path
        The file; it and its folder are made when first written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, keys: Iterable[str]) -> dict[str, FloatArray]:
        """Look arrays up.

        Parameters
        ----------
        keys : iterable of str
            What to look for.

        Returns
        -------
        dict of str to np.ndarray
            What is there and unharmed.
        """
        found: dict[str, FloatArray] = {}
        if self._path.exists():
            with self._forgiving(), self._connection() as connection:
                found.update(_sound_rows(connection, keys))
                # Says when it was last used, which times of access do not everywhere.
                os.utime(self._path)
        return found

    def put(self, arrays: Mapping[str, FloatArray]) -> None:
        """Keep arrays, all or none of them.

        Parameters
        ----------
        arrays : mapping of str to np.ndarray
            By key; a key that is there already is replaced.
        """
        with self._forgiving(), self._connection() as connection, connection:
            connection.executemany(
                "INSERT OR REPLACE INTO arrays VALUES (?, ?, ?, ?, ?)",
                [_to_row(key, array) for key, array in arrays.items()],
            )

    def damaged(self) -> list[str]:
        """List the keys of arrays that are not what was put, changing nothing.

        Those of a file that as a whole cannot be read are not known.
        """
        # Where no log is, not even SQLite's own files are made beside it.
        logged = self._path.with_name(self._path.name + "-wal").exists()
        uri = f"{self._path.resolve().as_uri()}?mode=ro&immutable={int(not logged)}"
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(uri, uri=True, timeout=_LOCK_SECONDS)) as connection,
        ):
            rows = connection.execute("SELECT key, dtype, shape, sha256, data FROM arrays")
            return [str(key) for key, *stored in rows if not _is_sound(key, *stored)]
        return []

    def forget(self, keys: Iterable[str]) -> None:
        """Delete arrays.

        Parameters
        ----------
        keys : iterable of str
            Whether they are there or not.
        """
        with self._forgiving(), self._connection() as connection, connection:
            connection.executemany("DELETE FROM arrays WHERE key = ?", [(key,) for key in keys])

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=_LOCK_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(_SCHEMA)
            yield connection

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        outcome = "make room on its disk or mend its folder, and they are kept"
        # The low byte is the primary code; the rest says what kind.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            self._remove()
            outcome = "the file is begun anew"
        warnings.warn(
            f"The feature cache {self._path} cannot be used ({error}): features are "
            f"computed again; {outcome}.",
            CacheWarning,
            stacklevel=2,
        )

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


def _sound_rows(
    connection: sqlite3.Connection, keys: Iterable[str]
) -> Iterator[tuple[str, FloatArray]]:
    for key in keys:
        row = connection.execute(_SELECT, (key,)).fetchone()
        if row is None:
            continue
        if _is_sound(key, *row):
            dtype, shape, _, data = row
            yield key, np.frombuffer(data, dtype).reshape(json.loads(shape)).astype(np.float32)
        else:
            warnings.warn(
                f"The feature cache holds damaged data under {key}: it is computed again.",
                CacheWarning,
                stacklevel=2,
            )


def _is_sound(key: str, dtype: str, shape: str, digest: bytes, data: bytes) -> bool:
    # No other type is ever put; objects would be pickles.
    if dtype != _STORED.str or not isinstance(data, bytes):
        return False
    return digest == _digest(key, dtype, shape, data)


def _to_row(key: str, array: FloatArray) -> tuple[str, str, str, bytes, bytes]:
    dtype, shape = _STORED.str, json.dumps(array.shape)
    data = np.ascontiguousarray(array, _STORED).tobytes()
    return key, dtype, shape, _digest(key, dtype, shape, data), data


def _digest(key: str, dtype: str, shape: str, data: bytes) -> bytes:
    return hashlib.sha256(f"{key} {dtype} {shape} ".encode() + data).digest()
