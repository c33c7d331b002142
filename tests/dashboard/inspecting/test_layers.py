import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from edac_core.studies.store import LayerChange, Store

APP = Path(__file__).parents[3] / "app.py"
LEVELS = (("none", 0.0), ("polynomial", 0.5))
COMMAND = "python -m edac_core sensitivity made-up --model cnn"


def open_page(**query):
    test = AppTest.from_file(APP, default_timeout=120)
    test.switch_page("pages/inspect.py")
    for name, value in {"precision": "int8", "sparsity": "50", "view": "layers", **query}.items():
        test.query_params[name] = value
    return test.run()


def held(test, key):
    text = test.query_params.get(key)
    return text[0] if isinstance(text, list) else text


def words(test):
    shown = [*test.markdown, *test.warning, *test.info]
    return " ".join(item.value for item in shown).replace("\\", "")


def chart(test):
    (found,) = [item.proto for item in test.get("plotly_chart")]
    return found.alt, json.loads(found.spec)["data"][0]


@pytest.fixture
def study(tmp_path, build, stores):
    build(tmp_path / "study", levels=LEVELS, precisions=("float32", "int8"))
    stores(shipped=tmp_path / "study")
    return tmp_path / "study"


@pytest.fixture
def measured(study):
    """The layers of the first run's network."""
    with closing(Store(study)) as store:
        jobs = store.jobs("made-up")
        (job,) = [
            row.key for row in jobs.itertuples()
            if row.config["method"] == "none" and row.config["training_seed"] == 1234
            and row.config["split_seed"] == 0
        ]  # fmt: skip
        store.put_sensitivities(
            job,
            [
                LayerChange(
                    layer, 12, sparsity, precision, 0.8 - drop * sparsity, 0.8, 0.6, 0.5, 190
                )
                for layer, drop in (("conv1", 0.1), ("dense1", 0.01))
                for sparsity in (0.0, 0.9)
                for precision in ("float32", "int4_weights")
            ],
        )
        store.finish()
    return study


def test_layers_of_the_runs_network_are_drawn(measured):
    test = open_page(run="1")
    assert not test.exception
    assert not test.warning
    alt, data = chart(test)
    assert alt == "Change of validation AUC by layer and sparsity, in float32"
    assert data["z"] == [pytest.approx([0, -0.09]), pytest.approx([0, -0.009])]
    assert "on 190 validation recordings" in words(test)
    assert "no fine-tuning" in words(test)
    assert held(test, "rounded") is None


def test_only_precisions_that_were_measured_can_be_chosen(measured):
    test = open_page(run="1")
    choice = test.segmented_control(key="rounded")
    assert choice.options == ["float32", "int4_weights"]
    choice.set_value("int4_weights").run()
    assert chart(test)[0].endswith("in int4_weights")
    assert held(test, "rounded") == "int4_weights"


def test_the_precision_is_kept_while_another_view_is_open(measured):
    test = open_page(run="1", rounded="int4_weights")
    for view in ("trusted", "decides"):
        test.segmented_control(key="view").set_value(view).run()
        assert held(test, "rounded") == "int4_weights"
    test.segmented_control(key="view").set_value("layers").run()
    assert chart(test)[0].endswith("in int4_weights")


def test_a_precision_that_was_not_measured_is_said_and_replaced(measured):
    test = open_page(run="1", rounded="int8")
    assert "asks for precision of the layers “int8”, which is not here" in words(test)
    assert chart(test)[0].endswith("in float32")


def test_a_run_that_was_not_measured_names_the_command(measured):
    test = open_page(run="2")
    assert not test.get("plotly_chart")
    assert COMMAND in [item.value for item in test.code]
    assert "Nobody has measured yet which layers" in words(test)


def test_a_store_of_before_layers_were_measured_names_the_command(study):
    with closing(sqlite3.connect(study / Store.DATABASE)) as database, database:
        database.execute("DROP TABLE sensitivities")
        database.execute("PRAGMA journal_mode = DELETE")
    test = open_page()
    assert not test.exception
    assert COMMAND in [item.value for item in test.code]


def test_the_margin_is_kept_in_the_address_and_while_another_view_is_open(study):
    test = open_page(view="trusted", margin="0.05")
    assert test.number_input(key="margin").value == 0.05
    assert "At a margin of 0.05" in words(test)
    for view in ("layers", "decides"):
        test.segmented_control(key="view").set_value(view).run()
        assert held(test, "margin") == "0.05"
    test.segmented_control(key="view").set_value("trusted").run()
    assert test.number_input(key="margin").value == 0.05
