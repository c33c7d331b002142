import io
import re

import av
import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

from edac_core.audio import SAMPLE_RATE
from edac_core.datasets.synthetic import synthesize

LINK = "compare?study=cnn&model=cnn&run=1&compared=int8-none-0~int8-polynomial-90"
PATIENCE_MS = 120_000
VERDICT = re.compile(r"variants call this recording (positive|negative)")


def with_soundfile(form, subtype):
    file = io.BytesIO()
    soundfile.write(file, synthesize(1, seed=1), SAMPLE_RATE, subtype, format=form)
    return file.getvalue()


def with_av(form, codec):
    file = io.BytesIO()
    wave = (np.clip(synthesize(1, seed=1), -1, 1) * 32_767).astype(np.int16)
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        fitting = av.AudioResampler(format=stream.format, layout="mono", rate=48_000,
                                    frame_size=stream.frame_size)  # fmt: skip
        for piece in (*fitting.resample(frame), *fitting.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return file.getvalue()


@pytest.fixture(scope="module")
def coughs():
    return {
        "cough.wav": with_soundfile("WAV", "PCM_16"),
        "cough.flac": with_soundfile("FLAC", "PCM_16"),
        "cough.mp3": with_soundfile("MP3", "MPEG_LAYER_III"),
        "cough.ogg": with_soundfile("OGG", "VORBIS"),
        "cough.webm": with_av("webm", "libopus"),
        "cough.m4a": with_av("mp4", "aac"),
    }


@pytest.fixture
def opened(server, page):
    """The page once the first verdict stands there: workers start and load models until then."""
    page.goto(f"{server}/{LINK}")
    expect(page.get_by_text(VERDICT)).to_be_visible(timeout=PATIENCE_MS)
    yield page
    expect(page.get_by_test_id("stException")).to_have_count(0)


def upload(page, name, data):
    # An uploader of one file replaces what it held.
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )


def heading(page, name):
    return page.get_by_test_id("stMarkdown").locator("strong").get_by_text(name, exact=True)


def test_every_format_is_heard(opened, coughs):
    opened.get_by_text("Upload", exact=True).click()
    for name, data in coughs.items():
        upload(opened, name, data)
        expect(heading(opened, name)).to_be_visible()
        expect(opened.get_by_text(VERDICT)).to_be_visible()
    expect(opened.get_by_test_id("stPlotlyChart")).to_have_count(4)
    assert "recording=" not in opened.url


def test_what_the_microphone_hears_is_judged(opened):
    opened.get_by_text("Microphone", exact=True).click()
    opened.get_by_role("button", name="Record", exact=True).click()
    opened.wait_for_timeout(1_500)
    opened.get_by_role("button", name="Stop recording").click()
    expect(heading(opened, "Your recording")).to_be_visible()
    expect(opened.get_by_text(VERDICT)).to_be_visible()


def test_a_hostile_upload_is_a_sentence_and_the_server_lives(opened, coughs):
    alerts = []
    opened.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    opened.get_by_text("Upload", exact=True).click()
    upload(opened, "<img src=x onerror=alert(1)>\u202e.wav", b"RIFF" + bytes(5_000))
    expect(
        opened.get_by_text("<img src=x onerror=alert(1)>.wav cannot be decoded as audio")
    ).to_be_visible()
    upload(opened, f"{'y' * 200}.wav", coughs["cough.wav"])
    expect(heading(opened, f"{'y' * 28}…{'y' * 7}.wav")).to_be_visible()
    expect(opened.get_by_text(VERDICT)).to_be_visible()
    assert not alerts


def test_the_slider_moves_by_keyboard_and_says_what_becomes_of_the_answers(opened):
    expect(opened.get_by_text("The float32 baseline calls it")).to_be_visible()
    slider = opened.get_by_test_id("stSlider")
    expect(slider).to_contain_text("as recorded")
    slider.get_by_role("slider").press("ArrowRight")
    expect(slider).to_contain_text("40 dB")
    opened.get_by_text("Low-pass", exact=True).click()
    expect(
        opened.get_by_text("Do the variants drift apart as high frequencies go?")
    ).to_be_visible()
