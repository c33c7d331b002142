import io
import json
import os
from dataclasses import dataclass, field

import pytest

from edac_core.errors import StoreError
from edac_core.progress import libraries_write_to, reporter


@dataclass(frozen=True)
class Event:
    kind: str
    text: str = "cnn"
    done: int = 1
    total: int = 4
    detail: dict = field(default_factory=dict)


EVENTS = [
    Event("preparing", "features"),
    Event("planned", total=4),
    Event("epoch", detail={"number": 1, "epochs": 10}),
    Event("retrying", detail={"reason": "its worker process ended (exit status 3)"}),
    Event("finished", detail={"seconds": 61.4}),
    Event("failed", detail={"reason": "it broke"}),
    Event("measuring"),
    Event("done", total=4),
]


def shown(**options):
    screen = io.StringIO()
    with reporter(screen=screen, **options) as listener:
        for event in EVENTS:
            listener(event)
    return screen.getvalue()


def test_people_read_what_was_done_and_what_failed():
    text = shown(quiet=False, as_json=False)
    assert "4 jobs, 1 of them known already" in text
    assert "cnn: tried again, as its worker process ended (exit status 3)" in text
    assert "cnn: 61 s" in text
    assert "cnn: failed, it broke" in text
    assert "1 of 4 jobs finished" in text


def test_quiet_shows_nothing(capfd):
    assert shown(quiet=True, as_json=False) == ""
    assert capfd.readouterr() == ("", "")


def test_json_is_an_event_a_line(capfd):
    assert shown(quiet=False, as_json=True) == ""
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["kind"] for line in lines] == [event.kind for event in EVENTS]


def test_libraries_write_to_a_file_and_people_see_the_screen(tmp_path, capfd):
    log = tmp_path / "new" / "run.log"
    with libraries_write_to(log) as screen:
        os.write(2, b"chatter\n")
        print("to people", file=screen)
    os.write(2, b"after\n")
    assert log.read_bytes() == b"chatter\n"
    assert capfd.readouterr().err == "to people\nafter\n"


def test_a_log_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(StoreError, match=r"run.log cannot be written \(.*\): choose another"),
        libraries_write_to(tmp_path / "file" / "run.log"),
    ):
        pass
