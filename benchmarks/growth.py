"""How the cost of a study grows: with recordings, levels, seeds and workers.

Recordings: `edac run` of the CNN on generated recordings, an epoch of a baseline and an epoch of a
level, from the audit to the latencies. Levels, seeds and more workers than this machine has are
simulated: the job times that the shipped study recorded, each job begun by the first worker that is
free once what it starts from is there. One and two workers are measured as well, beside what the
simulation says of them.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.contest import Say, run_module
from edac_core.datasets import open_dataset
from edac_core.locations import SHIPPED
from edac_core.studies import BASELINE, method_of
from edac_core.studies.store import Store

RECORDINGS = (250, 500, 1_000, 5_000, 20_000)
LEVELS = (1, 2, 4, 8, 16)
SIMULATED_WORKERS = (1, 2, 4, 8, 16, 32, 64)
MEASURED_WORKERS = (1, 2)
_STUDY, _METHOD = "cnn", "polynomial"
_HERE = 2
_FEW = 250
_PLAN = """
name = "growth"
title = "Growth"

[data]
dataset = "synthetic"
path = {path}
options = {{ n = {recordings} }}
split_seeds = [1]

[training]
models = ["cnn"]
epochs = 1

[compression]
schedules = ["polynomial"]
sparsities = {sparsities}
epochs = 1
frequency = 1
"""


@dataclass(frozen=True)
class Task:
    """A job's time in seconds, and the place of the job that it starts from, if there is one."""

    seconds: float
    after: int | None = None


def makespan(tasks: Sequence[Task], *, workers: int) -> float:
    """Return how long tasks take that are begun in order, each as soon as it may and can.

    Parameters
    ----------
    tasks
        What one starts from stands before it.
    workers
        Each does one task at a time.

    Returns
    -------
    float
        Seconds until the last one ends.
    """
    free = [0.0] * workers
    ends: list[float] = []
    for task in _ready_first(tasks):
        ready = 0.0 if task.after is None else ends[task.after]
        ends.append(max(heapq.heappop(free), ready) + task.seconds)
        heapq.heappush(free, ends[-1])
    return max(ends, default=0.0)


def measure(*, say: Say, recordings: Iterable[int] = RECORDINGS) -> dict[str, Any]:
    """Measure and simulate.

    Parameters
    ----------
    say
        Takes lines for people.
    recordings
        Numbers of recordings.
    """
    jobs = _shipped_jobs()
    return {
        "recordings": [_by_recordings(count, say=say) for count in recordings],
        "measured_workers": [_by_workers(count, say=say) for count in MEASURED_WORKERS],
        "study": _STUDY,
        "workers": [
            {"workers": count, "seconds": makespan(_tasks(jobs), workers=count)}
            for count in SIMULATED_WORKERS
        ],
        "levels": [_by_levels(jobs, count) for count in LEVELS],
        "seeds": [_by_seeds(jobs, count) for count in range(1, 1 + len(_seeds(jobs)))],
    }


def table(found: dict[str, Any]) -> Table:
    """Show all of it, a row a figure."""
    shown = Table("by", "number", "seconds", "of these", "per number (s)", title="Growth of cost")
    for row in found["recordings"]:
        parts = f"baseline {row['baseline']:.1f}, level {row['level']:.1f}, rest {row['rest']:.1f}"
        shown.add_row("recordings", *_cells(row["recordings"], row["seconds"], parts))
    for row in found["measured_workers"]:
        parts = f"jobs {row['jobs']:.1f}; simulated {row['simulated']:.1f}"
        shown.add_row("workers, measured", *_cells(row["workers"], row["seconds"], parts))
    for name in ("workers", "levels", "seeds"):
        for row in found[name]:
            shown.add_row(f"{name}, simulated", *_cells(row[name], row["seconds"], ""))
    return shown


def _cells(number: int, seconds: float, parts: str) -> tuple[str, ...]:
    return f"{number:,}", f"{seconds:,.1f}", parts, f"{seconds / number:.3g}"


def _ready_first(tasks: Sequence[Task]) -> Sequence[Task]:
    """Check that what a task starts from stands before it."""
    late = [at for at, task in enumerate(tasks) if task.after is not None and task.after >= at]
    if late:
        raise ValueError(f"Task {late[0]} starts from one that does not stand before it.")
    return tasks


def _by_recordings(count: int, *, say: Say) -> dict[str, float]:
    say(f"A study of {count:,} generated recordings ...")
    ran = _run(count, sparsities=(0.9,), workers=_HERE)
    baseline, level = ran.tasks
    whole = makespan(ran.tasks, workers=_HERE)
    return {
        "recordings": count, "seconds": ran.seconds, "baseline": baseline.seconds,
        "level": level.seconds, "rest": ran.seconds - whole,
    }  # fmt: skip


def _by_workers(workers: int, *, say: Say) -> dict[str, float]:
    """Run the same study; what its jobs do not take is the same for any number of workers."""
    say(f"A study of {max(LEVELS)} levels with {workers} workers ...")
    sparsities = np.linspace(0.1, 0.95, max(LEVELS)).round(3).tolist()
    ran = _run(_FEW, sparsities=sparsities, workers=workers)
    return {
        "workers": workers, "seconds": ran.seconds,
        "jobs": sum(task.seconds for task in ran.tasks),
        "simulated": makespan(ran.tasks, workers=workers),
    }  # fmt: skip


@dataclass(frozen=True)
class _Ran:
    seconds: float
    tasks: list[Task]


def _run(recordings: int, *, sparsities: Sequence[float], workers: int) -> _Ran:
    """Run the plan on a new store, after the recordings were generated."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        open_dataset("synthetic", path=folder / "data", n=recordings)
        plan = folder / "plan.toml"
        plan.write_text(
            _PLAN.format(
                path=json.dumps(str(folder / "data")), recordings=recordings,
                sparsities=list(sparsities),
            ), "utf-8",
        )  # fmt: skip
        start = time.perf_counter()
        run_module("edac_core", "run", plan, "--workers", workers, "--cache", folder / "cache")
        seconds = time.perf_counter() - start
        with contextlib.closing(Store(folder / "cache", readonly=True)) as store:
            return _Ran(seconds, _tasks(_jobs(store, "growth")))


def _shipped_jobs() -> pd.DataFrame:
    with contextlib.closing(Store(SHIPPED, readonly=True)) as store:
        return _jobs(store, _STUDY)


def _jobs(store: Store, study: str) -> pd.DataFrame:
    """Return each job's seconds, run, method and sparsity, baselines first as a run has them."""
    jobs = store.jobs(study)
    configs = pd.DataFrame(jobs["config"].tolist())
    configs["seconds"] = jobs["seconds"]
    configs["method"] = jobs["config"].map(method_of)
    configs["level"] = configs["method"].ne(BASELINE)
    return configs.sort_values(["level", "split_seed", "sparsity"], ignore_index=True)


def _tasks(jobs: pd.DataFrame) -> list[Task]:
    """Return tasks whose levels start from their split's baseline."""
    baselines = {
        split: at for at, split in enumerate(jobs.loc[~jobs["level"], "split_seed"].tolist())
    }
    return [
        Task(seconds, baselines[split] if level else None)
        for seconds, split, level in zip(
            jobs["seconds"], jobs["split_seed"], jobs["level"], strict=True
        )
    ]


def _seeds(jobs: pd.DataFrame) -> list[int]:
    return sorted(jobs["split_seed"].unique().tolist())


def _by_levels(jobs: pd.DataFrame, count: int) -> dict[str, float]:
    """Simulate the first split with so many levels of one schedule, evenly chosen."""
    first = jobs[jobs["split_seed"].eq(_seeds(jobs)[0])]
    levels = first[first["method"].eq(_METHOD)]
    chosen = levels.iloc[np.linspace(0, len(levels) - 1, count).round().astype(int)]
    tasks = _tasks(pd.concat([first[~first["level"]], chosen], ignore_index=True))
    return {"levels": count, "seconds": makespan(tasks, workers=_HERE)}


def _by_seeds(jobs: pd.DataFrame, count: int) -> dict[str, float]:
    kept = jobs[jobs["split_seed"].isin(_seeds(jobs)[:count])].reset_index(drop=True)
    return {"seeds": count, "seconds": makespan(_tasks(kept), workers=_HERE)}
