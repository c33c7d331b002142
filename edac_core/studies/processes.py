"""Which process runs, on which machine, and whether it still does.

On its own machine the system knows. A folder that several machines share is all that the others
have to go by: who runs touches a file there every few seconds, and is taken for dead when that file
has not changed for longer than any hiccup lasts.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import math
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

BEAT_SECONDS = 5.0
"""How often who runs says so."""

STALE_SECONDS = 90.0
"""How old another machine's sign of life may be; network file systems show it up to 60 s late."""

_CLOCK_SECONDS = 2.0  # By which the system's idea of when a process began may move.


@dataclass(frozen=True)
class ProcessMark:
    """A process that cannot be taken for a later one of its number, or for another machine's.

    Parameters
    ----------
    pid, created
        Its number, and when it began in seconds since 1970.
    host
        The name of its machine, for people.
    system
        Where its number holds: a start of a machine and, within it, of a container. Empty where
        nobody noted it, which is taken for here.
    begun
        Whether it has begun to keep its journal; until then, what events there are beside its
        mark are of the run before it.
    """

    pid: int
    created: float
    host: str = ""
    system: str = ""
    begun: bool = True

    @classmethod
    def of(cls, pid: int, *, begun: bool = True) -> ProcessMark:
        """Mark a process of this machine that lives."""
        created = psutil.Process(pid).create_time()
        return cls(pid, created, socket.gethostname(), _this_system(), begun)

    @property
    def is_here(self) -> bool:
        """Whether its number is one of this system's."""
        return self.system in {"", _this_system()}

    def is_same(self, other: ProcessMark | None) -> bool:
        """Whether another mark is of the same process."""
        if other is None or (other.pid, other.system) != (self.pid, self.system):
            return False
        return abs(other.created - self.created) < _CLOCK_SECONDS

    def process(self) -> psutil.Process | None:
        """Return the process, or None if it has ended or is another machine's."""
        if not self.is_here:
            return None
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.created) < _CLOCK_SECONDS
        except (psutil.Error, ValueError, OverflowError):
            return None
        return found if same and lives(found) else None

    def is_alive(self, path: Path) -> bool:
        """Whether the process lives: known of this machine's, of others judged by their file."""
        return self.process() is not None if self.is_here else _age(path) < STALE_SECONDS

    def describe(self) -> str:
        """Say on which machine it runs and since when."""
        began = datetime.fromtimestamp(self.created, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"{self.host or 'this machine'}, since {began}"

    def to_json(self) -> str:
        """Write it as a line of JSON."""
        return json.dumps(asdict(self))

    def write(self, path: Path) -> None:
        """Write the mark whole or not at all."""
        write_whole(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> ProcessMark | None:
        """Read a mark; None if there is none that can be read."""
        try:
            return cls._parse(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None

    @classmethod
    def _parse(cls, kept: Any) -> ProcessMark:
        created = float(kept["created"])
        datetime.fromtimestamp(created, UTC)  # Raises what is no time.
        host, system = str(kept.get("host", "")), str(kept.get("system", ""))
        return cls(int(kept["pid"]), created, host, system, bool(kept.get("begun", True)))


def lives(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that nobody has asked how it ended has.

    Its first thread may end before the others, which still hold its files and locks.
    """
    try:
        ended = process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
        return bool(process.is_running() and not ended)
    except psutil.NoSuchProcess:
        return False


def write_whole(path: Path, text: str) -> None:
    """Write a file so that whoever reads it finds the old text or the new one."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        aside.write_text(text, "utf-8")
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock, which the system lets go of when this process ends, however it ends.

    Raises
    ------
    BlockingIOError
        If another process holds it, and `wait` is false.
    """
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


@contextlib.contextmanager
def every_beat(step: Callable[[], object]) -> Iterator[None]:
    """Call a function every few seconds, in a thread, for as long as the body runs."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            # A full or unreachable disk may be well again by the next beat.
            with contextlib.suppress(OSError):
                step()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        # One that waits for an unreachable disk is not waited for.
        thread.join(BEAT_SECONDS)


@functools.cache
def _this_system() -> str:
    """Name where this process's numbers of processes hold: this start of it, and this container."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return socket.gethostname()


def _age(path: Path) -> float:
    """Return how many seconds ago a file was written, by the clock that writes such times."""
    try:
        return _now(path.parent) - path.stat().st_mtime
    except OSError:
        return math.inf


def _now(folder: Path) -> float:
    """Return the time by a file system's own clock, which may be a server's; else by this one's."""
    with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=folder) as probe:
        return os.fstat(probe.fileno()).st_mtime
    return time.time()
