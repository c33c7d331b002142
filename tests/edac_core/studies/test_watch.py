import itertools
import json
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from edac_core.studies import watch
from edac_core.studies.journal import (
    EVENTS_FILE,
    LOG_FILE,
    PROCESS_FILE,
    STOP_FILE,
    ProcessMark,
    run_folder,
)
from edac_core.studies.watch import find_runs, read_log, read_run

GONE = ProcessMark(2**22 + 1, 1.0)
BASELINE = {"model": "cnn", "kind": "baseline"}
LEVEL = {"model": "cnn", "kind": "level"}


def event(kind_, text="", done=0, total=0, *, at=100.0, **detail):
    return {"at": at, "kind": kind_, "text": text, "done": done, "total": total, "detail": detail}


def outlook(baseline=None, level=None):
    return [{**BASELINE, "jobs": 2, "seconds": baseline}, {**LEVEL, "jobs": 6, "seconds": level}]


def planned(**options):
    return event("planned", "tiny", 1, 9, workers=2, outlook=outlook(**options))


PREPARING = event("preparing", "mfcc features, split 0", 16, 42)
FIRST_DONE = event("finished", "cnn baseline, seed 1", 2, 9, **BASELINE, seconds=80.0)
AT_EPOCH = event("epoch", "cnn baseline, seed 2", 2, 9, **BASELINE, number=3, epochs=6)
BROKEN_LEVEL = event("failed", "cnn constant 50 %", 2, 9, **LEVEL, reason="no luck")


def left(tmp_path, *events, mark=GONE, stopped=None, name="tiny"):
    """Write what a run leaves, and read it."""
    folder = run_folder(tmp_path, name)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write(folder / PROCESS_FILE)
    if stopped:
        stopped.write(folder / STOP_FILE)
    (folder / EVENTS_FILE).write_text("".join(json.dumps(each) + "\n" for each in events))
    return read_run(folder)


@pytest.fixture
def alive():
    return ProcessMark.of(os.getpid())


@pytest.mark.parametrize(
    ("events", "phase"),
    [
        ([], "starting"),
        ([PREPARING], "preparing"),
        ([PREPARING, planned()], "running"),
        ([planned(), AT_EPOCH], "running"),
        ([planned(), event("measuring", "latency", 3, 12)], "measuring"),
        ([planned(), event("done", "tiny", 9, 9)], "done"),
        ([planned(), event("died", "died")], "running"),
    ],
)
def test_phases_of_a_run_that_lives(tmp_path, alive, events, phase):
    run = left(tmp_path, *events, mark=alive)
    assert (run.phase, run.process) == (phase, os.getpid())
    assert run.active == (phase != "done")


@pytest.mark.parametrize(
    ("events", "phase"),
    [
        ([], "died"),
        ([planned(), AT_EPOCH], "died"),
        ([planned(), event("done", "tiny", 9, 9)], "done"),
        ([PREPARING, event("refused", "No coughs: get some.")], "refused"),
        ([planned(), event("stopped", "stopped")], "stopped"),
        ([planned(), event("broken", "ZeroDivisionError: by 0")], "broken"),
    ],
)
def test_phases_of_a_run_that_has_ended(tmp_path, events, phase):
    run = left(tmp_path, *events)
    assert (run.phase, run.process, run.active) == (phase, None, False)


def test_a_run_that_was_asked_to_stop_is_stopping_and_then_stopped(tmp_path, alive):
    assert left(tmp_path, planned(), mark=alive, stopped=alive).phase == "stopping"
    assert left(tmp_path, planned(), mark=GONE, stopped=GONE).phase == "stopped"


def test_a_stop_of_an_earlier_run_says_nothing_of_this_one(tmp_path, alive):
    assert left(tmp_path, planned(), mark=alive, stopped=GONE).phase == "running"


def test_counts_of_jobs(tmp_path, alive):
    run = left(tmp_path, PREPARING, planned(), FIRST_DONE, AT_EPOCH, BROKEN_LEVEL, mark=alive)
    assert (run.jobs_done, run.jobs, run.known, run.computed) == (2, 9, 1, 1)
    assert run.failures == (("cnn constant 50 %", "no luck"),)


def test_jobs_under_way_are_at_their_last_epoch(tmp_path, alive):
    started = event("started", "cnn baseline, seed 2", **BASELINE, epochs=6)
    run = left(tmp_path, planned(), started, mark=alive)
    assert [(job.epoch, job.epochs) for job in run.under_way] == [(0, 6)]
    run = left(tmp_path, planned(), started, AT_EPOCH, mark=alive)
    assert [(job.job, job.epoch) for job in run.under_way] == [("cnn baseline, seed 2", 3)]


def test_an_epoch_that_is_told_after_the_result_starts_nothing(tmp_path, alive):
    late = event("epoch", "cnn baseline, seed 1", **BASELINE, number=6, epochs=6)
    assert left(tmp_path, planned(), FIRST_DONE, late, mark=alive).under_way == ()


def test_time_left_rests_on_this_run_first_and_then_on_earlier_ones(tmp_path, alive):
    """A baseline of 2 is missing, of which half is done: 0.5 x 80 s. 6 levels of 10 s on 2."""
    events = [planned(baseline=500.0, level=10.0), FIRST_DONE, AT_EPOCH]
    assert left(tmp_path, *events, mark=alive).seconds_left == pytest.approx(40 + 30)


def test_time_left_counts_failed_jobs_as_ended(tmp_path, alive):
    events = [planned(baseline=80.0, level=10.0), BROKEN_LEVEL]
    assert left(tmp_path, *events, mark=alive).seconds_left == pytest.approx(80 + 25)


def test_time_left_is_unknown_where_nothing_was_measured(tmp_path, alive):
    assert left(tmp_path, planned(baseline=80.0), mark=alive).seconds_left is None


def test_time_left_of_a_cluster_is_by_the_jobs_that_are_under_way(tmp_path, alive):
    plan = planned(baseline=80.0, level=10.0)
    plan["detail"]["workers"] = None
    run = left(tmp_path, plan, AT_EPOCH, mark=alive)
    assert run.seconds_left == pytest.approx(120 + 60)


def test_what_happened_is_told_in_sentences_once(tmp_path):
    run = left(
        tmp_path, PREPARING, {**PREPARING, "done": 42}, planned(), AT_EPOCH, FIRST_DONE,
        BROKEN_LEVEL, event("measuring", "latency", 1, 9), event("measuring", "latency", 2, 9),
        event("done", "tiny", 8, 9),
    )  # fmt: skip
    assert [happening.sentence for happening in run.happenings] == [
        "Preparing: mfcc features, split 0",
        "9 jobs, 1 of them finished before",
        "cnn baseline, seed 1: finished in 80 s",
        "cnn constant 50 %: failed, no luck",
        "Measuring latency, while nothing else runs",
        "8 of 9 jobs are finished",
    ]


def made_up_events(count, *, seed):
    """Events of jobs that begin, train, and end or fail, some of them damaged."""
    rng = random.Random(seed)
    yield planned(baseline=80.0, level=10.0)
    for done in range(1, count):
        job, kind = f"job {rng.randrange(9)}", rng.choice([BASELINE, LEVEL])
        yield rng.choice([
            event("started", job, done, count, **kind, epochs=6),
            event("epoch", job, done, count, **kind, epochs=6, number=rng.randrange(7)),
            event("finished", f"job {done}", done, count, **kind, seconds=rng.random()),
            event("failed", f"job {done}", done, count, **kind, reason="no luck"),
            event("epoch", job, done, count, **kind, epochs=6, number=7),
            event("finished", job, done, count, **kind, seconds="long"),
            event("measuring", "latency", done, count),
        ])  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_reading_on_comes_to_the_same_as_reading_all(tmp_path, alive, seed):
    """Whatever had been written when somebody looked, in the middle of a line or not."""
    left(tmp_path, mark=alive)
    path = run_folder(tmp_path, "tiny") / EVENTS_FILE
    text = "".join(json.dumps(each) + "\n" for each in made_up_events(200, seed=seed)).encode()
    cuts = sorted({*random.Random(seed).sample(range(len(text)), 40), len(text)})
    for start, end in itertools.pairwise([0, *cuts]):
        with path.open("ab") as file:
            file.write(text[start:end])
        found = read_run(path.parent)
        whole = text[:end][: text[:end].rfind(b"\n") + 1]
        events = [json.loads(line) for line in whole.splitlines()]
        assert found == left(tmp_path / str(end), *events, mark=alive)
    assert found.seconds_left is not None
    assert found.under_way
    assert found.failures


def test_what_was_read_is_not_read_again(tmp_path, alive, monkeypatch):
    folder = run_folder(tmp_path, "tiny")
    left(tmp_path, *made_up_events(1000, seed=1), mark=alive)
    parsed = []
    monkeypatch.setattr(watch, "_parsed", lambda line: parsed.append(line) or json.loads(line))
    with ThreadPoolExecutor(8) as sessions:
        runs = list(sessions.map(lambda _: read_run(folder), range(50)))
    assert parsed == []
    with (folder / EVENTS_FILE).open("a") as file:
        file.write(json.dumps(event("done", "tiny", 9, 9)) + "\n")
    assert read_run(folder).phase == "done" != runs[0].phase
    assert len(parsed) == 1


def test_a_long_run_is_read_once_by_many_who_look_at_once(tmp_path, alive, monkeypatch):
    folder = run_folder(tmp_path, "long")
    folder.mkdir(parents=True)
    alive.write(folder / PROCESS_FILE)
    text = "".join(json.dumps(each) + "\n" for each in made_up_events(300, seed=2))
    (folder / EVENTS_FILE).write_text(text)
    parsed = []
    monkeypatch.setattr(watch, "_parsed", lambda line: parsed.append(line) or json.loads(line))
    with ThreadPoolExecutor(8) as sessions:
        runs = set(sessions.map(lambda _: read_run(folder), range(50)))
    assert len(runs) == 1
    assert len(parsed) == 300


@pytest.mark.parametrize("longer", [0, 1, 400])
def test_events_that_were_replaced_are_read_anew(tmp_path, alive, longer):
    folder = run_folder(tmp_path, "tiny")
    left(tmp_path, *made_up_events(100, seed=3), mark=alive)
    size = (folder / EVENTS_FILE).stat().st_size
    text = json.dumps(event("planned", "tiny", 4, 7)) + "\n" + " " * (size + longer) + "\n"
    os.utime(folder / EVENTS_FILE, (1.0, 1.0))
    (folder / EVENTS_FILE).write_text(text[: size + longer])
    assert (read_run(folder).jobs_done, read_run(folder).jobs) == (4, 7)


def test_of_what_happened_the_last_is_told(tmp_path, alive):
    jobs = [event("finished", f"job {n}", n, 2000, **BASELINE, seconds=1.0) for n in range(2000)]
    run = left(tmp_path, *jobs, mark=alive)
    assert len(run.happenings) == watch.MOST_HAPPENINGS
    assert run.happenings[-1].sentence == "job 1999: finished in 1 s"


def test_lines_that_are_not_whole_are_left_out(tmp_path, alive):
    whole = left(tmp_path, planned(), mark=alive)
    with (run_folder(tmp_path, "tiny") / EVENTS_FILE).open("ab") as file:
        file.write(b'[1]\n\xff\n{"kind": "fini')
    assert read_run(run_folder(tmp_path, "tiny")) == whole


def test_what_is_under_way_comes_first_and_then_the_newest(tmp_path, alive):
    left(tmp_path, event("done", at=50.0), name="older")
    left(tmp_path, event("done", at=60.0), name="newer")
    left(tmp_path, event("planned", at=10.0), name="now", mark=alive)
    assert [run.name for run in find_runs(tmp_path)] == ["now", "newer", "older"]
    assert find_runs(tmp_path / "nowhere") == []


def test_the_log_is_read_from_its_end_in_whole_lines(tmp_path):
    assert read_log(tmp_path) == ""
    text = "".join(f"line {number}\n" for number in range(10_000))
    (tmp_path / LOG_FILE).write_text(text)
    tail = read_log(tmp_path)
    assert tail.endswith("line 9999\n")
    assert text.endswith("\n" + tail)
    assert len(tail) < 20_000
