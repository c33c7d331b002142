"""Worker processes end as they please: their job is tried again, and the others go on."""

import contextlib
import functools
import json
import os
import signal
import threading
import time

import psutil
import pytest
import stubs

from edac_core.studies import cluster as cluster_module
from edac_core.studies import run as run_module
from edac_core.studies.run import run_study
from edac_core.studies.store import Store


@pytest.fixture
def study(monkeypatch, tmp_path):
    """Return a function that runs a plan of stub jobs in worker processes of this machine."""
    notes = tmp_path / "notes"
    notes.mkdir()
    cache = tmp_path / "cache"
    monkeypatch.setattr(run_module, "open_data", lambda *_a, **_k: stubs.Data())
    monkeypatch.setattr(run_module, "prepare", lambda _u, *, seed, **_k: stubs.inputs_of(seed))
    monkeypatch.setattr(run_module, "measure_latencies", lambda *_a, **_k: None)

    def run(plan, *, workers=2, listener=None, **options):
        perform = functools.partial(stubs.perform, notes=notes, **options)
        monkeypatch.setattr(run_module, "perform", perform)
        events = []

        def hear(event):
            events.append(event)
            if listener:
                listener(event)

        summary = run_study(plan, cache=cache, workers=workers, listener=hear)
        return summary, events

    run.reasons = lambda: reasons_in(cache)
    run.attempts = lambda: {
        float(path.name): len(path.read_text().split()) for path in notes.iterdir()
    }
    run.notes = notes
    return run


def reasons_in(cache):
    with contextlib.closing(Store(cache)) as store:
        failures = store.failures("tiny")
        levels = [config["sparsity"] for config in map(json.loads, failures["config"])]
        return dict(zip(levels, failures["reason"], strict=True))


def blamed(events):
    """Return how often each level is said to be tried again, or to have failed."""
    levels = [float(event.text.split()[2].strip("%,")) / 100 for event in events
              if event.kind in {"retrying", "failed"}]  # fmt: skip
    return {level: levels.count(level) for level in levels}


def test_a_job_that_ends_its_worker_is_tried_three_times_and_no_other_is_blamed(study):
    """Others that waited there are done, and those whose result went with it are done again."""
    fates = {0.1: "exit", 0.2: "segfault", 0.3: "terminate", 0.4: "kill"}
    summary, events = study(stubs.plan(0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9), fates=fates)
    assert (summary.computed, summary.failed) == (5, 4)
    attempts = study.attempts()
    assert {level: attempts[level] for level in fates} == dict.fromkeys(fates, 3)
    assert blamed(events) == dict.fromkeys(fates, 3)
    ending = {
        0.1: "exit status 3",
        0.2: "killed by signal 11: Segmentation fault",
        0.3: "killed by signal 15: Terminated",
        0.4: "killed by signal 9: Killed",
    }
    reasons = study.reasons()
    assert set(reasons) == set(ending)
    for level, words in ending.items():
        assert reasons[level].startswith(f"its worker process ended three times ({words}): ")


def test_what_its_worker_alone_held_is_sent_again(study):
    """With one worker, the recordings and the baseline's weights go with it."""
    summary, events = study(stubs.plan(0.5, 0.6, 0.7), workers=1, fates={0.5: "kill"})
    assert (summary.computed, summary.failed) == (3, 1)
    assert study.attempts()[0.5] == 3
    assert blamed(events) == {0.5: 3}


def test_a_worker_that_is_killed_from_outside_costs_an_attempt(study):
    def kill_worker():
        path = study.notes / "0.5"
        while not path.exists() or not path.read_text():
            time.sleep(0.02)
        os.kill(int(path.read_text().split()[0]), signal.SIGKILL)

    killer = threading.Thread(target=kill_worker)
    killer.start()
    summary, events = study(stubs.plan(0.5, 0.9), seconds=0.5)
    killer.join()
    assert (summary.computed, summary.failed) == (3, 0)
    assert study.attempts()[0.5] == 2
    (again,) = [event for event in events if event.kind == "retrying"]
    assert again.detail["reason"] == "its worker process ended (killed by signal 9: Killed)"


def test_a_job_that_takes_too_much_memory_is_stopped_at_the_limit(study, monkeypatch):
    monkeypatch.setattr(cluster_module, "memory_limit", lambda _workers: 700_000_000)
    summary, _ = study(stubs.plan(0.5, 0.6, 0.7), fates={0.5: "grow", 0.6: "no memory"})
    assert (summary.computed, summary.failed) == (2, 2)
    attempts = study.attempts()
    assert (attempts[0.5], attempts[0.6]) == (3, 3)
    reasons = study.reasons()
    assert (
        "its worker process ended three times (at 0.7 GB, over its memory limit of 0.7 GB"
        in (reasons[0.5])
    )
    assert "fewer --workers" in reasons[0.5]
    assert reasons[0.6].startswith(
        "it ran out of memory three times (MemoryError: Unable to allocate 9 GiB): "
    )


def test_an_error_in_a_job_would_come_again_and_is_not_tried_again(study):
    fates = {0.5: "mistake", 0.6: "refusal", 0.7: "leave"}
    summary, _ = study(stubs.plan(0.5, 0.6, 0.7), fates=fates)
    assert (summary.computed, summary.failed) == (1, 3)
    assert study.attempts() == {0.0: 1, 0.5: 1, 0.6: 1, 0.7: 1}
    assert study.reasons() == {
        0.5: "ValueError: no luck",
        0.6: "This model cannot be had; choose another.",
        0.7: "SystemExit: 4",
    }


def test_a_baseline_that_ends_its_worker_fails_its_levels_and_no_process_is_left(study):
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    summary, _ = study(stubs.plan(0.5, 0.9), fates={0.0: "segfault"})
    assert (summary.computed, summary.failed) == (0, 3)
    assert study.reasons()[0.9] == "cnn baseline, split 1, seed 1234, which it starts from, failed"
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    assert not [child for child in left if "resource_tracker" not in " ".join(child.cmdline())]
