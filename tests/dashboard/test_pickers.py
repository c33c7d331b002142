from pathlib import Path

from streamlit.testing.v1 import AppTest

from dashboard.pickers import study_titles
from dashboard.studies import Shelf, Study

APP = Path(__file__).parents[2] / "app.py"


def study(identifier, title):
    return Study(Shelf("", live=False, version=""), identifier, identifier, title, {}, {})


def test_studies_of_one_title_are_told_apart():
    studies = [study("cnn", "CNN"), study("local/cnn", "CNN"), study("papers", "All")]
    assert study_titles(studies) == {
        "cnn": "CNN (cnn)", "local/cnn": "CNN (local/cnn)", "papers": "All"
    }  # fmt: skip


def test_a_study_stays_chosen_where_another_has_its_title(stores, made_up):
    stores(shipped=made_up, local=made_up)
    test = AppTest.from_file(APP, default_timeout=120)
    test.query_params["study"] = "made-up"
    test.run()
    test.select_slider(key="sparsity").set_value(0.5).run()
    assert not test.exception
    assert test.selectbox(key="study").value == "made-up"
