import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import streamlit as st
from shown import address
from streamlit.testing.v1 import AppTest

from dashboard.player import encoded
from edac_core import locations
from edac_core.audio import load
from edac_core.datasets.synthetic import synthesize
from edac_core.frontends import get_frontend
from edac_core.runtime import Variant
from edac_core.studies.store import Store

APP = Path(__file__).parents[2] / "app.py"
SHIPPED = locations.SHIPPED
INT8 = "int8-none-0~int8-polynomial-90"
COUGH = encoded(synthesize(1, seed=1))


@pytest.fixture(autouse=True)
def _no_data(monkeypatch, tmp_path):
    """Only synthetic recordings, wherever the tests run."""
    monkeypatch.setenv("EDAC_DATA_DIR", str(tmp_path / "no-data"))
    st.cache_data.clear()


@pytest.fixture
def shipped(stores):
    stores(shipped=SHIPPED)


def open_page(**query):
    test = AppTest.from_file(APP, default_timeout=120).switch_page("pages/compare.py")
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def said(test):
    return "\n".join(item.value.replace("\\", "") for item in (*test.markdown, *test.info))


def problems(test):
    return "\n".join(item.value.replace("\\", "") for item in test.warning)


def answers(test):
    return test.dataframe[0].value.set_index("title")


def charts(test):
    return {json.loads(chart.proto.spec)["layout"]["title"]["text"]: json.loads(chart.proto.spec)
            for chart in test.get("plotly_chart")}  # fmt: skip


def upload(test, data, name="cough.wav"):
    test.segmented_control(key="recording_from").set_value("Upload").run()
    test.file_uploader(key="recording_file").set_value((name, data, "audio/wav"))
    return test.run()


def test_it_opens_with_verdicts_of_six_variants(shipped):
    test = open_page()
    assert not test.exception
    assert not test.warning
    assert len(answers(test)) == 6
    assert answers(test).notna().all(axis=None) or answers(test)["difference"].isna().sum() == 1
    assert (answers(test)["latency_ms"] > 0).all()
    text = said(test)
    assert "Research, not a diagnosis" in text
    assert "nobody has measured what it is worth" in text
    assert "AUC within source: call-center" in text
    assert (
        "A recording of another data set than this network's. It is labelled **positive**" in text
    )
    assert "variants call this recording" in text
    assert "Nothing wrong found" in text
    assert set(charts(test)) == {
        "When is it loud?", "What does the network get? 302 x 15 numbers (MFCC)",
        "How sure is each variant?", "Do the variants drift apart in noise?",
    }  # fmt: skip
    assert set(address(test)) == {"study", "model", "run", "compared", "dataset", "recording"}
    assert len(test.get("audio")) == 2


def test_a_link_reopens_what_its_sender_saw_and_the_figures_are_the_variants_own(shipped):
    sent = {"study": "cnn", "model": "cnn", "run": "1", "compared": INT8,
            "dataset": "synthetic", "recording": "telephone-negative-2"}  # fmt: skip
    test = open_page(**sent)
    assert not test.warning
    assert address(test) == sent
    store = Store(SHIPPED, readonly=True)
    rows = store.variants("cnn").query("has_model").set_index(["precision", "method", "sparsity"])
    wave = load(encoded(synthesize(0, seed=2, source="telephone")))
    features = get_frontend("mfcc")(wave)
    scores = {
        key: Variant(store.model(rows.loc[key, "sha256"])).score_one(features)
        for key in [("float32", "none", 0), ("int8", "none", 0), ("int8", "polynomial", 0.9)]
    }
    shown = answers(test)
    assert list(shown.index) == ["int8, not pruned", "int8, polynomial 90 %"]
    expected = [scores["int8", "none", 0], scores["int8", "polynomial", 0.9]]
    assert shown["probability"].tolist() == pytest.approx(expected, abs=1e-6)
    reference = scores["float32", "none", 0]
    assert shown["difference"].tolist() == pytest.approx(
        [score - reference for score in expected], abs=6e-4
    )
    thresholds = [rows.loc[key, "threshold"] for key in list(scores)[1:]]
    assert shown["threshold"].tolist() == thresholds
    decided = [
        "positive" if score >= threshold else "negative"
        for score, threshold in zip(expected, thresholds, strict=True)
    ]
    assert shown["decision"].tolist() == decided


def test_what_an_address_asks_for_and_is_not_here_is_a_sentence(shipped):
    test = open_page(
        study="gone", run="9", compared=f"int4-none-0~{INT8}", dataset="synthetic",
        recording="<script>\u202e",
    )  # fmt: skip
    assert not test.exception
    text = problems(test)
    assert "study “gone”, which is not here" in text
    assert "run “9”, which is not here: showing “1” instead" in text
    assert "variant “int4-none-0”, which is not here (there is float32-none-0" in text
    assert "recording “<script>”, which is not here" in text
    assert len(answers(test)) == 2


def test_the_slider_moves_the_mark_and_the_sound(shipped):
    test = open_page(compared=INT8)
    sound = test.get("audio")[1].proto.url
    test.segmented_control(key="disturbance").set_value("low-pass").run()
    test.select_slider(key="strength low-pass").set_value(1_000).run()
    assert not test.exception
    figure = charts(test)["Do the variants drift apart as high frequencies go?"]
    assert figure["layout"]["shapes"][0]["x0"] == 7
    assert test.get("audio")[1].proto.url != sound
    assert test.get("audio")[0].proto.url == sound


def test_nothing_chosen_says_what_to_do(shipped):
    test = open_page(compared=INT8)
    test.multiselect(key="compared").set_value([]).run()
    assert not test.exception
    assert "Choose some variants above" in said(test)
    assert not test.dataframe


def test_a_link_of_who_chose_nothing_shows_nothing(shipped):
    test = open_page(compared="")
    assert not test.exception
    assert "Choose some variants above" in said(test)
    assert not test.dataframe
    assert address(test)["compared"] == ""


def wav(samples, rate=22_050):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, "FLOAT", format="WAV")
    return file.getvalue()


def eight_hours():
    file = io.BytesIO()
    soundfile.write(file, np.zeros(8 * 3_600 * 4_000, np.int16), 4_000, format="FLAC")
    return file.getvalue()


def test_of_what_cannot_be_judged_nothing_is_drawn_or_measured(shipped):
    test = open_page(compared=INT8)
    upload(test, wav(np.array([0.5])))
    assert not test.exception
    assert "a cough does not fit in less than 100 ms" in said(test)
    assert "There is nothing here for a network to judge." in said(test)
    assert "energy below" not in said(test)
    assert not charts(test)


def test_bad_recordings_are_a_sentence_and_the_next_is_heard(shipped):
    test = open_page(compared=INT8)
    bad = {
        "is an empty file": b"",
        "cannot be decoded as audio": COUGH[:30],
        "cannot be decoded as audio: export it again as WAV": b"%PDF-1.7 not a sound at all" * 100,
        "lasts 28,800.0 s, longer than the 300 s accepted": eight_hours(),
        "holds values that are not finite": wav(np.array([0.1, np.nan] * 9_000)),
        "has 1,024 channels": wav(np.zeros((9, 1_024))),
    }
    for sentence, data in bad.items():
        upload(test, data, "../../\u202e<b>x</b>.wav")
        assert not test.exception
        assert f"../../<b>x</b>.wav {sentence}" in problems(test)
        assert not test.dataframe
    upload(test, COUGH)
    assert not test.warning
    assert len(answers(test)) == 2
    assert "A recording that no network here has heard." in said(test)
    assert {"dataset", "recording"}.isdisjoint(address(test))


@pytest.mark.parametrize(
    ("data", "badge"),
    [(wav(np.ones(1)), "Too short"), (wav(np.zeros(44_100)), "Silent")],
    ids=["one sample", "silence"],
)
def test_where_there_is_nothing_to_judge_nothing_is_judged(shipped, data, badge):
    test = upload(open_page(compared=INT8), data)
    assert not test.exception
    assert f":orange-badge[{badge}]" in said(test)
    assert "There is nothing here for a network to judge." in said(test)
    assert not test.dataframe


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\0b.wav", "**ab.wav**"),
        ("x" * 4_096 + ".wav", f"**{'x' * 28}…"),
        ("cough.exe", "**cough.exe**"),
        ("<script>.wav", "**<script>.wav**"),
        ("\u202e\n", "**The file**"),
    ],
)
def test_hostile_names_are_shown_inert(shipped, name, shown):
    test = upload(open_page(compared=INT8), COUGH, name)
    assert not test.exception
    assert len(answers(test)) == 2
    assert shown in said(test)


def test_a_damaged_file_is_a_sentence_for_its_variant_alone(stores, tmp_path):
    folder = tmp_path / "store"
    (folder / "models").mkdir(parents=True)
    shutil.copy(SHIPPED / "studies.sqlite", folder)
    store = Store(SHIPPED, readonly=True)
    wanted = store.variants("cnn").query("has_model and precision == 'int8' and method == 'none'")
    other = store.variants("cnn").query("has_model and method == 'constant'").head(2)
    for sha256 in (*wanted["sha256"], *other["sha256"]):
        shutil.copy(store.model_path(sha256), folder / "models")
    broken = other["sha256"].iloc[0]
    packed = folder / "models" / f"{broken}.tflite.xz"
    packed.write_bytes(packed.read_bytes()[:9_999])
    stores(local=folder)
    test = open_page()
    assert not test.exception
    assert f"int8, constant 10 %: The model file {packed} is damaged" in problems(test)
    assert list(answers(test).index) == ["int8, not pruned", "int8, constant 20 %"]
    assert answers(test)["difference"].isna().all()
    shutil.copy(store.model_path(broken), folder / "models")
    test.run()
    assert not test.warning
    assert len(answers(test)) == 3


def test_files_that_are_no_models_are_a_sentence_each(stores, made_up):
    stores(shipped=made_up)
    test = open_page(model="cnn_lstm", compared="int8-none-0")
    assert not test.exception
    assert problems(test).count("LiteRT cannot load these") == 2
    assert not test.dataframe
    assert any("39 x 88 x 3 numbers (a mel picture)" in title for title in charts(test))


def test_without_files_it_says_how_to_make_them(stores, made_up, tmp_path):
    (tmp_path / "store" / "models").mkdir(parents=True)
    shutil.copy(made_up / "studies.sqlite", tmp_path / "store")
    stores(local=tmp_path / "store")
    test = open_page()
    assert not test.exception
    assert "No model file of CNN is in the store of the study “Made-up coughs”" in problems(test)


def test_without_a_study_it_says_what_to_do(stores):
    test = open_page()
    assert not test.exception
    assert "There is no study to show yet" in said(test)


def test_the_microphone_is_heard(shipped):
    test = open_page(compared=INT8)
    test.segmented_control(key="recording_from").set_value("Microphone").run()
    test.audio_input(key="recording_spoken").set_value(("audio.wav", COUGH, "audio/wav")).run()
    assert not test.exception
    assert "**Your recording**" in said(test)
    assert len(answers(test)) == 2


def test_the_page_does_it_all_without_tensorflow():
    code = f"""
import sys
from streamlit.testing.v1 import AppTest
test = AppTest.from_file({str(APP)!r}, default_timeout=120).run()
test.switch_page("pages/compare.py").run()
assert not test.exception and test.dataframe
heavy = ("tensorflow", "tf_keras", "audiomentations", "ai_edge_litert", "numba")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=APP.parent
    )
    assert done.stdout.strip() == "[]"
