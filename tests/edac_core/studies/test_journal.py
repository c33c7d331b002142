import json
import os
import subprocess
import sys

import psutil
import pytest

from edac_core.errors import DataError, StoreError
from edac_core.studies.journal import (
    EVENTS_FILE,
    PLAN_FILE,
    PROCESS_FILE,
    Event,
    ProcessMark,
    journal,
    only_writer,
    run_folder,
)
from edac_core.studies.plan import load_plan, parse_plan

PLAN = parse_plan(
    {
        "name": "tiny",
        "title": "Tiny",
        "data": {"dataset": "synthetic"},
        "training": {"models": ["cnn"]},
    }
)


def lines(cache):
    text = (run_folder(cache, "tiny") / EVENTS_FILE).read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_journal_holds_plan_process_and_events(tmp_path):
    with journal(tmp_path, PLAN) as record:
        record(Event("planned", "tiny", 1, 3, {"workers": 2}))
        folder = run_folder(tmp_path, "tiny")
        assert load_plan(folder / PLAN_FILE) == PLAN
        assert ProcessMark.read(folder / PROCESS_FILE).process().pid == os.getpid()
    (event,) = lines(tmp_path)
    assert event.pop("at") > 1.7e9
    assert event == {"kind": "planned", "text": "tiny", "done": 1, "total": 3,
                     "detail": {"workers": 2}}  # fmt: skip


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (DataError("No coughs: get some."), "refused", "No coughs: get some."),
        (KeyboardInterrupt(), "stopped", "stopped"),
        (ZeroDivisionError("by 0"), "broken", "ZeroDivisionError: by 0"),
    ],
)
def test_how_a_run_ended_is_its_last_event(tmp_path, error, kind, text):
    with pytest.raises(type(error)), journal(tmp_path, PLAN):
        raise error
    assert (lines(tmp_path)[-1]["kind"], lines(tmp_path)[-1]["text"]) == (kind, text)


def test_of_fast_steps_some_are_kept_and_the_last(tmp_path):
    with journal(tmp_path, PLAN) as record:
        for done in range(1, 1001):
            record(Event("preparing", "features", done, 1000))
    kept = [event["done"] for event in lines(tmp_path)]
    assert kept[0] == 1
    assert kept[-1] == 1000
    assert len(kept) < 100


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "runs").touch()
    with (
        pytest.raises(StoreError, match=r"cannot be written \(.*\): choose another"),
        journal(tmp_path, PLAN),
    ):
        pass


def test_a_mark_is_not_that_of_a_later_process_of_the_same_number(tmp_path):
    mark = ProcessMark.of(os.getpid())
    assert mark.process().pid == os.getpid()
    assert ProcessMark(mark.pid, mark.created - 60).process() is None
    assert not mark.is_same(None)


def test_a_process_that_nobody_has_asked_about_has_ended():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    mark = ProcessMark.of(child.pid)
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert mark.process() is None
    child.wait()
    assert mark.process() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "created": 1}'])
def test_a_damaged_mark_is_none(tmp_path, text):
    path = tmp_path / "process.json"
    path.write_text(text)
    assert ProcessMark.read(path) is None


def test_two_do_not_hold_the_lock(tmp_path):
    with (
        only_writer(tmp_path),
        pytest.raises(StoreError, match=rf"Another run \(process {os.getpid()}\) is writing to"),
        only_writer(tmp_path),
    ):
        pass
