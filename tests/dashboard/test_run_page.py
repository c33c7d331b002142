# ruff: noqa: E501 - a table of states reads best with a state a line
"""The page Run a study: its form, and what it says of runs that left made-up events."""

import json
import os
import socket
import time
import tomllib

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.running import outlook, plans
from edac_core.locations import PROJECT, READ_ONLY_VARIABLE
from edac_core.studies import launch
from edac_core.studies.journal import EVENTS_FILE, LOG_FILE, PROCESS_FILE, ProcessMark, run_folder
from edac_core.studies.plan import load_plan, parse_plan

GONE = ProcessMark(2**22 + 1, 1.0)
JOB = {"model": "cnn", "kind": "baseline"}


class InThisProcess:
    """Stands for the workers apart."""

    def call(self, function, *arguments, **_limits):
        return function(*arguments)


@pytest.fixture(autouse=True)
def cache(stores, tmp_path, monkeypatch):
    """An empty cache, and no recordings but the synthetic ones."""
    stores(local=tmp_path / "cache")
    monkeypatch.setenv("EDAC_DATA_DIR", str(tmp_path / "no-data"))
    monkeypatch.setattr(outlook, "workers", InThisProcess)
    return tmp_path / "cache"


def open_page(**query):
    test = AppTest.from_file(PROJECT / "app.py", default_timeout=120).switch_page("pages/run.py")
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def text(test):
    kinds = (test.markdown, test.info, test.warning, test.error, test.code)
    return "\n".join(item.value.replace("\\", "") for kind in kinds for item in kind)


def toml(test):
    return tomllib.loads(next(item.value for item in test.code if item.value.startswith("name")))


def event(name, words="", done=0, total=0, **detail):
    return {"at": time.time(), "kind": name, "text": words, "done": done, "total": total,
            "detail": detail}  # fmt: skip


PLANNED = event("planned", "tiny", 1, 4, workers=2, outlook=[{**JOB, "jobs": 3, "seconds": 100.0}])
EPOCH = event("epoch", "cnn baseline, seed 7", 1, 4, **JOB, number=3, epochs=6)

ENDED = "its worker process ended (killed by signal 11: Segmentation fault)"
GIVEN_UP = (
    "its worker process ended three times (killed by signal 11: Segmentation fault): look into the "
    "run's log, or give each worker more memory (fewer --workers on this machine), and run again"
)


@pytest.fixture
def left(cache):
    """Write what a run of a study leaves: left([events], alive=True)."""

    def _left(events, *, alive=False, name="tiny", log="", plan=None):
        folder = run_folder(cache, name)
        folder.mkdir(parents=True, exist_ok=True)
        plan = plan or parse_plan({"name": name, "title": f"A {name} study",
                                   "data": {"dataset": "synthetic"}, "training": {"models": ["cnn"]}})  # fmt: skip
        (folder / "plan.toml").write_text(plan.to_toml())
        (ProcessMark.of(os.getpid()) if alive else GONE).write(folder / PROCESS_FILE)
        (folder / EVENTS_FILE).write_text("".join(json.dumps(each) + "\n" for each in events))
        (folder / LOG_FILE).write_text(log)

    return _left


def test_at_first_the_quick_plan_stands_in_the_form():
    test = open_page()
    assert not test.exception
    assert not test.error
    assert parse_plan(toml(test)) == load_plan(PROJECT / "plans" / "quick.toml")
    assert not test.button(key="start").disabled
    assert "**7 jobs**" in text(test)


@pytest.mark.parametrize("name", plans.ready_made())
def test_a_plan_that_comes_along_is_in_the_form_as_it_is(name):
    test = open_page(plan=name)
    assert not test.exception
    assert parse_plan(toml(test)) == load_plan(PROJECT / "plans" / f"{name}.toml")


def test_choosing_a_plan_fills_the_form():
    test = open_page()
    test.selectbox(key=plans.CHOSEN).set_value("squeeze").run()
    assert toml(test)["training"]["models"] == ["dense_a", "dense_b", "dense_c"]
    assert "URTIC are not on this machine" in text(test)
    assert "edac data download urtic" in text(test)
    assert test.button(key="start").disabled


def test_what_is_typed_is_in_the_plan():
    test = open_page()
    test.text_input(key="plan_sparsities").set_value("55, 99.9 %").run()
    test.text_input(key="plan_seeds").set_value("1, 2").run()
    test.number_input(key="plan_epochs").set_value(None).run()
    found = toml(test)
    assert found["compression"]["sparsities"] == [0.55, 0.999]
    assert found["training"]["seeds"] == [1, 2]
    assert "epochs" not in found["training"]
    assert "**10 jobs**" in text(test)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("plan_name", "a/b", "The name 'a/b' may hold letters"),
        ("plan_sparsities", "50; 90", "Sparsities “50; 90” are not numbers with commas"),
        ("plan_sparsities", "50, 120", "Sparsity 1.2 is not a fraction between 0 and 1"),
        ("plan_seeds", "1.5", "Training seeds “1.5” are not whole numbers"),
        ("plan_split_seeds", "", "split_seeds is empty; list at least one"),
        ("plan_options", "n 240", "Settings of the data set “n 240” cannot be read"),
        ("plan_options", "m = 3", "Data set 'synthetic' has no setting 'm'; it takes: n, seed"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_lost(key, value, sentence):
    test = open_page()
    test.text_input(key="plan_title").set_value("My title").run()
    test.text_input(key=key).set_value(value).run()
    assert not test.exception
    (error,) = test.error
    assert sentence in error.value.replace("\\", "")
    assert test.text_input(key=key).value == value
    assert test.text_input(key="plan_title").value == "My title"
    assert test.button(key="start").disabled


def test_no_network_is_a_mistake_too():
    test = open_page()
    test.button_group(key="plan_models").set_value([]).run()
    assert "models is empty; list at least one" in test.error[0].value


def test_the_form_is_as_it_was_after_another_page():
    test = open_page()
    test.text_input(key="plan_title").set_value("My title").run()
    test.switch_page("app.py").run()
    test.switch_page("pages/run.py").run()
    assert test.text_input(key="plan_title").value == "My title"


def test_another_data_set_takes_other_settings():
    test = open_page()
    test.selectbox(key="plan_dataset").set_value("folder").run()
    assert "options" not in toml(test)["data"]
    assert "Say where the CSV file is" in text(test)
    test.text_input(key="plan_path").set_value("/home/me/mine.csv").run()
    assert toml(test)["data"]["path"] == "/home/me/mine.csv"
    assert not test.button(key="start").disabled


def test_run_study_starts_what_the_form_says(monkeypatch, cache):
    started = []
    monkeypatch.setattr(launch, "start", lambda plan, cache: started.append((plan, cache)))
    test = open_page()
    test.button(key="start").click().run()
    assert started == [(load_plan(PROJECT / "plans" / "quick.toml"), cache)]


@pytest.fixture
def started(monkeypatch):
    """The plans of the runs that the page starts, which are not run."""
    plans = []
    monkeypatch.setattr(launch, "start", lambda plan, **_: plans.append(plan))
    return plans


def test_run_study_starts_what_was_changed_a_moment_before(started):
    """The click can come before the page has drawn the button anew."""
    test = open_page()
    test.segmented_control(key="plan_protocol").set_value("paper")
    test.button(key="start").click().run()
    assert [plan.data.protocol for plan in started] == ["paper"]


def test_a_form_that_a_moment_before_became_impossible_starts_nothing(started):
    test = open_page()
    test.text_input(key="plan_seeds").set_value("one")
    test.button(key="start").click().run()
    assert not test.exception
    assert not started
    assert "“one”" in test.warning[0].value.replace("\\", "")


def test_why_a_run_could_not_be_started_is_said(cache):
    cache.parent.joinpath("cache").touch()
    test = open_page()
    test.button(key="start").click().run()
    assert not test.exception
    assert "cannot be written" in test.warning[0].value.replace("\\", "")


@pytest.mark.parametrize(
    ("events", "alive", "words", "buttons"),
    [
        ([], True, ["Starting", "libraries are being loaded"], {"stop"}),
        ([event("preparing", "mfcc features", 16, 42)], True, ["Preparing", "16 of 42 recordings"], {"stop"}),
        ([PLANNED, EPOCH], True, ["Running", "1 of 4 jobs finished, about 2 min left"], {"stop"}),
        ([PLANNED, event("measuring", "latency", 3, 12)], True, ["Measuring", "3 of 12 variants"], {"stop"}),
        ([PLANNED, EPOCH], False, ["Ended without finishing", "at 1 of 4 jobs", "resume"], {"resume"}),
        ([PLANNED, event("stopped")], False, ["Stopped at 1 of 4 jobs", "Finished jobs are kept"], {"resume"}),
        ([event("refused", "No coughs: get some.")], False, ["Could not run", "No coughs: get some."], {"resume"}),
        ([PLANNED, event("broken", "OSError: no")], False, ["Failed", "OSError: no"], {"resume"}),
        ([PLANNED, event("done", "tiny", 4, 4)], False, ["Done", "4 of 4 jobs are finished, 3 of them in this run"], set()),
        ([PLANNED, event("retrying", "cnn 50 %", 1, 4, **JOB, reason=ENDED), event("failed", "cnn 50 %", 1, 4, **JOB, reason=GIVEN_UP), event("done", "tiny", 3, 4)], False,
         ["1 failed", f"cnn 50 %: {GIVEN_UP}", f"cnn 50 %: tried again, as {ENDED}"], {"resume"}),
        ([PLANNED, event("failed", "cnn 50 %", 3, 4, **JOB, reason="no luck"), event("done", "tiny", 3, 4)], False,
         ["Done, with failures", "3 of 4 jobs are finished, 2 of them in this run; 1 failed", "cnn 50 %: no luck"], {"resume"}),
    ],
)  # fmt: skip
def test_every_state_says_what_and_how_far_and_offers_what_can_be_done(
    left, events, alive, words, buttons
):
    left(events, alive=alive)
    test = open_page()
    assert not test.exception
    for each in ["A tiny study", *words]:
        assert each in text(test)
    assert {button.key for button in test.button} & {"stop", "resume"} == buttons
    assert test.button(key="start").disabled == alive


@pytest.mark.parametrize("events", [[], [PLANNED, EPOCH], [PLANNED, event("stopped")]])
def test_a_visitor_who_may_only_look_is_not_told_to_resume(left, events, monkeypatch):
    monkeypatch.setenv(READ_ONLY_VARIABLE, "1")
    left(events)
    test = open_page()
    assert not test.exception
    assert "A tiny study" in text(test)
    assert "resume" not in text(test).lower()


def test_while_a_run_is_under_way_it_says_why_there_is_no_second(left):
    left([PLANNED, EPOCH], alive=True)
    assert "The study “tiny” is running: stop it, or wait" in text(open_page())


def test_who_runs_is_said(left):
    left([PLANNED, EPOCH], alive=True)
    words = text(open_page())
    assert f"It is process {os.getpid()} on {socket.gethostname()}, since 20" in words


def test_a_run_that_somebody_began_meanwhile_is_watched_if_it_is_the_same(left, cache):
    test = open_page()
    left([PLANNED, EPOCH], alive=True, name="quick", plan=load_plan(PROJECT / "plans/quick.toml"))
    test.button(key="start").click().run()
    assert not test.exception
    assert not test.warning
    assert "1 of 4 jobs finished" in text(test)


def test_another_run_than_one_that_somebody_began_meanwhile_is_refused_with_who_runs(left):
    test = open_page()
    left([PLANNED, EPOCH], alive=True)
    test.button(key="start").click().run()
    assert not test.exception
    said = test.warning[0].value.replace("\\", "")
    assert f"the study 'tiny' is running (process {os.getpid()}): stop it, or wait" in said
    assert said.startswith(f"On {socket.gethostname()}, since 20")


def test_a_run_that_ended_before_its_first_step_says_where_to_look(left):
    left([], log="ImportError: no such library")
    words = text(open_page())
    assert "ended before its first step. What the libraries wrote, below, may say why" in words
    assert "ImportError: no such library" in words


def test_a_damaged_plan_is_a_sentence_when_it_is_resumed(left, cache):
    left([PLANNED, EPOCH])
    test = open_page()
    (run_folder(cache, "tiny") / "plan.toml").write_text("name = [")
    test.button(key="resume").click().run()
    assert not test.exception
    assert "is not valid TOML" in test.warning[0].value.replace("\\", "")


def test_what_happened_and_the_log_can_be_read(left):
    left([PLANNED, event("stopped")], log="a library's chatter")
    words = text(open_page())
    assert "4 jobs, 1 of them finished before" in words
    assert "a library's chatter" in words


def test_of_several_runs_that_under_way_is_shown_and_others_can_be(left):
    left([PLANNED, event("done", "older", 4, 4)], name="older")
    left([PLANNED, EPOCH], alive=True)
    test = open_page()
    assert "A tiny study" in text(test)
    test.selectbox(key="run_shown").set_value("older").run()
    assert "A older study" in text(test)
    assert test.button(key="start").disabled


def test_stop_and_resume_are_of_the_run_shown(left, monkeypatch, cache):
    asked = []
    monkeypatch.setattr(launch, "stop", lambda name, **_: asked.append(("stop", name)))
    monkeypatch.setattr(launch, "resume", lambda name, **_: asked.append(("resume", name)))
    left([PLANNED, EPOCH], alive=True)
    test = open_page()
    test.button(key="stop").click().run()
    left([PLANNED, EPOCH])
    test.run()
    test.button(key="resume").click().run()
    assert asked == [("stop", "tiny"), ("resume", "tiny")]


def test_a_study_of_the_same_name_and_another_plan_is_told(build, cache):
    build(cache, name="quick")
    test = open_page()
    assert "There is a study “quick” here with another plan" in text(test)
    test.text_input(key="plan_name").set_value("mine").run()
    assert "with another plan" not in text(test)


def test_a_finished_study_opens_in_trade_offs(build, left, cache):
    build(cache, name="tiny")
    left([PLANNED, event("done", "tiny", 4, 4)])
    test = open_page()
    links = [item.proto for item in test.get("page_link")]
    (link,) = [link for link in links if link.label == "Open in Trade-offs"]
    assert "study=tiny" in link.query_string
