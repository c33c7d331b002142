"""Audits of data sets, made apart while the page goes on, once for all sessions.

A data set of some thousand recordings takes a minute to decode. Threads of the server send its
recordings to the workers in batches, so that they can say how far they are and other pages get
their turn; facts that a study or an earlier audit has measured come from the cache.
"""

from __future__ import annotations

import functools
import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd
import streamlit as st

from dashboard.recordings import SYNTHETIC
from dashboard.workers import workers
from edac_core.apart import Workers
from edac_core.datasets import Dataset, data_root, open_dataset
from edac_core.datasets.audit import Audit, audit
from edac_core.datasets.facts import gather
from edac_core.errors import EdacError
from edac_core.locations import local_cache

T = TypeVar("T")

BATCH_LIMIT_SECONDS = 600
FIRST_BATCH = 16
_SHARES = 2
_BATCH_SECONDS = 1.0
_TURN_SECONDS = 0.02
_FASTEST_GROWTH = 4.0


@dataclass(frozen=True)
class Progress:
    """How far an audit is; `total` is 0 until the data set is open."""

    done: int = 0
    total: int = 0
    seconds: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """What is left if it goes on as fast; None while nothing is done."""
        return self.seconds / self.done * (self.total - self.done) if self.done else None


@dataclass(frozen=True)
class Audited:
    """A data set and what its audit found."""

    dataset: Dataset
    audit: Audit


@dataclass(frozen=True)
class Source:
    """A data set as it stands now.

    `stamp` changes whenever its folder does. `dataset` is None for the synthetic one, which takes
    seconds to generate.
    """

    name: str
    stamp: str
    dataset: Dataset | None


class AuditJob:
    """One audit in the background.

    Parameters
    ----------
    source
        What is audited.
    apart
        Where recordings are decoded.
    cache
        Folder that keeps facts of recordings.
    """

    def __init__(self, source: Source, *, apart: Workers, cache: Path) -> None:
        self.source = source
        self.progress = Progress()
        self.found: Audited | None = None
        self.problem: str | None = None
        self._apart, self._cache = apart, cache
        self._over, self._unwanted = threading.Event(), threading.Event()
        self._counting = threading.Lock()
        threading.Thread(target=self._run, name=f"audit of {source.name}", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end; return whether it came."""
        return self._over.wait(seconds)

    def give_up(self) -> None:
        """Stop after the batch under way."""
        self._unwanted.set()

    def _run(self) -> None:
        try:
            dataset = self.source.dataset or self._call(
                functools.partial(open_dataset, SYNTHETIC, path=self._cache / SYNTHETIC)
            )
            if self._measure(dataset.recordings["path"].tolist()):
                judge = functools.partial(audit, dataset, cache=self._cache, workers=1)
                self.found = Audited(dataset, self._call(judge))
        except (EdacError, OSError) as error:
            self.problem = str(error)
        finally:
            self._over.set()

    def _measure(self, paths: list[str]) -> bool:
        """Bring the facts of all recordings into the cache; return whether they are."""
        self.progress = Progress(total=len(paths))
        # Not halves, since recordings that take long often lie side by side.
        shares = [paths[first::_SHARES] for first in range(_SHARES)]
        with ThreadPoolExecutor(_SHARES) as threads:
            list(threads.map(self._measure_share, shares))
        return not self._unwanted.is_set()

    def _measure_share(self, paths: list[str]) -> None:
        # A new worker imports its libraries first: seconds that say nothing of the recordings.
        self._gather([])
        start = time.monotonic()
        for batch in _batches(paths):
            if self._unwanted.is_set():
                return
            self._gather(batch)
            self._count(len(batch), seconds=time.monotonic() - start)
            # Who waits for a worker gets this one before the next batch does.
            time.sleep(_TURN_SECONDS)

    def _gather(self, paths: list[str]) -> None:
        try:
            self._call(functools.partial(gather, paths, cache=self._cache, workers=1))
        except EdacError:
            # What the other share still did would be for nothing.
            self.give_up()
            raise

    def _count(self, batch: int, *, seconds: float) -> None:
        with self._counting:
            before = self.progress
            self.progress = Progress(before.done + batch, before.total, seconds)

    def _call(self, function: functools.partial[T]) -> T:
        return self._apart.call(
            function, seconds=BATCH_LIMIT_SECONDS, subject=f"The audit of {self.source.name}"
        )


class Audits:
    """The audits of this server: of each data set the latest."""

    def __init__(self) -> None:
        self._jobs: dict[str, AuditJob] = {}
        self._lock = threading.Lock()

    def job(self, source: Source, *, apart: Workers, cache: Path) -> AuditJob:
        """Return the audit of a data set as it stands now, and start it if there is none."""
        with self._lock:
            known = self._jobs.get(source.name)
            if known is None or known.source.stamp != source.stamp:
                if known is not None:
                    known.give_up()
                known = self._jobs[source.name] = AuditJob(source, apart=apart, cache=cache)
            return known

    def forget(self, job: AuditJob) -> None:
        """Let the next who asks start anew."""
        with self._lock:
            if self._jobs.get(job.source.name) is job:
                del self._jobs[job.source.name]


@st.cache_resource(show_spinner=False)
def audits() -> Audits:
    """Return the audits that all sessions of this server share."""
    return Audits()


def auditing(name: str) -> AuditJob:
    """Return the audit of a data set that is on this machine.

    Raises
    ------
    DataError
        If the data set is missing or malformed.
    """
    return audits().job(_source(name), apart=workers(), cache=local_cache())


def _source(name: str) -> Source:
    cache = local_cache()
    if name == SYNTHETIC:
        return Source(name, str(cache), None)
    return _source_in(name, data_root(), cache)


# Shared by all sessions and never changed.
@st.cache_resource(ttl=60, max_entries=8, show_spinner=False)
def _source_in(name: str, root: Path, cache: Path) -> Source:
    dataset = open_dataset(name)
    digest = hashlib.sha256(f"{root} {cache}".encode())
    for table in (dataset.recordings, dataset.dropped):
        rows = pd.util.hash_pandas_object(table.astype("str"), index=False)
        digest.update(rows.to_numpy().tobytes())
    for path in dataset.recordings["path"]:
        digest.update(_written(path).encode())
    return Source(name, digest.hexdigest(), dataset)


def _written(path: str) -> str:
    try:
        found = Path(path).stat()
    except OSError:
        return "-"
    return f"{found.st_mtime_ns}:{found.st_size} "


def _batches(paths: list[str]) -> Iterator[list[str]]:
    """Cut paths into batches that take about as long each, as measured by who takes them."""
    start, size = 0, FIRST_BATCH
    while start < len(paths):
        began = time.monotonic()
        yield paths[start : start + size]
        start += size
        growth = _BATCH_SECONDS / max(time.monotonic() - began, 1e-3)
        size = max(1, round(size * min(growth, _FASTEST_GROWTH)))
