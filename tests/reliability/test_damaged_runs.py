"""What a run leaves may be damaged, cut short or gone: whoever looks at it is told, and goes on."""

import errno
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys

import at_once
import pytest
from streamlit.testing.v1 import AppTest

from edac_core import locations
from edac_core.cli import main
from edac_core.errors import EdacError, StoreError
from edac_core.locations import PROJECT
from edac_core.studies import launch
from edac_core.studies.journal import (
    EVENTS_FILE,
    LOG_FILE,
    PLAN_FILE,
    PROCESS_FILE,
    STOP_FILE,
    Event,
    journal,
    only_writer,
    run_folder,
)
from edac_core.studies.processes import ProcessMark
from edac_core.studies.watch import ACTIVE, find_runs, read_log, read_run

PLAN = at_once.PLAN
GONE = ProcessMark(2**22 + 1, 1.0)
JOB = {"model": "cnn", "kind": "baseline"}
EVENTS = (
    Event("preparing", "mfcc features", 16, 42),
    Event("planned", "tiny", 1, 3, {"workers": 2, "outlook": [{**JOB, "jobs": 2, "seconds": 9.0}]}),
    Event("started", "cnn, seed 1", 1, 3, {**JOB, "epochs": 4}),
    Event("epoch", "cnn, seed 1", 1, 3, {**JOB, "epochs": 4, "number": 2}),
    Event("finished", "cnn, seed 1", 2, 3, {**JOB, "seconds": 8.5}),
    Event("failed", "cnn, seed 2", 2, 3, {**JOB, "reason": "no luck"}),
)
FILES = (PLAN_FILE, PROCESS_FILE, STOP_FILE, EVENTS_FILE, LOG_FILE)


def emptied(path):
    path.write_bytes(b"")


def cut(share):
    def _cut(path):
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return _cut


def flipped(path):
    """Every eleventh bit, so that names, digits and punctuation are hit."""
    content = bytearray(path.read_bytes())
    for at in range(3, len(content) * 8, 11 * 8 + 1):
        content[at // 8] ^= 1 << at % 8
    path.write_bytes(bytes(content))


def removed(path):
    path.unlink()


def a_folder(path):
    path.unlink()
    path.mkdir()


def a_link_to_nowhere(path):
    path.unlink()
    path.symlink_to(path.parent / "nowhere" / "at all")


def values_of_other_types(path):
    path.write_text(
        '{"kind": "planned", "done": [], "total": {}, "detail": 3, "pid": [], "at": 1e999}\n'
    )


DAMAGES = {
    "emptied": emptied,
    "cut-at-a-tenth": cut(0.1),
    "cut-in-the-middle": cut(0.5),
    "cut-near-the-end": cut(0.97),
    "flipped": flipped,
    "removed": removed,
    "a-folder": a_folder,
    "a-link-to-nowhere": a_link_to_nowhere,
    "other-types": values_of_other_types,
}


def leave_run(cache, name):
    """Leave what a run that was killed after it was asked to stop left."""
    folder = run_folder(cache, name)
    folder.mkdir(parents=True)
    (folder / PLAN_FILE).write_text(PLAN.to_toml().replace('"tiny"', f'"{name}"'))
    (folder / EVENTS_FILE).write_text("".join(at_once.line(event) for event in EVENTS))
    (folder / LOG_FILE).write_text("a library's chatter\n" * 20)
    GONE.write(folder / PROCESS_FILE)
    GONE.write(folder / STOP_FILE)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache whose runs end before they begin."""
    monkeypatch.setenv(locations.CACHE_VARIABLE, str(tmp_path))
    for module in ("locations", "cli.common", "cli.upkeep"):
        monkeypatch.setattr(f"edac_core.{module}.SHIPPED", tmp_path / "no-shipped")
    monkeypatch.setattr(launch, "_command", lambda *_: ["true"])
    return tmp_path


def told(action, *arguments, **options):
    """Do something, or be told in a sentence why not."""
    try:
        return action(*arguments, **options)
    except EdacError:
        return None


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_run_is_read_stopped_resumed_and_gone_on_with(cache, capsys, file, damage):
    folder = leave_run(cache, "tiny")
    DAMAGES[damage](folder / file)
    (run,) = find_runs(cache)
    assert run.phase in {"died", "stopped"}
    assert read_run(folder) == run
    read_log(folder)
    assert told(launch.stop, "tiny", cache=cache) in {False, None}
    assert main(["status", "--cache", str(cache)]) == 0
    assert "No studies yet" in capsys.readouterr().out
    told(launch.resume, "tiny", cache=cache)
    told(keep_journal, cache)
    assert all(run.phase not in ACTIVE for run in find_runs(cache))


def keep_journal(cache):
    """Go on with a study; where a folder lies in the way of its journal, that is a sentence."""
    with only_writer(cache), journal(cache, PLAN) as record:
        record(Event("done", "tiny", 3, 3))
    assert [(run.phase, run.jobs_done) for run in find_runs(cache)] == [("done", 3)]


def test_what_is_not_damaged_is_still_read(cache):
    """Or the tests above would hold for a reader that reads nothing."""
    folder = leave_run(cache, "tiny")
    (run,) = find_runs(cache)
    assert (run.phase, run.jobs_done, run.failures) == ("stopped", 2, (("cnn, seed 2", "no luck"),))
    flipped(folder / EVENTS_FILE)
    cut(0.9)(folder / STOP_FILE)
    assert read_run(folder).phase == "died"


def test_the_page_shows_damaged_runs(cache, monkeypatch):
    monkeypatch.setenv("EDAC_DATA_DIR", str(cache / "no-data"))
    monkeypatch.setattr("dashboard.frame.start_early", lambda: None)
    for file, damage in itertools.product(FILES, DAMAGES):
        folder = leave_run(cache, f"{file.partition('.')[0]}-{damage}")
        DAMAGES[damage](folder / file)
    test = AppTest.from_file(PROJECT / "app.py", default_timeout=120).run()
    test.switch_page("pages/run.py").run()
    names = [run.name for run in find_runs(cache)]
    assert len(names) == len(FILES) * len(DAMAGES)
    for name in names:
        test.selectbox(key="run_shown").set_value(name).run()
        assert not test.exception, name
        assert test.button(key="resume")


@pytest.mark.parametrize("what", ["keep_journal", "launch_nothing"])
def test_who_is_killed_at_any_step_leaves_the_run_before_or_the_new_one(tmp_path, what):
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, at_once.__file__, what, "0", str(tmp_path)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    before, died = ["done", 2], ["died", 0]
    new = {"keep_journal": [["died", 3], ["done", 3]], "launch_nothing": []}[what]
    assert len(seen) > 8
    assert seen[0][0] == [before]
    for found, _ in seen:
        assert found in [[state] for state in (before, died, *new)]
    last = {"keep_journal": ["done", 3], "launch_nothing": died}[what]
    assert all(again == [last] for _, again in seen)


@pytest.fixture
def full_disk():
    """Return a function that lets files grow to so many bytes only, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_run_goes_on_without_its_journal_and_makes_good_for_it_when_there_is_space(
    tmp_path, full_disk, caplog
):
    finished = [Event("finished", f"job {n}", n, 50, {**JOB, "seconds": 1.0}) for n in range(1, 51)]
    with journal(tmp_path, PLAN) as record:
        record(Event("planned", "tiny", 0, 50, {"workers": 1}))
        full_disk(3000)
        for event in finished:
            record(Event("epoch", event.text, event.done, 50, {**JOB, "number": 1, "epochs": 1}))
            record(event)
        during = read_run(run_folder(tmp_path, "tiny"))
        assert during.phase == "running"
        assert 0 < during.jobs_done < 50
        full_disk(resource.RLIM_INFINITY)
        record(Event("done", "tiny", 50, 50))
    run = read_run(run_folder(tmp_path, "tiny"))
    assert (run.phase, run.jobs_done) == ("done", 50)
    told = [happening for happening in run.happenings if happening.kind == "finished"]
    assert [each.sentence.partition(":")[0] for each in told] == [each.text for each in finished]
    assert caplog.text.count("The run goes on, but its journal") == 1


def test_a_run_ends_as_it_ends_when_its_journal_cannot_be_written(tmp_path, full_disk):
    def run():
        with journal(tmp_path, PLAN):
            full_disk(0)
            raise StoreError("no luck")

    with pytest.raises(StoreError, match="no luck"):
        run()
    full_disk(resource.RLIM_INFINITY)
    assert read_run(run_folder(tmp_path, "tiny")).phase == "starting"


def test_a_run_is_stopped_on_a_full_disk_too(cache, monkeypatch):
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    folder = leave_run(cache, "tiny")
    ProcessMark.of(child.pid).write(folder / PROCESS_FILE)

    def refuse(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ProcessMark, "write", refuse)
    assert launch.stop("tiny", cache=cache)
    assert child.wait(10) < 0


def test_a_run_that_cannot_be_noted_is_not_left_running(cache, monkeypatch):
    leave_run(cache, "tiny")
    monkeypatch.setattr(launch, "_command", lambda *_: ["sleep", "60"])
    started = []

    def refuse(mark, _path):
        started.append(mark.process())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ProcessMark, "write", refuse)
    with pytest.raises(StoreError, match=r"cannot be written \(No space left on device\)"):
        launch.resume("tiny", cache=cache)
    started[0].wait(10)


@pytest.mark.parametrize("kind", [a_folder, a_link_to_nowhere])
def test_a_lock_that_cannot_be_had_is_one_sentence(tmp_path, kind):
    (tmp_path / "run.lock").touch()
    kind(tmp_path / "run.lock")
    with (
        pytest.raises(StoreError, match=r"cannot be used \(.*\): remove it"),
        only_writer(tmp_path),
    ):
        pass


def test_a_journal_whose_folder_is_gone_is_no_reason_to_end(tmp_path):
    with journal(tmp_path, PLAN) as record:
        shutil.rmtree(run_folder(tmp_path, "tiny"))
        record(Event("done", "tiny", 3, 3))
    assert find_runs(tmp_path) == []
