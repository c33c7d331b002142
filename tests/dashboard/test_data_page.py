import json
import time
from pathlib import Path

import pytest
import streamlit as st
from faulty import COUNTS, write_faulty
from streamlit.testing.v1 import AppTest

from dashboard.auditing import audits, catalogue

APP = Path(__file__).parents[2] / "app.py"


@pytest.fixture
def data_root(stores, made_up, monkeypatch, tmp_path):
    """An empty folder of data sets, an empty cache, and a study of covid19-cough."""
    root = tmp_path / "data"
    root.mkdir()
    monkeypatch.setenv("EDAC_DATA_DIR", str(root))
    stores(shipped=made_up, local=tmp_path / "local")
    return root


def open_page(**query):
    test = AppTest.from_file(APP, default_timeout=120).switch_page("pages/data.py")
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def finished(test):
    """Run the page again until its audit is over."""
    for _ in range(600):
        assert not test.exception
        if test.metric:
            return test
        time.sleep(0.1)
        test.run()
    pytest.fail("The audit does not end.")


def figures(test):
    return {item.label: item.value for item in test.metric}


def words(test):
    listed = [item.value for item in (*test.markdown, *test.info, *test.warning)]
    return "\n".join(listed).replace("\\", "")


def control(test):
    (found,) = [item for item in test.segmented_control if item.label == "What is wrong"]
    return found


def test_the_audit_of_a_folder_is_shown(data_root):
    write_faulty(data_root)
    test = finished(open_page())
    assert test.selectbox(key="dataset").value == "covid19-cough"
    assert figures(test)["Usable recordings"] == str(COUNTS["usable"])
    assert "Not whole: 1 of 33 listed recordings have no file here." in words(test)
    assert "need not hear the disease" in words(test)
    assert "Research, not a diagnosis." in words(test)
    assert [len(table.value) for table in test.dataframe] == [2, 33]


def test_dropped_recordings_are_played_in_groups(data_root):
    write_faulty(data_root)
    test = finished(open_page())
    assert control(test).value == "contradictory labels"
    assert len(test.get("audio")) == 2
    text = words(test)
    for name in ("same-0a", "same-0b", "same-1a", "same-1b", "same-1c", "same-1d"):
        assert name in text
    control(test).set_value("duplicate").run()
    assert len(test.get("audio")) == 1
    assert "copy-a] :small[(kept)]" in words(test)
    control(test).set_value("undecodable").run()
    assert len(test.get("audio")) == 0
    assert "cannot be decoded as audio" in words(test)


def test_a_recording_that_vanished_is_told_in_a_sentence(data_root):
    folder = write_faulty(data_root)
    test = finished(open_page())
    (folder / "raw" / "copy-a.mp3").unlink()
    control(test).set_value("duplicate").run()
    assert not test.exception
    assert "No such file" in words(test)


def test_a_changed_folder_is_audited_again(data_root):
    folder = write_faulty(data_root)
    test = finished(open_page())
    (folder / "raw" / "same-0b.mp3").unlink()
    st.cache_data.clear()
    audits._source_in.clear()
    test = finished(open_page())
    assert figures(test)["Usable recordings"] == str(COUNTS["usable"] + 1)


def test_what_was_chosen_of_one_data_set_does_not_harm_another(data_root):
    write_faulty(data_root)
    test = finished(open_page())
    control(test).set_value("silent").run()
    test.selectbox(key="dataset").select("synthetic").run()
    test = finished(test)
    assert figures(test)["Usable recordings"] == "240"
    assert "nothing to compare" in words(test)
    assert test.query_params["dataset"] == "synthetic"


def test_a_data_set_that_is_not_here_is_told_from_a_study(data_root):
    test = open_page(dataset="covid19_cough")
    assert not test.exception
    text = words(test)
    assert f"There are no recordings of covid19-cough in {data_root}" in text
    assert test.code[0].value == "python -m edac_core data download covid19-cough"
    assert "What the study “Made-up coughs” found in it" in text
    assert "1,480 usable recordings." in text
    assert "Left out: duplicate (31), silent (12)." in text
    assert len(test.get("plotly_chart")) == 1


@pytest.mark.parametrize(("name", "how"), [("coughvid", "zenodo.org"), ("urtic", "on request")])
def test_what_is_to_be_got_by_hand_says_where(data_root, name, how):
    test = open_page(dataset=name)
    assert how in words(test)
    assert not test.get("plotly_chart")


def test_a_bad_folder_is_one_sentence(data_root):
    folder = write_faulty(data_root)
    (folder / "metadata.json").write_text(json.dumps({"not": "a list"}))
    test = open_page(dataset="covid19-cough")
    assert not test.exception
    (warning,) = test.warning
    assert "is not a JSON list of entries" in warning.value.replace("\\", "")


def test_an_unknown_data_set_in_the_address_is_told(data_root):
    test = open_page(dataset="<b>coughs</b>")
    assert "asks for data set “<b>coughs</b>”, which is not here" in words(test)


def test_a_failed_audit_says_why_and_can_be_tried_again(data_root, monkeypatch):
    write_faulty(data_root)
    monkeypatch.setattr(audits, "BATCH_LIMIT_SECONDS", -1)
    test = open_page()
    for _ in range(100):
        if test.button:
            break
        test = test.run()
    assert "took longer than" in words(test)
    monkeypatch.undo()
    monkeypatch.setenv("EDAC_DATA_DIR", str(data_root))
    test.button[0].click().run()
    assert finished(test).metric


def test_progress_is_told_with_what_is_left():
    progress = audits.Progress(done=100, total=1_300, seconds=25)
    assert catalogue.describe_progress(progress) == (
        "Decoding and measuring: 100 of 1,300 recordings, about 5 min left"
    )
    assert catalogue.describe_progress(audits.Progress()) == "Opening the data set"
    done = audits.Progress(done=9, total=9, seconds=1)
    assert catalogue.describe_progress(done).endswith("9 of 9 recordings; comparing them")
