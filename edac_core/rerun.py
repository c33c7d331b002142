"""Making a variant again from its study's plan, and saying whether it came out the same."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edac_core.errors import StoreError
from edac_core.export.reproduce import NETWORK_FILE, narrowed, to_toml
from edac_core.studies.journal import PLAN_FILE, Listener, only_writer
from edac_core.studies.plan import Plan, load_plan
from edac_core.studies.run import run_study
from edac_core.studies.store import Store

FOLDER = "reruns"
"""Where in a cache reruns have theirs, `_CACHE`, which they go on from."""

_CACHE = "cache"

BIT_EQUAL = "bit-equal"
WITHIN = "the same within tolerance"
DIFFERENT = "different"

AUC_TOLERANCE = 0.02
"""How far apart two AUCs may be where the files differ: what the project calls a loss."""

SIZE_TOLERANCE = 0.05
"""How far apart two sizes may be, as a share of the first."""

_IDENTITY = ("model", "method", "sparsity", "precision", "split_seed", "training_seed")
_SIZES = ("raw_bytes", "zip_bytes")


@dataclass(frozen=True)
class Rerun:
    """A variant as its study has it and as it came out again.

    Parameters
    ----------
    before, again
        Their figures, as rows of `Store.variants`.
    score_difference
        The largest difference of a test recording's two scores.
    changed
        What of the environment is not as it was: name, and its value then and now.
    """

    before: Mapping[str, Any]
    again: Mapping[str, Any]
    score_difference: float
    changed: Mapping[str, tuple[Any, Any]]

    @property
    def auc_difference(self) -> float:
        """How much the AUC is above what it was."""
        return float(self.again["auc"] - self.before["auc"])

    @property
    def verdict(self) -> str:
        """`BIT_EQUAL`, `WITHIN` or `DIFFERENT`."""
        if self.again["sha256"] == self.before["sha256"]:
            return BIT_EQUAL
        near = abs(self.auc_difference) <= AUC_TOLERANCE and all(
            abs(self.again[size] - self.before[size]) <= SIZE_TOLERANCE * self.before[size]
            for size in _SIZES
        )
        return WITHIN if near else DIFFERENT

    def to_dict(self) -> dict[str, Any]:
        """Return what was found as plain values."""
        return {
            "verdict": self.verdict,
            "before": _figures(self.before),
            "again": _figures(self.again),
            "score_difference": self.score_difference,
            "changed": {name: list(pair) for name, pair in self.changed.items()},
        }

    def describe(self) -> str:
        """Say what was found."""
        if self.verdict == BIT_EQUAL:
            return f"Bit-equal: SHA-256 {self.again['sha256']}."
        before, again = self.before, self.again
        sentences = [
            f"{self.verdict.capitalize()}: AUC {before['auc']:.4f}, now {again['auc']:.4f} "
            f"({self.auc_difference:+.4f}; {AUC_TOLERANCE:g} apart would do); file "
            f"{before['raw_bytes']:,} bytes, now {again['raw_bytes']:,}; zip "
            f"{before['zip_bytes']:,} bytes, now {again['zip_bytes']:,} ({SIZE_TOLERANCE:.0%} "
            f"apart would do); test scores differ by {self.score_difference:.2g} at most."
        ]
        sentences += [
            f"Not as it was: {name}, {then} then and {now} now."
            for name, (then, now) in self.changed.items()
        ]
        return "\n".join(sentences)


def rerun(
    store: Store,
    *,
    study: str,
    variant: Mapping[str, Any],
    cache: Path,
    path: str | None = None,
    anew: bool = False,
    workers: int | None = None,
    listener: Listener = print,
) -> Rerun:
    """Train and convert a variant again, with what it starts from, and compare.

    Parameters
    ----------
    store
        Has the study.
    study, variant
        Name of the study, and one of its variants, a row of `Store.variants`.
    cache
        Folder that gets a folder of its own for this, where an interrupted rerun goes on.
    path
        Where the recordings are, if not where the study found them.
    anew
        Forget what an earlier rerun made.
    workers, listener
        As for `edac_core.studies.run.run_study`.

    Raises
    ------
    EdacError
        As for `edac_core.studies.run.run_study`; StoreError also if the study has no such job.
    """
    folder = cache / FOLDER / _CACHE
    # The plan's file is every rerun's, and so is what `anew` deletes.
    with only_writer(cache / FOLDER):
        if anew:
            shutil.rmtree(folder, ignore_errors=True)
        plan = _plan(store, study, variant["job"], path=path, folder=folder)
        run_study(plan, cache=folder, workers=workers, listener=listener)
        with contextlib.closing(Store(folder, readonly=True, live=True)) as made:
            return _compared(store, study, variant, made, plan)


def _compared(
    store: Store, study: str, variant: Mapping[str, Any], made: Store, plan: Plan
) -> Rerun:
    again = _counterpart(made, plan, variant)
    scores = store.scores(variant["key"]), made.scores(again["key"])
    then, now = _environment(store, study, variant), _environment(made, plan.name, again)
    return Rerun(dict(variant), again, _score_difference(*scores), dict(_changes(then, now)))


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    sizes = {name: int(row[name]) for name in _SIZES}
    return {"auc": float(row["auc"]), **sizes, "sha256": row["sha256"]}


def _plan(store: Store, study: str, job: str, *, path: str | None, folder: Path) -> Plan:
    """Write the plan of a job, and of those it starts from, into a folder, and read it."""
    plan = store.studies().set_index("name")["plan"][study]
    config = store.jobs(study).set_index("key")["config"][job]
    wanted = narrowed(plan, config)
    wanted["data"]["path"] = path or plan["data"].get("path")
    folder.mkdir(parents=True, exist_ok=True)
    # A network of one's own is beside its plan, as in a bundle.
    (folder / NETWORK_FILE).write_text(config.get("definition") or "", "utf-8")
    file = folder / PLAN_FILE
    file.write_text(to_toml(wanted), "utf-8", newline="")
    return load_plan(file)


def _counterpart(made: Store, plan: Plan, variant: Mapping[str, Any]) -> dict[str, Any]:
    variants = made.variants(plan.name)
    for name in _IDENTITY:
        same = variants[name] == variant[name]
        if name == "sparsity":
            same = np.isclose(variants[name], variant[name], atol=1e-9)
        variants = variants[same]
    if variants.empty:
        reasons = [*made.failures(plan.name)["reason"], *made.refusals(plan.name)["reason"]]
        why = f": {reasons[0]}" if reasons else "."
        raise StoreError(f"The rerun made no {variant['precision']} file of this variant{why}")
    return dict(variants.iloc[-1])


def _score_difference(before: pd.DataFrame, again: pd.DataFrame) -> float:
    """Compare the scores of the test recordings; NaN if the two tested others."""
    first, second = (scores[scores["set"] == "test"] for scores in (before, again))
    if first["recording"].tolist() != second["recording"].tolist():
        return float("nan")
    return float(np.abs(second["score"].to_numpy() - first["score"].to_numpy()).max())


def _environment(store: Store, study: str, variant: Mapping[str, Any]) -> dict[str, Any]:
    found = store.jobs(study).set_index("key")["environment"][variant["job"]]
    machine = found.get("machine", {})
    known = {
        **found.get("versions", {}),
        "python": machine.get("python"),
        "processor": machine.get("cpu"),
        "threads": found.get("threads"),
        "oneDNN": found.get("onednn"),
    }
    return {name: value for name, value in known.items() if value is not None}


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in before:
        if name in now and before[name] != now[name]:
            yield name, (before[name], now[name])
