"""A made-up study of a CNN, written through the store's own methods."""

import hashlib
import itertools
import lzma

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from dashboard import frame
from edac_core import locations
from edac_core.measure.discrimination import auc_interval, auc_within, decide, youden_threshold
from edac_core.measure.latency import Latency
from edac_core.measure.size import Size
from edac_core.studies.store import (
    JobResult,
    Scores,
    SplitRecord,
    Store,
    VariantResult,
    variant_key,
)

LEVELS = (("none", 0.0), *itertools.product(("constant", "polynomial"), (0.5, 0.95)))
RUNS = ((0, 1234), (0, 1235), (1, 1234))
WEIGHTS = 6_144_704
# Bytes a weight and milliseconds a call by precision; noise of the scores.
STORED = {"float32": (4, 1.6, 0), "float16": (2, 1.62, 1e-4), "int8": (1, 0.5, 0.08)}
SETS = {"train": 1100, "validation": 190, "test": 190}
DATA = {
    "dataset": "covid19-cough",
    "title": "covid19-cough",
    "synthetic": False,
    "licence": "CC0-1.0",
    "recordings": 1480,
    "dropped": {"silent": 12, "duplicate": 31},
    "metadata_auc": {"seconds": 0.58, "loudness_dbfs": 0.61},
    "sets": SETS,
    "fingerprint": "made up",
}


def make_split(seed):
    rng = np.random.default_rng(seed)
    count = sum(SETS.values())
    frame = {
        "recording": [f"recording-{index:04}" for index in range(count)],
        "label": rng.integers(0, 2, count),
        "group": rng.choice(["call-center", "telegram"], count),
        "participant": None,
        "set": np.repeat(list(SETS), list(SETS.values())),
    }
    return SplitRecord(f"split-{seed}", seed, pd.DataFrame(frame))


def make_variant(split, *, model, method, sparsity, precision, rng):
    """A variant that hears less the more is pruned, and packs what is left."""
    width, _, noise = STORED[precision]
    harm = {"none": 0, "constant": 1.6, "polynomial": 1}[method] * sparsity**12
    scores = {}
    for name in ("validation", "test"):
        labels = split.recordings.query("set == @name")["label"].to_numpy()
        hidden = np.random.default_rng(split.seed).normal(size=len(labels))
        spread = rng.normal(scale=0.15 + noise, size=len(labels))
        scores[name] = (0.75 * max(0, 1 - harm) * labels + hidden + spread).astype(np.float32)
    test = split.recordings.query("set == 'test'")
    threshold = youden_threshold(
        split.recordings.query("set == 'validation'")["label"], scores["validation"]
    )
    file = f"TFL3 {model} {split.key} {method} {sparsity} {precision} {rng.random()}".encode()
    left = round(WEIGHTS * (1 - sparsity))
    packed = left * width * 0.92 + 9_000 + WEIGHTS * 0.004
    return VariantResult(
        precision,
        lzma.compress(file),
        hashlib.sha256(file).hexdigest(),
        Size(WEIGHTS * width + 30_000, round(packed), round(packed * 0.8), WEIGHTS, left),
        Scores(scores["validation"], scores["test"]),
        auc_interval(test["label"], scores["test"]),
        auc_within(test["label"], scores["test"], test["group"]),
        decide(test["label"], scores["test"], threshold=threshold),
    )


def latency(precision, rng):
    median = STORED[precision][1] * rng.normal(1, 0.03)
    return Latency(median, median * 1.2, median * 1.04, 200)


def add_run(store, *, study, model, split, training_seed, levels, precisions):
    """Write a run's baseline and levels; return the keys of its jobs."""
    rng = np.random.default_rng([split.seed, training_seed])
    keys, latencies = [], {}
    for method, sparsity in levels:
        key = f"{study}-{model}-{split.seed}-{training_seed}-{method}-{sparsity}"
        variants = tuple(
            make_variant(split, model=model, method=method, sparsity=sparsity, precision=p,
                         rng=rng)
            for p in precisions
        )  # fmt: skip
        config = {
            "model": model,
            "protocol": "clean",
            "split_seed": split.seed,
            "training_seed": training_seed,
            "method": method,
            "sparsity": sparsity,
        }
        store.put_job(key, config, split.key, JobResult(variants, sparsity, 1.0))
        latencies |= {variant_key(key, p): latency(p, rng) for p in precisions}
        keys.append(key)
    baseline = variant_key(keys[0], precisions[0])
    store.put_latencies(latencies, baseline=baseline, machine={"cpu": "made up"})
    return keys


def build_study(
    folder,
    *,
    name="made-up",
    title="Made-up coughs",
    models=("cnn",),
    runs=RUNS,
    levels=LEVELS,
    precisions=tuple(STORED),
    data=DATA,
):
    """Fill a store with a study of made-up scores."""
    store = Store(folder)
    plan = {"name": name, "title": title, "data": {"protocol": "clean"}}
    store.put_study(name, title=title, plan=plan, data=data)
    keys = []
    for model, (split_seed, training_seed) in itertools.product(models, runs):
        split = make_split(split_seed)
        store.put_split(split)
        keys += add_run(store, study=name, model=model, split=split, training_seed=training_seed,
                        levels=levels, precisions=precisions)  # fmt: skip
    store.claim(name, keys)
    store.close()


@pytest.fixture(autouse=True)
def no_rehearsal(monkeypatch):
    """Leave the machine to the tests: workers import what they need when they need it."""
    monkeypatch.setattr(frame, "start_early", lambda: None)


@pytest.fixture(scope="session")
def made_up(tmp_path_factory):
    """A folder with one study of two networks: 3 runs of 5 levels in 3 precisions."""
    folder = tmp_path_factory.mktemp("made-up")
    build_study(folder, models=("cnn", "cnn_lstm"))
    return folder


@pytest.fixture(scope="session")
def build():
    """Give tests the builder, for studies of their own."""
    return build_study


@pytest.fixture
def stores(tmp_path, monkeypatch):
    """Put the dashboard's two stores where the test says: stores(shipped=..., local=...)."""

    def _put(*, shipped=tmp_path / "no-shipped", local=tmp_path / "no-local"):
        monkeypatch.setattr(locations, "SHIPPED", shipped)
        monkeypatch.setenv(locations.CACHE_VARIABLE, str(local))
        st.cache_data.clear()

    _put()
    return _put
