"""A sweep of pruned levels of the CNN: a study on two workers, and plain tfmot level by level.

The study is `edac run` as anybody starts it, on a store that has the baseline and the features
already: its workers have a thread each, and it scores, weighs and times every variant. Plain tfmot
does the same levels in one process that uses all cores, from a baseline that it has too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from benchmarks import level
from benchmarks.contest import Say, answer, run_alone, run_module, seconds_of, take_turns
from edac_core.studies.jobs import Job
from edac_core.studies.plan import Data

SPARSITIES = (0.5, 0.8, 0.9, 0.95)
WORKERS = 2
_FIRST = 0.1
_PLAN = """
name = "sweep"
title = "Sweep"

[data]
dataset = "{dataset}"
split_seeds = [1]

[training]
models = ["{network}"]
epochs = {baseline_epochs}

[compression]
graph = "published"
schedules = ["{schedule}"]
sparsities = {sparsities}
epochs = {epochs}
"""


def measure(
    usable: pd.DataFrame, data: Data, *, runs: int, epochs: int, say: Say
) -> dict[str, Any]:
    """Do the levels both ways, in turns.

    Parameters
    ----------
    usable
        Recordings of `data` that an audit kept.
    data
        The data set, as in a plan.
    runs
        Of each contestant.
    epochs
        Of a level.
    say
        Takes lines for people.
    """
    say(f"Sweep of {len(SPARSITIES)} levels, {epochs} epochs each ...")
    with tempfile.TemporaryDirectory() as folder:
        job = level.prepare_folder(Path(folder), usable)
        answers = take_turns(
            __name__, ("ours", "plain_tfmot"), folder, data.dataset, json.dumps(job.to_dict()),
            epochs, runs=runs, say=say,
        )  # fmt: skip
    return {"levels": len(SPARSITIES), "epochs": epochs, "workers": WORKERS,
            "seconds": seconds_of(answers)}  # fmt: skip


def table(found: dict[str, Any]) -> Table:
    """Show levels an hour and their ratio."""
    plain, own = (
        3_600 * found["levels"] / statistics.median(found["seconds"][name])
        for name in ("plain_tfmot", "ours")
    )
    shown = Table("plain tfmot", "ours", "times faster",
                  title=f"Sweep of {found['levels']} levels, levels an hour (medians)")  # fmt: skip
    shown.add_row(f"{plain:.0f}", f"{own:.0f}", f"{own / plain:.2f}")
    return shown


def ours(folder: Path, dataset: str, epochs: int) -> float:
    """Time `edac run` of the levels on a new store that has the baseline."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        plan = Path(cache) / "plan.toml"
        # An epoch is too short for a polynomial one.
        _run(plan, _plan(dataset, (_FIRST,), epochs=1, schedule="constant"))
        start = time.perf_counter()
        _run(plan, _plan(dataset, SPARSITIES, epochs=epochs))
        return time.perf_counter() - start


def plain_tfmot(folder: Path, job: Job, epochs: int) -> float:
    """Time the levels as the paper's code would do them, in one process."""
    start = time.perf_counter()
    run_alone(__name__, "levels", folder, "", json.dumps(job.to_dict()), epochs)
    return time.perf_counter() - start


def main() -> int:
    """Do the sweep and answer with its seconds, or do the levels of plain tfmot."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=("ours", "plain_tfmot", "levels"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("dataset")
    parser.add_argument("job", type=level.read_job)
    parser.add_argument("epochs", type=int)
    options = parser.parse_args()
    if options.contestant == "levels":
        level.plain_levels(options.folder, options.job, SPARSITIES, epochs=options.epochs)
        answer({})
    elif options.contestant == "ours":
        answer({"seconds": ours(options.folder, options.dataset, options.epochs)})
    else:
        answer({"seconds": plain_tfmot(options.folder, options.job, options.epochs)})
    return 0


def _plan(
    dataset: str, sparsities: Sequence[float], *, epochs: int, schedule: str = "polynomial"
) -> str:
    return _PLAN.format(
        dataset=dataset, network=level.NETWORK, sparsities=list(sparsities), epochs=epochs,
        baseline_epochs=level.BASELINE_EPOCHS, schedule=schedule,
    )  # fmt: skip


def _run(plan: Path, text: str) -> None:
    plan.write_text(text, "utf-8")
    run_module("edac_core", "run", plan, "--workers", WORKERS, "--cache", plan.parent)


if __name__ == "__main__":
    sys.exit(main())
