"""A store with a study as large as wanted: made-up scores, written through the schema in bulk.

It is for timing what reads and shows studies. Scores, sizes and latencies are drawn at random
around what a pruned CNN has; there are no model files.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from edac_core.compress import REFERENCE_PRECISION
from edac_core.studies import BASELINE
from edac_core.studies.store import SplitRecord, Store, variant_key

NAME = "made-up"
WEIGHTS = 6_144_704
SETS = {"train": 575, "validation": 192, "test": 192}
SOURCES = ("call-center", "telegram")
SCHEDULES = ("constant", "polynomial")
_WHEN = "2026-01-01T00:00:00.000000+00:00"
_MACHINE = json.dumps({"cpu": "made up", "cores": 2, "platform": "Linux", "python": "3.11"})
_HISTORY = json.dumps([{"number": n, "loss": 0.69, "validation_loss": 0.69} for n in range(15)])
_ENVIRONMENT = json.dumps({"machine": json.loads(_MACHINE), "versions": {"numpy": "2"} | {
    f"library {n}": "1.2.3" for n in range(10)}})  # fmt: skip
_TABLES = {"jobs": 9, "study_jobs": 2, "variants": 19, "groups": 7, "latencies": 9}

FloatArray = npt.NDArray[np.float64]
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Stored:
    """What a precision comes to: bytes a weight, milliseconds a call, noise of the scores."""

    width: int
    latency_ms: float
    noise: float


PRECISIONS = {
    "float32": Stored(4, 1.6, 0.0),
    "float16": Stored(2, 1.62, 1e-3),
    "int8": Stored(1, 0.5, 0.08),
}


@dataclass(frozen=True)
class Level:
    """A method and a sparsity of one run, and the key of its job."""

    job: str
    method: str
    sparsity: float


def build(folder: Path, *, variants: int, runs: int = 10) -> int:
    """Fill a new store with one study of a CNN; return how many variants it has.

    Parameters
    ----------
    folder
        Where the store will be.
    variants
        How many the study has at least: two schedules at as many sparsities as that takes, in
        three precisions.
    runs
        Pairs of split seed (two of them) and training seed.
    """
    sparsities = _sparsities(variants, runs=runs)
    _describe(folder)
    pairs = [(1 + number % 2, 1234 + number // 2) for number in range(runs)]
    with closing(sqlite3.connect(folder / Store.DATABASE)) as database:
        database.execute("PRAGMA synchronous = OFF")
        for split_seed, training_seed in pairs:
            with database:
                _insert(database, _run(split_seed, training_seed, sparsities))
        database.execute("PRAGMA journal_mode = DELETE")
    return runs * (len(SCHEDULES) * len(sparsities) + 1) * len(PRECISIONS)


def _sparsities(variants: int, *, runs: int) -> FloatArray:
    """Spread levels over what pruning leaves worth looking at."""
    jobs = variants / (runs * len(PRECISIONS))
    count = int(np.ceil((jobs - 1) / len(SCHEDULES)))
    return np.round(np.linspace(0.05, 0.999, count), 6)


def _describe(folder: Path) -> None:
    """Write the study's own row and its splits the usual way."""
    data = {"dataset": NAME, "title": "Made up", "synthetic": True, "recordings": 959, "sets": SETS}
    plan = {"name": NAME, "title": "Made up to be timed", "data": {"protocol": "clean"}}
    with closing(Store(folder)) as store:
        store.put_study(NAME, title="Made up to be timed", plan=plan, data=data)
        for seed in (1, 2):
            store.put_split(SplitRecord(f"split-{seed}", seed, _recordings(seed)))


def _recordings(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    count = sum(SETS.values())
    table = {
        "recording": [f"recording-{index:04}" for index in range(count)],
        "label": rng.integers(0, 2, count),
        "group": rng.choice(SOURCES, count),
        "participant": None,
        "set": np.repeat(list(SETS), list(SETS.values())),
        "copy": "",
    }
    return pd.DataFrame(table)


def _run(split_seed: int, training_seed: int, sparsities: FloatArray) -> Rows:
    """Make the rows of one run: its baseline and all its levels."""
    rng = np.random.default_rng([split_seed, training_seed])
    wanted = [(BASELINE, 0.0), *itertools.product(SCHEDULES, sparsities.tolist())]
    levels = [
        Level(_digest(f"{split_seed} {training_seed} {name} {level}")[:32], name, level)
        for name, level in wanted
    ]
    rows: Rows = {
        "jobs": [_job(level, split_seed, training_seed) for level in levels],
        "study_jobs": [(NAME, level.job) for level in levels],
        "variants": [], "groups": [], "latencies": [],
    }  # fmt: skip
    baseline_ms = PRECISIONS[REFERENCE_PRECISION].latency_ms * rng.normal(1, 0.03)
    for precision in PRECISIONS:
        for name, made in _variants(levels, precision, split_seed, baseline_ms, rng).items():
            rows[name] += made
    return rows


def _job(level: Level, split_seed: int, training_seed: int) -> tuple[Any, ...]:
    config = {
        "batch_size": 32, "epochs": 10, "frequency": 0, "model": "cnn", "patience": None,
        "precisions": list(PRECISIONS), "protocol": "clean", "method": level.method,
        "sparsity": level.sparsity, "split_seed": split_seed, "training_seed": training_seed,
    }  # fmt: skip
    return (level.job, f"split-{split_seed}", json.dumps(config), level.sparsity, 60.0, _HISTORY,
            None, _ENVIRONMENT, _WHEN)  # fmt: skip


def _variants(
    levels: list[Level],
    precision: str,
    split_seed: int,
    baseline_ms: float,
    rng: np.random.Generator,
) -> Rows:
    """Make the variants of one run in one precision."""
    stored, recordings = PRECISIONS[precision], _recordings(split_seed)
    harm = np.array([_harm(level) for level in levels])
    scores = {
        name: _scores(recordings.query("set == @name")["label"].to_numpy(), harm, stored, rng)
        for name in ("validation", "test")
    }
    test = recordings.query("set == 'test'")
    labels, of_test = test["label"].to_numpy(), scores["test"]
    places = {source: (test["group"] == source).to_numpy() for source in SOURCES}
    aucs, right = _aucs(labels, of_test), _right(labels, of_test)
    within = {name: _aucs(labels[here], of_test[:, here]) for name, here in places.items()}
    counts = {name: (int(here.sum()), int(labels[here].sum())) for name, here in places.items()}
    sizes = rng.normal(1, 0.01, len(levels))
    medians = stored.latency_ms * rng.normal(1, 0.03, len(levels))
    rows: Rows = {"variants": [], "groups": [], "latencies": []}
    for at, level in enumerate(levels):
        key, median = variant_key(level.job, precision), float(medians[at])
        left = round(WEIGHTS * (1 - level.sparsity))
        packed = round(left * stored.width * 0.92 * sizes[at] + 34_000)
        rows["variants"].append(
            (key, level.job, precision, _digest(key), WEIGHTS * stored.width + 30_000, packed,
             round(packed * 0.8), WEIGHTS, left, *_interval(aucs[at], len(labels)), 0.0,
             *right[at], scores["validation"][at].tobytes(), of_test[at].tobytes(), _WHEN)
        )  # fmt: skip
        rows["groups"] += [
            (key, source, *counts[source], *_interval(within[source][at], counts[source][0]))
            for source in SOURCES
        ]
        rows["latencies"].append(
            (key, "machine", median, median * 1.2, median * 1.04, 200, baseline_ms, _MACHINE, _WHEN)
        )
    return rows


def _harm(level: Level) -> float:
    return {BASELINE: 0.0, "constant": 1.6, "polynomial": 1.0}[level.method] * level.sparsity**12


def _scores(
    labels: npt.NDArray[np.int64], harm: FloatArray, stored: Stored, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Draw scores, a row a variant, that hear less the more is pruned."""
    hidden = np.random.default_rng(len(labels) + int(labels.sum())).normal(size=len(labels))
    heard = np.clip(1 - harm, 0, None)[:, np.newaxis] * (labels - 0.5)
    noise = rng.normal(scale=0.15 + stored.noise, size=(len(harm), len(labels)))
    return np.asarray(heard + hidden + noise, dtype="<f4")


def _aucs(labels: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]) -> FloatArray:
    """Return the area under the ROC curve of each row, by Mann and Whitney's statistic."""
    positives = int(labels.sum())
    ranks = rankdata(scores, axis=1)[:, labels == 1].sum(axis=1)
    pairs = positives * (len(labels) - positives)
    return np.asarray((ranks - positives * (positives + 1) / 2) / pairs)


def _right(labels: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]) -> list[list[float]]:
    """Return sensitivity, specificity and UAR of each row at a threshold of 0."""
    called = scores >= 0
    sensitivity = called[:, labels == 1].mean(axis=1)
    specificity = 1 - called[:, labels == 0].mean(axis=1)
    both = np.stack([sensitivity, specificity, (sensitivity + specificity) / 2], axis=1)
    listed: list[list[float]] = both.tolist()
    return listed


def _interval(auc: float, count: int) -> tuple[float, float, float]:
    """Return an AUC and bounds about as wide as DeLong's."""
    half = 1.96 * math.sqrt(auc * (1 - auc) / (count / 4))
    return float(auc), max(float(auc) - half, 0.0), min(float(auc) + half, 1.0)


def _insert(database: sqlite3.Connection, rows: Rows) -> None:
    for table, width in _TABLES.items():
        places = ", ".join("?" * width)
        database.executemany(f"INSERT INTO {table} VALUES ({places})", rows[table])  # noqa: S608 - our own names


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
