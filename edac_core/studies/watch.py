"""What runs are doing, read from what they leave; see `edac_core.studies.journal`."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from edac_core.studies.estimate import wall_seconds
from edac_core.studies.journal import (
    ENDINGS,
    EVENTS_FILE,
    JOURNAL_LOCK,
    LOG_FILE,
    PROCESS_FILE,
    RUNS,
    STOP_FILE,
    Event,
    append_ending,
)
from edac_core.studies.processes import ProcessMark, locked

ACTIVE = ("starting", "preparing", "running", "measuring", "stopping")
"""Phases of a run whose process lives."""

MOST_HAPPENINGS = 1000
"""How much of what happened is told."""

_TAIL_BYTES = 20_000
_LOOK_BACK_BYTES = 200
_LATEST = 253_402_300_799  # The last second of the year 9999.
_MOST_READINGS = 1024

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class UnderWay:
    """A job that a worker is at: `epoch` of at most `epochs` are trained."""

    job: str
    model: str
    kind: str
    epoch: int
    epochs: int


@dataclass(frozen=True)
class Happening:
    """Something that happened in a run: when (seconds since 1970), of what kind, in words."""

    at: float
    kind: str
    sentence: str


@dataclass(frozen=True)
class Run:
    """What is known of a study's last run.

    Parameters
    ----------
    name
        The study's.
    phase
        One of `ACTIVE`, or one of `ENDINGS`.
    process
        Number of its process; None if it is not known.
    where
        On which machine its process lives and since when, in words; empty if it is not known.
    step
        What it was or is at, in words; of a run that was refused or broke, why.
    done, total
        Jobs; while preparing, recordings; while measuring, variants.
    jobs_done, jobs
        Finished jobs and all of the plan; 0 before they are known.
    known
        How many jobs had been finished before it began.
    under_way
        The jobs that its workers are at.
    failures
        Jobs that failed, and why.
    seconds_left
        How long its jobs may take still; None if that is not known.
    began, ended
        Times of its first event and its last, in seconds since 1970; 0 if there is none.
    happenings
        The last `MOST_HAPPENINGS` of what happened, but for single epochs, in order.
    """

    name: str
    phase: str
    process: int | None = None
    where: str = ""
    step: str = ""
    done: int = 0
    total: int = 0
    jobs_done: int = 0
    jobs: int = 0
    known: int = 0
    under_way: tuple[UnderWay, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()
    seconds_left: float | None = None
    began: float = 0.0
    ended: float = 0.0
    happenings: tuple[Happening, ...] = ()

    @property
    def active(self) -> bool:
        """Whether its process lives."""
        return self.phase in ACTIVE

    @property
    def computed(self) -> int:
        """How many jobs it finished itself."""
        return self.jobs_done - self.known


def find_runs(cache: Path) -> list[Run]:
    """Return the last run of every study: those under way first, then the newest."""
    runs = [read_run(folder) for folder in _folders(Path(cache) / RUNS)]
    return sorted(runs, key=lambda run: (not run.active, -run.began, run.name))


def _folders(runs: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted(folder for folder in runs.iterdir() if _is_run(folder))
    return []


def _is_run(folder: Path) -> bool:
    """Whether a folder is a run's; of a damaged one a part is enough."""
    return any(os.path.lexists(folder / name) for name in (PROCESS_FILE, EVENTS_FILE))


def read_run(folder: Path) -> Run:
    """Return what is known of the run that left a folder.

    Events are read on from where the last look at them ended. Whoever finds that a run has died
    writes so into its journal, if it can be written: all see one ending.
    """
    mark = ProcessMark.read(folder / PROCESS_FILE)
    # Asked first: of a process that had ended by then, all events are there to be read.
    alive = mark is not None and mark.is_alive(folder / PROCESS_FILE)
    stopped = mark is not None and mark.is_same(ProcessMark.read(folder / STOP_FILE))
    reading = _reading(folder)
    with reading.lock:
        facts = reading.caught_up(mark)
        if mark is not None and mark.begun and not alive and facts.last.kind not in ENDINGS:
            facts = _bury(folder, mark, reading, kind="stopped" if stopped else "died")
        phase = _phase(facts.last.kind, alive=alive, stopped=stopped)
        if mark is None or not alive:
            return facts.run(folder.name, phase=phase)
        return facts.run(folder.name, phase=phase, process=mark.pid, where=mark.describe())


def _bury(folder: Path, mark: ProcessMark, reading: _Reading, *, kind: str) -> _Facts:
    """Write down that a run has ended, unless another one has, or a new run has begun."""
    # Who cannot write here, or finds another at it, sees the same for being told by the system.
    with contextlib.suppress(OSError), locked(folder / JOURNAL_LOCK, wait=False):
        facts = reading.caught_up(mark)
        stands = ProcessMark.read(folder / PROCESS_FILE) == mark
        if stands and facts.last.kind not in ENDINGS and not mark.is_alive(folder / PROCESS_FILE):
            last_sign = max(facts.last.at, (folder / PROCESS_FILE).stat().st_mtime)
            append_ending(folder, Event(kind, kind), at=last_sign)
    return reading.caught_up(mark)


def _parsed(line: bytes) -> Mapping[str, Any] | None:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and "kind" in event else None


class _Reading:
    """How far a run's events have been read, and what they amount to so far."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.Lock()
        self._path = path
        self._forget(None)

    def _forget(self, mark: ProcessMark | None) -> None:
        self._mark, self._facts = mark, _Facts()
        self._seen: tuple[int, ...] = ()
        self._offset, self._before = 0, b""

    def caught_up(self, mark: ProcessMark | None) -> _Facts:
        """Return what is known of the run with a mark, having read what is new."""
        if mark != self._mark:
            self._forget(mark)
        if mark is None or mark.begun:
            with contextlib.suppress(OSError), self._path.open("rb") as file:
                self._read_on(file)
                return self._facts
            self._forget(mark)
        return self._facts

    def _read_on(self, file: BinaryIO) -> None:
        status = os.fstat(file.fileno())
        seen = (status.st_ino, status.st_size, status.st_mtime_ns)
        if seen == self._seen:
            return
        if not self._goes_on(file, seen):
            self._forget(self._mark)
        file.seek(self._offset)
        for line in self._whole_lines(file):
            event = _parsed(line)
            if event is not None:
                self._facts.add(event)
        self._seen = seen

    def _goes_on(self, file: BinaryIO, seen: tuple[int, ...]) -> bool:
        """Whether a file is the one that was read and has only grown."""
        if not self._seen or seen[0] != self._seen[0] or seen[1] <= self._seen[1]:
            return False
        file.seek(self._offset - len(self._before))
        return file.read(len(self._before)) == self._before

    def _whole_lines(self, file: BinaryIO) -> Iterator[bytes]:
        for line in file:
            if not line.endswith(b"\n"):
                return
            self._offset += len(line)
            self._before = line[-_LOOK_BACK_BYTES:]
            yield line


_readings_lock = threading.Lock()


def _reading(folder: Path) -> _Reading:
    # Without the lock, two who ask at once would each read it all.
    with _readings_lock:
        return _reading_of(Path(folder))


@functools.lru_cache(maxsize=_MOST_READINGS)
def _reading_of(folder: Path) -> _Reading:
    return _Reading(folder / EVENTS_FILE)


def read_log(folder: Path) -> str:
    """Return the end of what libraries and workers wrote to a run's log."""
    try:
        with (folder / LOG_FILE).open("rb") as file:
            start = max(0, file.seek(0, 2) - _TAIL_BYTES)
            file.seek(start)
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return text.partition("\n")[2] if start else text


def _phase(kind: str, *, alive: bool, stopped: bool) -> str:
    # One that was taken for dead on another machine, and is not, goes on.
    if kind in ENDINGS and not (alive and kind == "died"):
        return kind
    if stopped:
        return "stopping" if alive else "stopped"
    if not alive:
        return "died"
    return {"": "starting", "preparing": "preparing", "measuring": "measuring"}.get(kind, "running")


@dataclass(frozen=True)
class _Part:
    """Jobs of a kind that were missing when a run began, and what one was expected to take."""

    model: str
    kind: str
    jobs: int
    seconds: float | None


@dataclass(frozen=True)
class _Outlook:
    """What a run had before it, and how many workers for it; None of a cluster."""

    parts: tuple[_Part, ...]
    workers: int | None
    known: int


@dataclass(frozen=True)
class _Outcome:
    """How a job ended: in so many seconds, or for a reason."""

    model: str
    kind: str
    seconds: float | None = None
    reason: str = ""


@dataclass
class _Ended:
    """Jobs of a kind that have ended in this run; `seconds` are those of the finished ones."""

    jobs: int = 0
    finished: int = 0
    seconds: float = 0.0

    def add(self, outcome: _Outcome) -> None:
        self.jobs += 1
        if outcome.seconds is not None:
            self.finished += 1
            self.seconds += outcome.seconds


@dataclass(frozen=True)
class _Noted:
    """An event whose values are what they should be; `detail` is what its kind alone has."""

    at: float
    kind: str
    text: str
    done: int
    total: int
    detail: UnderWay | _Outlook | _Outcome | None
    sentence: str


class _Facts:
    """What events amount to, one after the other; the events themselves are not kept."""

    def __init__(self) -> None:
        self.last = _Noted(0.0, "", "", 0, 0, None, "")
        self._began = 0.0
        self._jobs_done, self._jobs = 0, 0
        self._outlook: _Outlook | None = None
        self._under_way: dict[str, UnderWay] = {}
        self._ended: set[str] = set()
        self._ended_kinds: dict[tuple[str, str], _Ended] = {}
        self._failures: list[tuple[str, str]] = []
        self._happenings: deque[Happening] = deque(maxlen=MOST_HAPPENINGS)

    def add(self, event: Mapping[str, Any]) -> None:
        """Take in an event; one that is damaged is left out."""
        with contextlib.suppress(LookupError, TypeError, ValueError, ArithmeticError):
            noted = _checked(event)
            self._take_in(noted)
            self._tell(noted)
            if not self.last.kind and noted.kind != "died":
                self._began = noted.at
            self.last = noted

    def _take_in(self, noted: _Noted) -> None:
        if noted.kind in {"planned", "finished", "failed", "done"}:
            self._jobs_done, self._jobs = noted.done, noted.total
        match noted.detail:
            case _Outlook():
                self._outlook = self._outlook or noted.detail
            case _Outcome():
                self._end(noted.text, noted.detail)
            case UnderWay() if noted.text not in self._ended:
                self._under_way[noted.text] = noted.detail

    def _end(self, job: str, outcome: _Outcome) -> None:
        self._ended.add(job)
        self._under_way.pop(job, None)
        self._ended_kinds.setdefault((outcome.model, outcome.kind), _Ended()).add(outcome)
        if outcome.seconds is None:
            self._failures.append((job, outcome.reason))

    def _tell(self, noted: _Noted) -> None:
        said = self._happenings[-1].sentence if self._happenings else ""
        # Preparing and measuring report each of their steps; one line tells of them all.
        if noted.sentence and noted.sentence != said:
            self._happenings.append(Happening(noted.at, noted.kind, noted.sentence))

    def run(self, name: str, *, phase: str, process: int | None = None, where: str = "") -> Run:
        """Return what is known as a study's run."""
        under_way = tuple(self._under_way.values()) if phase in {"running", "stopping"} else ()
        return Run(
            name=name,
            phase=phase,
            process=process,
            where=where,
            step=self.last.text,
            done=self.last.done,
            total=self.last.total,
            jobs_done=self._jobs_done,
            jobs=self._jobs,
            known=self._outlook.known if self._outlook else 0,
            under_way=under_way,
            failures=tuple(self._failures),
            seconds_left=self._seconds_left(under_way) if phase == "running" else None,
            began=self._began,
            ended=self.last.at,
            happenings=tuple(self._happenings),
        )

    def _seconds_left(self, under_way: Sequence[UnderWay]) -> float | None:
        """Multiply what is missing by what such jobs took in this run, or else in earlier ones."""
        if self._outlook is None:
            return None
        work: dict[str, list[tuple[float, float]]] = {}
        for part in self._outlook.parts:
            ended = self._ended_kinds.get((part.model, part.kind), _Ended())
            missing = part.jobs - ended.jobs
            seconds = (ended.finished and ended.seconds / ended.finished) or part.seconds
            if missing and seconds is None:
                return None
            begun = sum(job.epoch / job.epochs for job in under_way if _is_of(job, part))
            work.setdefault(part.kind, []).append((max(0, missing - begun), seconds or 0))
        return wall_seconds(work, workers=self._outlook.workers or max(1, len(under_way)))


def _is_of(job: UnderWay, part: _Part) -> bool:
    return (job.model, job.kind) == (part.model, part.kind)


def _checked(event: Mapping[str, Any]) -> _Noted:
    """Read an event's values; a damaged one raises one error or another."""
    kind = str(event["kind"])
    at = _within(float(event.get("at", 0)), _LATEST)
    done, total = (_within(int(event.get(name, 0)), math.inf) for name in ("done", "total"))
    sentence = _SENTENCES.get(kind, "").format(**event)
    detail = _DETAILS[kind](event) if kind in _DETAILS else None
    return _Noted(at, kind, str(event.get("text", "")), done, total, detail, sentence)


def _within(value: _Number, most: float) -> _Number:
    if not 0 <= value <= most:
        raise ValueError(value)
    return value


def _outlook_in(event: Mapping[str, Any]) -> _Outlook:
    detail = event["detail"]
    workers = detail.get("workers")
    return _Outlook(
        parts=tuple(map(_part, detail.get("outlook", []))),
        workers=None if workers is None else _within(int(workers), math.inf),
        known=int(event["done"]),
    )


def _part(row: Mapping[str, Any]) -> _Part:
    seconds = None if row["seconds"] is None else _within(float(row["seconds"]), math.inf)
    return _Part(str(row["model"]), str(row["kind"]), int(row["jobs"]), seconds)


def _under_way_in(event: Mapping[str, Any]) -> UnderWay:
    detail = event["detail"]
    epochs = int(detail["epochs"])
    epoch = _within(int(detail.get("number", 0)), epochs)
    model, kind = str(detail.get("model", "")), str(detail.get("kind", ""))
    # One that has no epochs has done all of them.
    return UnderWay(str(event["text"]), model, kind, epoch if epochs else 1, epochs or 1)


def _outcome_in(event: Mapping[str, Any]) -> _Outcome:
    detail = event["detail"]
    model, kind = str(detail.get("model", "")), str(detail.get("kind", ""))
    if event["kind"] == "failed":
        return _Outcome(model, kind, reason=str(detail.get("reason", "")))
    return _Outcome(model, kind, seconds=_within(float(detail["seconds"]), math.inf))


_DETAILS: Mapping[str, Callable[[Mapping[str, Any]], UnderWay | _Outlook | _Outcome]] = {
    "planned": _outlook_in,
    "started": _under_way_in,
    "epoch": _under_way_in,
    "finished": _outcome_in,
    "failed": _outcome_in,
}

_SENTENCES = {
    "preparing": "Preparing: {text}",
    "planned": "{total} jobs, {done} of them finished before",
    "started": "{text}: started",
    "finished": "{text}: finished in {detail[seconds]:.0f} s",
    "retrying": "{text}: tried again, as {detail[reason]}",
    "failed": "{text}: failed, {detail[reason]}",
    "measuring": "Measuring latency, while nothing else runs",
    "done": "{done} of {total} jobs are finished",
    "stopped": "Stopped; finished jobs are kept",
    "refused": "{text}",
    "broken": "{text}",
    "died": "Its process ended without saying how",
}
