"""What a run leaves to be read: a folder with its plan, its process, its events and its log.

Every run writes it, wherever it was started, so that whoever wants to watch reads files and asks
the system whether the process still lives. Nothing here needs the libraries that a run needs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from edac_core.errors import EdacError, StoreError
from edac_core.studies.plan import Plan

RUNS = "runs"
PLAN_FILE, EVENTS_FILE, LOG_FILE = "plan.toml", "events.jsonl", "log"
PROCESS_FILE, STOP_FILE = "process.json", "stop.json"

ENDINGS = ("done", "stopped", "refused", "broken")
"""Kinds of the event that is a run's last, unless it was killed."""

_CLOCK_SECONDS = 2.0  # By which the system's idea of when a process began may move.
_STEP_SECONDS = 0.5


@dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    `kind` is one of: preparing, planned, started, epoch, retrying, finished, failed, measuring,
    done. `done` and `total` count jobs (or, while preparing, recordings; while measuring,
    variants). The journal adds stopped, refused (a sentence says what a user can mend) and broken
    (anything else).
    """

    kind: str
    text: str
    done: int = 0
    total: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], object]


@dataclass(frozen=True)
class ProcessMark:
    """A process that cannot be taken for a later one of the same number."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> ProcessMark:
        """Mark a process that lives."""
        return cls(pid, psutil.Process(pid).create_time())

    def is_same(self, other: ProcessMark | None) -> bool:
        """Whether another mark is of the same process."""
        if other is None or other.pid != self.pid:
            return False
        return abs(other.created - self.created) < _CLOCK_SECONDS

    def process(self) -> psutil.Process | None:
        """Return the process, or None if it has ended."""
        try:
            found = psutil.Process(self.pid)
            same = self.is_same(ProcessMark.of(self.pid))
        except psutil.Error:
            return None
        return found if same and lives(found) else None

    def write(self, path: Path) -> None:
        """Write the mark whole or not at all."""
        aside = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
        aside.write_text(json.dumps(asdict(self)), "utf-8")
        aside.replace(path)

    @classmethod
    def read(cls, path: Path) -> ProcessMark | None:
        """Read a mark; None if there is none that can be read."""
        try:
            kept = json.loads(path.read_text("utf-8"))
            return cls(int(kept["pid"]), float(kept["created"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def lives(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that nobody has asked how it ended has.

    Its first thread may end before the others, which still hold its files and locks.
    """
    try:
        ended = process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
        return bool(process.is_running() and not ended)
    except psutil.NoSuchProcess:
        return False


def run_folder(cache: Path, name: str) -> Path:
    """Name the folder of a study's run; it holds what its last run left."""
    return Path(cache) / RUNS / name


@contextlib.contextmanager
def journal(cache: Path, plan: Plan) -> Iterator[Callable[[Event], None]]:
    """Keep a run's events where others can read them, to the last one.

    Yields
    ------
    record
        Writes an event; any thread may call it.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    folder = run_folder(cache, plan.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PLAN_FILE).write_text(plan.to_toml(), "utf-8")
        ProcessMark.of(os.getpid()).write(folder / PROCESS_FILE)
        file = (folder / EVENTS_FILE).open("w", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"The run's folder {folder} cannot be written ({error.strerror}): choose another "
            "--cache folder."
        ) from error
    with file:
        yield from _recording(_Recorder(file))


def _recording(record: _Recorder) -> Iterator[Callable[[Event], None]]:
    try:
        yield record
    except KeyboardInterrupt:
        record(Event("stopped", "stopped"))
        raise
    except EdacError as error:
        record(Event("refused", str(error)))
        raise
    except Exception as error:
        record(Event("broken", f"{type(error).__name__}: {error}"))
        raise


class _Recorder:
    """Writes events, a line of JSON each, with the time; of steps that come fast, some."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._step = ("", 0.0)

    def __call__(self, event: Event) -> None:
        now = time.time()
        with self._lock:
            if self._is_due(event, now):
                self._file.write(json.dumps({"at": round(now, 3), **asdict(event)}) + "\n")
                self._file.flush()

    def _is_due(self, event: Event, now: float) -> bool:
        """Let through one step of the preparation every half second, and the last."""
        if event.kind != "preparing" or event.done == event.total:
            return True
        text, before = self._step
        due = text != event.text or now - before >= _STEP_SECONDS
        if due:
            self._step = (event.text, now)
        return due


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a store's lock; the system lets go of it when this process ends, however it ends.

    Raises
    ------
    StoreError
        If another process holds it.
    """
    path = folder / "run.lock"
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StoreError(
                f"Another run (process {lock.read().strip() or 'unknown'}) is writing to {folder}; "
                "wait for it, or choose another --cache folder."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
