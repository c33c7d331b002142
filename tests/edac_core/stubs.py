"""Jobs that take no time and end as a test wishes, for runs in real worker processes.

They are importable, so that workers anywhere can be sent them by name.
"""

import ctypes
import os
import signal
import time

import numpy as np
import pandas as pd
from distributed import get_worker

from edac_core.errors import ModelError
from edac_core.models.examples import Examples
from edac_core.studies.inputs import SplitInputs
from edac_core.studies.plan import parse_plan
from edac_core.studies.store import JobResult, SplitRecord


class Data:
    """Stands for an audited data set."""

    class audit:  # noqa: N801 - an attribute of the real thing
        usable = None

    def facts(self):
        return {"dataset": "synthetic", "synthetic": True}


def inputs_of(seed, *, shape=(12, 8, 1)):
    """Return the sets of a split, of noise."""
    rng = np.random.default_rng(seed)
    sets = ["train"] * 4 + ["validation"] * 6 + ["test"] * 8
    table = pd.DataFrame(
        {
            "recording": [f"r{index}" for index in range(18)],
            "label": [0, 1] * 9,
            "group": "all",
            "participant": None,
            "set": sets,
            "copy": "",
        }
    )

    def examples(name):
        labels = table.loc[table["set"] == name, "label"].to_numpy()
        return Examples(rng.random((len(labels), *shape), np.float32), labels)

    return SplitInputs(
        SplitRecord(f"split{seed}", seed, table), f"split{seed}",
        examples("train"), examples("validation"), examples("test"), ("all",) * 8,
    )  # fmt: skip


def plan(*sparsities, **changes):
    """Return a plan of a baseline and a level a sparsity."""
    compression = {"schedules": ["constant"], "sparsities": list(sparsities), **changes}
    return parse_plan(
        {
            "name": "tiny",
            "title": "Tiny",
            "data": {"dataset": "synthetic", "split_seeds": [1]},
            "training": {"models": ["cnn"]},
            "compression": compression,
        }
    )


def perform(job, inputs, start, _threads, *, notes=None, fates=None, weight_bytes=1, seconds=0.0,
            unseen=None):  # fmt: skip
    """Note that a job was begun, meet its fate, and hand back where it ran.

    `fates` names by sparsity one of the functions below; `notes` is a folder that is to be seen,
    `unseen` one that is not. A network has so many bytes of weights, which no codec makes smaller.
    """
    assert unseen is None or not unseen.exists()
    assert inputs.training.features.ndim == 4
    assert (start is None) == job.is_baseline
    before = 0 if notes is None else note(notes, f"{job.sparsity}")
    time.sleep(seconds)
    fate = (fates or {}).get(job.sparsity)
    if fate is not None:
        FATES[fate](before)
    kept = np.random.default_rng(1).bytes(weight_bytes) if job.goes_on else None
    return JobResult((), job.sparsity, seconds, (), kept, {"worker": get_worker().name})


def note(folder, name):
    """Add a line to a file; return how many there were."""
    with (folder / name).open("a+") as file:
        file.seek(0)
        before = len(file.readlines())
        file.write(f"{os.getpid()}\n")
    return before


def grow(_before):
    held = []
    while len(held) < 200:
        held.append(np.ones(2_000_000))
        time.sleep(0.02)


def fail(error):
    raise error


def raise_in_need(_before):
    raise MemoryError("Unable to allocate 9 GiB")


FATES = {
    "exit": lambda _before: os._exit(3),
    "segfault": lambda _before: ctypes.string_at(0),
    "terminate": lambda _before: os.kill(os.getpid(), signal.SIGTERM) or time.sleep(60),
    "kill": lambda _before: os.kill(os.getpid(), signal.SIGKILL),
    "kill once": lambda before: before or os.kill(os.getpid(), signal.SIGKILL),
    "grow": grow,
    "no memory": raise_in_need,
    "mistake": lambda _before: fail(ValueError("no luck")),
    "refusal": lambda _before: fail(ModelError("This model cannot be had; choose another.")),
    "leave": lambda _before: fail(SystemExit(4)),
}
