"""How far past the papers: the targets in zip, file and latency, and the variant nearest to each.

Sizes, AUC and its interval are those of the stores; latency is measured anew, the variant in turns
with the float32 baseline of its run, where both files are here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from benchmarks.contest import SEED, Say
from edac_core.frontends import get_frontend
from edac_core.locations import SHIPPED, local_cache
from edac_core.measure.latency import measure_latency
from edac_core.measure.noninferiority import non_inferiority
from edac_core.models import get_model
from edac_core.studies.select import CONFIGURATION, is_reference
from edac_core.studies.store import Store
from edac_core.studies.targets import AUC_DROP, TARGETS, Furthest, Target, furthest

_INPUTS = 32


def measure(*, runs: int, say: Say) -> dict[str, Any]:
    """Find the variant of each network, and time it beside its baseline.

    Parameters
    ----------
    runs
        How often 200 calls of each are timed.
    say
        Called with what is going on.
    """
    with contextlib.ExitStack() as stack:
        stores = [stack.enter_context(contextlib.closing(store)) for store in _stores()]
        rows = []
        for target in TARGETS:
            say(f"Targets of {target.model} ...")
            rows.append(_row(target, furthest(stores, target), runs=runs))
    return {"targets": rows}


def table(found: dict[str, Any]) -> Table:
    """Show what `measure` found."""
    shown = Table("network", "variant", "ratio (target)", "AUC less baseline",
                  title="Targets past the papers", show_lines=True)  # fmt: skip
    for row in found["targets"]:
        shown.add_row(*_cells(row))
    return shown


def _stores() -> Iterator[Store]:
    if Store.exists(local_cache()):
        yield Store(local_cache(), readonly=True, live=True)
    yield Store(SHIPPED, readonly=True)


def _row(target: Target, found: Furthest | None, *, runs: int) -> dict[str, Any]:
    if found is None:
        return {"target": asdict(target)}
    names = (*CONFIGURATION, "zip_ratio", "raw_ratio", "speedup")
    return {
        "target": asdict(target),
        "study": found.study,
        "variant": {name: found.row[name] for name in names},
        "difference": asdict(found.reached.difference),
        "verdict": non_inferiority(found.reached.difference, margin=AUC_DROP),
        "speedups_now": _speedups(found, runs=runs),
    }


def _speedups(found: Furthest, *, runs: int) -> list[float]:
    """Time the variant beside a float32 baseline of its network, of the first runs that are here.

    What a network has learnt makes it neither faster nor slower, so any baseline will do.
    """
    variants = _with_files(found.store, found.study)
    alike = variants[CONFIGURATION].eq(found.row[CONFIGURATION]).all(axis="columns")
    every = pd.concat([_with_files(found.store, name) for name in found.store.studies()["name"]])
    baselines = every[is_reference(every) & every["model"].eq(found.row["model"])]
    if not alike.any() or baselines.empty:
        return []
    chosen = {"variant": variants[alike], "baseline": baselines}
    digests = {name: rows["sha256"].iloc[0] for name, rows in chosen.items()}
    models = {name: found.store.model(digest) for name, digest in digests.items()}
    frontend = get_frontend(get_model(found.row["model"]).frontend)
    inputs = np.random.default_rng(SEED).random((_INPUTS, *frontend.shape), dtype=np.float32)
    timed = [measure_latency(models, inputs) for _ in range(runs)]
    return [one["baseline"].median_ms / one["variant"].median_ms for one in timed]


def _with_files(store: Store, study: str) -> pd.DataFrame:
    variants = store.variants(study)
    return variants[variants["has_model"]]


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    target = row["target"]
    if "variant" not in row:
        return (target["model"], "not measured", "", "")
    variant, difference = row["variant"], row["difference"]
    ratios = [
        f"{name} {variant[ratio]:.4g} ({target[ratio]:g})"
        for name, ratio in (("zip", "zip_ratio"), ("file", "raw_ratio"), ("latency", "speedup"))
    ]
    now = row["speedups_now"]
    again = f"latency now {np.median(now):.4g}" if now else "latency now: files not here"
    return (
        target["model"],
        f"{variant['method']} {variant['sparsity']:.4g}\n{variant['precision']}\n{row['study']}",
        "\n".join([*ratios, again]),
        f"{difference['difference']:+.3f}\n{difference['low']:+.3f} to {difference['high']:+.3f}\n"
        f"{difference['splits']} splits\n{row['verdict']}",
    )
