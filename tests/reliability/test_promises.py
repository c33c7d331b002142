"""Each promise of docs/reliability.md names tests that there are."""

import ast
import re

import pytest

from edac_core.locations import PROJECT

PAGE = (PROJECT / "docs" / "reliability.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("|") and "`test" in line]
NAMED = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)


def functions_of(path):
    tree = ast.parse((PROJECT / path).read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_there_are_promises():
    assert len(ROWS) >= 16


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_promise_names_a_test(row):
    assert re.search(r"`tests/[\w/]+\.py", row)


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)))
def test_every_named_test_is_there(path, name):
    assert (PROJECT / path).is_file()
    assert not name or name in functions_of(path)
