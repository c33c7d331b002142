"""A real study, as small as it can be: started, stopped and resumed on the page, as by a person."""

import re

from playwright.sync_api import expect

from tools.server import serving

TRAINING_MS = 300_000
PLAN = {
    "Name": "tiny",
    "Title": "A tiny study",
    "Settings of the data set": "n = 40, seed = 1",
    "Sparsities in per cent": "50",
    "Epochs": "1",
    "Fine-tuning epochs": "1",
}
NOT_WANTED = ("polynomial", "float16", "int8")
# The first job may be done before the pages have said so.
UNDER_WAY, STOPPED = re.compile("[01] of 2 jobs finished"), re.compile("Stopped at [01] of 2 jobs")


def run_of(page):
    return page.locator(".st-key-run")


def button(page, name):
    return page.get_by_role("button", name=name)


def fill(page, settle):
    for label, text in PLAN.items():
        field = page.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Enter")
        settle(page)
    for name in NOT_WANTED:
        page.get_by_role("button", name=name, exact=True).click()
        settle(page)
    page.get_by_text("paper", exact=True).click()
    settle(page)
    expect(page.get_by_test_id("stMain")).to_contain_text("2 jobs")


def test_a_study_is_started_stopped_and_resumed(page, browser, settle, tmp_path):
    cache = tmp_path / "cache"
    with serving(cache, log=tmp_path / "first.log") as running:
        page.goto(f"{running.url}/run")
        settle(page)
        fill(page, settle)
        with page.expect_download() as download:
            button(page, "Download plan").click()
        assert 'name = "tiny"' in download.value.path().read_text()
        button(page, "Run study").click()
        expect(run_of(page)).to_contain_text("Preparing", timeout=TRAINING_MS)
        expect(button(page, "Run study")).to_be_disabled()

    # The server has ended; the run goes on, and another one shows it to everybody.
    with serving(cache, log=tmp_path / "second.log") as running:
        page.goto(f"{running.url}/run")
        context = browser.new_context()
        other = context.new_page()
        other.goto(f"{running.url}/run")
        for each in (page, other):
            expect(run_of(each)).to_contain_text("A tiny study")
            expect(run_of(each)).to_contain_text(UNDER_WAY, timeout=TRAINING_MS)
            expect(button(each, "Run study")).to_be_disabled()

        button(page, "Stop").click()
        for each in (page, other):
            expect(run_of(each)).to_contain_text(STOPPED)

        button(other, "Resume").click()
        expect(run_of(other)).to_contain_text("2 of 2 jobs are finished", timeout=TRAINING_MS)
        expect(button(other, "Run study")).to_be_enabled()
        settle(other)
        other.get_by_role("link", name="Open in Trade-offs").click()
        expect(other).to_have_url(re.compile("study=tiny"))
        expect(other.get_by_test_id("stMain")).to_contain_text("trained on synthetic recordings")
        context.close()
