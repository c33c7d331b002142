"""What can be amiss in a cache, and the ways to mend it.

A cache holds nothing that cannot be made again, so mending is deleting. What is in the place of a
file and is none is set aside, and nothing is deleted through a link.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edac_core.errors import StoreError
from edac_core.studies.upkeep.places import is_within

ASIDE = "set-aside"
"""Folder of a cache that gets what is in the place of a file and is none."""

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
class Fault:
    """A finding, what mends it and what comes of that."""

    finding: Finding
    mend: Mend | None = None
    then: str = ""


def seen_to(faults: Iterable[Fault], *, repair: bool) -> Iterator[Finding]:
    """Mend faults one by one, if so asked, and say what was done; a StoreError if one stays."""
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


def misplaced(kind: str, path: Path, cache: Path) -> Fault:
    """Describe what is where a file should be."""
    what = "link" if path.is_symlink() else "folder" if path.is_dir() else "thing that is no file"
    text = f"a {what} is where a file should be"
    return Fault(Finding(kind, name_in(path, cache), text), partial(remove, path, cache))


def remove(path: Path, cache: Path) -> str:
    """Delete a file or a link; set a folder aside, as nobody knows what it is."""
    if not is_within(path, cache):
        raise OSError(f"{path.parent} is outside the cache, behind a link")
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return "deleted"
    return set_aside(path, cache)


def remove_all(paths: Iterable[Path], cache: Path) -> str:
    """Delete those of some files that are there, the first among them."""
    done = [remove(path, cache) for path in paths if os.path.lexists(path)]
    return done[0]


def set_aside(path: Path, cache: Path) -> str:
    """Move what should not be where it is, without a loss."""
    aside = cache / ASIDE
    aside.mkdir(exist_ok=True)
    # A name of its own, so that nothing that is there already is written over.
    to = aside / f"{path.name}.{time.time_ns()}"
    path.rename(to)
    return f"moved to {name_in(to, cache)}"


def clear(path: Path, cache: Path) -> str:
    """Delete what the program itself made, a folder with all that is in it."""
    if path.is_symlink() or not path.is_dir():
        return remove(path, cache)
    if not is_within(path, cache):
        raise OSError(f"{path.parent} is outside the cache, behind a link")
    shutil.rmtree(path)
    return "deleted"


def told(done: str, mend: Callable[[Any], None], what: Any) -> str:
    """Mend, and say what was done."""
    mend(what)
    return done


def is_plain(path: Path) -> bool:
    """Say whether a path is a file, reached without a link."""
    return path.is_file() and not path.is_symlink()


def name_in(path: Path, cache: Path) -> str:
    """Return the name of a path within a cache."""
    return path.relative_to(cache).as_posix()
