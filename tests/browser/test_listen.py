import io
import re

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

CHARTS = 8


def tone(form="WAV"):
    file = io.BytesIO()
    seconds = np.arange(2 * 22_050) / 22_050
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * 800 * seconds), 22_050, format=form)
    return file.getvalue()


def test_a_slider_moves_the_pictures_and_the_address(visit):
    page = visit("listen?augmentation=aug1&step=time-stretch&amounts=1.2")
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(CHARTS)
    expect(page.get_by_text("1.20 times as fast")).to_be_visible()
    # While it is redrawn the chart that goes is still there.
    after = page.locator(".st-key-spectrogram-After image").last
    expect(after).to_be_visible()
    drawn = after.get_attribute("xlink:href")
    page.get_by_role("slider", name="Rate").press("ArrowRight")
    expect(page.get_by_text("1.21 times as fast")).to_be_visible()
    expect(page).to_have_url(re.compile("amounts=1.21"))
    expect(after).not_to_have_attribute("xlink:href", drawn)


def test_drawing_anew_draws_something_else(visit):
    page = visit("listen?seed=1")
    said = page.locator("p", has_text="What was done:")
    words = said.inner_text()
    page.get_by_role("button", name="Draw anew").click()
    expect(page).not_to_have_url(re.compile(r"seed=1(&|$)"))
    expect(said).not_to_have_text(words)


def test_both_sides_can_be_played(visit):
    page = visit("listen?augmentation=aug1&step=trim")
    for player in page.locator("audio").all():
        assert player.evaluate(
            "async audio => { await audio.play(); audio.pause(); return audio.duration }"
        ) > 0.1  # fmt: skip


@pytest.mark.parametrize("form", ["WAV", "FLAC"])
def test_an_upload_is_heard_and_seen(visit, form):
    page = visit("listen?augmentation=pitch_down")
    page.get_by_text("Upload", exact=True).click()
    name = f"tone.{form.lower()}"
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": f"audio/{form.lower()}", "buffer": tone(form)}
    )
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(CHARTS)
    expect(page.get_by_text("semitones.", exact=False).first).to_be_visible()
    expect(page).not_to_have_url(re.compile("recording="))


def test_a_link_is_followed_though_the_viewer_does_not_wait_until_all_is_drawn(server, page):
    page.goto(f"{server}/listen?augmentation=pitch_down&seed=7")
    page.get_by_text("Upload", exact=True).click()
    page.locator("input[type=file]").set_input_files(
        {"name": "tone.wav", "mimeType": "audio/wav", "buffer": tone()}
    )
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(CHARTS)
    expect(page.get_by_text("semitones.", exact=False).first).to_be_visible()
    expect(page.get_by_role("spinbutton", name="Seed")).to_have_value("7")
