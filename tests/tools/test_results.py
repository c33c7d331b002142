import re

import pytest

from tools.results import BEYOND, PAGES, TABLES, filled


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_results_are_what_the_store_says(page):
    """If this fails, run `make results`."""
    text = page.read_text("utf-8")
    assert filled(text) == text


def test_every_table_stands_somewhere():
    named = {
        name
        for page in PAGES
        for name in re.findall(r"<!-- results: (.*?) -->", page.read_text("utf-8"))
    }
    assert named == {BEYOND, *TABLES}


def test_a_figure_that_the_store_does_not_have_is_replaced():
    stale = "<!-- results: cnn -->\n| 0.999 |\n<!-- end -->\nafter"
    made = filled(stale)
    assert "0.999" not in made
    assert made.startswith("<!-- results: cnn -->\n\nStudy `cnn`, covid19-cough")
    assert made.endswith("|\n\n<!-- end -->\nafter")
