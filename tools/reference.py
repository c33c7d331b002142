"""Write the reference pages from the code: ``make reference``.

What they say of commands, plans and stores is read from the parser, the dataclasses and the
schema, so that it stays true; a test compares the pages with what this would write.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import inspect
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from edac_core.cli import make_parser
from edac_core.compress import PRECISIONS, SCHEDULES
from edac_core.compress.methods import METHODS
from edac_core.datasets import DATASETS
from edac_core.export.bundle import Bundle, make_bundle
from edac_core.export.frontend import frontend_settings
from edac_core.export.words import FILES
from edac_core.frontends import FRONTENDS, get_frontend
from edac_core.locations import PROJECT, SHIPPED
from edac_core.models import MODELS
from edac_core.studies import schema
from edac_core.studies.plan import (
    DECAY_ENDS,
    GRAPHS,
    PROTOCOLS,
    STARTS,
    Compression,
    Data,
    Plan,
    Training,
)
from edac_core.studies.store import Store
from tools.markdown import table

FOLDER = PROJECT / "docs" / "reference"

_NOTE = "<!-- Written by tools/reference.py from the code: change that, and run make reference. -->"


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")


def pages() -> dict[str, str]:
    """Return the text of each page by the name of its file."""
    return {"bundle.md": _bundle(), "cli.md": _cli(), "plan.md": _plan(), "store.md": _store()}


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", _NOTE, *parts]) + "\n"


def _cli() -> str:
    commands = list(_commands(make_parser(), "edac"))
    sections = [_command(name, parser) for name, parser in commands]
    return _page(
        "Command line",
        "`edac COMMAND`, or `python -m edac_core COMMAND`. Exit status 0 is success, 1 a study "
        "some of whose jobs failed or a check that found something, 2 a mistake that one sentence "
        "explains, 130 an interruption.",
        *sections,
    )


def _commands(
    parser: argparse.ArgumentParser, name: str
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield every command that does something, by its name with those above it."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - see above
            for word, below in action.choices.items():
                yield from _commands(below, f"{name} {word}")
            return
    yield name, parser


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    rows = [
        (f"`{_written(action)}`", _cell(_required(action) + (action.help or "")))
        for action in parser._actions  # noqa: SLF001 - argparse has no other way to ask
        if action.dest != "help"
    ]
    said = (parser.description or "").rstrip(".")
    parts = [f"## `{name}`", f"{said[:1].upper()}{said[1:]}."]
    return "\n\n".join([*parts, table(("argument", "meaning"), rows)])


def _written(action: argparse.Action) -> str:
    name = action.option_strings[-1] if action.option_strings else action.dest.upper()
    if action.nargs == 0:
        return name
    if action.choices:
        return f"{name} {{{','.join(map(str, action.choices))}}}"
    return f"{name} {action.metavar or action.dest.upper()}" if action.option_strings else name


def _required(action: argparse.Action) -> str:
    return "required; " if action.required and action.option_strings else ""


def _cell(text: str) -> str:
    """Write a help text on one line, so that it fits into a cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _plan() -> str:
    return _page(
        "Plans",
        "A study is a TOML file with some settings and three tables. What is left out has its "
        "default; what is unknown is refused with what was probably meant.",
        _table("Settings of the study", Plan, leave_out={"data", "training", "compression"}),
        _table("`[data]`", Data),
        _table("`[training]`", Training),
        _table("`[compression]`", Compression),
    )


def _table(
    title: str, kind: type[Any], *, leave_out: frozenset[str] | set[str] = frozenset()
) -> str:
    rows = [
        (f"`{field.name}`", _values(field), _default(field))
        for field in dataclasses.fields(kind)
        if field.name not in leave_out
    ]
    return "\n\n".join([
        f"## {title}", inspect.cleandoc(kind.__doc__ or ""),
        table(("setting", "type or values", "default"), rows),
    ])  # fmt: skip


_OFFERED: Mapping[str, Iterable[str]] = {
    "dataset": DATASETS, "protocol": PROTOCOLS, "models": (*MODELS, "FILE.py"),
    "schedules": SCHEDULES, "methods": METHODS, "precisions": PRECISIONS, "start": STARTS,
    "decay_end": DECAY_ENDS, "graph": GRAPHS,
}  # fmt: skip


def _values(field: dataclasses.Field[Any]) -> str:
    """Write the values that a setting takes, or its type where they are too many to list."""
    if field.name not in _OFFERED:
        return f"`{_cell(str(field.type))}`"
    several = "" if field.type == "str" else "any of "
    return several + ", ".join(f"`{value}`" for value in _OFFERED[field.name])


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return f"`{field.default_factory()!r}`"
    return "required" if field.default is dataclasses.MISSING else f"`{field.default!r}`"


def _store() -> str:
    return _page(
        "The store",
        f"A folder with `studies.sqlite`, of version {schema.VERSION}, and "
        "`models/<sha256>.tflite.xz`. [Design](../design.md) says how it is written and read; "
        "these are its tables.",
        f"```sql\n{schema.script().rstrip()}\n```",
    )


def _bundle() -> str:
    files = _example().files
    return _page(
        "Bundles",
        "`edac export STUDY ... --output NAME.zip`, and the pages, write a variant as a zip "
        "archive of one folder. The same variant gives the same bytes.",
        "## Files",
        table(
            ("file", "what it is"),
            [(f"`{name}`", use) for name, use in FILES.items()]
            + [("`README.md`", "this table, and how to check and use the bundle")],
        ),
        "A `model.h` is left out of a model that no microcontroller holds, `frontend.py` of "
        "openSMILE's features, and a network's definition of networks that come along.",
        "## `golden.npz`",
        "Ten generated coughs: they tell whether a port computes the same, and nothing else.",
        table(("array", "shape", "type"), _arrays(files["golden.npz"])),
        "## `operating_point.json`",
        table(("key", "type"), _keys(json.loads(files["operating_point.json"]))),
        "## `metrics.json`",
        "Shares have `count`, `of`, `estimate` and a 95 % interval; times are milliseconds.",
        table(("key", "type"), _keys(json.loads(files["metrics.json"]))),
        "## `frontend.json`",
        "All that decides the features, and the versions of the libraries that computed them.",
        *(_frontend(name) for name in FRONTENDS),
    )


def _example() -> Bundle:
    """Make a bundle of a shipped variant, whichever: they differ in values only."""
    with contextlib.closing(Store(SHIPPED, readonly=True)) as store:
        variants = store.variants("cnn")
        here = variants[variants["has_model"] & variants["precision"].eq("int8")]
        return make_bundle(store, study="cnn", variant=here["key"].min())


def _arrays(content: bytes) -> Iterator[tuple[str, ...]]:
    with np.load(io.BytesIO(content)) as arrays:
        for name in arrays.files:
            shape = " x ".join(map(str, arrays[name].shape))
            yield f"`{name}`", shape, str(arrays[name].dtype)


def _keys(value: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield every key by its path, and what it holds; of a list, what its first element is."""
    for name, held in value.items():
        one = held[0] if isinstance(held, list) and held else held
        path = f"{above}{name}{'[]' if isinstance(held, list) else ''}"
        if isinstance(one, dict) and name not in _WHOLE:
            yield from _keys(one, f"{path}.")
        else:
            yield f"`{path}`", _WHOLE.get(name) or _TYPES.get(type(one), type(one).__name__)


_WHOLE = {
    "float32_baseline": "an object as `variant`",
    "baseline": "an object as `beside_baseline.variant`",
    **dict.fromkeys(("groups", "dropped", "sets"), "numbers of recordings by name"),
    "metadata_auc": "numbers by what is known without listening",
    **dict.fromkeys(("environment", "config", "machine"), "an object"),
}
_TYPES = {int: "whole number", float: "number", str: "text", bool: "true or false",
          type(None): "number, or null where it is not known"}  # fmt: skip


def _frontend(name: str) -> str:
    settings = frontend_settings(get_frontend(name))
    shown = [(f"`{key}`", _value(settings[key])) for key in settings if key != "libraries"]
    return f"### `{name}`\n\n{table(('key', 'value'), shown)}"


def _value(value: Any) -> str:
    long = isinstance(value, (list, tuple)) and len(value) > _LONG
    return f"{len(value):,} of them" if long else f"`{json.dumps(value)}`"


_LONG = 4


if __name__ == "__main__":
    main()
