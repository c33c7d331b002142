"""What to run: a study's plan, read from TOML and checked before anything starts."""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from edac_core.compress import DEFAULT_PRECISIONS, PRECISIONS, REFERENCE_PRECISION, SCHEDULES
from edac_core.compress.methods import (
    METHODS,
    Step,
    method_name,
    parse_recipe,
    takes_levels,
    total_sparsity,
)
from edac_core.datasets import DATASETS, canonical
from edac_core.errors import PlanError
from edac_core.models import DEFINITION_SUFFIX, resolve
from edac_core.studies import BASELINE, SMALLER_NETWORKS

PROTOCOLS = ("clean", "paper")
"""How far the sets are made as a model's paper made them; see `edac_core.studies.protocols`."""

STARTS = ("baseline", "previous")
"""Whose weights a level starts from: the baseline's, or those of the level before it."""

DECAY_ENDS = ("last update", "last step")
"""When the polynomial schedule reaches its sparsity; see `make_schedule`."""

GRAPHS = ("rewritten", "published")
"""Which graph of a compressed network is stored: rewritten exactly for devices, or the paper's."""

_LARGEST = 2**32 - 1
"""Of whole numbers: what generators of random numbers take as a seed."""

_DECIMALS = 12
"""Of sparsities; see `edac_core.compress.methods.total_sparsity`."""

LONGEST_NAME = 60
"""A study's name is also that of a folder."""


def derived_name(name: str, suffix: str) -> str:
    """Return the name of a study that is made from another; a long one's end makes room."""
    return name[: LONGEST_NAME - len(suffix)] + suffix


@dataclass(frozen=True, kw_only=True)
class Data:
    """Which recordings, and how they are divided.

    `path` is where the recordings are (by default the data folder); `options` go to the data
    set's loader. Each seed of `split_seeds` is another choice of test recordings.
    """

    dataset: str
    protocol: str = "clean"
    split_seeds: tuple[int, ...] = (0,)
    path: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Training:
    """Which networks, trained from which seeds; `None` leaves it to the network's own recipe.

    A network is one of the papers', or a Python file that defines one.
    """

    models: tuple[str, ...]
    seeds: tuple[int, ...] = (1234,)
    epochs: int | None = None
    patience: int | None = None
    batch_size: int | None = None


@dataclass(frozen=True, kw_only=True)
class Compression:
    """What is done to each network, and how each result is stored.

    `schedules` are those of magnitude pruning; `methods` are further ones, or chains of them (see
    `edac_core.compress.methods`), each at every one of `sparsities` if it takes one; `recipes` are
    chains that have a name and all their numbers. `epochs` are those of each step that fine-tunes,
    `training_epochs` those of smaller networks that are trained from scratch, by default as many as
    the full one's.

    `start` says whose weights a magnitude-pruned level goes on from ("previous" follows the order
    of `sparsities`). The polynomial schedule, which gradual methods share, begins at
    `initial_sparsity`, updates its masks every `frequency` steps and ends at `decay_end`.
    `graph` is that of compressed networks; baselines are always the paper's.
    """

    schedules: tuple[str, ...] = SCHEDULES
    methods: tuple[str, ...] = ()
    recipes: Mapping[str, str] = field(default_factory=dict)
    sparsities: tuple[float, ...] = ()
    precisions: tuple[str, ...] = DEFAULT_PRECISIONS
    epochs: int | None = None
    training_epochs: int | None = None
    frequency: int = 100
    start: str = "baseline"
    initial_sparsity: float = 0.0
    decay_end: str = "last update"
    graph: str = "rewritten"

    def levels(self, method: str) -> tuple[tuple[Step, ...], ...]:
        """Return the recipe of each level of a method: one a sparsity, if it takes any."""
        if not takes_levels(method):
            return (parse_recipe(method),)
        return tuple(parse_recipe(method, sparsity=sparsity) for sparsity in self.sparsities)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study: every combination of what its three tables list."""

    name: str
    title: str
    data: Data
    training: Training
    compression: Compression
    latency_calls: int = 200

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values, as it would stand in TOML."""
        return asdict(self)

    def to_toml(self) -> str:
        """Write the plan as TOML with every setting it has; `load_plan` reads it back."""
        settings = {key: value for key, value in self.to_dict().items() if value not in (None, {})}
        tables = {key: settings.pop(key) for key in ("data", "training", "compression")}
        written = [_toml_lines(settings)]
        written += [f"[{name}]\n{_toml_lines(table)}" for name, table in tables.items()]
        return "\n".join(written)


def toml_line(key: str, value: Any) -> str:
    """Write a setting of plain values as a line of TOML."""
    return f"{_toml_key(key)} = {_toml_value(value)}"


def load_plan(path: Path) -> Plan:
    """Read a plan from a TOML file.

    Networks that are Python files are looked for beside it.

    Raises
    ------
    PlanError
        If the file cannot be read, is not TOML, or does not describe a possible study.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"The plan {path} cannot be read: {error.strerror}.") from error
    # A ValueError is also what Python says of a number with thousands of digits, and of a path with
    # a null character; a RecursionError, of lists in lists in lists.
    except (ValueError, RecursionError) as error:
        raise PlanError(f"The plan {path} is not valid TOML: {error}.") from error
    return parse_plan(content, folder=Path(path).parent)


def parse_plan(content: Mapping[str, Any], *, folder: Path = Path()) -> Plan:
    """Make a plan from plain values and check all of it.

    Parameters
    ----------
    content
        The tables of a plan.
    folder
        Where networks that are Python files are looked for.

    Raises
    ------
    PlanError
        If a key, name or value is unknown or impossible; the sentence names it.
    """
    top = dict(content)
    tables = {
        name: _build(kind, top.pop(name, {}), where=f"[{name}]")
        for name, kind in (("data", Data), ("training", Training), ("compression", Compression))
    }
    tables["training"] = _located(tables["training"], folder)
    plan: Plan = _build(Plan, {**top, **tables}, where="the plan")
    _check(plan)
    return plan


def _toml_lines(table: Mapping[str, Any]) -> str:
    """Write a table's settings; what is not set has no line."""
    settings = ((key, value) for key, value in table.items() if value not in (None, {}))
    return "".join(f"{toml_line(key, value)}\n" for key, value in settings)


def _toml_key(key: str) -> str:
    return key if key.replace("_", "").isascii() and key.isidentifier() else _toml_text(key)


def _toml_value(value: Any) -> str:
    if isinstance(value, str):
        return _toml_text(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        pairs = (toml_line(key, item) for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    return repr(value)


def _toml_text(text: str) -> str:
    # A JSON string is a TOML one, but for the character DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _located(training: Training, folder: Path) -> Training:
    models = [
        str((folder / model).resolve()) if model.endswith(DEFINITION_SUFFIX) else model
        for model in training.models
    ]
    return replace(training, models=tuple(models))


def _build(kind: Any, values: Any, *, where: str) -> Any:
    if not isinstance(values, Mapping):
        raise PlanError(f"{where} must be a table of settings, not {values!r}.")
    known = {item.name: item for item in fields(kind)}
    for key in values:
        if key not in known:
            raise PlanError(f"{where} has no setting {key!r}{_suggestion(key, known)}.")
    for name, item in known.items():
        if name not in values and item.default is item.default_factory is MISSING:
            raise PlanError(f"{where} lacks the setting {name!r}.")
    return kind(**{key: _checked_type(str(known[key].type), value, f"{key} in {where}")
                   for key, value in values.items()})  # fmt: skip


def _checked_type(annotation: str, value: Any, what: str) -> Any:
    """Check a value against the annotation of its field; lists become tuples, 0 becomes 0.0."""
    if annotation.startswith("Mapping"):
        return _checked_table(value, what)
    if annotation not in _TYPES:
        return value
    item_type, is_list, optional = _TYPES[annotation]
    if value is None and optional:
        return None
    if not is_list:
        return _checked_item(item_type, value, what)
    if not isinstance(value, list | tuple):
        raise PlanError(f"{what} must be a list, not {value!r}.")
    return tuple(_checked_item(item_type, item, what) for item in value)


def _checked_item(item_type: type, value: Any, what: str) -> Any:
    accepted = (int, float) if item_type is float else item_type
    if not isinstance(value, accepted) or isinstance(value, bool):
        raise PlanError(f"{what} must be {_TYPE_NAMES[item_type]}, not {value!r}.")
    # Of fractions, and what they must be, `_check` says more.
    return value if isinstance(value, float) else item_type(_checked_value(value, what))


def _checked_table(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PlanError(f"{what} must be a table of settings, not {value!r}.")
    return {_checked_value(key, what): _checked_value(item, what) for key, item in value.items()}


def _checked_value(value: Any, what: str) -> Any:
    """Refuse what a store, a loader or JSON could not take: dates, NaN, null characters."""
    if isinstance(value, Mapping):
        return _checked_table(value, what)
    if isinstance(value, list | tuple):
        return [_checked_value(item, what) for item in value]
    if not isinstance(value, str | int | float | None):
        raise PlanError(f"{what} holds {value!s}; write it as a text.")
    if isinstance(value, float) and not math.isfinite(value):
        raise PlanError(f"{what} holds {value}, which is no number; leave it out.")
    if isinstance(value, str) and "\0" in value:
        raise PlanError(f"{what} has a null character in {value!r}; leave it out.")
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        raise PlanError(f"{what} holds a number beyond {_LARGEST:,}; use a smaller one.")
    return value


_TYPE_NAMES = {int: "a whole number", float: "a number", str: "a text"}
_TYPES: dict[str, tuple[type, bool, bool]] = {
    "str": (str, False, False),
    "int": (int, False, False),
    "float": (float, False, False),
    "str | None": (str, False, True),
    "int | None": (int, False, True),
    "tuple[int, ...]": (int, True, False),
    "tuple[float, ...]": (float, True, False),
    "tuple[str, ...]": (str, True, False),
}


def _check(plan: Plan) -> None:
    _check_name("data set", canonical(plan.data.dataset), DATASETS)
    _check_name("protocol", plan.data.protocol, PROTOCOLS)
    names = [resolve(model)[0].name for model in plan.training.models]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise PlanError(f"Two models are called {repeated[0]!r}; rename one or list it once.")
    for schedule in plan.compression.schedules:
        _check_name("schedule", schedule, SCHEDULES)
    for precision in plan.compression.precisions:
        _check_name("precision", precision, PRECISIONS)
    _check_name("start", plan.compression.start, STARTS)
    _check_name("decay_end", plan.compression.decay_end, DECAY_ENDS)
    _check_name("graph", plan.compression.graph, GRAPHS)
    for sparsity in plan.compression.sparsities:
        _check_sparsity(sparsity)
    _check_initial_sparsity(plan.compression)
    _check_lists(plan)
    _check_methods(plan.compression)
    _check_widths(plan)
    _check_positive(plan)
    _check_seeds(plan)
    _check_study_name(plan.name)


def _check_study_name(name: str) -> None:
    if not name.replace("-", "").replace("_", "").isalnum():
        raise PlanError(f"The name {name!r} may hold letters, digits, '-' and '_' only.")
    if len(name) > LONGEST_NAME:
        raise PlanError(
            f"The name {name[:20]!r}... has {len(name)} characters; use at most {LONGEST_NAME}."
        )


def _check_name(kind: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        listed = ", ".join(known)
        raise PlanError(f"There is no {kind} {name!r}; choose from: {listed}.")


def _check_sparsity(sparsity: float) -> None:
    if not 0 < round(sparsity, _DECIMALS) < 1:
        raise PlanError(
            f"Sparsity {sparsity:g} is not a fraction between 0 and 1; write 0.9 for 90 %, and "
            "leave 0 out (the baseline is always measured)."
        )


def _check_initial_sparsity(compression: Compression) -> None:
    lowest = min(compression.sparsities, default=1.0)
    if not 0 <= compression.initial_sparsity < lowest:
        raise PlanError(
            f"initial_sparsity {compression.initial_sparsity:g} is not at least 0 and below the "
            f"lowest of the sparsities, {lowest:g}; lower it."
        )


def _check_methods(compression: Compression) -> None:
    for method in compression.methods:
        if method in SCHEDULES:
            raise PlanError(f"{method!r} is a schedule of magnitude pruning; list it in schedules.")
        if takes_levels(method) and not compression.sparsities:
            raise PlanError(f"The method {method!r} needs sparsities; list at least one.")
    for name, recipe in compression.recipes.items():
        _check_recipe(name, recipe)
    chains = [
        (method, steps)
        for method in (*compression.schedules, *compression.methods)
        for steps in compression.levels(method)
    ]
    for method, steps in chains:
        _check_total(method, steps)
    levels = [(method_name(method), total_sparsity(steps)) for method, steps in chains]
    for name, sparsity in levels:
        if levels.count((name, sparsity)) > 1:
            raise PlanError(f"{name!r} is there twice at sparsity {sparsity:g}; once is enough.")


def _check_total(text: str, recipe: Sequence[Step]) -> None:
    """Refuse what is rounded to nothing or to all of the weights."""
    for step in recipe:
        if METHODS[step.method].removes:
            _check_sparsity(step.sparsity)
    if not total_sparsity(recipe) < 1:
        raise PlanError(f"The recipe {text!r} leaves no weights; let it remove less.")


def _check_recipe(name: str, recipe: Any) -> None:
    if not isinstance(recipe, str):
        raise PlanError(f"The recipe {name!r} must be a text such as 'width:0.9', not {recipe!r}.")
    if not name:
        raise PlanError(f"The recipe {recipe!r} has no name; give it one, such as tiny.")
    if name in (*METHODS, BASELINE):
        raise PlanError(f"A recipe cannot be called {name!r}, which is a method; rename it.")
    _check_total(recipe, parse_recipe(recipe))


def _check_widths(plan: Plan) -> None:
    """Refuse smaller networks of what cannot be built smaller."""
    recipes = (*plan.compression.methods, *plan.compression.recipes.values())
    steps = [step for recipe in recipes for step in parse_recipe(recipe, sparsity=0.5)]
    if not any(step.method in SMALLER_NETWORKS for step in steps):
        return
    for model in plan.training.models:
        spec = resolve(model)[0]
        if not spec.has_widths:
            raise PlanError(
                f"The model {spec.name!r} cannot be built smaller; give its build function a "
                "keyword `width`, or leave the methods 'width' and 'width-distilled' out."
            )


def _check_lists(plan: Plan) -> None:
    lists = {
        "split_seeds": plan.data.split_seeds,
        "models": plan.training.models,
        "seeds": plan.training.seeds,
        "precisions": plan.compression.precisions,
    }
    for name, values in lists.items():
        if not values:
            raise PlanError(f"{name} is empty; list at least one.")
    if REFERENCE_PRECISION not in plan.compression.precisions:
        raise PlanError(
            f"precisions lacks {REFERENCE_PRECISION!r}; add it, every variant is compared with it."
        )
    lists |= {
        "schedules": plan.compression.schedules,
        "methods": plan.compression.methods,
        "sparsities": plan.compression.sparsities,
    }
    for name, values in lists.items():
        repeated = [value for value in values if list(values).count(value) > 1]
        if repeated:
            raise PlanError(f"{name} lists {repeated[0]!r} twice; once is enough.")


def _check_positive(plan: Plan) -> None:
    numbers = {
        "epochs in [training]": plan.training.epochs,
        "patience in [training]": plan.training.patience,
        "batch_size in [training]": plan.training.batch_size,
        "epochs in [compression]": plan.compression.epochs,
        "training_epochs in [compression]": plan.compression.training_epochs,
        "frequency in [compression]": plan.compression.frequency,
        "latency_calls": plan.latency_calls,
    }
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise PlanError(f"{name} must be at least 1, not {number}.")


def _check_seeds(plan: Plan) -> None:
    seeds = (("split_seeds", plan.data.split_seeds), ("seeds", plan.training.seeds))
    for name, values in seeds:
        if (lowest := min(values)) < 0:
            raise PlanError(f"{name} lists {lowest}, and a seed cannot be below 0; choose another.")


def _suggestion(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), n=1)
    return f"; did you mean {close[0]!r}" if close else f"; it knows: {', '.join(known)}"
