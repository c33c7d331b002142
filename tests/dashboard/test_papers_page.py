import json
import shutil
import sqlite3
import time
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from shown import address
from sklearn.metrics import roc_auc_score
from streamlit.testing.v1 import AppTest

from dashboard import measuring
from dashboard.measuring import Measurement
from dashboard.workers import workers
from edac_core.measure.zeros import ZeroSigns
from edac_core.studies.store import Store

APP = Path(__file__).parents[2] / "app.py"
ZEROS = ZeroSigns(
    weights=1000, zeros=900, negative_zeros=450, zip_bytes_positive=2_000_000,
    zip_bytes_random=3_000_000, inputs=8, agreeing=8,
)  # fmt: skip


@pytest.fixture(autouse=True)
def zeros(monkeypatch):
    """The files of made-up studies are no models: what would be measured of one."""
    asked, begun = [], Measurement.begun

    def _begun(measurement):
        if measurement.key[0] != "zeros":
            return begun(measurement)
        asked.append(measurement.arguments)
        future = Future()
        future.set_result(ZEROS)
        return future

    monkeypatch.setattr(Measurement, "begun", _begun)
    return asked


@pytest.fixture(scope="module", autouse=True)
def ended():
    """End the workers when what was begun is done."""
    yield
    measuring._threads().submit(int).result()
    workers().close()
    workers.clear()


def open_page(**query):
    test = AppTest.from_file(APP, default_timeout=120).switch_page("pages/papers.py")
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def words(test):
    listed = [item.value for item in (*test.markdown, *test.info, *test.warning)]
    return "\n".join(listed).replace("\\", "")


def chart_names(test):
    return [item.proto.alt for item in test.get("plotly_chart")]


@pytest.fixture
def shipped(stores, made_up):
    stores(shipped=made_up)


def with_protocol(folder, source):
    """A copy of a store, as if by the paper protocol: the last test recordings are copies."""
    shutil.copytree(source, folder)
    database = sqlite3.connect(folder / Store.DATABASE)
    with database:
        database.execute("UPDATE jobs SET config = json_set(config, '$.protocol', 'paper')")
        database.execute("UPDATE studies SET plan = json_set(plan, '$.data.protocol', 'paper')")
        for key, text in database.execute("SELECT key, recordings FROM splits").fetchall():
            rows = pd.DataFrame(**json.loads(text)).assign(copy="")
            rows.loc[rows.index[-60:], "copy"] = "aug1"
            changed = rows.to_json(orient="split", index=False)
            database.execute("UPDATE splits SET recordings = ? WHERE key = ?", (changed, key))
    database.close()
    return folder


def test_the_page_has_tables_claims_and_doubts(shipped):
    test = open_page()
    assert not test.exception
    assert not test.warning
    text = words(test)
    assert [line for line in text.splitlines() if line.startswith("####")] == [
        "#### Published tables", "#### Past the papers", "#### Claims",
        "#### What to read them by", "##### Signed zeros", "##### int8 alone",
        "##### Augmented test set", "##### Levels that go on from each other", "##### Speed",
    ]  # fmt: skip
    assert "EDAC, table 4: CNN, polynomial" in text
    assert len(test.dataframe[0].value) == 17 * 3
    assert len(chart_names(test)) == 3
    assert "190 test recordings, clean protocol" in text
    assert "Of 18 claims about a network: " in text
    assert "Research, not a diagnosis." in text


def test_a_page_that_shows_what_it_opens_with_has_a_bare_address(shipped):
    """So that an anchor, which the page cannot see, survives."""
    assert address(open_page()) == {}


def test_a_link_reopens_what_its_sender_saw(shipped):
    sent = {"model": "cnn_lstm", "precision": "float16", "method": "constant"}
    test = open_page(**sent)
    assert not test.warning
    assert address(test) == sent
    assert "EDAC, table 5: CNN-LSTM, constant" in words(test)
    assert all("CNN-LSTM, float16, constant" in name for name in chart_names(test))


def test_a_study_is_chosen_by_link(stores, made_up, tmp_path):
    stores(shipped=made_up, local=with_protocol(tmp_path / "store", made_up))
    test = open_page(study="local/made-up")
    assert not test.warning
    assert address(test) == {"study": "local/made-up"}
    assert "190 test examples, paper protocol" in words(test)


@pytest.mark.parametrize("key", ["study", "model", "precision", "method"])
def test_what_an_address_asks_in_vain_is_said(shipped, key):
    test = open_page(**{key: "nonsense"})
    assert not test.exception
    assert f"asks for {key} “nonsense”, which is not here" in words(test)


@pytest.mark.parametrize(
    ("model", "title", "plan"),
    [("dense_b", "Dense B", "plans/squeeze.toml"), ("dense_a", "Dense A", "plans/papers.toml")],
)
def test_a_network_that_was_not_measured_names_its_plans(shipped, model, title, plan):
    test = open_page(model=model)
    assert not test.exception
    (said,) = [item.value for item in test.info]
    assert said.startswith(f"{title} is not measured here yet")
    assert f"`edac run {plan}`" in said
    assert len(chart_names(test)) == 2
    assert "Squeeze for Sneeze, tables 2 and 3" in words(test)


def test_without_any_study_the_published_tables_are_there(stores):
    test = open_page()
    assert not test.exception
    text = words(test)
    assert "CNN is not measured here yet" in text
    assert "Of 18 claims about a network: 18 not measured here yet." in text
    assert text.count("Not measured here yet: `edac run") == 3
    assert "no float32 file in the stores here" in text
    assert len(test.dataframe[0].value) == 17 * 3


def test_choosing_a_network_goes_on_with_a_study_that_has_it(stores, made_up, tmp_path, build):
    build(tmp_path, name="dense", title="Dense", models=("dense_a",), runs=((0, 1),))
    stores(shipped=made_up, local=tmp_path)
    test = open_page()
    test.selectbox(key="model").set_value("dense_a").run()
    assert test.selectbox(key="study").value == "dense"
    assert not test.info
    assert not test.warning


def test_a_damaged_store_is_a_sentence_and_the_rest_works(stores, made_up, tmp_path):
    (tmp_path / Store.DATABASE).write_bytes(b"damaged" * 1000)
    stores(shipped=made_up, local=tmp_path)
    test = open_page()
    assert not test.exception
    assert len(test.warning) == 1
    assert len(chart_names(test)) == 3


def test_signed_zeros_are_told_as_measured(shipped, zeros):
    text = words(open_page())
    assert "900 of 1,000 weights are zero" in text
    assert "The zip has **2.00 MB** if all of them are +0.0, and **3.00 MB**" in text
    assert "(450 are then -0.0): 1.50 times as much" in text
    assert "for 8 of 8 random inputs. EDAC published 4.18 MB at 90 % (table 4)." in text
    assert "the baseline's weights with the smallest 90 % of each layer set to zero" in text
    assert {sparsity for *_, sparsity in zeros} == {0.9}


def test_test_sets_with_and_without_copies_are_put_side_by_side(stores, made_up, tmp_path):
    folder = with_protocol(tmp_path / "store", made_up)
    stores(shipped=made_up, local=folder)
    text = words(finished(open_page()))
    assert "(60 of 190 test examples, " in text
    with_copies, without = recomputed(folder)
    assert f"AUC **{with_copies:.3f}** with the augmented copies" in text
    assert f"**{without:.3f}** without." in text
    assert "By the clean protocol, with 3 of the same seeds, it is **" in text


def finished(test):
    """Run the page again until all is measured."""
    for _ in range(600):
        assert not test.exception
        if "Testing CNN without augmented copies." not in words(test):
            return test
        time.sleep(0.1)
        test.run()
    pytest.fail("The measurement does not end.")


def recomputed(folder):
    """Mean AUCs of the CNN's float32 baselines, with all test rows and without the last 60."""
    store = Store(folder, readonly=True)
    rows = store.variants("made-up").query(
        "model == 'cnn' and method == 'none' and precision == 'float32'"
    )
    scored = [store.scores(key).query("set == 'test'") for key in rows["key"]]
    store.close()
    return [
        np.mean([roc_auc_score(part["label"], part["score"]) for part in parts])
        for parts in (scored, [one.iloc[:-60] for one in scored])
    ]
