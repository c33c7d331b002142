"""What can be amiss in the files beside the store: locks, leftovers, features, facts, searches."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from edac_core.datasets import facts, synthetic
from edac_core.frontends.cache import ArrayCache
from edac_core.studies.inputs import FEATURES
from edac_core.studies.journal import LOCK_FILE, RUNS, SEARCHES
from edac_core.studies.upkeep.database import JOURNALS, damage_of
from edac_core.studies.upkeep.faults import (
    Fault,
    Finding,
    clear,
    is_plain,
    misplaced,
    name_in,
    remove,
    remove_all,
    set_aside,
    told,
)
from edac_core.studies.upkeep.places import MODELS

_ABANDONED_SECONDS = 3600.0
_LOCKS = (LOCK_FILE, f"{SEARCHES}/{LOCK_FILE}", "facts.lock", f"{RUNS}/launch.lock")
_AGAIN = "; features are computed again"


def odd_locks(cache: Path) -> Iterator[Fault]:
    """Find locks that cannot be held, before anything tries to."""
    for name in _LOCKS:
        path = cache / name
        if os.path.lexists(path) and not is_plain(path):
            yield misplaced("lock", path, cache)


def leftovers(cache: Path) -> Iterator[Fault]:
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
                finding = Finding("leftover", name_in(path, cache), "its writer was interrupted")
                yield Fault(finding, partial(clear, path, cache))


def faults_of_facts(cache: Path) -> Iterator[Fault]:
    """Find out whether what was measured of recordings can still be read."""
    if not facts.is_kept_whole(cache):
        path = facts.kept_in(cache)
        finding = Finding("facts", path.name, "what was measured of recordings is damaged")
        yield Fault(finding, partial(remove, path, cache), "; it is measured again")


def faults_of_recordings(cache: Path) -> Iterator[Fault]:
    """Find generated recordings that are not what was generated."""
    for folder in sorted((cache / synthetic.NAME).glob("[0-9a-f]*")):
        # Those of before there were sums cannot be told to be damaged.
        summed = os.path.lexists(folder / synthetic.SUMS)
        if summed and (damage := synthetic.find_damage(folder)):
            finding = Finding("recordings", name_in(folder, cache), damage)
            yield Fault(finding, partial(clear, folder, cache), "; they are generated again")


def faults_of_features(cache: Path) -> Iterator[Fault]:
    """Find damage in the features: the file as a whole, or arrays in it."""
    path = cache / FEATURES
    journals = [path.with_name(path.name + suffix) for suffix in JOURNALS]
    for file in (path, *journals):
        if os.path.lexists(file) and not file.is_file():
            yield misplaced("features", file, cache)
    if path.is_file() and (damage := damage_of(path)):
        finding = Finding("features", path.name, damage)
        yield Fault(finding, partial(remove_all, [path, *journals], cache), _AGAIN)
    arrays = ArrayCache(path)
    if path.is_file() and (damaged := arrays.damaged()):
        finding = Finding("features", path.name, f"{len(damaged)} arrays are not what was put")
        yield Fault(finding, partial(told, "forgotten", arrays.forget, damaged), _AGAIN)


def faults_of_searches(cache: Path) -> Iterator[Fault]:
    """Find damage in the files of searches, which hold the trials."""
    for path in sorted((cache / SEARCHES).glob("*.sqlite")):
        if not path.is_file():
            yield misplaced("search", path, cache)
        elif damage := damage_of(path):
            finding = Finding("search", name_in(path, cache), damage)
            mend = partial(_set_search_aside, path, cache)
            yield Fault(finding, mend, "; the search begins anew, its jobs are known")


def _set_search_aside(path: Path, cache: Path) -> str:
    """Move a search away with its logs, which may hold trials that can be saved by hand."""
    for suffix in JOURNALS:
        if os.path.lexists(journal := path.with_name(path.name + suffix)):
            set_aside(journal, cache)
    return set_aside(path, cache)
