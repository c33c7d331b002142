"""What people upload, name or plan never becomes HTML of the page."""

import ast

import pytest

from dashboard import export
from edac_core.locations import PROJECT

SOURCES = [
    PROJECT / "app.py",
    *sorted((PROJECT / "pages").glob("*.py")),
    *sorted((PROJECT / "dashboard").rglob("*.py")),
]
RAW = {"html", "iframe", "declare_component", "component", "write_stream"}
# Where raw HTML is drawn, and the constant that is all of it.
REASONED = {("dashboard/export.py", "_OUR_WORDS_FIRST")}


def calls(path):
    return [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if is_call(node)]


def is_call(node):
    return isinstance(node, ast.Call)


def name_of(call):
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def raw_html(path):
    """The places of a file where HTML reaches the page as it is, by what is drawn there."""
    found = set()
    for call in calls(path):
        allowed = [word.value for word in call.keywords if word.arg == "unsafe_allow_html"]
        if any(not (isinstance(value, ast.Constant) and value.value is False) for value in allowed):
            found.add(ast.unparse(call))
        if name_of(call) in RAW and isinstance(call.func, ast.Attribute):
            found.add(ast.unparse(call.args[0]) if call.args else ast.unparse(call))
    return found


def test_html_is_drawn_where_there_is_a_reason_and_nowhere_else():
    found = {
        (str(path.relative_to(PROJECT)), drawn) for path in SOURCES for drawn in raw_html(path)
    }
    assert found == REASONED


@pytest.mark.parametrize(
    "line",
    [
        "st.markdown(name, unsafe_allow_html=True)",
        "st.markdown(name, unsafe_allow_html=sure)",
        "st.html(f'<b>{name}</b>')",
        "left.html(name)",
        "components.html(name)",
        "st.components.v1.iframe(address)",
    ],
)
def test_html_would_be_found(tmp_path, line):
    (tmp_path / "page.py").write_text(line)
    assert raw_html(tmp_path / "page.py")


def test_what_is_drawn_as_html_holds_nothing_from_outside():
    tree = ast.parse((PROJECT / "dashboard" / "export.py").read_text("utf-8"))
    (value,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_OUR_WORDS_FIRST"
    ]
    assert isinstance(value, ast.Constant)
    assert export._OUR_WORDS_FIRST.startswith("<style>")
