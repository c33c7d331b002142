"""Many who want the same run: one runs, and the others know who does, to its end."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import at_once
import psutil
import pytest
import stub_run

from dashboard.running import runs
from edac_core import locations
from edac_core.cli.common import termination_interrupts
from edac_core.errors import StoreError
from edac_core.studies import journal as journal_module
from edac_core.studies import launch, processes
from edac_core.studies.journal import (
    EVENTS_FILE,
    LOCK_FILE,
    PROCESS_FILE,
    STOP_FILE,
    Event,
    journal,
    only_writer,
    run_folder,
)
from edac_core.studies.processes import STALE_SECONDS, ProcessMark
from edac_core.studies.watch import find_runs, read_run

MANY = 20
PLAN = at_once.PLAN
ELSEWHERE = ProcessMark(os.getpid(), psutil.Process().create_time(), "far-away", "another machine")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache whose runs are stubs, which are ended."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv(locations.CACHE_VARIABLE, str(folder))
    monkeypatch.setattr(launch, "_command", at_once.stub_command)
    yield folder
    (folder / stub_run.END).touch()
    for pid in made(folder):
        wait_until(lambda pid=pid: not psutil.pid_exists(pid) or has_ended(pid))


def events_of(folder):
    return [json.loads(line) for line in (folder / EVENTS_FILE).read_text().splitlines()]


def kinds_of(folder):
    return [event["kind"] for event in events_of(folder)]


def has_ended(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def made(cache):
    """Numbers of the run processes that were made."""
    path = cache / stub_run.MADE
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def wait_until(check, *, seconds=120):
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def at_the_same_instant(what, cache, *, count=MANY):
    command = [sys.executable, at_once.__file__, what, str(count), str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def tiny(cache):
    return read_run(run_folder(cache, "tiny"))


def left_by(mark, cache, *, events=(), age=0.0):
    """Leave what a run of a process that is marked so leaves, the last time so long ago."""
    folder = run_folder(cache, "tiny")
    folder.mkdir(parents=True, exist_ok=True)
    mark.write(folder / PROCESS_FILE)
    os.utime(folder / PROCESS_FILE, (time.time() - age,) * 2)
    (folder / EVENTS_FILE).write_text("".join(json.dumps(each) + "\n" for each in events))
    return folder


def test_twenty_processes_that_start_a_plan_at_once_start_one_run(cache):
    said = at_the_same_instant("start", cache)
    (pid,) = [answer for answer in said if isinstance(answer, int)]
    sentences = [answer for answer in said if answer != pid]
    assert len(sentences) == MANY - 1
    for sentence in sentences:
        assert re.fullmatch(
            rf"On \S+, since \d{{4}}-\d\d-\d\d \d\d:\d\d UTC, the study 'tiny' is running "
            rf"\(process {pid}\): stop it, or wait until it is done\.",
            sentence,
        )
    wait_until(lambda: tiny(cache).phase == "running")
    assert made(cache) == [pid] == [tiny(cache).process]
    (cache / stub_run.END).touch()
    wait_until(lambda: not tiny(cache).active)
    assert (tiny(cache).phase, tiny(cache).jobs_done) == ("done", 1)


def test_twenty_command_lines_that_run_a_plan_at_once_run_it_once(cache):
    (cache / "plan.toml").write_text(PLAN.to_toml())
    ending = threading.Thread(target=end_when_others_have_been_refused, args=(cache,))
    ending.start()
    said = at_the_same_instant("run", cache)
    ending.join()
    assert sorted(status for status, _ in said) == [0] + [2] * (MANY - 1)
    for status, sentence in said:
        wanted = (
            r"edac: Another run \(process \d+\) is writing to \S+ on \S+, since .* UTC: wait for "
            r"it, or choose another --cache folder\.\n"
        )
        assert re.fullmatch(wanted if status else "", sentence)
    assert (tiny(cache).phase, tiny(cache).jobs_done) == ("done", 1)


def end_when_others_have_been_refused(cache):
    """Let the one run go on until the others have met it."""
    refused = cache / at_once.REFUSED
    try:
        wait_until(
            lambda: refused.exists() and len(refused.read_text().split()) == MANY - 1, seconds=400
        )
    finally:
        (cache / stub_run.END).touch()


class Sessions(threading.local):
    """A session's state for each thread."""

    def __init__(self):
        self.state = {}

    def __setitem__(self, key, value):
        self.state[key] = value


def pressed_at_once(press, monkeypatch):
    """Let twenty threads press a button of the page; return what each has in its session."""
    sessions, barrier, states = Sessions(), threading.Barrier(MANY), []
    monkeypatch.setattr(runs.st, "session_state", sessions)

    def visit():
        barrier.wait()
        press()
        states.append(sessions.state)

    threads = [threading.Thread(target=visit) for _ in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return states


def test_twenty_sessions_that_press_run_study_at_once_watch_one_run(cache, monkeypatch):
    states = pressed_at_once(lambda: runs.begin_run(lambda: PLAN), monkeypatch)
    assert states == [{runs.SHOWN: "tiny"}] * MANY
    wait_until(lambda: tiny(cache).phase == "running")
    assert len(made(cache)) == 1

    another = replace(PLAN, name="another", title="Another")
    states = pressed_at_once(lambda: runs.begin_run(lambda: another), monkeypatch)
    sentence = rf"On \S+, since .*, the study 'tiny' is running \(process {made(cache)[0]}\)"
    assert len(states) == MANY
    assert all(re.match(sentence, state[runs._PROBLEM]) for state in states)
    assert len(made(cache)) == 1


def test_twenty_sessions_that_resume_a_run_at_once_watch_one(cache, monkeypatch):
    left_by(ProcessMark(2**22 + 1, 1.0), cache)
    (run_folder(cache, "tiny") / "plan.toml").write_text(PLAN.to_toml())
    assert pressed_at_once(lambda: runs._resume("tiny"), monkeypatch) == [{}] * MANY
    wait_until(lambda: tiny(cache).phase == "running")
    assert len(made(cache)) == 1


def test_another_plan_of_the_same_name_is_not_the_one_that_runs(cache):
    launch.start(PLAN, cache=cache)
    assert launch.is_under_way(PLAN, cache=cache)
    assert not launch.is_under_way(replace(PLAN, latency_calls=3), cache=cache)


def test_twenty_who_find_a_run_dead_at_once_see_one_ending(cache):
    pid = launch.start(PLAN, cache=cache)
    wait_until(lambda: tiny(cache).phase == "running")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: has_ended(pid))
    said = at_the_same_instant("look", cache)
    events = events_of(run_folder(cache, "tiny"))
    assert [event["kind"] for event in events] == ["planned", "died"]
    # Who came while another wrote the ending down knew it from the system.
    assert {phase for phase, _ in said} == {"died"}
    assert (tiny(cache).phase, tiny(cache).ended) == ("died", events[-1]["at"])


def test_a_run_that_was_asked_to_stop_and_killed_has_stopped(cache):
    gone = ProcessMark(2**22 + 1, 1.0)
    folder = left_by(gone, cache, events=[{"kind": "planned", "done": 0, "total": 1, "detail": {}}])
    gone.write(folder / STOP_FILE)
    assert tiny(cache).phase == "stopped"
    assert kinds_of(folder) == ["planned", "stopped"]


def test_an_ending_is_written_on_a_line_of_its_own(cache):
    folder = left_by(ProcessMark(2**22 + 1, 1.0), cache)
    (folder / EVENTS_FILE).write_text(
        '{"kind": "planned", "done": 1, "total": 2, "detail": {}}\n{"ki'
    )
    assert (tiny(cache).phase, tiny(cache).jobs) == ("died", 2)
    _, torn, died = (folder / EVENTS_FILE).read_text().splitlines()
    assert (torn, json.loads(died)["kind"]) == ('{"ki', "died")


def test_a_viewer_who_may_not_write_sees_the_same(cache, monkeypatch):
    folder = left_by(ProcessMark(2**22 + 1, 1.0), cache, events=[{"kind": "epoch"}])

    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("edac_core.studies.watch.locked", refuse)
    assert tiny(cache).phase == "died"
    assert kinds_of(folder) == ["epoch"]


def test_a_process_that_took_over_a_dead_runs_number_is_not_that_run(cache):
    own = ProcessMark.of(os.getpid())
    left_by(replace(own, created=own.created - 60), cache)
    assert tiny(cache).phase == "died"
    left_by(own, cache)
    assert tiny(cache).phase == "starting"


def test_a_number_of_another_machine_is_not_looked_for_on_this_one(cache):
    """Its own process lives here under that number, and says nothing of the other's."""
    left_by(ELSEWHERE, cache, age=STALE_SECONDS + 5)
    assert tiny(cache).phase == "died"
    left_by(replace(ELSEWHERE, pid=2**22 + 1), cache)
    assert (tiny(cache).phase, tiny(cache).process) == ("starting", 2**22 + 1)
    assert "far-away" in tiny(cache).where


def test_how_old_a_sign_of_life_is_does_not_depend_on_this_machines_clock(cache, monkeypatch):
    path = left_by(ELSEWHERE, cache) / PROCESS_FILE
    monkeypatch.setattr(processes.time, "time", lambda: path.stat().st_mtime + 3600)
    assert ELSEWHERE.is_alive(path)


def test_a_run_of_another_machine_is_not_joined_by_a_second(cache):
    left_by(ELSEWHERE, cache)
    with pytest.raises(StoreError, match=r"^On far-away, since .* the study 'tiny' is running"):
        launch.start(replace(PLAN, name="another"), cache=cache)
    assert made(cache) == []


def test_a_writer_of_another_machine_is_believed_for_as_long_as_it_says_so(cache):
    """As where machines share a folder, but not its locks."""
    lock = cache / LOCK_FILE
    ELSEWHERE.write(lock)
    with (
        pytest.raises(StoreError, match=r"is writing to \S+ on far-away, since"),
        only_writer(cache),
    ):
        pass
    os.utime(lock, (time.time() - STALE_SECONDS - 5,) * 2)
    with only_writer(cache):
        assert ProcessMark.read(lock) == ProcessMark.of(os.getpid())
    assert lock.read_text() == ""


def test_a_run_of_another_machine_is_asked_to_stop_and_nothing_here_is_ended(cache):
    child = subprocess.Popen(["sleep", "60"])
    mark = replace(ProcessMark.of(child.pid), system="another machine")
    folder = left_by(mark, cache)
    assert launch.stop("tiny", cache=cache)
    assert mark.is_same(ProcessMark.read(folder / STOP_FILE))
    assert child.poll() is None
    assert tiny(cache).phase == "stopping"
    child.kill()
    child.wait()


@pytest.fixture
def quick_beats(monkeypatch):
    monkeypatch.setattr(processes, "BEAT_SECONDS", 0.02)


@pytest.fixture
def interrupted(monkeypatch):
    """Tells when a run would interrupt itself, in place of interrupting the tests."""
    event = threading.Event()
    monkeypatch.setattr(journal_module, "_interrupt", event.set)
    return event


def test_a_run_says_that_it_lives_and_mends_what_says_so(cache, quick_beats):
    with journal(cache, PLAN):
        path = run_folder(cache, "tiny") / PROCESS_FILE
        os.utime(path, (1.0, 1.0))
        wait_until(lambda: path.stat().st_mtime > 1.7e9)
        path.write_text("{")
        wait_until(lambda: ProcessMark.read(path) == ProcessMark.of(os.getpid()))
        path.unlink()
        wait_until(path.exists)


def test_a_run_ends_itself_when_it_was_asked_to_and_nobody_saw_to_it(
    cache, quick_beats, interrupted
):
    with journal(cache, PLAN):
        ProcessMark(2**22 + 1, 1.0).write(run_folder(cache, "tiny") / STOP_FILE)
        assert not interrupted.wait(0.2)
        ProcessMark.of(os.getpid()).write(run_folder(cache, "tiny") / STOP_FILE)
        assert interrupted.wait(60)


def test_a_run_that_was_taken_for_dead_leaves_its_place_to_the_one_that_has_it(
    cache, quick_beats, interrupted
):
    with journal(cache, PLAN):
        path = run_folder(cache, "tiny") / PROCESS_FILE
        ELSEWHERE.write(path)
        assert interrupted.wait(60)
    assert ProcessMark.read(path) == ELSEWHERE


def test_an_interrupt_ends_the_main_thread_and_the_journal_says_so(cache):
    def run():
        with journal(cache, PLAN):
            threading.Timer(0.05, journal_module._interrupt).start()
            time.sleep(60)

    with termination_interrupts(), pytest.raises(KeyboardInterrupt):
        run()
    assert tiny(cache).phase == "stopped"


def test_the_events_of_the_run_before_are_not_those_of_one_that_starts(cache):
    with journal(cache, PLAN) as record:
        record(Event("done", "tiny", 5, 5))
    launch.start(PLAN, cache=cache)
    assert tiny(cache).phase in {"starting", "running"}
    assert [run.jobs_done for run in find_runs(cache)] == [0]
