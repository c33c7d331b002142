"""What runs are doing, read from what they leave; see `edac_core.studies.journal`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edac_core.studies.estimate import wall_seconds
from edac_core.studies.journal import (
    ENDINGS,
    EVENTS_FILE,
    LOG_FILE,
    PROCESS_FILE,
    RUNS,
    STOP_FILE,
    ProcessMark,
)

ACTIVE = ("starting", "preparing", "running", "measuring", "stopping")
"""Phases of a run whose process lives."""

_TAIL_BYTES = 20_000


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
        One of `ACTIVE`, or one of `ENDINGS`, or "died": it ended without saying so.
    process
        Number of its process; None if it is not known.
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
        What happened, but for single epochs, in order.
    """

    name: str
    phase: str
    process: int | None = None
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
    folders = sorted((Path(cache) / RUNS).glob(f"*/{PROCESS_FILE}"))
    runs = [read_run(path.parent) for path in folders]
    return sorted(runs, key=lambda run: (not run.active, -run.began, run.name))


def read_run(folder: Path) -> Run:
    """Return what is known of the run that left a folder."""
    mark = ProcessMark.read(folder / PROCESS_FILE)
    events = read_events(folder / EVENTS_FILE)
    alive = mark is not None and mark.process() is not None
    stopped = mark is not None and mark.is_same(ProcessMark.read(folder / STOP_FILE))
    # A process that died while its events were read may have written the last of them meanwhile.
    if not alive:
        events = read_events(folder / EVENTS_FILE)
    phase = _phase(events, alive=alive, stopped=stopped)
    return summarise(folder.name, events, phase=phase, process=mark.pid if mark and alive else None)


def read_events(path: Path) -> list[Mapping[str, Any]]:
    """Read a run's events; a line that is not whole yet is left out."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found: list[Mapping[str, Any]] = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "kind" in event:
            found.append(event)
    return found


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


def summarise(
    name: str, events: Sequence[Mapping[str, Any]], *, phase: str, process: int | None = None
) -> Run:
    """Fold events into what is known of a run."""
    last = events[-1] if events else {}
    planned = next((event for event in events if event["kind"] == "planned"), None)
    jobs = [event for event in events if event["kind"] in {"planned", "finished", "failed", "done"}]
    under_way = _under_way(events) if phase in {"running", "stopping"} else ()
    return Run(
        name=name,
        phase=phase,
        process=process,
        step=str(last.get("text", "")),
        done=int(last.get("done", 0)),
        total=int(last.get("total", 0)),
        jobs_done=int(jobs[-1]["done"]) if jobs else 0,
        jobs=int(jobs[-1]["total"]) if jobs else 0,
        known=int(planned["done"]) if planned else 0,
        under_way=under_way,
        failures=tuple(
            (str(event["text"]), str(event["detail"].get("reason", "")))
            for event in events if event["kind"] == "failed"
        ),
        seconds_left=_seconds_left(planned, events, under_way) if phase == "running" else None,
        began=float(events[0].get("at", 0)) if events else 0.0,
        ended=float(last.get("at", 0)),
        happenings=tuple(_happenings(events)),
    )  # fmt: skip


def _phase(events: Sequence[Mapping[str, Any]], *, alive: bool, stopped: bool) -> str:
    kind = str(events[-1]["kind"]) if events else ""
    if kind in ENDINGS:
        return kind
    if stopped:
        return "stopping" if alive else "stopped"
    if not alive:
        return "died"
    return {"": "starting", "preparing": "preparing", "measuring": "measuring"}.get(kind, "running")


def _under_way(events: Iterable[Mapping[str, Any]]) -> tuple[UnderWay, ...]:
    found: dict[str, UnderWay] = {}
    ended = {event["text"] for event in events if event["kind"] in {"finished", "failed"}}
    for event in events:
        if event["kind"] in {"started", "epoch"} and event["text"] not in ended:
            detail = event["detail"]
            found[event["text"]] = UnderWay(
                str(event["text"]), str(detail.get("model", "")), str(detail.get("kind", "")),
                int(detail.get("number", 0)), int(detail["epochs"]),
            )  # fmt: skip
    return tuple(found.values())


def _seconds_left(
    planned: Mapping[str, Any] | None,
    events: Sequence[Mapping[str, Any]],
    under_way: Sequence[UnderWay],
) -> float | None:
    """Multiply what is missing by what such jobs took in this run, or else in earlier ones."""
    if planned is None:
        return None
    ended = [event for event in events if event["kind"] in {"finished", "failed"}]
    work: dict[str, list[tuple[float, float]]] = {}
    for part in planned["detail"].get("outlook", []):
        same = [event for event in ended if _is_of(event["detail"], part)]
        missing = part["jobs"] - len(same)
        seconds = _mean_seconds(same) or part["seconds"]
        if missing and seconds is None:
            return None
        begun = sum(job.epoch / job.epochs for job in under_way if _is_of(vars(job), part))
        work.setdefault(part["kind"], []).append((max(0, missing - begun), seconds or 0))
    workers = planned["detail"].get("workers") or max(1, len(under_way))
    return wall_seconds(work, workers=workers)


def _is_of(detail: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    return (detail.get("model"), detail.get("kind")) == (part["model"], part["kind"])


def _mean_seconds(ended: Iterable[Mapping[str, Any]]) -> float | None:
    seconds = [event["detail"]["seconds"] for event in ended if event["kind"] == "finished"]
    return sum(seconds) / len(seconds) if seconds else None


def _happenings(events: Iterable[Mapping[str, Any]]) -> Iterable[Happening]:
    said = ""
    for event in events:
        kind = str(event["kind"])
        sentence = _SENTENCES.get(kind, "").format(**event)
        # Preparing and measuring report each of their steps; one line tells of them all.
        if sentence and sentence != said:
            yield Happening(float(event.get("at", 0)), kind, sentence)
            said = sentence


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
}
