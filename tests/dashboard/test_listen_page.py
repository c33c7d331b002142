import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from shown import address
from streamlit.testing.v1 import AppTest

from dashboard import recordings
from dashboard.player import encoded
from dashboard.recordings import Recording
from edac_core.datasets.synthetic import synthesize

APP = Path(__file__).parents[2] / "app.py"


@pytest.fixture(autouse=True)
def only_synthetic(stores, monkeypatch):
    """What data the machine has must not matter here."""
    monkeypatch.setattr(recordings, "datasets_here", lambda: [recordings.SYNTHETIC])


def open_page(**query):
    test = AppTest.from_file(APP, default_timeout=120).switch_page("pages/listen.py")
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def words(test):
    return "\n".join(item.value for item in (*test.markdown, *test.caption))


def warnings(test):
    return "\n".join(item.value.replace("\\", "") for item in test.warning)


def pictures(test):
    """The image of each chart, by its alt text."""
    charts = [item.proto for item in test.get("plotly_chart")]
    images = {chart.alt: json.loads(chart.spec)["layout"].get("images") for chart in charts}
    return {alt: found[0]["source"] for alt, found in images.items() if found}


def test_first_sight_shows_both_sides():
    test = open_page()
    assert not test.exception
    assert not test.warning
    assert len(test.get("plotly_chart")) == 8
    assert len(test.get("audio")) == 2
    assert "times as fast" in words(test)
    assert "EDAC adds a copy like this for each positive recording of Coswara." in words(test)
    assert address(test) == {
        "augmentation": "aug1", "step": "all", "input": "mfcc", "seed": "1",
        "amounts": "0.7~1.4,-2~4,-0.5~0.5,30,-12~12",
        "dataset": "synthetic", "recording": "studio-positive-1",
    }  # fmt: skip


def test_a_link_reopens_what_its_sender_saw():
    sent = {
        "augmentation": "aug1+aug2", "step": "pitch-shift", "input": "mel_image", "seed": "77",
        "amounts": "3.1", "dataset": "synthetic", "recording": "telephone-negative-2",
    }  # fmt: skip
    test = open_page(**sent)
    assert not test.warning
    assert address(test) == sent
    assert "+3.1 semitones" in words(test)
    assert "39 x 88 pixels" in test.get("plotly_chart")[-1].proto.spec


def test_a_slider_changes_the_right_side_only():
    test = open_page(augmentation="aug1", step="time-stretch", amounts="1.2")
    before = pictures(test)
    test.slider[0].set_value(0.8).run()
    after = pictures(test)
    assert "0.80 times as fast" in words(test)
    assert address(test)["amounts"] == "0.8"
    changed = {alt.split()[0] for alt in before if before[alt] != after[alt]}
    assert "After" in changed
    spectrogram = "Before augmentation: which frequencies sound, and when?"
    assert before[spectrogram] == after[spectrogram]


def test_drawing_anew_moves_the_slider_and_the_seed():
    test = open_page(augmentation="aug1", step="gain", seed="5")
    seen = set()
    for _ in range(3):
        test.button[0].click().run()
        seen.add((address(test)["seed"], address(test)["amounts"]))
    assert len(seen) == 3
    assert float(address(test)["amounts"]) == test.slider[0].value


def test_a_seed_draws_the_same_again():
    test = open_page(augmentation="aug1", seed="5")
    said = words(test)
    test.number_input[0].set_value(6).run()
    assert words(test) != said
    test.number_input[0].set_value(5).run()
    assert words(test) == said


def test_another_augmentation_starts_with_its_own_amounts():
    test = open_page(augmentation="aug1", step="gain", amounts="3")
    test.selectbox(key="augmentation").set_value("pitch_down").run()
    assert not test.exception
    assert address(test)["step"] == "all"
    assert address(test)["amounts"] == "-4"
    assert test.number_input[0].disabled
    test.selectbox(key="augmentation").set_value("specaugment").run()
    assert address(test)["amounts"] == "30,30"
    assert "covered with the mean" in words(test)
    assert "what is heard stays as it was" in words(test)


def test_what_has_no_amounts_has_no_sliders():
    test = open_page(augmentation="aug1", step="polarity-inversion", amounts="")
    assert not test.exception
    assert not test.slider
    assert "The network gets exactly what it got before." in words(test)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("augmentation", "aug3"), ("step", "echo"), ("input", "compare"), ("seed", "-1"),
        ("seed", "10000"), ("seed", "1e3"), ("amounts", "9"), ("amounts", "1~2~3,4"),
        ("dataset", "nowhere"), ("recording", "../../etc/passwd"),
    ],
)  # fmt: skip
def test_what_an_address_asks_in_vain_is_said_and_replaced(key, value):
    test = open_page(**{key: value})
    assert not test.exception
    assert f"“{value}”" in warnings(test)
    assert address(test)[key] != value
    assert len(test.get("plotly_chart")) == 8


def test_choices_outlive_a_change_to_an_upload_and_back():
    test = open_page(augmentation="aug1", step="gain", input="mel_image", amounts="3.5")
    kept = address(test)
    test.session_state["recording_from"] = recordings.UPLOAD
    test.run()
    assert not test.exception
    assert not test.get("plotly_chart")
    test.session_state["recording_from"] = recordings.SAMPLE
    test.run()
    assert address(test) == kept
    assert "+3.5 dB" in words(test)


def listen_to(monkeypatch, data, name="cough.wav"):
    monkeypatch.setattr(recordings, "read_sample", lambda *_: Recording(name, data))
    return open_page()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "cough.wav is an empty file"),
        (b"RIFF" + bytes(500), "cough.wav cannot be decoded as audio"),
        (encoded(np.ones(1, np.float32)), "shorter than one window of the analysis"),
    ],
)
def test_what_cannot_be_heard_is_said(monkeypatch, data, sentence):
    test = listen_to(monkeypatch, data)
    assert not test.exception
    assert sentence in warnings(test)
    assert not test.get("plotly_chart")


def test_of_a_long_recording_the_beginning_is_shown(monkeypatch):
    cough = synthesize(1, seed=1)
    long = np.tile(cough, math.ceil(35 * 22_050 / len(cough)))
    test = listen_to(monkeypatch, encoded(long))
    assert "its first 30 s are shown here" in test.info[0].value
    assert len(test.get("plotly_chart")) == 8


def test_silence_is_no_accident(monkeypatch):
    test = listen_to(monkeypatch, encoded(np.zeros(22_050, np.float32)))
    assert not test.exception
    assert len(test.get("plotly_chart")) == 8


def test_the_page_imports_nothing_heavy():
    code = (
        "import sys, dashboard.charts.before_after;"
        "from dashboard.listening import augmentations, previewing;"
        "print({'tensorflow', 'librosa', 'audiomentations', 'cv2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
