"""Commands of whole studies: run, status, table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from edac_core.cli.common import (
    add_command,
    keep_within,
    limit_of_cache,
    open_stores,
    positive,
    resource,
    running,
    say,
    show,
    store_of,
)
from edac_core.studies.journal import LOG_FILE, run_folder
from edac_core.studies.plan import load_plan
from edac_core.studies.trust import MARGIN
from edac_core.table import TABLE_HELP, Wanted, for_terminal, table_of


def add_commands(commands: Any) -> None:
    """Add run, status and table."""
    run = add_command(commands, "run", _run, "run a plan, or go on with one")
    run.add_argument("plan", type=Path, help="a TOML file")
    run.add_argument("--workers", type=positive, help="worker processes (default: one a core)")
    run.add_argument("--scheduler", help="address of a Dask scheduler, such as tcp://host:8786")
    run.add_argument(
        "--resource", type=resource, action="append", default=[], metavar="NAME=AMOUNT",
        help="what each job asks of a worker, such as GPU=1; see docs/cluster.md",
    )  # fmt: skip
    add_command(commands, "status", _status, "list the studies and how far they are")
    _add_table(commands)


def _add_table(commands: Any) -> None:
    table = add_command(commands, "table", _table, "print all variants of a study")
    table.description = TABLE_HELP
    table.add_argument("study")
    table.add_argument("--means", action="store_true", help="average over the runs")
    table.add_argument(
        "--margin", type=float, default=MARGIN,
        help=f"largest loss of AUC that would still do, for the verdict (default: {MARGIN:g})",
    )  # fmt: skip
    table.add_argument(
        "--sensitivity", type=float,
        help="add sensitivity and specificity at the threshold that reaches this on validation",
    )  # fmt: skip
    table.add_argument(
        "--devices", action="store_true",
        help="add estimated RAM, multiplications and the runtimes that take a file",
    )  # fmt: skip


def _run(options: argparse.Namespace) -> int:
    from edac_core.studies.run import run_study  # noqa: PLC0415 - Dask takes a second to import

    plan, most_bytes = load_plan(options.plan), limit_of_cache()
    with running(options, run_folder(options.cache, plan.name) / LOG_FILE) as listener:
        summary = run_study(
            plan,
            cache=options.cache,
            workers=options.workers,
            scheduler=options.scheduler,
            resources=dict(options.resource),
            listener=listener,
        )
    keep_within(most_bytes, options)
    return 1 if summary.failed else 0


def _status(options: argparse.Namespace) -> int:
    rows = [
        {**row, "where": store.folder.name}
        for store in open_stores(options.cache)
        for row in store.progress().to_dict("records")
    ]
    if not rows and not options.json:
        say({}, "No studies yet; start with: edac run plans/quick.toml", options)
        return 0
    show(pd.DataFrame(rows, columns=["study", "where", "finished", "jobs", "failed"]), options)
    return 0


def _table(options: argparse.Namespace) -> int:
    store = store_of(options.study, options.cache)
    wanted = Wanted(
        margin=options.margin,
        means=options.means,
        sensitivity=options.sensitivity,
        devices=options.devices,
    )
    table = table_of(store, options.study, wanted)
    show(table if options.csv or options.json else for_terminal(table, wanted), options)
    return 0
