"""What a run leaves to be read: a folder with its plan, its process, its events and its log.

Every run writes it, wherever it was started, so that whoever wants to watch reads files and asks
the system whether the process still lives. Nothing here needs the libraries that a run needs.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Any, TextIO

from edac_core.errors import EdacError, StoreError
from edac_core.studies.plan import Plan
from edac_core.studies.processes import ProcessMark, every_beat, locked, write_whole

RUNS, SEARCHES = "runs", "search"
PLAN_FILE, EVENTS_FILE, LOG_FILE = "plan.toml", "events.jsonl", "log"
PROCESS_FILE, STOP_FILE = "process.json", "stop.json"
JOURNAL_LOCK, LOCK_FILE = "journal.lock", "run.lock"

ENDINGS = ("done", "stopped", "refused", "broken", "died")
"""Kinds of the event that is a run's last."""

_STEP_SECONDS = 0.5
_PASSING = ("preparing", "epoch")
"""Kinds of events that the next of their kind makes good for."""

_HOLDER_TRIES, _HOLDER_SECONDS = 20, 0.05

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    `kind` is one of: preparing, planned, started, epoch, retrying, finished, failed, measuring,
    done. `done` and `total` count jobs (or, while preparing, recordings; while measuring,
    variants). The journal adds stopped, refused (a sentence says what a user can mend) and broken
    (anything else); whoever finds a run that ended without saying so adds died.
    """

    kind: str
    text: str
    done: int = 0
    total: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], object]


def run_folder(cache: Path, name: str) -> Path:
    """Name the folder of a study's run; it holds what its last run left."""
    return Path(cache) / RUNS / name


@contextlib.contextmanager
def journal(cache: Path, plan: Plan) -> Iterator[Callable[[Event], None]]:
    """Keep a run's events where others can read them, to the last one.

    A run whose events can no longer be written goes on without: its results matter more. It ends
    itself when it was asked to from another machine, or when another machine's has taken its place.

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
    mark = ProcessMark.of(os.getpid())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _begin(folder, plan, mark)
    except OSError as error:
        raise StoreError(
            f"The run's folder {folder} cannot be written ({error.strerror}): choose another "
            "--cache folder."
        ) from error
    with file, every_beat(_Vigil(folder, mark)):
        yield from _recording(_Recorder(file))


def _begin(folder: Path, plan: Plan, mark: ProcessMark) -> FileIO:
    """Take a folder over; killed at any line, this leaves the run before it or this one."""
    events = folder / EVENTS_FILE
    if events.is_dir():  # Found out later, the folder would be left marked as this process's.
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(events))
    with locked(folder / JOURNAL_LOCK):
        write_whole(folder / PLAN_FILE, plan.to_toml())
        replace(mark, begun=False).write(folder / PROCESS_FILE)
        write_whole(events, "")
        mark.write(folder / PROCESS_FILE)
        return FileIO(events, "a")


def append_ending(folder: Path, event: Event, *, at: float) -> None:
    """Write the last event of a run that did not live to write it; the caller holds the lock."""
    with (folder / EVENTS_FILE).open("ab+") as file:
        whole = file.seek(0, os.SEEK_END) == 0
        if not whole:
            file.seek(-1, os.SEEK_END)
            whole = file.read(1) == b"\n"
        file.write((b"" if whole else b"\n") + _line(event, at))


def _line(event: Event, at: float) -> bytes:
    return (json.dumps({"at": round(at, 3), **asdict(event)}) + "\n").encode()


class _Vigil:
    """What a run does at each beat: says that it lives, and looks what others want of it."""

    def __init__(self, folder: Path, mark: ProcessMark) -> None:
        self._folder, self._mark = folder, mark
        self._asked = self._over = False

    def __call__(self) -> None:
        if self._over:
            return
        path = self._folder / PROCESS_FILE
        found = ProcessMark.read(path)
        self._over = self._is_ousted_by(found) or self._is_to_stop()
        if self._over:
            _interrupt()
        elif self._mark.is_same(found):
            os.utime(path)  # Needs no space, where a new file would.
        else:
            self._mark.write(path)

    def _is_ousted_by(self, found: ProcessMark | None) -> bool:
        """Whether another machine took this run for dead (it slept, say), and has its own."""
        if found is None or found.is_here:
            return False
        return found.is_alive(self._folder / PROCESS_FILE)

    def _is_to_stop(self) -> bool:
        """Whether a stop was asked for a beat ago, and whoever asked has not seen to it."""
        asked = self._mark.is_same(ProcessMark.read(self._folder / STOP_FILE))
        before, self._asked = self._asked, asked
        return asked and before


def _interrupt() -> None:
    """End the main thread's work as whoever started it would."""
    handled = callable(signal.getsignal(signal.SIGTERM))
    number = signal.SIGTERM if handled else signal.SIGINT
    signal.pthread_kill(threading.main_thread().ident or 0, number)


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
    """Writes events, a line of JSON each, with the time; of steps that come fast, some.

    What cannot be written is kept until it can, but for what only passes.
    """

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._step = ("", 0.0)
        self._waiting: list[tuple[str, bytes]] = []
        self._torn = self._fails = False

    def __call__(self, event: Event) -> None:
        now = time.time()
        with self._lock:
            if self._is_due(event, now):
                self._waiting.append((event.kind, _line(event, now)))
                self._write_waiting()

    def _write_waiting(self) -> None:
        try:
            while self._waiting:
                self._write(self._waiting[0][1])
                del self._waiting[0]
        except OSError as error:
            self._waiting = [each for each in self._waiting if each[0] not in _PASSING]
            if not self._fails:
                _log.warning(
                    "The run goes on, but its journal %s cannot be written (%s): free space.",
                    self._file.name, error.strerror,
                )  # fmt: skip
            self._fails = True
        else:
            self._fails = False

    def _write(self, line: bytes) -> None:
        """Write a line, on a line of its own even if the last one broke off."""
        text = b"\n" + line if self._torn else line
        written = self._file.write(text)
        self._torn = written < len(text) and (self._torn or written > 0)
        if written < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

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
    """Hold the lock of a store, which need not be there yet, until this ends.

    The system lets go of it when this process ends, however it ends. Where machines share the
    folder but not its locks, the file itself tells: who holds the lock
    touches it every few seconds.

    Raises
    ------
    StoreError
        If another process holds it, or it cannot be written.
    """
    path = Path(folder) / LOCK_FILE
    with _lock_explained(folder), contextlib.ExitStack() as held:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = held.enter_context(_opened(path))
        _take(lock, path)
        held.callback(_empty, lock)
        held.enter_context(every_beat(lambda: os.utime(path)))
        release = held.pop_all()
    with release:
        yield


def _opened(path: Path) -> TextIO:
    # Through a link, some other file would be emptied.
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o666), "a+", encoding="utf-8")


def _take(lock: TextIO, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _refusal(_holder(path), path.parent) from None
    holder = ProcessMark.read(path)
    if holder is not None and not holder.is_here and holder.is_alive(path):
        raise _refusal(holder, path.parent)
    lock.truncate(0)
    # Whose lock it is can be told only where there is room to write it down.
    with contextlib.suppress(OSError):
        os.write(lock.fileno(), ProcessMark.of(os.getpid()).to_json().encode())


def _empty(lock: TextIO) -> None:
    # What has been computed is not to be lost for a note that nobody holds the lock.
    with contextlib.suppress(OSError):
        lock.truncate(0)


def _holder(path: Path) -> ProcessMark | None:
    """Read who holds a lock, giving it the time to write so."""
    for _ in range(_HOLDER_TRIES):
        holder = ProcessMark.read(path)
        if holder is not None and holder.is_alive(path):
            return holder
        time.sleep(_HOLDER_SECONDS)
    return None


def _refusal(holder: ProcessMark | None, folder: Path) -> StoreError:
    where = "" if holder is None else f" on {holder.describe()}"
    return StoreError(
        f"Another run (process {holder.pid if holder else 'unknown'}) is writing to {folder}"
        f"{where}: wait for it, or choose another --cache folder."
    )


@contextlib.contextmanager
def _lock_explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The lock {folder / LOCK_FILE} cannot be used ({error.strerror}): remove it, free "
            "space, mend permissions, or choose another --cache folder."
        ) from error
