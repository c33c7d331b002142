"""Jobs: the steps a plan expands to, and the keys under which their results are known."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import edac_core
from edac_core import studies
from edac_core.frontends import FRONTENDS
from edac_core.models import ModelSpec, get_model, resolve
from edac_core.studies.plan import Plan

BASELINE = studies.BASELINE
_PACKAGE = Path(edac_core.__file__).parent
# What decides a variant's bytes and scores. Reading, running and showing studies does not.
_COMPUTING = ("audio.py", "augment.py", "operations.py", "runtime.py", "frontends", "models",
              "compress", "measure/discrimination.py", "measure/size.py",
              "studies/work.py")  # fmt: skip
_LIBRARIES = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "ai-edge-litert", "numpy",
              "scipy", "librosa", "soxr", "audiomentations", "soundfile")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: of a baseline (`schedule` is "none"), or of one pruned level of it.

    It yields one variant a precision. `definition` is the text that defines a user's own model;
    `start`, `initial_sparsity` and `decay_end` are those of the plan.
    """

    model: str
    definition: str = ""
    protocol: str
    split_seed: int
    training_seed: int
    schedule: str = BASELINE
    sparsity: float = 0.0
    epochs: int
    patience: int | None = None
    start: str = "baseline"
    frequency: int = 0
    initial_sparsity: float = 0.0
    decay_end: str = "last update"
    batch_size: int
    precisions: tuple[str, ...]

    @property
    def is_baseline(self) -> bool:
        """Whether this job trains from scratch rather than from a baseline's weights."""
        return self.schedule == BASELINE

    @property
    def kind(self) -> str:
        """What it trains: "baseline" or "level"."""
        return "baseline" if self.is_baseline else "level"

    @property
    def goes_on(self) -> bool:
        """Whether other jobs may start from this one's weights."""
        return self.is_baseline or self.start == "previous"

    @property
    def spec(self) -> ModelSpec:
        """The network."""
        return get_model(self.model, definition=self.definition)

    def to_dict(self) -> dict[str, Any]:
        """Return the job as plain values."""
        return asdict(self)

    def describe(self) -> str:
        """Name the job for people."""
        level = "baseline" if self.is_baseline else f"{self.schedule} {self.sparsity:.1%}"
        return f"{self.model} {level}, split {self.split_seed}, seed {self.training_seed}"


@dataclass(frozen=True)
class Family:
    """A baseline and the levels that come from it.

    The first level of each chain starts from the baseline's weights, every other from those of
    the level before it.
    """

    baseline: Job
    chains: tuple[tuple[Job, ...], ...]

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The baseline, then its levels."""
        return (self.baseline, *(level for chain in self.chains for level in chain))


def expand(plan: Plan) -> tuple[Family, ...]:
    """Return all jobs of a plan, a family for each model, split seed and training seed.

    Raises
    ------
    PlanError
        If a model cannot be had.
    """
    models = [resolve(model) for model in plan.training.models]
    return tuple(
        _family(plan, spec, definition, split_seed=split_seed, training_seed=training_seed)
        for split_seed in plan.data.split_seeds
        for spec, definition in models
        for training_seed in plan.training.seeds
    )


def job_keys(family: Family, data_fingerprint: str) -> dict[Job, str]:
    """Return the key of each job: a hash of all that its result depends on.

    That is its configuration, the data, the code that computes it (without comments and
    docstrings) and the versions of the libraries; for a level also the key of the job whose
    weights it starts from.
    """
    libraries = FRONTENDS[family.baseline.spec.frontend].libraries
    shared = {
        "data": data_fingerprint,
        "code": code_fingerprint(),
        "versions": {**versions(), **{name: _version(name) for name in libraries}},
    }
    baseline = _hash({"job": family.baseline.to_dict(), **shared})
    keys = {family.baseline: baseline}
    for chain in family.chains:
        before = baseline
        for level in chain:
            before = keys[level] = _hash({"job": level.to_dict(), "from": before, **shared})
    return keys


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


@functools.cache
def _version(library: str) -> str | None:
    """Return a version, or None of an optional library that is not there."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(library)
    return None


def _family(
    plan: Plan, spec: ModelSpec, definition: str, *, split_seed: int, training_seed: int
) -> Family:
    shared: dict[str, Any] = {
        "model": spec.name,
        "definition": definition,
        "protocol": plan.data.protocol,
        "split_seed": split_seed,
        "training_seed": training_seed,
        "precisions": plan.compression.precisions,
    }
    baseline = Job(
        epochs=plan.training.epochs or spec.epochs,
        patience=plan.training.patience or spec.patience,
        batch_size=spec.batch_size,
        **shared,
    )
    chains = [_levels(plan, spec, schedule, shared) for schedule in plan.compression.schedules]
    if plan.compression.start == "baseline":
        chains = [(level,) for chain in chains for level in chain]
    return Family(baseline, tuple(chain for chain in chains if chain))


def _levels(
    plan: Plan, spec: ModelSpec, schedule: str, shared: Mapping[str, Any]
) -> tuple[Job, ...]:
    compression = plan.compression
    polynomial: dict[str, Any] = {
        "frequency": compression.frequency,
        "initial_sparsity": compression.initial_sparsity,
        "decay_end": compression.decay_end,
    }
    return tuple(
        Job(
            schedule=schedule,
            sparsity=sparsity,
            epochs=compression.epochs or spec.fine_tuning_epochs,
            batch_size=spec.fine_tuning_batch_size,
            start=compression.start,
            **(polynomial if schedule == "polynomial" else {"frequency": 1}),
            **shared,
        )
        for sparsity in compression.sparsities
    )


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
