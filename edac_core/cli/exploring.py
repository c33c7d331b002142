"""Commands that look for what to do to a network: search, sensitivity."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from edac_core.cli.common import (
    add_command,
    keep_within,
    limit,
    limit_of_cache,
    positive,
    running,
    say,
    seed,
    show,
)
from edac_core.studies.journal import LOG_FILE, run_folder
from edac_core.studies.plan import load_plan
from edac_core.studies.store import Store

SENSITIVITY_LOG = "sensitivity.log"
_MINIMISED: Mapping[str, Any] = {"zip": "zip_bytes", "raw": "raw_bytes", "latency": "latency_ms"}
_SEARCH_HELP = (
    "Try recipes on the network and the data of a plan, or go on with it, and print the best "
    "compromises found so far: recipes within the limits that no other beats in size (or latency) "
    "or in AUC without losing in the other. All figures are means over the plan's runs; "
    "validation_auc, and auc_drop below the unpruned float32 network, are of the validation set, "
    "never the test set. kB are 1,000 bytes. The variants are in the study NAME-search."
)
_SENSITIVITY_HELP = (
    "Measure how much each layer of a study's baselines minds being pruned and rounded: one "
    "layer at a time, by magnitude, with no fine-tuning, on validation recordings. What is known "
    "is not measured again. It prints the change of validation AUC by sparsity (%); --csv and "
    "--json print all columns: AUC and loss before and after, numbers of weights and recordings."
)


def add_commands(commands: Any) -> None:
    """Add search and sensitivity."""
    _add_search(commands)
    _add_sensitivity(commands)


def _add_sensitivity(commands: Any) -> None:
    sensitivity = add_command(
        commands, "sensitivity", _sensitivity, "measure which layers of a study mind compression"
    )
    sensitivity.description = _SENSITIVITY_HELP
    sensitivity.add_argument("study")
    sensitivity.add_argument("--model", help="one network of the study (default: all)")
    sensitivity.add_argument(
        "--workers", type=positive, help="worker processes (default: one a core)"
    )


def _add_search(commands: Any) -> None:
    search = add_command(commands, "search", _search, "search recipes for the best compromises")
    search.description = _SEARCH_HELP
    search.add_argument("plan", type=Path, help="a TOML file with one network")
    search.add_argument("--trials", type=positive, required=True, help="recipes to try")
    search.add_argument("--minimise", choices=list(_MINIMISED), default="zip", help="default: zip")
    search.add_argument("--max-zip-kb", type=limit, help="zipped file")
    search.add_argument("--max-raw-kb", type=limit, help="file as it is")
    search.add_argument("--max-latency-ms", type=limit, help="of one recording on this machine")
    search.add_argument("--max-auc-drop", type=limit, help="below the float32 network")
    search.add_argument("--seed", type=seed, default=0, help="seeds the proposals (default: 0)")
    search.add_argument("--workers", type=positive, help="worker processes (default: one a core)")


def _search(options: argparse.Namespace) -> int:
    from edac_core.studies.search import (  # noqa: PLC0415 - Dask takes a second to import
        search,
        study_of,
    )
    from edac_core.studies.select import Limits  # noqa: PLC0415 - so does SciPy

    plan, most_bytes = load_plan(options.plan), limit_of_cache()
    limits = Limits(
        auc_drop=options.max_auc_drop,
        zip_bytes=_bytes(options.max_zip_kb),
        raw_bytes=_bytes(options.max_raw_kb),
        latency_ms=options.max_latency_ms,
    )
    with running(options, run_folder(options.cache, study_of(plan)) / LOG_FILE) as listener:
        found = search(
            plan,
            cache=options.cache,
            trials=options.trials,
            limits=limits,
            minimise=_MINIMISED[options.minimise],
            seed=options.seed,
            workers=options.workers,
            listener=listener,
        )
    _show_found(found, options)
    keep_within(most_bytes, options)
    return 0


def _bytes(kilobytes: float | None) -> float | None:
    return None if kilobytes is None else kilobytes * 1e3


def _show_found(found: Any, options: argparse.Namespace) -> None:
    rows = [
        {
            "recipe": one.recipe,
            "precision": one.precision,
            "validation_auc": one.validation_auc,
            "auc_drop": one.auc_drop,
            "zip_kb": one.zip_bytes / 1e3,
            "raw_kb": one.raw_bytes / 1e3,
            "latency_ms": one.latency_ms,
        }
        for one in found.front
    ]
    if rows or options.json or options.csv:
        show(pd.DataFrame(rows), options)
    if not (options.json or options.csv):
        within = "" if rows else " and none is within the limits"
        say(
            {},
            f"{found.candidates} variants measured{within}, {len(found.refused)} refused. All of "
            f"them: edac table {found.study}; how the search went: optuna-dashboard "
            f"{found.storage}",
            options,
        )


def _sensitivity(options: argparse.Namespace) -> int:
    from edac_core.studies.sensitivity import (  # noqa: PLC0415 - SciPy takes a second to import
        measure_sensitivities,
    )

    log, silent = options.cache / SENSITIVITY_LOG, options.json or options.csv
    with running(options, log, silent=silent) as listener:
        measure_sensitivities(
            options.study,
            cache=options.cache,
            model=options.model,
            workers=options.workers or os.cpu_count() or 1,
            listener=listener,
        )
    with contextlib.closing(Store(options.cache, readonly=True, live=True)) as store:
        found = store.sensitivities(options.study)
    chosen = found if options.model is None else found[found["model"] == options.model]
    show(chosen if options.csv or options.json else _by_sparsity(chosen), options)
    return 0


def _by_sparsity(found: pd.DataFrame) -> pd.DataFrame:
    """Write changes of AUC, a row a layer and a column a sparsity."""
    rows = {"model": "model", "split_seed": "split", "training_seed": "seed",
            "precision": "precision", "layer": "layer", "weights": "weights"}  # fmt: skip
    changes = found.rename(columns=rows).assign(
        change=found["auc"] - found["auc_before"],
        sparsity=[f"{100 * sparsity:g}" for sparsity in found["sparsity"]],
    )
    levels = changes["sparsity"].unique()
    table = changes.pivot_table("change", list(rows.values()), "sparsity", sort=False)[levels]
    # Adding zero takes the sign off what is rounded to zero.
    return (table.round(3) + 0.0).map("{:+.3f}".format).reset_index().rename_axis(columns=None)
