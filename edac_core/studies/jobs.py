"""Jobs: the steps a plan expands to, and the keys under which their results are known."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import edac_core
from edac_core import studies
from edac_core.compress.methods import (
    GRADUAL,
    METHODS,
    Step,
    method_name,
    parse_recipe,
    total_sparsity,
    write_recipe,
)
from edac_core.frontends import FRONTENDS
from edac_core.models import ModelSpec, get_model, resolve
from edac_core.studies.plan import Plan

BASELINE = studies.BASELINE
_PACKAGE = Path(edac_core.__file__).parent
# What decides a baseline's weights.
_TRAINING = ("audio.py", "augment.py", "operations.py", "frontends", "models")
# What decides a variant's bytes and scores. Reading, running and showing studies does not.
_COMPUTING = (*_TRAINING, "runtime.py", "compress", "measure/discrimination.py",
              "measure/size.py", "studies/work.py")  # fmt: skip
_LIBRARIES = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "ai-edge-litert", "numpy",
              "scipy", "librosa", "soxr", "audiomentations", "soundfile",
              "ai-edge-quantizer")  # fmt: skip
_SHOWN = 12  # Characters of a hash that people can compare.


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: of a baseline (`method` is "none"), or of one level compressed from it.

    It yields one variant a precision. `definition` is the text that defines a user's own model;
    `recipe` what is done to the baseline (see `edac_core.compress.methods`), `method` the name of
    that, and `sparsity` the share of the weights that it removes in all. `epochs` and `batch_size`
    are those of each step that fine-tunes; `training_epochs`, `patience` and
    `training_batch_size` those of training from scratch. `start`, `initial_sparsity`,
    `decay_end` and `graph` are the plan's.
    """

    model: str
    definition: str = ""
    protocol: str
    split_seed: int
    training_seed: int
    method: str = BASELINE
    sparsity: float = 0.0
    recipe: str = ""
    epochs: int
    training_epochs: int
    patience: int | None = None
    start: str = "baseline"
    frequency: int = 0
    initial_sparsity: float = 0.0
    decay_end: str = "last update"
    batch_size: int
    training_batch_size: int
    graph: str = "published"
    precisions: tuple[str, ...]

    @property
    def is_baseline(self) -> bool:
        """Whether this job trains from scratch rather than from a baseline's weights."""
        return self.method == BASELINE

    @property
    def kind(self) -> str:
        """What it trains: "baseline" or "level"."""
        return "baseline" if self.is_baseline else "level"

    @property
    def goes_on(self) -> bool:
        """Whether other jobs may start from this one's weights."""
        return self.is_baseline or self.start == "previous"

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is done to the baseline."""
        return parse_recipe(self.recipe) if self.recipe else ()

    @property
    def spec(self) -> ModelSpec:
        """The network."""
        return get_model(self.model, definition=self.definition)

    def to_dict(self) -> dict[str, Any]:
        """Return the job as plain values."""
        return asdict(self)

    def describe(self) -> str:
        """Name the job for people."""
        level = "baseline" if self.is_baseline else self.method
        level += f" {self.sparsity:.1%}" if self.sparsity else ""
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

    That is its configuration, the data, the code that computes it (without comments and strings
    that stand alone) and the versions of the libraries; for a level also the key of the job whose
    weights it starts from.
    """
    shared = _shared(family.baseline, data_fingerprint, code_fingerprint())
    baseline = _hash({"job": family.baseline.to_dict(), **shared})
    keys = {family.baseline: baseline}
    for chain in family.chains:
        before = baseline
        for level in chain:
            before = keys[level] = _hash({"job": level.to_dict(), "from": before, **shared})
    return keys


def training_key(baseline: Job, data_fingerprint: str) -> str:
    """Return the key of a baseline's training: a hash of all that its weights depend on.

    How they are converted and measured is not part of it, so that a baseline whose key changed
    need not be trained again.
    """
    config = baseline.to_dict()
    del config["precisions"]
    code = _fingerprint_of(_TRAINING)
    return _hash({"training": config, **_shared(baseline, data_fingerprint, code)})


def computing_files(parts: Sequence[str] = _COMPUTING) -> list[str]:
    """Return the modules that decide a result, relative to the package."""
    found = [_PACKAGE / name for name in parts if name.endswith(".py")]
    folders = [_PACKAGE / name for name in parts if not name.endswith(".py")]
    found += [path for folder in folders for path in folder.rglob("*.py")]
    return sorted(path.relative_to(_PACKAGE).as_posix() for path in found)


def code_fingerprint() -> str:
    """Return a hash of the modules that decide a result, blind to comments and remarks."""
    return _fingerprint_of(_COMPUTING)


@functools.cache
def _fingerprint_of(parts: tuple[str, ...]) -> str:
    files = computing_files(parts)
    return _hash({name: _code((_PACKAGE / name).read_text("utf-8")) for name in files})


def _shared(baseline: Job, data_fingerprint: str, code: str) -> dict[str, Any]:
    libraries = FRONTENDS[baseline.spec.frontend].libraries
    return {
        "data": data_fingerprint,
        "code": code,
        "versions": {**versions(), **{name: _version(name) for name in libraries}},
    }


@functools.cache
def versions() -> Mapping[str, str]:
    """Return the versions of the libraries that decide a result."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


@functools.cache
def equipment() -> Mapping[str, str | None]:
    """Return what has to be alike wherever a plan's jobs run: the code and the libraries.

    Libraries that are missing have no version.
    """
    code = {"edac_core": code_fingerprint()[:_SHOWN]}
    return {**code, **{name: _version(name) for name in _LIBRARIES}}


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
    baseline = _baseline(plan, spec, shared)
    chains = [_levels(plan, spec, schedule, shared) for schedule in plan.compression.schedules]
    if plan.compression.start == "baseline":
        chains = [(level,) for chain in chains for level in chain]
    chains += [(job,) for job in _others(plan, spec, shared)]
    return Family(baseline, tuple(chain for chain in chains if chain))


def _baseline(plan: Plan, spec: ModelSpec, shared: Mapping[str, Any]) -> Job:
    return Job(
        epochs=plan.training.epochs or spec.epochs,
        training_epochs=plan.training.epochs or spec.epochs,
        patience=plan.training.patience or spec.patience,
        batch_size=plan.training.batch_size or spec.batch_size,
        training_batch_size=plan.training.batch_size or spec.batch_size,
        **shared,
    )


def _levels(
    plan: Plan, spec: ModelSpec, schedule: str, shared: Mapping[str, Any]
) -> tuple[Job, ...]:
    """Return the levels of magnitude pruning by one schedule."""
    return tuple(
        replace(_compressed(plan, spec, schedule, recipe, shared), start=plan.compression.start)
        for recipe in plan.compression.levels(schedule)
    )


def _others(plan: Plan, spec: ModelSpec, shared: Mapping[str, Any]) -> Iterator[Job]:
    for method in plan.compression.methods:
        for recipe in plan.compression.levels(method):
            yield _compressed(plan, spec, method_name(method), recipe, shared)
    for name, text in plan.compression.recipes.items():
        yield _compressed(plan, spec, name, parse_recipe(text), shared)


def _compressed(
    plan: Plan, spec: ModelSpec, method: str, recipe: Sequence[Step], shared: Mapping[str, Any]
) -> Job:
    compression = plan.compression
    gradual = any(step.method in GRADUAL for step in recipe)
    polynomial: dict[str, Any] = {
        "frequency": compression.frequency,
        "initial_sparsity": compression.initial_sparsity,
        "decay_end": compression.decay_end,
    }
    baseline = _baseline(plan, spec, shared)
    anew = METHODS[recipe[0].method].place == "first"
    return replace(
        baseline,
        method=method,
        sparsity=total_sparsity(recipe),
        recipe=write_recipe(recipe),
        epochs=compression.epochs or spec.fine_tuning_epochs,
        training_epochs=(compression.training_epochs if anew else None) or baseline.epochs,
        batch_size=spec.fine_tuning_batch_size,
        graph=compression.graph,
        **(polynomial if gradual else {"frequency": 1}),
    )


def _code(source: str) -> Any:
    """Return the syntax tree of a module, without comments and strings that stand alone."""
    return _tree(ast.parse(source))


def _tree(node: Any) -> Any:
    # As ast.dump, which does not write the same in all versions of Python.
    if isinstance(node, list):
        return [_tree(each) for each in node if not _is_remark(each)]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
    return [type(node).__name__, {name: _tree(value) for name, value in fields}]


def _is_remark(node: Any) -> bool:
    value = getattr(node, "value", None)
    return (
        isinstance(node, ast.Expr)
        and isinstance(value, ast.Constant)
        and isinstance(value.value, str)
    )


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
