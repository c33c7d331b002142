"""The plan that makes one variant again, and the command that exports it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any

from edac_core.compress import SCHEDULES
from edac_core.compress.methods import parse_recipe, write_recipe
from edac_core.studies import BASELINE, method_of
from edac_core.studies.plan import LONGEST_NAME, toml_line

_SUFFIX = "-again"

NETWORK_FILE = "network.py"
"""Where a user's own network is beside the plan."""

_HINT = '# path = "..."  # where your copy of the recordings is, if not in the data folder'


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
        "name": plan["name"][: LONGEST_NAME - len(_SUFFIX)] + _SUFFIX,
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
    of_magnitude = "schedules" if method in SCHEDULES else "methods"
    levels = _levels(table, config) if config["sparsity"] else []
    return {**nothing, of_magnitude: [method], "sparsities": levels}


def _levels(table: Mapping[str, Any], config: Mapping[str, Any]) -> list[float]:
    """Return the level, and before it those whose weights it goes on from."""
    levels = list(table.get("sparsities", []))
    level = next((one for one in levels if _is_of(one, config)), _own_level(config))
    if table.get("start") == "previous" and level in levels:
        return levels[: levels.index(level) + 1]
    return [level]


def _own_level(config: Mapping[str, Any]) -> float:
    """Return what a job's method removes, where the plan has no such level."""
    steps = parse_recipe(config["recipe"]) if config.get("recipe") else ()
    removed = [step.sparsity for step in steps if step.sparsity]
    return removed[0] if len(removed) == 1 else float(config["sparsity"])


def _is_of(level: float, config: Mapping[str, Any]) -> bool:
    """Whether a level of a plan is a job's, whose sparsity is of all its steps and rounded."""
    if "recipe" not in config:
        return math.isclose(level, config["sparsity"], abs_tol=1e-11)
    steps = parse_recipe(method_of(config), sparsity=level)
    return write_recipe(steps) == str(config["recipe"])


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
