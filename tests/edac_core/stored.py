"""Made-up results to fill stores with, in tests."""

import hashlib
import lzma

import numpy as np

from edac_core.measure.discrimination import auc_interval, auc_within, decide
from edac_core.measure.size import Size
from edac_core.studies.store import JobResult, Scores, VariantResult

CONFIG = {
    "model": "cnn", "protocol": "clean", "method": "constant", "sparsity": 0.5,
    "split_seed": 1, "training_seed": 1234,
}  # fmt: skip


def make_variant(split, precision="int8", content=b"model"):
    rng = np.random.default_rng(len(content))
    sets = {name: rows for name, rows in split.recordings.groupby("set")}  # noqa: C416
    scores = Scores(
        rng.random(len(sets["validation"])).astype(np.float32),
        rng.random(len(sets["test"])).astype(np.float32),
    )
    labels = sets["test"]["label"]
    return VariantResult(
        precision=precision,
        packed=lzma.compress(content),
        sha256=hashlib.sha256(content).hexdigest(),
        size=Size(len(content), 11, 12, 100, 50),
        scores=scores,
        auc=auc_interval(labels, scores.test),
        groups=auc_within(labels, scores.test, sets["test"]["group"]),
        decision=decide(labels, scores.test, threshold=0.5),
    )


def make_result(split, *precisions, weights=None, variants=None):
    made = variants or [make_variant(split, name, name.encode()) for name in precisions]
    return JobResult(tuple(made), 0.5, 1.5, ({"number": 1, "loss": 0.7},), weights, {"threads": 1})
