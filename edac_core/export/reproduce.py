"""The plan that makes one variant again, and the command that exports it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edac_core.compress import SCHEDULES
from edac_core.compress.methods import method_name, parse_recipe, takes_levels, write_recipe
from edac_core.studies import BASELINE, method_of
from edac_core.studies.plan import derived_name, toml_line

NETWORK_FILE = "network.py"
"""Where a user's own network is beside the plan."""

_HINT = '# path = "..."  # where your copy of the recordings is, if not in the data folder'


def name_again(study: str) -> str:
    """Return the name of the study that makes a variant of another one again."""
    return derived_name(study, "-again")


def narrowed(plan: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Leave of a plan what makes one job: its run, its baseline, and the levels it starts from.

    Parameters
    ----------
    plan
        The study's plan, as plain values. Where its recordings were is left out.
    config
        The job's configuration.

    Returns
    -------
    dict
        A plan of another name, so that running it leaves the study as it is.
    """
    data = {**plan.get("data", {}), "protocol": config["protocol"]}
    training = {**plan.get("training", {})}
    model = NETWORK_FILE if config.get("definition") else config["model"]
    return {
        **plan,
        "name": name_again(plan["name"]),
        "title": f"{plan.get('title', plan['name'])}, one variant again",
        "data": {**data, "split_seeds": [config["split_seed"]], "path": None},
        "training": {**training, "models": [model], "seeds": [config["training_seed"]]},
        "compression": _compression(plan.get("compression", {}), config),
    }


def _compression(table: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    method = method_of(config)
    nothing = {**table, "schedules": [], "methods": [], "recipes": {}, "sparsities": []}
    if method == BASELINE:
        return nothing
    if method in table.get("recipes", {}):
        return {**nothing, "recipes": {method: table["recipes"][method]}}
    kind, entry, levels = _origin(table, config)
    return {**nothing, kind: [entry], "sparsities": levels}


def _origin(table: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[str, str, list[float]]:
    """Find the entry of a plan that a job comes of, which list it stands in, and at which levels.

    The level is the job's; before it stand those whose weights it goes on from. A study may have
    jobs that its plan does not name any more: they are written as their method says.
    """
    goes_on = config.get("start") == "previous"
    method, levels = method_of(config), list(table.get("sparsities", []))
    for kind, entry in _entries(table, ("schedules",) if goes_on else ("methods", "schedules")):
        if method_name(entry) != method:
            continue
        for place, level in enumerate(levels if takes_levels(entry) else [None]):
            if _is_of(entry, level, config):
                before = levels[:place] if goes_on else []
                return kind, entry, [*before, level] if level is not None else []
    kind = "schedules" if method in SCHEDULES else "methods"
    return kind, method, [_own_level(config)] if config["sparsity"] else []


def _entries(table: Mapping[str, Any], kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
    for kind in kinds:
        for entry in table.get(kind, []):
            yield kind, entry


def _own_level(config: Mapping[str, Any]) -> float:
    """Return what a job's method removes, where the plan has no such level."""
    steps = parse_recipe(config["recipe"]) if config.get("recipe") else ()
    removed = [step.sparsity for step in steps if step.sparsity]
    return removed[0] if len(removed) == 1 else float(config["sparsity"])


def _is_of(entry: str, level: float | None, config: Mapping[str, Any]) -> bool:
    """Whether an entry of a plan makes a job at a level; jobs of before have no recipe."""
    if "recipe" in config:
        return write_recipe(parse_recipe(entry, sparsity=level)) == str(config["recipe"])
    return level is not None and math.isclose(level, config["sparsity"], abs_tol=1e-11)


def to_toml(plan: Mapping[str, Any]) -> str:
    """Write a plan as TOML; what is None is left to its default."""
    lines = [toml_line(name, value) for name, value in plan.items() if _is_set(value, table=False)]
    for name, table in plan.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{name}]"]
            lines += [toml_line(key, value) for key, value in table.items() if _is_set(value)]
            lines += [_HINT] if name == "data" else []
    return "\n".join(lines) + "\n"


def _is_set(value: Any, *, table: bool = True) -> bool:
    return value is not None and value != {} and (table or not isinstance(value, Mapping))


def export_command(study: str, row: Mapping[str, Any], *, output: str) -> str:
    """Return the command line that exports a variant of a study as a bundle."""
    options = {
        "model": row["model"],
        "method": row["method"],
        "sparsity": float(row["sparsity"]),
        "precision": row["precision"],
        "split-seed": row["split_seed"],
        "training-seed": row["training_seed"],
        "output": output,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return shlex.join(["edac", "export", study, *words])
