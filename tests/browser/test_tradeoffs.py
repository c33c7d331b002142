import re
from contextlib import closing
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from dashboard import format as write
from edac_core.locations import SHIPPED
from edac_core.studies.store import Store

START = {"study": "cnn", "model": "cnn", "precision": "int8", "method": "polynomial",
         "sparsity": "95"}  # fmt: skip


@pytest.fixture
def page_at(visit):
    """Open the page at a variant: page_at(drop="0.02")."""

    def _open(**more):
        page = visit(f"?{urlencode(START | more)}")
        expect(page.get_by_test_id("stDataFrame")).to_be_visible()
        return page

    return _open


def metric(page, label):
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")


def at(**choices):
    """What an address holds that holds these choices, in any order."""
    return re.compile("".join(f"(?=.*[?&]{name}={text}(&|$))" for name, text in choices.items()))


def points(page, trace):
    """The points of a trace of the trade-off chart; the published ones are the second."""
    traces = page.locator(".st-key-tradeoff .scatterlayer .trace")
    return traces.nth(trace).locator(".points path")


def click_on(point):
    """Click where a point is: others may lie over it, and hidden ones must not be clicked."""
    box = point.bounding_box()
    point.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_the_slider_moves_the_figures_however_fast(page_at):
    page = page_at()
    slider = page.get_by_role("slider", name="Sparsity")
    before = metric(page, "Weights left").inner_text()
    slider.press("ArrowLeft")
    expect(page).to_have_url(at(sparsity="90"))
    expect(metric(page, "Weights left")).not_to_have_text(before)
    for pause in (260, 30, 320, 210):  # Streamlit gathers what happens within 200 ms.
        slider.press("ArrowLeft")
        page.wait_for_timeout(pause)
    expect(page).to_have_url(at(sparsity="70", precision="int8"))
    page.wait_for_timeout(500)
    expect(slider).to_have_attribute("aria-valuetext", "70 %")
    expect(page).to_have_url(at(sparsity="70", precision="int8"))


def test_a_click_on_a_point_chooses_it_and_one_on_the_papers_does_not(page_at):
    page = page_at()
    expect(points(page, 1).first).to_be_visible()
    click_on(points(page, 1).first)
    page.wait_for_timeout(500)
    expect(page).to_have_url(at(precision="int8", method="polynomial", sparsity="95"))
    # The largest float32 file stands alone at the right: the baseline itself.
    click_on(points(page, 2).first)
    expect(page).to_have_url(at(precision="float32"))
    expect(metric(page, "File size")).to_have_text("24.6 MB")


def test_a_selected_row_is_chosen(page_at):
    page = page_at()
    frame = page.get_by_test_id("stDataFrame").locator("canvas").first
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    page.mouse.click(box["x"] + 18, box["y"] + 52)  # The first row: the smallest of all.
    expect(page).to_have_url(at(precision="int8", method="constant", sparsity="99.9"))
    expect(page.get_by_role("slider", name="Sparsity")).to_have_attribute(
        "aria-valuetext", "99.9 %"
    )


def test_the_smallest_within_limits_is_found_and_explained(page_at):
    page = page_at(drop="0.02", sparsity="50")
    page.get_by_test_id("stPopoverButton").click()
    found = page.get_by_test_id("stPopoverBody")
    expect(found).to_contain_text("is the smallest:")
    expect(found).to_contain_text(re.compile(r"The next smaller one .* more AUC than allowed"))
    size = found.get_by_role("spinbutton", name="Size at most (kB)")
    size.fill("1")
    size.press("Enter")
    expect(found).to_contain_text("No variant meets all these limits.")
    expect(page).to_have_url(at(size="1", drop="0.02"))
    size.fill("300")
    size.press("Enter")
    name = found.locator("strong").first
    expect(name).to_have_text(re.compile("int8, polynomial"))
    found.get_by_role("button", name="Choose it").click()
    expect(page).to_have_url(at(precision="int8", method="polynomial", size="300"))
    expect(metric(page, "Zip size")).to_have_text(write.size(smallest_zip(drop=0.02)))


def smallest_zip(*, drop):
    """The mean zip of the shipped CNN's smallest variant that loses at most so much AUC."""
    with closing(Store(SHIPPED, readonly=True)) as store:
        variants = store.variants("cnn")
    names = ["method", "precision", "sparsity"]
    means = variants.groupby(names)[["auc", "zip_bytes"]].mean()
    least = means.loc[("none", "float32", 0.0), "auc"] - drop
    return means.loc[means["auc"] >= least, "zip_bytes"].min()


def test_a_margin_judges_the_variant_and_stays_in_the_address(page_at, settle):
    page = page_at()
    verdict = page.get_by_text(re.compile("^(Shown to lose|Unsettled whether it loses) .*AUC"))
    expect(verdict).to_contain_text("than 0.02 AUC.")
    margin = page.get_by_label("Margin of AUC", exact=True)
    margin.fill("0.05")
    margin.press("Enter")
    expect(verdict).to_contain_text("than 0.05 AUC.")
    expect(page).to_have_url(at(margin="0.05", sparsity="95"))
    page.reload()
    settle(page)
    expect(margin).to_have_value("0.050")
    expect(verdict).to_contain_text("than 0.05 AUC.")


def test_a_pinned_variant_stays_beside_the_one_that_is_shown(page_at):
    page = page_at()
    page.get_by_role("button", name="Pin this variant").click()
    expect(page).to_have_url(at(pin="cnn~int8~polynomial~95"))
    page.get_by_role("slider", name="Sparsity").press("ArrowRight")
    beside = page.locator(".st-key-side-by-side")
    expect(beside).to_contain_text("Shown less pinned, within each of 5 runs")
    height = beside.bounding_box()["height"]
    page.get_by_role("button", name="Unpin").click()
    expect(beside).to_contain_text("Pin the variant that is shown")
    assert beside.bounding_box()["height"] == height


def test_on_a_phone_picker_figures_chart_and_download_follow_each_other(visit, page):
    page.set_viewport_size({"width": 390, "height": 844})
    visit(f"?{urlencode(START)}")
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    parts = [
        page.get_by_role("slider", name="Sparsity"),
        page.get_by_test_id("stMetric").first,
        page.locator(".st-key-tradeoff"),
        page.get_by_text("Download .tflite"),
        page.locator(".st-key-auc"),
    ]
    tops = [part.bounding_box()["y"] for part in parts]
    assert tops == sorted(tops)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
