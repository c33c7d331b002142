"""Run the benchmarks and write ``bench-results/bench.json`` and ``bench.html``: ``make bench``."""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from benchmarks import (
    features,
    growth,
    level,
    memory,
    packing,
    page,
    report,
    scoring,
    sweep,
    targets,
    training,
)
from benchmarks.stages import RESULTS, TABLES
from edac_core.datasets import open_dataset
from edac_core.errors import DataError
from edac_core.locations import local_cache
from edac_core.measure.latency import machine
from edac_core.models import get_model
from edac_core.studies.inputs import AuditedData, open_data
from edac_core.studies.jobs import versions
from edac_core.studies.plan import Data

Stage = Callable[[], dict[str, Any]]


def main() -> int:
    """Run what was asked for and print medians and their ratios."""
    options = _options()
    console = Console()
    stages = _stages(options, console)
    wanted = {name: stages[name] for name in options.only}
    failed = run_stages(wanted, console, path=RESULTS, runs=options.runs)
    if RESULTS.exists():
        report.write(json.loads(RESULTS.read_text("utf-8")), page=report.PAGE)
        console.print(f"Written to {RESULTS} and {report.PAGE}")
    return 1 if failed else 0


def run_stages(
    stages: Mapping[str, Stage], console: Console, *, path: Path, runs: int
) -> list[str]:
    """Run stages, write the results after each and print its table.

    Parameters
    ----------
    stages
        By name; one that fails is shown, and the next begins.
    console
        To print on.
    path
        JSON file. What it holds of other stages stays: each says itself when, where, with what
        and beside what load it was measured.
    runs
        Of each contestant, which is kept with the results.

    Returns
    -------
    list of str
        The stages that failed.
    """
    failed = []
    for name, measure in stages.items():
        circumstances = _circumstances(runs=runs)
        try:
            found = circumstances | measure()
        except Exception:  # noqa: BLE001 - whatever it is, the other stages' results are worth having
            console.print_exception()
            failed.append(name)
            continue
        _keep({name: found}, path)
        console.print(TABLES[name](found))
    return failed


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--runs", type=int, default=3, help="runs of each contestant")
    parser.add_argument(
        "--epochs", type=int,
        help="of a level (the network's own number by default), "
        f"and counted epochs of training ({training.EPOCHS} by default)",
    )  # fmt: skip
    parser.add_argument("--schedules", nargs="+", default=["polynomial", "constant"])
    return parser.parse_args()


def _stages(options: argparse.Namespace, console: Console) -> dict[str, Stage]:
    runs, epochs, say = options.runs, options.epochs, console.print
    level_epochs = epochs or get_model(level.NETWORK).fine_tuning_epochs
    audited = functools.cache(_audited)

    def usable() -> pd.DataFrame:
        return audited().audit.usable

    def with_data(found: dict[str, Any]) -> dict[str, Any]:
        return {"dataset": audited().dataset.name} | found

    return {
        "level": lambda: with_data(
            level.measure(
                usable(), schedules=options.schedules, runs=runs, epochs=level_epochs, say=say
            )
        ),
        "sweep": lambda: with_data(
            sweep.measure(usable(), _data(), runs=runs, epochs=level_epochs, say=say)
        ),
        "training": lambda: training.measure(runs=runs, epochs=epochs or training.EPOCHS, say=say),
        "scoring": lambda: scoring.measure(runs=runs, say=say),
        "features": lambda: with_data(features.measure(usable(), runs=runs, say=say)),
        "memory": lambda: memory.measure(runs=runs, say=say),
        "page": lambda: page.measure(runs=runs, say=say),
        "growth": lambda: growth.measure(say=say),
        "packing": lambda: packing.measure(say=say),
        "targets": lambda: targets.measure(runs=runs, say=say),
    }


def _audited() -> AuditedData:
    """Audit the real recordings where they are, generated ones elsewhere."""
    return open_data(_data(), cache=local_cache(), workers=features.WORKERS)


def _data() -> Data:
    try:
        open_dataset("covid19-cough")
    except DataError:
        return Data(dataset="synthetic")
    return Data(dataset="covid19-cough")


def _keep(found: dict[str, Any], path: Path) -> None:
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(kept | found, indent=1), "utf-8")


def _circumstances(*, runs: int) -> dict[str, Any]:
    return {
        "runs": runs,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": os.getloadavg(),
        "machine": machine(),
        "versions": dict(versions()),
    }


if __name__ == "__main__":
    sys.exit(main())
