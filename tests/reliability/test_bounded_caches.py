"""What sessions share on the server does not grow with what they bring."""

import ast

from edac_core.locations import PROJECT

SOURCES = [
    PROJECT / "app.py",
    *sorted((PROJECT / "pages").glob("*.py")),
    *sorted((PROJECT / "dashboard").rglob("*.py")),
]


def cached():
    """Every cached function: (file, function, decorator)."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for decorator in getattr(node, "decorator_list", []):
                text = ast.unparse(decorator)
                if "cache_data" in text or "cache_resource" in text:
                    yield path.name, node, decorator


def has_limit(decorator):
    return "max_entries" in {word.arg for word in getattr(decorator, "keywords", [])}


def takes_arguments(function):
    arguments = function.args
    return bool(arguments.args or arguments.kwonlyargs)


def test_every_cache_of_what_is_asked_for_has_a_limit():
    found = list(cached())
    assert len(found) > 30
    unbounded = [
        f"{file}: {function.name}"
        for file, function, decorator in found
        if takes_arguments(function) and not has_limit(decorator)
    ]
    assert unbounded == []
