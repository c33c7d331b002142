"""Commands of data sets: list, audit, download."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from edac_core.cli.common import add_command, say, show
from edac_core.datasets import DATASETS, canonical, open_dataset
from edac_core.datasets.audit import audit
from edac_core.datasets.download import download
from edac_core.datasets.location import data_root


def add_commands(commands: Any) -> None:
    """Add data list, data audit and data download."""
    data = commands.add_parser("data", help="list, audit or download data sets")
    actions = data.add_subparsers(required=True, metavar="ACTION")
    add_command(actions, "list", _list, "list the data sets")
    for name, command, text, path in (
        ("audit", _audit, "look at every recording of a data set", "the data set itself"),
        ("download", _download, "fetch a public data set", "folder to put its folder into"),
    ):
        action = add_command(actions, name, command, text)
        action.add_argument("dataset")
        action.add_argument("--path", type=Path, help=path)
        if command is _audit:
            action.add_argument(
                "--option", type=_option, action="append", default=[], metavar="NAME=VALUE",
                help="an option of the data set, as in a plan, such as positive=wet",
            )  # fmt: skip


def _option(text: str) -> tuple[str, object]:
    """Read an option of a data set; what is no number, true or false is a text."""
    name, _, value = text.partition("=")
    if name == "path":
        raise argparse.ArgumentTypeError("the path has an option of its own: --path")
    if not (name and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not like positive=wet")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _list(options: argparse.Namespace) -> int:
    say(
        {"datasets": list(DATASETS), "folder": str(data_root())},
        f"Data sets: {', '.join(DATASETS)}. Recordings are looked for in {data_root()}.",
        options,
    )
    return 0


def _audit(options: argparse.Namespace) -> int:
    dataset = open_dataset(options.dataset, path=options.path, **dict(options.option))
    result = audit(dataset, cache=options.cache)
    if options.csv:
        left_out = dataset.dropped.assign(verdict="drop")
        table = pd.concat([result.recordings, left_out], ignore_index=True)
        print(table.to_csv(index=False), end="")  # noqa: T201 - a command line prints
        return 0
    counts = {**result.summary(), **dataset.dropped["reason"].value_counts()}
    _heading(f"{dataset.title}, licence: {dataset.licence}", options)
    show(pd.DataFrame(counts.items(), columns=["verdict", "recordings"]), options)
    _show_metadata_auc(result.metadata_auc, options)
    if dataset.notes or options.json:
        say({"notes": dataset.notes}, "\n".join(["", *dataset.notes]), options)
    return 0


def _show_metadata_auc(table: pd.DataFrame, options: argparse.Namespace) -> None:
    known = table.dropna(subset="auc")
    if options.json:
        show(table, options)
    elif known.empty:
        _heading("\nToo few usable recordings of one label to ask what predicts it.", options)
    else:
        _heading("\nWhat predicts the label without the sound (AUC; 0.5 is chance)", options)
        show(known, options)


def _heading(text: str, options: argparse.Namespace) -> None:
    if not (options.json or options.quiet):
        print(text)  # noqa: T201 - a command line prints


def _download(options: argparse.Namespace) -> int:
    target = options.path or data_root()
    folder = download(canonical(options.dataset), target=target, progress=not options.quiet)
    say({"folder": str(folder)}, f"{options.dataset} is in {folder}.", options)
    return 0
