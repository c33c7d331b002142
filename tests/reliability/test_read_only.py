"""A server whose visitors may look and start nothing."""

import json
import os
import time

import pytest
from streamlit.testing.v1 import AppTest

from edac_core.errors import StoreError
from edac_core.locations import CACHE_VARIABLE, PROJECT, READ_ONLY_VARIABLE, read_only
from edac_core.studies import launch
from edac_core.studies.journal import EVENTS_FILE, PLAN_FILE, PROCESS_FILE, ProcessMark, run_folder
from edac_core.studies.plan import parse_plan

PLAN = parse_plan(
    {
        "name": "tiny",
        "title": "Tiny",
        "data": {"dataset": "synthetic"},
        "training": {"models": ["cnn"]},
    }
)
BEGUN = {"kind": "planned", "text": "tiny", "done": 1, "total": 4, "detail": {"workers": 2}}
GONE = ProcessMark(2**22 + 1, 1.0)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv(READ_ONLY_VARIABLE, "1")
    return tmp_path / "cache"


@pytest.fixture
def left(cache):
    """Write what a run leaves, one that goes on in this process or one that is gone."""

    def _left(*, alive):
        folder = run_folder(cache, "tiny")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PLAN_FILE).write_text(PLAN.to_toml())
        (folder / EVENTS_FILE).write_text(json.dumps(BEGUN | {"at": time.time()}) + "\n")
        (ProcessMark.of(os.getpid()) if alive else GONE).write(folder / PROCESS_FILE)
        return folder

    return _left


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("yes", True), ("0", False), ("", False), (None, False)]
)
def test_it_is_an_environment_variable(monkeypatch, value, expected):
    monkeypatch.delenv(READ_ONLY_VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(READ_ONLY_VARIABLE, value)
    assert read_only() is expected


def test_nothing_is_started_resumed_or_stopped(cache, left):
    folder = left(alive=True)
    before = sorted(path.name for path in folder.iterdir())
    for asked in (
        lambda: launch.start(PLAN, cache=cache),
        lambda: launch.resume("tiny", cache=cache),
        lambda: launch.stop("tiny", cache=cache),
    ):
        with pytest.raises(StoreError, match=r"neither started nor stopped here \(EDAC_READ_ONLY"):
            asked()
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize("alive", [True, False])
def test_the_page_shows_runs_and_says_that_they_can_only_be_watched(cache, left, alive):
    left(alive=alive)
    test = AppTest.from_file(PROJECT / "app.py", default_timeout=180).run()
    test.switch_page("pages/run.py").run()
    assert not test.exception
    assert "watched only" in test.info[-1].value
    assert {button.key for button in test.button} & {"start", "stop", "resume"} == set()
    # No path of the server is asked for either.
    assert [field.key for field in test.text_input] == []
    assert any("Tiny" in item.value for item in test.markdown)
