import re

from playwright.sync_api import expect


def test_a_link_leads_to_its_section_and_the_figures_are_measured(visit):
    page = visit("papers#signed-zeros")
    heading = page.get_by_role("heading", name="Signed zeros")
    expect(heading).to_be_in_viewport()
    measured = page.get_by_text(re.compile(r"Measured on the CNN of .* times as much"))
    expect(measured).to_contain_text("for 8 of 8 random inputs")
    expect(page.get_by_text("105.76x").first).to_be_attached()


def test_choosing_a_network_shows_its_table_and_stands_in_the_address(visit):
    page = visit("papers")
    expect(page.get_by_text("EDAC, table 4: CNN, polynomial")).to_be_visible()
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="Dense A").click()
    expect(page.get_by_text("Squeeze for Sneeze, tables 2 and 3: Dense A")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/papers\?model=dense_a"))
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(2)
