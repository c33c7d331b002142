import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.inspecting import dissection, flips
from dashboard.studies import Shelf, Study
from edac_core import locations
from edac_core.datasets import open_dataset
from edac_core.errors import DataError
from edac_core.studies.compare import compare_variants
from edac_core.studies.store import Store

APP = Path(__file__).parents[2] / "app.py"
SHIPPED = locations.SHIPPED


def open_page(**query):
    test = AppTest.from_file(APP, default_timeout=120)
    test.switch_page("pages/inspect.py")
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def words(test):
    held = [*test.markdown, *test.warning, *test.info]
    return " ".join(item.value for item in held).replace("\\", "")


def charts(test):
    return {item.proto.alt: json.loads(item.proto.spec) for item in test.get("plotly_chart")}


def metric(test, label):
    (found,) = [item for item in test.metric if item.label == label]
    return found


@pytest.fixture
def shipped(stores):
    stores(shipped=SHIPPED)


@pytest.fixture
def made_up_study(stores, made_up):
    stores(shipped=made_up)


@pytest.fixture(scope="module")
def variants():
    with closing(Store(SHIPPED, readonly=True)) as store:
        return store.variants("cnn")


def test_the_page_shows_what_a_shipped_file_is_made_of(shipped, variants):
    test = open_page(precision="int8", method="polynomial", sparsity="90", run="1")
    assert not test.exception
    assert not test.warning
    row = variants.query(
        "precision == 'int8' and method == 'polynomial' and sparsity == 0.9 and split_seed == 1"
    ).iloc[0]
    layers = test.dataframe[0].value
    assert list(layers["layer"]) == ["conv1", "conv2", "flatten", "dense1", "dense2", "output"]
    assert layers["parameters"].sum() == 6_145_185
    assert layers["raw_bytes"].sum() * 1e3 == pytest.approx(row["raw_bytes"], abs=10_000)
    drawn = charts(test)
    assert len(drawn) == 3
    (tree,) = [spec for alt, spec in drawn.items() if "fill the zip" in alt]
    assert "dense1" in tree["data"][0]["ids"]
    (spread,) = [spec for alt, spec in drawn.items() if alt.startswith("Histogram")]
    assert len(spread["data"]) == 2
    assert "of 6.10 M weights are zero (none in the baseline)" in words(test)
    assert "Operators by themselves" in words(test)
    assert "192 test recordings, clean protocol. AUC within source: call-center" in words(test)
    assert "Research, not a diagnosis." in words(test)
    assert metric(test, "AUC").value.startswith(f"{row['auc']:.3f}")
    assert metric(test, "UAR").value == f"{row['uar']:.3f}"


def test_the_address_holds_the_run_and_the_view(shipped):
    sent = {"study": "cnn", "model": "cnn", "precision": "int8", "method": "constant",
            "sparsity": "95", "run": "2", "view": "changed"}  # fmt: skip
    test = open_page(**sent)
    held = {name: text if isinstance(text, str) else text[0]
            for name, text in test.query_params.items()}  # fmt: skip
    assert held == sent
    assert "McNemar" in words(test)


@pytest.mark.parametrize("key", ["precision", "sparsity", "run", "view"])
def test_what_an_address_asks_in_vain_is_said_and_replaced(made_up_study, key):
    test = open_page(**{"view": "decides", key: "nonsense"})
    assert not test.exception
    assert f"asks for {key} “nonsense”, which is not here" in words(test)
    assert len(test.metric) == 6


def test_a_file_that_is_not_shipped_is_said_and_the_rest_is_shown(shipped):
    test = open_page(precision="float32", method="polynomial", sparsity="90")
    assert not test.exception
    assert "is not in the store" in words(test)
    assert "choose int8 of run 1, which is here" in words(test)
    assert test.code[0].value == "python -m edac_core run plans/cnn.toml"
    assert not test.get("plotly_chart")
    assert len(test.metric) == 6
    test.query_params["view"] = "decides"
    assert len(charts(test.run())) == 5


def test_decisions_need_no_file(made_up_study):
    test = open_page(precision="int8", method="constant", sparsity="95", view="decides")
    assert not test.exception
    alts = list(charts(test))
    assert len([alt for alt in alts if alt.startswith("Confusion matrix")]) == 3
    assert any(alt.startswith("ROC curve") for alt in alts)
    # Made-up scores are no probabilities.
    assert "their calibration cannot be drawn" in words(test)


def test_the_confusion_matrix_is_that_of_the_stored_rates(shipped, variants):
    test = open_page(precision="int8", method="polynomial", sparsity="95", view="decides",
                     run="3")  # fmt: skip
    row = variants.query(
        "precision == 'int8' and method == 'polynomial' and sparsity == 0.95 and split_seed == 3"
    ).iloc[0]
    (matrix,) = [spec for alt, spec in charts(test).items() if "At its own threshold" in alt]
    shares = matrix["data"][0]["z"]
    assert shares[0][0] == pytest.approx(row["sensitivity"])
    assert shares[1][1] == pytest.approx(row["specificity"])


def test_the_baseline_is_compared_with_nothing(made_up_study):
    test = open_page(precision="float32", sparsity="0", view="changed")
    assert not test.exception
    assert "This is the float32 baseline itself" in words(test)
    assert metric(test, "Zip size").delta == "the baseline itself"
    test.query_params["view"] = "decides"
    assert len(charts(test.run())) == 2


def test_what_changed_is_what_the_comparison_counts(made_up_study, made_up):
    test = open_page(precision="int8", method="constant", sparsity="95", view="changed", run="2")
    with closing(Store(made_up, readonly=True)) as store:
        variants = store.variants("made-up")
        variants = variants[variants["model"] == "cnn"]
        compared = compare_variants(variants, store.scores)
    key = variants.query(
        "precision == 'int8' and method == 'constant' and sparsity == 0.95 and "
        "split_seed == 0 and training_seed == 1235"
    )["key"].item()
    counts = compared.loc[key]
    table = test.dataframe[0].value
    assert (table["direction"] == "broken").sum() == counts["only_baseline_right"]
    assert (table["direction"] == "mended").sum() == counts["only_variant_right"]
    assert f"p = {counts['mcnemar_p']:.2g}" in words(test)


def test_a_recording_that_is_not_here_says_why_it_is_not_played(
    made_up_study, monkeypatch, tmp_path
):
    monkeypatch.setenv("EDAC_DATA_DIR", str(tmp_path))
    test = open_page(precision="int8", method="constant", sparsity="95", view="changed")
    assert not test.exception
    assert "It cannot be played here. " in words(test)


def test_a_damaged_file_is_a_sentence(stores, made_up):
    """The made-up study's files are no models."""
    stores(shipped=made_up)
    test = open_page(precision="int8", sparsity="95")
    assert not test.exception
    assert "LiteRT cannot load" in words(test)
    assert len(test.metric) == 6


def test_a_file_that_went_missing_is_a_sentence(stores, tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "store")
    stores(local=tmp_path / "store")
    test = open_page(precision="int8", sparsity="99.9", view="decides")
    for file in (tmp_path / "store" / "models").iterdir():
        file.write_bytes(b"damaged")
    dissection._tensors.clear()
    test.query_params["view"] = "made-of"
    test.run()
    assert not test.exception
    assert ".tflite.xz is damaged; delete it by edac cache check --repair" in words(test)


def test_no_study_says_what_to_do(stores):
    test = open_page()
    assert not test.exception
    assert "no study to show yet" in test.info[0].value


def study_of(dataset, **plan):
    data = {"dataset": dataset, **plan}
    return Study(Shelf("", live=False, version=""), "s", "s", "S", {"data": data}, data)


def test_synthetic_recordings_are_made_again(monkeypatch, tmp_path):
    monkeypatch.setenv(locations.CACHE_VARIABLE, str(tmp_path))
    flips._paths.clear()
    study = study_of("synthetic", options={"n": 8, "seed": 3})
    wanted = open_dataset("synthetic", n=8, seed=3).recordings.iloc[5]
    heard = flips.sound_of(study, wanted["recording"])
    assert 3.0 <= heard.seconds <= 4.5


def test_a_recording_of_another_version_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv(locations.CACHE_VARIABLE, str(tmp_path))
    flips._paths.clear()
    with pytest.raises(DataError, match="no recording 'p9999-1'"):
        flips.sound_of(study_of("synthetic", options={"n": 8}), "p9999-1")


def test_a_study_that_does_not_say_what_it_used_is_refused():
    with pytest.raises(DataError, match="does not say which recordings"):
        flips.sound_of(study_of(""), "r")


@pytest.mark.parametrize("view", ["made-of", "decides", "changed"])
def test_a_study_that_has_measured_no_latency_yet_is_shown(stores, tmp_path, made_up, view):
    folder = tmp_path / "without-latencies"
    shutil.copytree(made_up, folder)
    with closing(sqlite3.connect(folder / "studies.sqlite")) as connection:
        connection.execute("DELETE FROM latencies")
        connection.commit()
    stores(shipped=folder)
    test = open_page(view=view)
    assert not test.exception
    assert metric(test, "Latency").value == "not yet"
