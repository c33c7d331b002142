import re

from playwright.sync_api import expect

VARIANT = "inspect?study=cnn&precision=int8&method=polynomial&sparsity=95&run=1"
UNPACKING_MS = 90_000


def figure(page, name):
    return page.get_by_role("figure", name=re.compile(name))


def test_a_file_is_taken_to_pieces_and_its_decisions_are_shown(server, page):
    page.goto(f"{server}/{VARIANT}")
    # A worker starts, and the baseline's file is unpacked.
    weights = figure(page, "Histogram of the weights of 3. dense1")
    expect(weights).to_be_visible(timeout=UNPACKING_MS)
    expect(figure(page, "Which layers fill the zip").get_by_text("dense1")).to_be_visible()
    expect(page.get_by_text(re.compile("^Operators by themselves: "))).to_be_visible()
    page.get_by_text("In the file", exact=True).click()
    expect(figure(page, "Which layers fill the file")).to_be_visible()
    page.get_by_text("What it decides").click()
    expect(figure(page, "^Confusion matrix")).to_have_count(3)
    expect(figure(page, "^ROC curve")).to_be_visible()
    expect(page).to_have_url(re.compile("view=decides"))


def test_the_slider_changes_the_file_that_is_shown(visit):
    page = visit(f"{VARIANT}&view=decides")
    size = page.get_by_test_id("stMetric").filter(has_text="Zip size").get_by_test_id(
        "stMetricValue"
    )  # fmt: skip
    before = size.inner_text()
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowLeft")
    expect(size).not_to_have_text(before)
    expect(page).to_have_url(re.compile("sparsity=90&run=1&view=decides"))


def test_a_changed_decision_is_played_or_says_why_not(visit):
    page = visit(f"{VARIANT}&view=changed")
    expect(page.get_by_text(re.compile("McNemar's exact test: p = "))).to_be_visible()
    played = page.get_by_test_id("stAudio")
    expect(played.or_(page.get_by_text("It cannot be played here"))).to_be_visible()
    said = page.get_by_text(re.compile("^The baseline's score"))
    before = said.inner_text()
    # The table is drawn on a canvas: its second row, where rows are chosen.
    page.get_by_test_id("stDataFrame").click(position={"x": 16, "y": 35 + 35 + 17})
    expect(said).not_to_have_text(before)


def test_on_a_phone_the_layers_or_how_to_measure_them_have_room(visit, page):
    page.set_viewport_size({"width": 390, "height": 844})
    visit("inspect?study=cnn-smaller&view=layers")
    chart = figure(page, "^Change of validation AUC by layer and sparsity")
    expect(chart.or_(page.get_by_text("Nobody has measured yet which layers"))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
