"""The table in docs/architecture.md is what the modules import."""

import ast
import re
from collections import defaultdict
from graphlib import TopologicalSorter

from edac_core.locations import PROJECT

PACKAGE = PROJECT / "edac_core"
PAGE = (PROJECT / "docs" / "architecture.md").read_text("utf-8")
TABLE = {
    part: {name for name in re.split(r",\s*", imports.strip()) if name}
    for part, imports in re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|$", PAGE, re.MULTILINE)
}


def modules_in(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "edac_core":
            yield from (f"edac_core.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module


def imports():
    found = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        found[part]
        for module in modules_in(ast.parse(path.read_text("utf-8"))):
            package, _, rest = module.partition(".")
            other = rest.partition(".")[0]
            if package == "edac_core" and other not in {"", "__version__", part}:
                found[part].add(other)
    return {part: others for part, others in found.items() if not part.startswith("__")}


def test_the_page_has_every_part_and_every_import():
    assert imports() == TABLE


def test_nothing_goes_in_a_circle():
    assert list(TopologicalSorter(TABLE).static_order())


def test_the_core_knows_no_page():
    for path in PACKAGE.rglob("*.py"):
        tops = {
            module.partition(".")[0] for module in modules_in(ast.parse(path.read_text("utf-8")))
        }
        assert not tops & {"dashboard", "pages", "app", "streamlit", "plotly"}, path
