import re

import pytest
from playwright.sync_api import expect

PAGES = {
    "": "Trade-offs",
    "compare": "Compare on a cough",
    "listen": "Listen and look",
    "run": "Run a study",
    "inspect": "Inspect a variant",
    "papers": "Papers",
    "data": "Data",
}


def links(page):
    return page.get_by_test_id("stSidebar").get_by_test_id("stPageLink-NavLink")


@pytest.mark.parametrize("path", PAGES)
def test_a_deep_link_shows_the_same_frame(visit, path):
    page = visit(path)
    expect(page).to_have_title(f"{PAGES[path]} - EDAC Explorer")
    expect(links(page)).to_have_text([re.compile(f"{title}$") for title in PAGES.values()])


def test_the_navigation_leads_to_every_page(visit):
    page = visit()
    for path, title in PAGES.items():
        links(page).get_by_text(title, exact=True).click()
        expect(page).to_have_title(f"{title} - EDAC Explorer")
        expect(page).to_have_url(re.compile(rf"/{path}(\?|$)"))
