import hashlib
import lzma

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from stored import make_variant

from edac_core.errors import StoreError
from edac_core.measure.zeros import compare_zero_signs
from edac_core.studies import evidence, protocols
from edac_core.studies.store import JobResult, Scores, SplitRecord, Store

LIVE = True
LABELS = [0, 1, 0, 1, 0, 1, 1, 1, 0, 1]
COPIES = [*8 * [""], "aug1", "aug1"]


@pytest.fixture
def folder(tmp_path, tiny_models):
    """A baseline whose file is the tiny network, and a pruned level."""
    rows = pd.DataFrame(
        {"recording": [f"r{n}" for n in range(20)], "label": 2 * LABELS, "group": "a",
         "participant": None, "set": [*10 * ["validation"], *10 * ["test"]], "copy": 2 * COPIES}
    )  # fmt: skip
    split = SplitRecord("split", 3, rows)
    store = Store(tmp_path)
    store.put_study("study", title="Study", plan={}, data={})
    store.put_split(split)
    for key, method, file in (("a", "none", tiny_models["float32"]), ("b", "constant", b"b")):
        variant = _with_file(make_variant(split, "float32", file), file)
        config = {"model": "cnn", "protocol": "paper", "split_seed": 3, "training_seed": 7,
                  "method": method, "sparsity": 0.5 * (method != "none")}  # fmt: skip
        store.put_job(key, config, "split", JobResult((variant,), 0.0, 1.0))
    store.claim("study", ["a", "b"])
    store.close()
    return tmp_path


def _with_file(variant, file):
    scores = Scores(variant.scores.validation, np.linspace(0.05, 0.95, 10).astype(np.float32))
    return variant.__class__(
        **{**vars(variant), "packed": lzma.compress(file), "scores": scores,
           "sha256": hashlib.sha256(file).hexdigest()}
    )  # fmt: skip


def test_baselines_are_tested_on_recordings_as_they_are(folder):
    (row,) = evidence.baselines_without_copies(str(folder), LIVE, "study", "cnn").itertuples()
    assert (row.split_seed, row.training_seed) == (3, 7)
    assert (row.examples, row.copies, row.positive_copies) == (10, 2, 1)
    scores = np.linspace(0.05, 0.95, 10)
    assert row.plain_auc == pytest.approx(roc_auc_score(LABELS[:8], scores[:8]))
    assert row.plain_auc_low < row.plain_auc < row.plain_auc_high


def test_a_network_that_is_not_there_has_no_rows(folder):
    found = evidence.baselines_without_copies(str(folder), LIVE, "study", "cnn_lstm")
    assert found.empty
    assert {"auc", "plain_auc", "copies"} <= set(found)


def test_a_recording_as_it_is_is_marked_as_the_protocols_do():
    assert evidence._AS_IT_IS == protocols.ORIGINAL


def test_signs_of_zeros_are_compared_in_a_stores_file(folder, tiny_models):
    model = tiny_models["float32"]
    sha256 = hashlib.sha256(model).hexdigest()
    found = evidence.compare_stored_zero_signs(str(folder), LIVE, sha256, 0.9)
    assert found == compare_zero_signs(model, sparsity=0.9, seed=evidence.SEED)


def test_a_file_that_is_not_there_is_a_sentence(folder):
    with pytest.raises(StoreError, match="is not in"):
        evidence.compare_stored_zero_signs(str(folder), LIVE, "0" * 64, 0.9)
