"""Run the benchmarks and write ``bench-results/bench.json``: ``make bench``."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.level import CONTESTANTS, SEED, save_inputs
from edac_core.datasets import open_dataset
from edac_core.datasets.audit import audit
from edac_core.errors import DataError
from edac_core.frontends import get_frontend
from edac_core.frontends.extract import extract
from edac_core.locations import PROJECT, local_cache
from edac_core.measure.latency import machine
from edac_core.models import get_model
from edac_core.studies.inputs import SplitInputs, open_data, prepare_clean
from edac_core.studies.jobs import Job, versions
from edac_core.studies.plan import Data

RESULTS = PROJECT / "bench-results" / "bench.json"
_WORKERS = 2
_BASELINE_EPOCHS = 15


def main() -> int:
    """Run what was asked for and print the ratios of medians."""
    options = _options()
    console = Console()
    data = _data()
    inputs = _inputs(data)
    results: dict[str, Any] = {
        "machine": machine(),
        "versions": dict(versions()),
        "dataset": data.dataset,
        "training_examples": len(inputs.training.labels),
        "features": _time_features(data, runs=options.runs),
        "levels": {},
    }
    for schedule in options.schedules:
        console.print(f"One level, {schedule} schedule, {options.epochs} epochs ...")
        results["levels"][schedule] = _compete(
            inputs, schedule, epochs=options.epochs, runs=options.runs, console=console
        )
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1))
    console.print(_feature_table(results), _level_table(results))
    console.print(f"Written to {RESULTS}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each contestant")
    parser.add_argument("--epochs", type=int, default=get_model("cnn").fine_tuning_epochs)
    parser.add_argument("--schedules", nargs="+", default=["polynomial", "constant"])
    return parser.parse_args()


def _data() -> Data:
    """Use the real recordings where they are, generated ones elsewhere."""
    try:
        open_dataset("covid19-cough")
    except DataError:
        return Data(dataset="synthetic")
    return Data(dataset="covid19-cough")


def _inputs(data: Data) -> SplitInputs:
    usable = open_data(data, cache=local_cache(), workers=_WORKERS).audit.usable
    return prepare_clean(usable, seed=1, frontend="mfcc", cache=local_cache(), workers=_WORKERS)


def _time_features(data: Data, *, runs: int) -> dict[str, list[float]]:
    """Time the front-end on all usable recordings, with an empty cache and with a full one."""
    dataset = open_dataset(data.dataset)
    usable = audit(dataset, cache=local_cache(), workers=_WORKERS).usable
    seconds: dict[str, list[float]] = {"cold": [], "warm": []}
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            for taken in seconds.values():
                start = time.perf_counter()
                extract(
                    usable,
                    frontend=get_frontend("mfcc"),
                    cache=Path(folder) / "features.sqlite",
                    workers=_WORKERS,
                )
                taken.append(time.perf_counter() - start)
    return seconds


def _compete(
    inputs: SplitInputs, schedule: str, *, epochs: int, runs: int, console: Console
) -> dict[str, Any]:
    job = Job(
        model="cnn", protocol="clean", split_seed=1, training_seed=SEED, schedule=schedule,
        sparsity=0.9, epochs=epochs, frequency=100 if schedule == "polynomial" else 1,
        batch_size=32, precisions=("float32", "float16", "int8"),
    )  # fmt: skip
    found: dict[str, Any] = {name: {"seconds": []} for name in CONTESTANTS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inputs.npz"
        save_inputs(path, inputs, _baseline(inputs))
        for _ in range(runs):
            for name in CONTESTANTS:
                done = _run_alone(
                    ["-m", "benchmarks.level", name, str(path), json.dumps(job.to_dict())]
                )
                found[name]["seconds"].append(done["seconds"])
                found[name]["variants"] = done["variants"]
                console.print(f"  {name}: {done['seconds']:.1f} s")
    return found


def _baseline(inputs: SplitInputs) -> list[Any]:
    """Train the CNN for a few epochs, so that the levels start from weights worth keeping."""
    from edac_core.models.training import seed_everything, train  # noqa: PLC0415 - slow import

    spec = get_model("cnn")
    seed_everything(SEED)
    return train(
        spec.build(), spec.optimizer(), inputs.training, inputs.validation, seed=SEED,
        batch_size=spec.batch_size, epochs=_BASELINE_EPOCHS, patience=_BASELINE_EPOCHS,
    ).weights  # fmt: skip


def _run_alone(arguments: Sequence[str]) -> Any:
    finished = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, *arguments], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    return json.loads(finished.stdout.splitlines()[-1])


def _level_table(results: dict[str, Any]) -> Table:
    table = Table("schedule", "plain tfmot (s)", "ours (s)", "times faster",
                  "zip int8, plain / ours (kB)", title="One pruned level (medians)")  # fmt: skip
    for schedule, found in results["levels"].items():
        plain, ours = (
            statistics.median(found[name]["seconds"]) for name in ("plain_tfmot", "ours")
        )
        zips = [
            found[name]["variants"]["int8"]["zip_bytes"] / 1e3 for name in ("plain_tfmot", "ours")
        ]
        table.add_row(schedule, f"{plain:.1f}", f"{ours:.1f}", f"{plain / ours:.2f}",
                      f"{zips[0]:.0f} / {zips[1]:.0f}")  # fmt: skip
    return table


def _feature_table(results: dict[str, Any]) -> Table:
    table = Table(
        "cache", "seconds (median)", title=f"MFCC of all usable recordings, {_WORKERS} processes"
    )
    for state, seconds in results["features"].items():
        table.add_row(state, f"{statistics.median(seconds):.2f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
