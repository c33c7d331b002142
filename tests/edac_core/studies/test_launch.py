"""Real runs of a tiny network, whose first job is soon done and whose second takes long."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from edac_core.errors import StoreError
from edac_core.locations import PROJECT
from edac_core.studies import launch
from edac_core.studies.journal import ProcessMark, only_writer, run_folder
from edac_core.studies.plan import parse_plan
from edac_core.studies.watch import read_log, read_run

PLAN = parse_plan(
    {
        "name": "tiny",
        "title": "Tiny",
        "data": {"dataset": "synthetic", "protocol": "paper", "options": {"n": 40, "seed": 3}},
        "training": {"models": [str(PROJECT / "docs/examples/tiny_net.py")], "epochs": 1},
        "compression": {
            "schedules": ["constant"],
            "sparsities": [0.5],
            "precisions": ["float32"],
            "epochs": 1_000_000,
        },
    }
)
# It takes 3.5 at most, on a machine that is idle.
STOP_SECONDS = 30
SERVER = """
import sys
from pathlib import Path
from edac_core.studies import launch
from edac_core.studies.plan import load_plan
print(launch.start(load_plan(Path(sys.argv[1])), cache=Path(sys.argv[2])))
"""


def wait_for(check, run, *, seconds=240):
    deadline = time.monotonic() + seconds
    while not check(state := run()):
        assert time.monotonic() < deadline, state
        assert state.active, state
        time.sleep(0.1)
    return state


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDAC_CACHE_DIR", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    launch.stop("tiny", cache=tmp_path / "cache")


def has_ended(process):
    return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() == 1


def session_of(pid):
    """The processes of a run that have not ended."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == pid and not has_ended(process):
                found.append(process)
        except (OSError, psutil.NoSuchProcess):
            continue
    return found


def test_a_run_outlives_its_server_and_ends_within_seconds_and_goes_on(cache, tmp_path):
    def run():
        return read_run(run_folder(cache, "tiny"))

    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.to_toml())
    server = [sys.executable, "-c", SERVER, str(plan), str(cache)]
    pid = int(subprocess.run(server, capture_output=True, text=True, check=True).stdout)
    assert os.getsid(pid) == pid
    state = wait_for(lambda state: state.jobs_done == 1 and state.under_way, run)
    assert (state.phase, state.process, state.jobs) == ("running", pid, 2)
    assert len(session_of(pid)) >= 2
    with pytest.raises(StoreError, match=rf"'tiny' is running \(process {pid}\): stop it"):
        launch.start(PLAN, cache=cache)

    launch.stop("tiny", cache=cache, wait=False)
    deadline = time.monotonic() + STOP_SECONDS
    while session_of(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (run().phase, run().jobs_done) == ("stopped", 1)

    again = launch.resume("tiny", cache=cache)
    assert again != pid
    state = wait_for(lambda state: state.jobs, run)
    assert (state.known, state.computed) == (1, 0)
    assert launch.stop("tiny", cache=cache)
    assert session_of(again) == []
    assert not launch.stop("tiny", cache=cache)


def test_a_run_that_is_refused_says_why(cache):
    content = PLAN.to_dict() | {"data": {"dataset": "folder", "path": "/nowhere/mine.csv"}}
    pid = launch.start(parse_plan(content), cache=cache)
    deadline = time.monotonic() + 120
    while session_of(pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    state = read_run(run_folder(cache, "tiny"))
    assert state.phase == "refused"
    assert "/nowhere/mine.csv cannot be read" in state.step
    assert "edac: /nowhere/mine.csv" in read_log(run_folder(cache, "tiny"))


def test_a_run_that_keeps_no_journal_here_is_not_joined(cache):
    cache.mkdir()
    with only_writer(cache), pytest.raises(StoreError, match="Another run"):
        launch.start(PLAN, cache=cache)


def test_what_never_ran_is_not_resumed_or_stopped(cache):
    with pytest.raises(StoreError, match="No run of 'tiny' left its plan here; start it"):
        launch.resume("tiny", cache=cache)
    assert not launch.stop("tiny", cache=cache)


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file cannot be written \(.*\): free space or mend"):
        launch.start(PLAN, cache=tmp_path / "file")


def test_a_process_that_took_a_number_over_is_left_alone(cache):
    folder = run_folder(cache, "tiny")
    folder.mkdir(parents=True)
    ProcessMark(os.getpid(), 1.0).write(folder / "process.json")
    assert not launch.stop("tiny", cache=cache)
