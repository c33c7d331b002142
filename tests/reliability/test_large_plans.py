"""Plans of many thousands of jobs: a run's memory stays as it is, and `edac status` is quick."""

import contextlib
import json
import time

import psutil
import pytest
import stubs

from edac_core.cli import main
from edac_core.studies import run as run_module
from edac_core.studies.plan import parse_plan
from edac_core.studies.run import run_study
from edac_core.studies.store import Store

JOBS = 100_000


def fill(store, jobs):
    """Put a study of so many jobs into a store, a thousand of them failed."""
    environment = json.dumps({"versions": {"numpy": "2"}, "machine": {"cpu": "x" * 100}})
    config = json.dumps({"model": "cnn", "method": "constant", "padding": "x" * 300})
    history = json.dumps([{"number": number, "loss": 0.5} for number in range(10)])
    keys = [f"{number:032x}" for number in range(jobs)]
    with contextlib.closing(store._connect()) as database, database:
        database.execute("INSERT INTO splits VALUES ('split', 1, '[]')")
        database.executemany(
            "INSERT INTO jobs VALUES (?, 'split', ?, 0.5, 1.0, ?, NULL, ?, '2026')",
            ((key, config, history, environment) for key in keys[1000:]),
        )
        database.executemany(
            "INSERT INTO failures VALUES (?, ?, 'no luck', '2026')",
            ((key, config) for key in keys[:1000]),
        )
    store.put_study("large", title="Large", plan={}, data={})
    store.claim("large", keys)


def test_status_of_100_000_jobs_takes_less_than_a_second(tmp_path, capsys):
    with contextlib.closing(Store(tmp_path)) as store:
        fill(store, JOBS)
    begun = time.process_time()
    assert main(["status", "--cache", str(tmp_path), "--json"]) == 0
    seconds = time.process_time() - begun
    found = json.loads(capsys.readouterr().out)
    expected = {"study": "large", "where": tmp_path.name, "finished": JOBS - 1000, "jobs": JOBS,
                "failed": 1000}  # fmt: skip
    assert expected in found
    # Of this process's own time, so that a busy machine does not fail it.
    assert seconds < 1


@pytest.mark.nightly
def test_a_run_of_100_000_jobs_takes_no_more_memory_as_it_goes_on(tmp_path, monkeypatch, capsys):
    """A thousand baselines of 99 levels each, on two worker processes of this machine."""
    memory, tenth = [], JOBS // 10
    process = psutil.Process()

    def listen(event):
        if event.kind == "finished" and event.done % tenth == 0:
            memory.append((round(time.monotonic() - begun), process.memory_info().rss / 1e6))

    monkeypatch.setattr(run_module, "open_data", lambda *_a, **_k: stubs.Data())
    monkeypatch.setattr(run_module, "prepare", lambda _u, *, seed, **_k: stubs.inputs_of(seed))
    monkeypatch.setattr(run_module, "measure_latencies", lambda *_a, **_k: None)
    monkeypatch.setattr(run_module, "perform", stubs.perform)
    plan = parse_plan(
        {
            "name": "tiny",
            "title": "Tiny",
            "data": {"dataset": "synthetic", "split_seeds": [1]},
            "training": {"models": ["cnn"], "seeds": list(range(JOBS // 100))},
            "compression": {
                "schedules": ["constant"],
                "sparsities": [n / 100 for n in range(1, 100)],
            },
        }
    )
    begun = time.monotonic()
    summary = run_study(plan, cache=tmp_path, workers=2, listener=listen)
    with capsys.disabled():
        print(f"\n{JOBS} jobs: seconds and MB by tenths: {memory}")  # noqa: T201 - to be read
    assert (summary.computed, summary.failed) == (JOBS, 0)
    assert len(memory) == 10
    # From the first tenth on, when all that is kept a worker is there.
    assert memory[-1][1] - memory[0][1] < 100
