"""Starting and stopping runs as processes of their own, which outlive whoever started them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from edac_core.apart import child_environment
from edac_core.errors import PlanError, StoreError
from edac_core.locations import READ_ONLY_VARIABLE, read_only
from edac_core.studies.journal import (
    LOG_FILE,
    PLAN_FILE,
    PROCESS_FILE,
    RUNS,
    STOP_FILE,
    only_writer,
    run_folder,
)
from edac_core.studies.plan import Plan, load_plan
from edac_core.studies.processes import ProcessMark, lives, locked, write_whole
from edac_core.studies.watch import Run, find_runs, read_run

GRACE_SECONDS = 2.5
"""How long a run may take to end by itself before it is killed."""

_KILL_SECONDS, _POLL_SECONDS = 1.0, 0.05


def start(plan: Plan, *, cache: Path) -> int:
    """Start a run of a plan, or go on with one; it lives on when this process ends.

    Returns
    -------
    int
        The number of its process.

    Raises
    ------
    StoreError
        If a run is under way, the cache cannot be written, or visitors may only look.
    """
    _refuse_if_read_only()
    with _explained(cache), _sole_launch(cache):
        _refuse_second(cache)
        folder = run_folder(cache, plan.name)
        folder.mkdir(exist_ok=True)
        write_whole(folder / PLAN_FILE, plan.to_toml())
        return _spawn(folder, cache)


def is_under_way(plan: Plan, *, cache: Path) -> bool:
    """Whether a run of this very plan is under way, which one can watch and need not start."""
    folder = run_folder(cache, plan.name)
    run = read_run(folder)
    if not run.active or run.phase == "stopping":
        return False
    with contextlib.suppress(PlanError):
        return load_plan(folder / PLAN_FILE) == plan
    return False


def resume(name: str, *, cache: Path) -> int:
    """Start a run of the plan that a study's last run left.

    Returns
    -------
    int
        The number of its process.

    Raises
    ------
    StoreError
        If there is no such plan, a run is under way, the cache cannot be written, or visitors may
        only look.
    PlanError
        If the plan that was left is damaged.
    """
    _refuse_if_read_only()
    folder = run_folder(cache, name)
    if not (folder / PLAN_FILE).is_file():
        raise StoreError(f"No run of {name!r} left its plan here; start it from the form.")
    load_plan(folder / PLAN_FILE)
    with _explained(cache), _sole_launch(cache):
        _refuse_second(cache)
        return _spawn(folder, cache)


def stop(name: str, *, cache: Path, wait: bool = True) -> bool:
    """End a run and all that it started; what is finished is kept.

    It is asked first, and killed after `GRACE_SECONDS`. One of another machine is only asked: it
    ends itself within a few beats.

    Parameters
    ----------
    name
        The study's.
    cache
        The folder of the store that the run writes to.
    wait
        Whether to return only when all its processes are gone, if they are this machine's; if not,
        a thread sees to it.

    Returns
    -------
    bool
        Whether there was one to end.

    Raises
    ------
    StoreError
        If it is another machine's and the cache cannot be written, or visitors may only look.
    """
    _refuse_if_read_only()
    folder = run_folder(cache, name)
    mark = ProcessMark.read(folder / PROCESS_FILE)
    if mark is None or not mark.is_alive(folder / PROCESS_FILE):
        return False
    if not mark.is_here:
        with _explained(cache):
            mark.write(folder / STOP_FILE)
        return True
    process = mark.process()
    if process is None:
        return False
    # A full disk is no reason to let it run on.
    with contextlib.suppress(OSError):
        mark.write(folder / STOP_FILE)
    if wait:
        _end(process)
    else:
        threading.Thread(target=_end, args=(process,), daemon=True).start()
    return True


def _end(process: psutil.Process) -> None:
    family = _family(process)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
    _await_end(family, seconds=GRACE_SECONDS)
    # What it started meanwhile belongs to it too.
    family = list({*family, *_family(process)})
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    _await_end(family, seconds=_KILL_SECONDS)


def _await_end(family: Sequence[psutil.Process], *, seconds: float) -> None:
    """Wait for processes to end."""
    deadline = time.monotonic() + seconds
    while any(map(lives, family)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _spawn(folder: Path, cache: Path) -> int:
    with (folder / LOG_FILE).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            _command(folder, cache),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=child_environment(),
            start_new_session=True,
        )
    try:
        ProcessMark.of(process.pid, begun=False).write(folder / PROCESS_FILE)
    except OSError:
        # Nobody would know of it.
        process.kill()
        raise
    finally:
        # Someone has to ask how it ended, or it stays in the system's table.
        threading.Thread(target=process.wait, daemon=True).start()
    return process.pid


def _command(folder: Path, cache: Path) -> list[str]:
    return [sys.executable, "-m", "edac_core", "run", str(folder / PLAN_FILE),
            "--cache", str(cache), "--quiet"]  # fmt: skip


def _family(process: psutil.Process) -> list[psutil.Process]:
    """Return a run and all it started, those whose parent has ended too if it leads a session."""
    found = {process} if process.is_running() else set()
    with contextlib.suppress(psutil.NoSuchProcess):
        found |= set(process.children(recursive=True))
    for other in psutil.process_iter():
        with contextlib.suppress(OSError):
            if os.getsid(other.pid) == process.pid:
                found.add(other)
    return [member for member in found if member.pid != os.getpid()]


def _refuse_if_read_only() -> None:
    if read_only():
        raise StoreError(
            f"Runs are neither started nor stopped here ({READ_ONLY_VARIABLE} is set): use "
            "`edac run` on the machine itself."
        )


def _refuse_second(cache: Path) -> None:
    for run in find_runs(cache):
        if run.active:
            raise StoreError(_who_runs(run))
    with only_writer(Path(cache)):
        pass


def _who_runs(run: Run) -> str:
    where = f"On {run.where}, the" if run.where else "The"
    return (
        f"{where} study {run.name!r} is running (process {run.process}): stop it, or wait until "
        "it is done."
    )


@contextlib.contextmanager
def _sole_launch(cache: Path) -> Iterator[None]:
    """Let one launch look round and start at a time."""
    runs = Path(cache) / RUNS
    runs.mkdir(parents=True, exist_ok=True)
    with locked(runs / "launch.lock"):
        yield


@contextlib.contextmanager
def _explained(cache: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The folder {cache} cannot be written ({error.strerror}): free space or mend its "
            "permissions."
        ) from error
