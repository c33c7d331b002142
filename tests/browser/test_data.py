import re

from playwright.sync_api import expect

AUDIT_MS = 180_000


def test_the_audit_of_synthetic_coughs_is_made_and_shown(visit):
    page = visit("data?dataset=synthetic")
    usable = page.get_by_test_id("stMetric").filter(has_text="Usable recordings")
    # An audit is made apart: the page shows how far it is and then, by itself, the result.
    expect(usable).to_contain_text("240", timeout=AUDIT_MS)
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(4)
    expect(page).to_have_url(re.compile(r"/data\?dataset=synthetic$"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all as CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("recording,label,group,participant,used,reason")
    assert len(lines) == 241
    page.get_by_text("Audit recordings of your own").click()
    expect(page.get_by_text("data audit folder --path recordings.csv")).to_be_visible()
