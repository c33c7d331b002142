"""Keeping runs and searches out of a cache while it is looked over or mended."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from edac_core.errors import StoreError
from edac_core.studies.journal import LOCK_FILE, SEARCHES, only_writer


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


@contextlib.contextmanager
def nobody_writing(cache: Path, *, repair: bool) -> Iterator[None]:
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
