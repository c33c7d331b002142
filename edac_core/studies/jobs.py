"""Jobs: the steps a plan expands to, and the keys under which their results are known."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import edac_core
from edac_core.models import get_model
from edac_core.studies.plan import Plan

BASELINE = "none"
_PACKAGE = Path(edac_core.__file__).parent
# What decides a variant's bytes and scores. Reading, running and showing studies does not.
_COMPUTING = ("audio.py", "augment.py", "runtime.py", "frontends", "models", "compress", "measure",
              "studies/work.py")  # fmt: skip
_LIBRARIES = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "ai-edge-litert", "numpy",
              "scipy", "librosa", "soxr", "audiomentations", "soundfile")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: of a baseline (`schedule` is "none"), or of one pruned level of it.

    It yields one variant a precision.
    """

    model: str
    protocol: str
    split_seed: int
    training_seed: int
    schedule: str = BASELINE
    sparsity: float = 0.0
    epochs: int
    patience: int = 0
    frequency: int = 0
    batch_size: int
    precisions: tuple[str, ...]

    @property
    def is_baseline(self) -> bool:
        """Whether this job trains from scratch rather than from a baseline's weights."""
        return self.schedule == BASELINE

    def to_dict(self) -> dict[str, Any]:
        """Return the job as plain values."""
        return asdict(self)

    def describe(self) -> str:
        """Name the job for people."""
        level = "baseline" if self.is_baseline else f"{self.schedule} {self.sparsity:.1%}"
        return f"{self.model} {level}, split {self.split_seed}, seed {self.training_seed}"


@dataclass(frozen=True)
class Family:
    """A baseline and the levels that start from its weights."""

    baseline: Job
    levels: tuple[Job, ...]

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The baseline, then its levels."""
        return (self.baseline, *self.levels)


def expand(plan: Plan) -> tuple[Family, ...]:
    """Return all jobs of a plan, a family for each model, split seed and training seed."""
    return tuple(
        _family(plan, model, split_seed, training_seed)
        for split_seed in plan.data.split_seeds
        for model in plan.training.models
        for training_seed in plan.training.seeds
    )


def job_keys(family: Family, data_fingerprint: str) -> dict[Job, str]:
    """Return the key of each job: a hash of all that its result depends on.

    That is its configuration, the data, the code that computes it (without comments and
    docstrings) and the versions of the libraries; for a level also its baseline's key.
    """
    shared = {"data": data_fingerprint, "code": code_fingerprint(), "versions": versions()}
    baseline = _hash({"job": family.baseline.to_dict(), **shared})
    levels = {
        level: _hash({"job": level.to_dict(), "baseline": baseline, **shared})
        for level in family.levels
    }
    return {family.baseline: baseline, **levels}


def computing_files() -> list[str]:
    """Return the modules that decide a result, relative to the package."""
    found = [_PACKAGE / name for name in _COMPUTING if name.endswith(".py")]
    folders = [_PACKAGE / name for name in _COMPUTING if not name.endswith(".py")]
    found += [path for folder in folders for path in folder.rglob("*.py")]
    return sorted(path.relative_to(_PACKAGE).as_posix() for path in found)


@functools.cache
def code_fingerprint() -> str:
    """Return a hash of the modules that decide a result, blind to comments and docstrings."""
    return _hash({name: _code((_PACKAGE / name).read_text("utf-8")) for name in computing_files()})


@functools.cache
def versions() -> Mapping[str, str]:
    """Return the versions of the libraries that decide a result."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def _family(plan: Plan, model: str, split_seed: int, training_seed: int) -> Family:
    spec = get_model(model)
    shared: dict[str, Any] = {
        "model": model,
        "protocol": plan.data.protocol,
        "split_seed": split_seed,
        "training_seed": training_seed,
        "batch_size": spec.batch_size,
        "precisions": plan.compression.precisions,
    }
    baseline = Job(
        epochs=plan.training.epochs or spec.epochs,
        patience=plan.training.patience or spec.patience,
        **shared,
    )
    levels = tuple(
        Job(
            schedule=schedule,
            sparsity=sparsity,
            epochs=plan.compression.epochs or spec.fine_tuning_epochs,
            frequency=plan.compression.frequency if schedule == "polynomial" else 1,
            **shared,
        )
        for schedule in plan.compression.schedules
        for sparsity in plan.compression.sparsities
    )
    return Family(baseline, levels)


def _code(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:]
    return ast.dump(tree)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
