"""What a worker process does with a task: it attempts a job once, and says what became of it.

Dask begins a task again, by itself, when its worker was lost, and cannot tell the job that ended
the worker from one that waited there. So an attempt leaves a mark with the scheduler while it
lasts: one that finds its own mark knows that a worker was lost at it, and leaves it to the run
whether there is another. Nothing here imports TensorFlow, and errors come back as text, as a run
need not be able to load what a worker's libraries raise.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from distributed import Event as Mark
from distributed import get_client, get_worker

from edac_core.errors import EdacError
from edac_core.studies.inputs import SplitInputs
from edac_core.studies.jobs import Job, equipment
from edac_core.studies.steps import described
from edac_core.studies.store import JobResult

TOPIC = "edac-epochs"
"""What workers report under, of all runs that share a scheduler."""

_OUT_OF_MEMORY = ("MemoryError", "ResourceExhaustedError")  # Python's and TensorFlow's.

Perform = Callable[[Job, SplitInputs, bytes | None, int | None], JobResult]


@dataclass(frozen=True)
class Failed:
    """A job raised an error; `again` says whether another attempt may fare better."""

    reason: str
    again: bool = False


@dataclass(frozen=True)
class Lost:
    """A worker was lost while it was at this attempt."""


@dataclass(frozen=True)
class Unfit:
    """A worker would compute something else than the job's key says; see `differences`."""

    worker: str
    differences: str


Outcome = JobResult | Failed | Lost | Unfit


def attempt(
    perform: Perform,
    job: Job,
    inputs: SplitInputs,
    start: bytes | None,
    threads: int | None,
    required: Mapping[str, str | None],
) -> Outcome:
    """Do a job, unless a worker was lost at this attempt or this worker is not equipped for it.

    Parameters
    ----------
    perform
        Does the job; it takes the four arguments that follow.
    required
        The code and the libraries that the job's key stands for; see
        `edac_core.studies.jobs.equipment`.
    """
    worker = get_worker()
    if unlike := differences(equipment(), required):
        return Unfit(worker.address, unlike)
    task = worker.get_current_task()
    mark = Mark(task)
    if mark.is_set():
        # It stays: this answer may be lost as well, and Dask would begin the job again.
        return Lost()
    mark.set()
    try:
        get_client().log_event(TOPIC, {**begun(job), "worker": worker.address})
        return _performed(perform, job, inputs, start, threads)
    finally:
        mark.clear()


def begun(job: Job) -> dict[str, Any]:
    """Return what the events of the task that is under way have in common."""
    task = get_worker().get_current_task()
    return {"task": task, "job": job.describe(), **described(job), "epochs": job.epochs}


def differences(
    found: Mapping[str, str | None] | BaseException, required: Mapping[str, str | None]
) -> str:
    """Say what a worker has that the run has not; nothing if they are alike.

    `found` is what it has, or the error that asking it ended in.
    """
    if isinstance(found, BaseException):
        return f"{type(found).__name__}: {found}"
    return ", ".join(
        f"{name} {found.get(name) or 'missing'} where the run has {version or 'none'}"
        for name, version in required.items()
        if found.get(name) != version
    )


def _performed(perform: Perform, job: Job, *arguments: Any) -> JobResult | Failed:
    try:
        return perform(job, *arguments)
    except EdacError as error:
        return Failed(str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the run goes on
        traceback.print_exc()
        kind = type(error).__name__
        return Failed(f"{kind}: {error}", again=kind in _OUT_OF_MEMORY)
