"""A run that is killed and started again ends as an undisturbed one."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest

from edac_core.cli import main
from edac_core.locations import PROJECT

TINY = str(PROJECT / "docs" / "examples" / "tiny_net.py")
PLAN = """
name = "resumed"
title = "Resumed"
[data]
dataset = "synthetic"
options = {{ n = 80, seed = 3 }}
[training]
models = ["{model}"]
epochs = 2
[compression]
sparsities = [0.9]
epochs = 1
frequency = 2
"""
JOBS = 3
TIMINGS = ["latency_ms", "latency_p95_ms", "baseline_latency_ms"]


def edac(*arguments, **options):
    command = [sys.executable, "-m", "edac_core", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def table(cache, capsys):
    assert main(["table", "resumed", "--csv", "--cache", str(cache)]) == 0
    frame = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert (frame["latency_ms"] > 0).all()
    return frame.drop(columns=TIMINGS)


def run_whole(plan, cache):
    process = edac("run", plan, "--cache", cache, "--json")
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


def run_until_killed(plan, cache):
    """Kill the run, and only it, when its first job is done."""
    process = edac("run", plan, "--cache", cache, "--json")
    for line in process.stdout:
        if json.loads(line)["kind"] == "finished":
            break
    family = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return family


def gone(processes, *, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(process.is_running() for process in processes):
            return True
        time.sleep(0.2)
    return False


@pytest.fixture(params=[TINY, pytest.param("cnn", marks=pytest.mark.nightly)], ids=["tiny", "cnn"])
def plan(request, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.format(model=request.param))
    return path


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(plan, tmp_path, capsys):
    workers = run_until_killed(plan, tmp_path / "killed")
    assert workers
    assert gone(workers)
    events = run_whole(plan, tmp_path / "killed")
    known = next(event for event in events if event["kind"] == "planned")["done"]
    assert 1 <= known < JOBS
    assert sum(event["kind"] == "finished" for event in events) == JOBS - known
    run_whole(plan, tmp_path / "undisturbed")
    killed, undisturbed = (table(tmp_path / name, capsys) for name in ("killed", "undisturbed"))
    pd.testing.assert_frame_equal(killed, undisturbed)
