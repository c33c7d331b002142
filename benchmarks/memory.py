"""Peak memory of the largest network's jobs, the dense C, one after the other as in a worker."""

from __future__ import annotations

import dataclasses
import statistics
import sys
from typing import Any

import pandas as pd
from rich.table import Table

from benchmarks.contest import SEED, Say, answer, random_examples, run_alone
from edac_core.compress import DEFAULT_PRECISIONS
from edac_core.frontends import get_frontend
from edac_core.models import ModelSpec, get_model
from edac_core.studies.inputs import SplitInputs
from edac_core.studies.jobs import Job
from edac_core.studies.store import SplitRecord

NETWORK = "dense_c"
_SIZES = {"training": 960, "validation": 192, "test": 192}
_ASKED_MB = 4_000


def peaks(spec: ModelSpec, inputs: SplitInputs) -> dict[str, float | None]:
    """Train a baseline and a level of it for an epoch each.

    Returns
    -------
    dict
        The peak of each job in 10^6 bytes; None where the system does not tell.
    """
    from edac_core.studies.work import run_job  # noqa: PLC0415 - TensorFlow

    def run(job: Job, start: bytes | None = None) -> tuple[bytes | None, float | None]:
        result = run_job(job, inputs, start)
        return result.weights, result.environment["peak_memory_mb"]

    weights, baseline = run(_baseline(spec))
    _, level = run(_level(spec), weights)
    return {"baseline": baseline, "level": level}


def measure(*, runs: int, say: Say) -> dict[str, Any]:
    """Run both jobs in processes of their own."""
    say(f"Memory of {NETWORK}, a baseline and a level ...")
    found: dict[str, list[Any]] = {"baseline": [], "level": []}
    for _ in range(runs):
        for job, megabytes in run_alone(__name__).items():
            found[job].append(megabytes)
            say(f"  {job}: {_shown(megabytes)} MB")
    return {"network": NETWORK, "megabytes": found}


def table(found: dict[str, Any]) -> Table:
    """Show medians."""
    shown = Table("job", "MB", "asked", title=f"Peak memory of {found['network']} (medians)")
    for job, megabytes in found["megabytes"].items():
        known = [one for one in megabytes if one is not None]
        shown.add_row(job, _shown(statistics.median(known) if known else None), f"{_ASKED_MB:,}")
    return shown


def random_inputs(spec: ModelSpec) -> SplitInputs:
    """Draw the three sets."""
    shape = get_frontend(spec.frontend).shape
    sets = {
        name: random_examples(shape, size=size, seed=SEED + size) for name, size in _SIZES.items()
    }
    groups = ("all",) * _SIZES["test"]
    return SplitInputs(SplitRecord("bench", 0, pd.DataFrame()), "bench", groups=groups, **sets)


def main() -> int:
    """Do the jobs on one thread, as a study's workers do, and answer with their peaks."""
    from edac_core.models.backend import use_threads  # noqa: PLC0415 - TensorFlow

    use_threads(1)
    spec = get_model(NETWORK)
    answer(peaks(spec, random_inputs(spec)))
    return 0


def _baseline(spec: ModelSpec) -> Job:
    return Job(
        model=spec.name, protocol="clean", split_seed=1, training_seed=SEED, epochs=1,
        training_epochs=1, batch_size=spec.batch_size, training_batch_size=spec.batch_size,
        precisions=DEFAULT_PRECISIONS,
    )  # fmt: skip


def _level(spec: ModelSpec) -> Job:
    return dataclasses.replace(
        _baseline(spec), method="constant", recipe="constant:0.9", sparsity=0.9, frequency=1,
        batch_size=spec.fine_tuning_batch_size,
    )  # fmt: skip


def _shown(megabytes: float | None) -> str:
    return "unknown" if megabytes is None else f"{megabytes:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
