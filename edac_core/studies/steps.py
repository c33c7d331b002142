"""Steps: a plan's jobs with all that they need, but the weights they start from."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from edac_core.studies.inputs import SplitInputs
from edac_core.studies.jobs import Job


@dataclass(frozen=True)
class Step:
    """A job with all that it needs but the weights it starts from.

    `training` is the key of a baseline's training; see `edac_core.studies.jobs.training_key`.
    """

    job: Job
    key: str
    inputs: SplitInputs
    training: str | None = None


@dataclass(frozen=True)
class Branch:
    """The steps of one family; see `edac_core.studies.jobs.Family`."""

    baseline: Step
    chains: tuple[tuple[Step, ...], ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The baseline, then its levels."""
        return (self.baseline, *(step for chain in self.chains for step in chain))

    def after(self) -> dict[str, list[Step]]:
        """Return the steps that start from each step's weights, by its key."""
        found: dict[str, list[Step]] = {step.key: [] for step in self.steps}
        for chain in self.chains:
            for before, step in itertools.pairwise((self.baseline, *chain)):
                found[before.key].append(step)
        return found


def described(job: Job) -> dict[str, Any]:
    """Return what events say of a job's kind."""
    return {"model": job.model, "kind": job.kind}
