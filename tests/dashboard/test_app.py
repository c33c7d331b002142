import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import streamlit as st
from shown import address
from streamlit.testing.v1 import AppTest

from edac_core.studies.store import Store

APP = Path(__file__).parents[2] / "app.py"


def open_page(**query):
    test = AppTest.from_file(APP, default_timeout=120)
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def metric(test, label):
    (found,) = [item for item in test.metric if item.label == label]
    return found


def warnings(test):
    return "\n".join(item.value.replace("\\", "") for item in test.warning)


@pytest.fixture
def shipped(stores, made_up):
    stores(shipped=made_up)


def test_first_sight_answers_the_question(shipped):
    test = open_page()
    assert not test.exception
    assert not test.warning
    assert [item.label for item in test.metric] == [
        "AUC", "Zip size", "File size", "Latency", "Weights left"
    ]  # fmt: skip
    assert "x smaller" in metric(test, "Zip size").delta
    text = " ".join(item.value for item in test.markdown)
    assert "smallest CNN here" in text
    assert "Chosen on these same test recordings." in text
    assert "190 test recordings, clean protocol" in text
    assert "AUC within source: call" in text
    assert "Research, not a diagnosis." in text


def test_the_address_holds_every_choice(shipped):
    test = open_page()
    assert set(address(test)) == {"study", "model", "precision", "method", "sparsity", "run"}


def test_a_link_reopens_what_its_sender_saw(shipped):
    sent = {"study": "made-up", "model": "cnn_lstm", "precision": "float16",
            "method": "constant", "sparsity": "95", "run": "2"}  # fmt: skip
    test = open_page(**sent)
    assert not test.warning
    assert address(test) == sent
    assert test.select_slider(key="sparsity").value == 0.95
    assert [test.selectbox(key=key).value for key in ("model", "precision", "method", "run")] == [
        "cnn_lstm", "float16", "constant", "2"
    ]  # fmt: skip


def test_the_slider_changes_figures_and_address(shipped):
    test = open_page(precision="int8", method="polynomial", sparsity="0")
    assert metric(test, "Weights left").delta == "100 %"
    test.select_slider(key="sparsity").set_value(0.95).run()
    assert address(test)["sparsity"] == "95"
    assert metric(test, "Weights left").delta == "5 %"


def rings(test):
    """Where each chart, by its alt text, has its ring."""
    charts = [item.proto for item in test.get("plotly_chart")]
    found = {chart.alt: json.loads(chart.spec)["data"][-1] for chart in charts}
    return {alt: (trace["x"], trace["y"]) for alt, trace in found.items()}


def test_the_slider_moves_the_ring_of_every_chart(shipped):
    test = open_page(precision="int8", method="constant", sparsity="50")
    before = rings(test)
    test.select_slider(key="sparsity").set_value(0.95).run()
    after = rings(test)
    assert len(before) == len(after) == 4
    assert all(before[alt] != after[alt] for alt in before)


def test_a_picker_changes_figures_and_address_and_keeps_the_rest(shipped):
    test = open_page(precision="float32", method="constant", sparsity="50", run="3")
    before = metric(test, "File size").value
    test.selectbox(key="precision").set_value("int8").run()
    assert metric(test, "File size").value != before
    assert address(test) == {
        "study": "made-up", "model": "cnn", "precision": "int8", "method": "constant",
        "sparsity": "50", "run": "3",
    }  # fmt: skip


def test_an_address_from_elsewhere_wins_over_the_widgets(shipped):
    """As the browser's back button sends it."""
    test = open_page(sparsity="50")
    test.select_slider(key="sparsity").set_value(0.95).run()
    test.query_params["sparsity"] = "0"
    test.run()
    assert test.select_slider(key="sparsity").value == 0


def test_the_float32_baseline_is_compared_with_nothing(shipped):
    test = open_page(precision="float32", sparsity="0")
    assert {metric(test, label).delta for label in ("AUC", "Zip size", "Latency")} == {
        "the baseline itself"
    }


@pytest.mark.parametrize("key", ["study", "model", "precision", "method", "sparsity", "run"])
def test_what_an_address_asks_in_vain_is_said_and_replaced(shipped, key):
    test = open_page(**{key: "nonsense"})
    assert not test.exception
    assert f"asks for {key} “nonsense”, which is not here" in warnings(test)
    assert address(test)[key] != "nonsense"
    assert len(test.metric) == 5


def test_several_complaints_are_one_notice_and_go_with_the_next_choice(shipped):
    test = open_page(model="rnn", sparsity="42")
    assert len(test.warning) == 1
    test.selectbox(key="precision").set_value("float16").run()
    assert not test.warning


def test_an_address_cannot_bring_its_own_markdown(shipped):
    test = open_page(model="![x](http://example.org/x.png)")
    assert "![x](" not in test.warning[0].value
    assert "![x](http" in warnings(test)


def button(test, label):
    (found,) = [item for item in test.button if item.label == label]
    return found


LIMITS = {"drop": "0.02", "size": "300", "measure": "file", "ms": "5", "over": "worst"}


def test_a_link_reopens_its_limits(shipped):
    test = open_page(**LIMITS)
    assert not test.exception
    assert not test.warning
    assert [test.number_input(key=key).value for key in ("drop", "size", "ms")] == [0.02, 300, 5]
    assert LIMITS.items() <= address(test).items()
    without = open_page(measure="zip", over="mean", ms="5")
    assert set(address(without)) & set(LIMITS) == {"ms"}


@pytest.mark.parametrize(
    ("key", "noun"), [("drop", "AUC drop"), ("size", "size in kB"), ("ms", "latency in ms")]
)
def test_a_limit_that_is_none_is_said_and_left_out(shipped, key, noun):
    test = open_page(**{key: "-3"})
    assert f"asks for {noun} “-3”, which is not a number that is not negative" in warnings(test)
    assert key not in address(test)


def test_the_smallest_within_limits_can_be_chosen(shipped):
    test = open_page(precision="float32", method="polynomial", sparsity="0", run="2")
    assert not [item for item in test.button if item.label == "Choose it"]
    test.number_input(key="drop").set_value(0.02).run()
    assert address(test)["drop"] == "0.02"
    text = " ".join(item.value for item in test.markdown).replace("\\", "")
    named = re.search(r"\*\*(\w+), (\w+) ([\d.]+) %\*\* is the smallest: ", text)
    button(test, "Choose it").click().run()
    assert not test.exception
    assert dict(zip(("precision", "method", "sparsity"), named.groups(), strict=True)).items() <= (
        address(test).items()
    )
    assert test.selectbox(key="precision").value == named[1]
    assert metric(test, "Zip size").value in text
    test.number_input(key="drop").set_value(None).run()
    assert "drop" not in address(test)


def side_by_side(test):
    (found,) = [item.value for item in test.markdown if item.value.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found.splitlines()]


def test_two_variants_stand_side_by_side(shipped):
    test = open_page(precision="int8", method="constant", sparsity="95")
    assert {row[1] for row in side_by_side(test)[2:]} == {":small[\N{EN DASH}]"}
    first = metric(test, "Zip size").value
    button(test, "Pin this variant").click().run()
    assert address(test)["pin"] == "cnn~int8~constant~95"
    test.select_slider(key="sparsity").set_value(0.5).run()
    rows = {row[0]: row[1:] for row in side_by_side(test)}
    assert rows[":small[Zip size]"] == [
        f":small[{first}]", f":small[{metric(test, 'Zip size').value}]"
    ]  # fmt: skip
    text = " ".join(item.value for item in test.markdown)
    assert "Shown less pinned, within each of 3 runs: AUC **+" in text
    assert "McNemar p = " in text
    button(test, "Unpin").click().run()
    assert "pin" not in address(test)


def test_a_pinned_variant_comes_with_the_link_and_may_be_of_another_network(shipped):
    test = open_page(model="cnn", pin="cnn_lstm~float16~polynomial~95", sparsity="50")
    assert not test.warning
    assert "CNN\\-LSTM" in side_by_side(test)[2][1]
    assert address(test)["pin"] == "cnn_lstm~float16~polynomial~95"
    # The same recordings were tested, so that the two can be paired.
    assert "within each of 3 runs" in " ".join(item.value for item in test.markdown)


@pytest.mark.parametrize("pin", ["nonsense", "cnn~int8~constant~12", "~~~", "a~b~c~d~e"])
def test_a_pinned_variant_that_is_not_here_is_said_and_left_out(shipped, pin):
    test = open_page(pin=pin)
    assert not test.exception
    assert "asks for pinned variant" in warnings(test)
    assert "pin" not in address(test)


def test_the_selected_row_is_the_variant_that_is_shown(shipped):
    test = open_page(precision="int8", method="constant", sparsity="50")
    rows = test.session_state["variants"]["selection"]["rows"]
    row = table(test).iloc[rows[0]]
    assert (row["precision"], row["method"], row["sparsity"]) == ("int8", "constant", 50)
    test.select_slider(key="sparsity").set_value(0.95).run()
    assert test.session_state["variants"]["selection"]["rows"] != rows


def table(test):
    (found,) = test.dataframe
    return found.value


def test_the_table_has_uar_zeros_and_mcnemars_p(shipped):
    rows = table(open_page())
    assert {"uar", "zeros", "mcnemar_p"} <= set(rows)
    assert rows[["uar", "zeros", "mcnemar_p"]].notna().all(axis=None)
    unpruned = rows[(rows["method"] == "not pruned") & (rows["precision"] == "float32")]
    assert unpruned[["zeros", "mcnemar_p"]].to_numpy().tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("model", "title", "note"),
    [
        ("cnn_lstm", "CNN-LSTM", "EDAC's published figures"),
        ("dense_b", "Dense B", "Squeeze for Sneeze published; it has no AUC"),
        ("mine", "mine", None),
    ],
)
def test_every_network_has_its_title_and_its_papers_note(
    stores, tmp_path, build, model, title, note
):
    build(tmp_path, models=(model,), runs=((0, 1),))
    stores(local=tmp_path)
    test = open_page(precision="int8", method="polynomial")
    assert not test.exception
    text = " ".join(item.value for item in test.markdown).replace("\\", "")
    assert f"The smallest {title} here" in text
    assert ("Hollow grey" in text) == (note is not None)
    assert note is None or note in text


def test_alternative_texts_name_a_paper_only_where_it_is_shown(stores, tmp_path, build):
    build(tmp_path, models=("dense_a",), runs=((0, 1),))
    stores(local=tmp_path)
    test = open_page(precision="float32", method="polynomial")
    alts = [item.proto.alt for item in test.get("plotly_chart")]
    assert [alt for alt in alts if "published" in alt] == [
        "How much smaller does it get? float32, by method, beside what Squeeze for Sneeze published"
    ]


def test_no_study_says_what_to_do(stores):
    test = open_page()
    assert not test.exception
    assert "no study to show yet" in test.info[0].value
    assert test.code[0].value.startswith("python -m edac_core run ")
    assert not test.metric


def test_a_damaged_store_is_a_sentence_and_the_rest_works(stores, made_up, tmp_path):
    (tmp_path / Store.DATABASE).write_bytes(b"damaged" * 1000)
    stores(shipped=made_up, local=tmp_path)
    test = open_page()
    assert not test.exception
    assert str(tmp_path.name) in warnings(test)
    assert len(test.metric) == 5


def test_a_damaged_table_is_a_sentence(stores, made_up, tmp_path):
    shutil.copytree(made_up, tmp_path / "store")
    damaged = Store(tmp_path / "store")
    damaged._database.execute("DROP TABLE variants")
    damaged.close()
    stores(local=tmp_path / "store")
    test = open_page()
    assert not test.exception
    assert "cannot be used" in warnings(test)
    assert test.selectbox(key="study").value == "made-up"


def test_a_study_without_variants_yet_is_a_sentence(stores, tmp_path):
    store = Store(tmp_path)
    store.put_study("young", title="Young", plan={}, data={})
    store.close()
    stores(local=tmp_path)
    test = open_page()
    assert not test.exception
    assert "“Young” has no finished variant yet" in warnings(test)


def test_a_missing_model_file_disables_its_download_only(stores, made_up, tmp_path):
    shutil.copytree(made_up, tmp_path / "store")
    for file in (tmp_path / "store" / "models").iterdir():
        file.unlink()
    stores(local=tmp_path / "store")
    test = open_page()
    assert not test.exception
    assert [button.label for button in test.button if button.disabled] == [
        "Download .tflite", "Download bundle"
    ]  # fmt: skip
    assert any("not in the store" in item.value for item in test.markdown)
    assert len(test.metric) == 5


def test_a_damaged_model_file_is_a_sentence_when_asked_for(stores, made_up, tmp_path):
    shutil.copytree(made_up, tmp_path / "store")
    for file in (tmp_path / "store" / "models").iterdir():
        file.write_bytes(b"damaged")
    stores(local=tmp_path / "store")
    test = open_page()
    assert not test.warning
    test.get("download_button")[0].click().run()
    assert not test.exception
    assert ".tflite.xz is damaged; delete it by edac cache check --repair" in warnings(test)
    assert len(test.metric) == 5
    # The button that would say so in Streamlit's words is gone, until the viewer goes on.
    assert not test.get("download_button")
    assert [button.label for button in test.button if button.disabled] == [
        "Download .tflite", "Download bundle"
    ]  # fmt: skip
    test.selectbox(key="run").set_value("2").run()
    assert test.get("download_button")
    assert not test.warning


def test_the_page_opens_at_a_run_whose_file_is_here(stores, made_up, tmp_path):
    shutil.copytree(made_up, tmp_path / "store")
    keep_files_of(tmp_path / "store", "split_seed == 1")
    stores(local=tmp_path / "store")
    test = open_page()
    assert test.selectbox(key="run").value == "3"
    assert test.get("download_button")
    test.selectbox(key="run").set_value("1").run()
    assert not test.get("download_button")
    assert any("the one of run 3 is" in item.value for item in test.markdown)


def test_a_link_may_ask_for_a_run_whose_file_is_not_here(stores, made_up, tmp_path):
    shutil.copytree(made_up, tmp_path / "store")
    keep_files_of(tmp_path / "store", "split_seed == 1")
    stores(local=tmp_path / "store")
    assert open_page(run="2").selectbox(key="run").value == "2"


def keep_files_of(folder, condition):
    store = Store(folder)
    kept = set(store.variants("made-up").query(condition)["sha256"])
    store.close()
    for file in (folder / "models").iterdir():
        if file.name.removesuffix(".tflite.xz") not in kept:
            file.unlink()


def test_synthetic_recordings_are_said_plainly(stores, tmp_path, build):
    build(tmp_path, runs=((0, 1),), precisions=("float32",), data={"synthetic": True})
    stores(local=tmp_path)
    test = open_page()
    assert not test.exception
    text = " ".join(item.value for item in test.markdown)
    assert "Synthetic recordings: the scores say nothing of coughs" in text
    assert "trained on synthetic recordings" in text


def test_the_download_is_the_stores_file(shipped, made_up, monkeypatch):
    offered = {}
    monkeypatch.setattr(
        st.delta_generator.DeltaGenerator,
        "download_button",
        lambda _, label, data, file_name, **__: offered.update(label=label, data=data,
                                                                name=file_name),
    )  # fmt: skip
    open_page(precision="int8", method="constant", sparsity="95", run="2")
    assert offered["name"] == "cnn-constant-95-int8-run2.tflite"
    variants = Store(made_up, readonly=True).variants("made-up")
    wanted = variants.query(
        "model == 'cnn' and precision == 'int8' and method == 'constant' and sparsity == 0.95 "
        "and split_seed == 0 and training_seed == 1235"
    )
    assert hashlib.sha256(offered["data"]()).hexdigest() == wanted["sha256"].item()


def test_the_dashboard_never_imports_tensorflow(made_up):
    code = f"""
import sys
from pathlib import Path
from edac_core import locations
locations.SHIPPED = Path({str(made_up)!r})
from streamlit.testing.v1 import AppTest
test = AppTest.from_file({str(APP)!r}, default_timeout=120).run()
assert not test.exception and len(test.metric) == 5
print([name for name in ("tensorflow", "tf_keras") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=APP.parent
    )
    assert done.stdout.strip() == "[]"
