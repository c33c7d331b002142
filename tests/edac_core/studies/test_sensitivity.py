import types

import numpy as np
import pandas as pd
import pytest
import stored
import tiny
from sklearn.metrics import log_loss, roc_auc_score

from edac_core.compress.pruning import magnitude_mask
from edac_core.errors import ModelError, StoreError
from edac_core.measure.discrimination import auc_interval
from edac_core.studies import sensitivity as module
from edac_core.studies.inputs import SplitInputs
from edac_core.studies.journal import only_writer
from edac_core.studies.sensitivity import measure_sensitivities
from edac_core.studies.store import Scores, SplitRecord, Store
from edac_core.studies.work import pack_weights

SPARSITIES, PRECISIONS = (0.0, 0.9), ("float32", "int8")
PLAN = {
    "name": "study", "title": "Study", "data": {"dataset": "synthetic", "split_seeds": [1]},
    "training": {"models": ["cnn"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def network():
    return tiny.trained()


@pytest.fixture(scope="module")
def inputs():
    sets = {"train": tiny.examples(8), "validation": tiny.examples(64, seed=1),
            "test": tiny.examples(32, seed=2)}  # fmt: skip
    table = pd.concat(
        pd.DataFrame({"label": examples.labels, "set": name}) for name, examples in sets.items()
    )
    table = table.assign(
        recording=[f"r{n}" for n in range(len(table))], group="all", participant=None, copy=""
    )
    record = SplitRecord("split", 1, table)
    return SplitInputs(record, "split", *sets.values(), ("all",) * 32)


@pytest.fixture
def measured_with(monkeypatch, inputs):
    """Replace the recordings and the network; return the splits that were prepared."""
    asked = []

    def prepare(_usable, *, seed, **_options):
        asked.append(seed)
        return inputs

    data = types.SimpleNamespace(audit=types.SimpleNamespace(usable=None))
    monkeypatch.setattr(module, "open_data", lambda *_a, **_k: data)
    monkeypatch.setattr(module, "prepare", prepare)
    monkeypatch.setattr(module, "SPARSITIES", SPARSITIES)
    monkeypatch.setattr(module, "PRECISIONS", PRECISIONS)
    monkeypatch.setattr(module, "get_model", lambda *_a, **_k: tiny.spec())
    return asked


def put_baseline(store, network, inputs, key="base", **changes):
    record = inputs.record
    variant = stored.make_variant(record, "float32", key.encode())
    scores = [network.predict(part.features, verbose=0)[:, -1]
              for part in (inputs.validation, inputs.test)]  # fmt: skip
    object.__setattr__(variant, "scores", Scores(*scores))
    weights = pack_weights(network.get_weights())
    result = stored.make_result(record, weights=weights, variants=[variant])
    config = {**stored.CONFIG, "method": "none", "sparsity": 0.0, **changes}
    store.put_job(key, config, record.key, result)


@pytest.fixture
def folder(tmp_path, network, inputs):
    store = Store(tmp_path)
    store.put_study("study", title="Study", plan=PLAN, data={})
    store.put_split(inputs.record)
    put_baseline(store, network, inputs)
    store.claim("study", ["base"])
    store.close()
    return tmp_path


def measure(folder, **options):
    measure_sensitivities("study", cache=folder, **{"listener": lambda _event: None, **options})
    store = Store(folder)
    found = store.sensitivities("study")
    store.close()
    return found


def test_the_store_keeps_a_row_for_each_layer_sparsity_and_precision(folder, measured_with):
    found = measure(folder)
    assert [name.split("_")[0] for name in found["layer"].unique()] == ["conv2d", "dense", "dense"]
    assert len(found) == 3 * len(SPARSITIES) * len(PRECISIONS)
    (row,) = found[["job", "model", "split_seed"]].drop_duplicates().to_dict("records")
    assert row == {"job": "base", "model": "cnn", "split_seed": 1}
    assert (found["recordings"] == 64).all()


def test_figures_are_those_of_the_network_with_that_layer_pruned(
    folder, measured_with, network, inputs
):
    found = measure(folder)
    # Built anew, a network may have other names for its layers.
    name = found["layer"].unique()[1]
    layer = [layer for layer in network.layers if hasattr(layer, "kernel")][1]
    kernel, bias = layer.get_weights()
    labels, features = inputs.validation.labels, inputs.validation.features
    layer.set_weights([np.where(magnitude_mask(kernel, 0.9), kernel, 0), bias])
    scores = network.predict(features, verbose=0)[:, -1]
    layer.set_weights([kernel, bias])
    whole = network.predict(features, verbose=0)[:, -1]
    rows = found[found["layer"] == name]
    (row,) = rows.query("sparsity == 0.9 and precision == 'float32'").to_dict("records")
    assert row["weights"] == kernel.size
    assert row["auc"] == pytest.approx(roc_auc_score(labels, scores))
    assert row["auc_before"] == pytest.approx(roc_auc_score(labels, whole))
    assert row["loss"] == pytest.approx(log_loss(labels, scores), rel=1e-5)
    assert row["loss_before"] == pytest.approx(log_loss(labels, whole), rel=1e-5)


def test_what_is_known_is_not_measured_again(folder, measured_with, network, inputs, monkeypatch):
    first = measure(folder)
    store = Store(folder)
    put_baseline(store, network, inputs, "other", training_seed=2)
    store.claim("study", ["base", "other"])
    store.close()
    done = []
    measured = module._measured
    monkeypatch.setattr(
        module, "_measured",
        lambda baseline, *rest: (done.append(baseline.job), measured(baseline, *rest))[1],
    )  # fmt: skip
    both = measure(folder)
    measure(folder)
    assert done == ["other"]
    pd.testing.assert_frame_equal(both[both["job"] == "base"], first)
    other = both[both["job"] == "other"].reset_index(drop=True)
    assert other["auc"].tolist() == pytest.approx(first["auc"].tolist())


def test_a_stopped_measurement_goes_on(folder, measured_with, network, inputs, monkeypatch):
    store = Store(folder)
    put_baseline(store, network, inputs, "other", training_seed=2)
    store.claim("study", ["base", "other"])
    store.close()
    store_scores = Store.scores
    monkeypatch.setattr(
        Store, "scores", lambda self, key: {}[key] if "other" in key else store_scores(self, key)
    )
    with pytest.raises(KeyError):
        measure(folder)
    monkeypatch.undo()
    half = Store(folder)
    assert half.sensitivities("study")["job"].unique().tolist() == ["base"]
    half.close()


def test_only_one_network_is_measured_if_asked(folder, measured_with, network, inputs):
    store = Store(folder)
    put_baseline(store, network, inputs, "other", model="cnn_lstm")
    store.claim("study", ["base", "other"])
    store.close()
    assert measure(folder, model="cnn_lstm")["model"].unique().tolist() == ["cnn_lstm"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "rnn"}, "no finished baseline of 'rnn'"),
        ({"cache": "nowhere"}, "There is no study store in"),
    ],
)
def test_what_is_not_there_is_said(folder, measured_with, tmp_path, options, said):
    cache = tmp_path / options.pop("cache", "")
    with pytest.raises(StoreError, match=said):
        measure_sensitivities("study", cache=cache, listener=lambda _event: None, **options)


def test_an_unknown_study_may_be_one_that_was_shipped(folder, measured_with):
    with pytest.raises(StoreError, match=r"no study 'cnn' in .* without the weights"):
        measure_sensitivities("cnn", cache=folder, listener=lambda _event: None)


def test_without_weights_nothing_is_measured(filled, measured_with):
    filled.put_study("study", title="Study", plan=PLAN, data={})
    config = {**stored.CONFIG, "method": "none", "sparsity": 0.0}
    (key,) = filled.jobs("study")["split"]
    record = SplitRecord(key, 1, filled_recordings())
    filled.put_job("base", config, key, stored.make_result(record, "float32"))
    filled.claim("study", ["base"])
    with pytest.raises(StoreError, match="weights of cnn, split 1, seed 1234 are not in"):
        measure(filled.folder)
    assert measured_with == []


def filled_recordings():
    sets = ["train"] * 4 + ["validation"] * 6 + ["test"] * 8
    return pd.DataFrame({"label": [0, 1] * 9, "group": "all", "set": sets})


def test_other_recordings_are_refused(folder, measured_with, inputs, monkeypatch):
    changed = SplitRecord("another", 1, inputs.record.recordings)
    other = SplitInputs(changed, "another", inputs.training, inputs.validation, inputs.test, ())
    monkeypatch.setattr(module, "prepare", lambda *_a, **_k: other)
    with pytest.raises(StoreError, match="no longer those that cnn, split 1"):
        measure(folder)


def test_another_network_than_the_stored_one_is_refused(
    folder, measured_with, network, inputs, monkeypatch
):
    labels = inputs.validation.labels
    wrong = auc_interval(labels, np.linspace(0, 1, len(labels))).estimate
    monkeypatch.setattr(module, "_stored_auc", lambda *_a: wrong)
    with pytest.raises(ModelError, match=f"where {wrong:.3f} is stored"):
        measure(folder)
    store = Store(folder)
    assert store.sensitivities("study").empty
    store.close()


def test_there_is_one_writer(folder, measured_with):
    with only_writer(folder), pytest.raises(StoreError, match="Another run"):
        measure(folder)
