"""Every method and precision on the papers' networks, from the command line to the table."""

import json

import pytest
from command import edac

from edac_core.compress.methods import METHODS
from edac_core.studies.store import Store

SPARSITY = 0.95
REFUSED = ("cnn_lstm", "qat")
"""tfmot does not know the kind of layer that holds most weights."""
PLAN = f"""
name = "every"
title = "Every method on every network"
latency_calls = 5
[data]
dataset = "synthetic"
options = {{ n = 60, seed = 3 }}
[training]
models = ["cnn", "cnn_lstm", "dense_a"]
epochs = 2
[compression]
schedules = ["constant", "polynomial"]
methods = {json.dumps([name for name in METHODS if name not in ("constant", "polynomial")])}
recipes = {{ chain = "width-distilled:0.5+polynomial:0.9+compaction" }}
sparsities = [{SPARSITY}]
precisions = ["float32", "float16", "int8", "int8_full", "int16x8", "int4_weights"]
epochs = 1
frequency = 1
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("every")
    (folder / "plan.toml").write_text(PLAN)
    done = edac("run", folder / "plan.toml", "--quiet", "--cache", folder / "cache")
    assert done.returncode == 1, done.stderr  # One job fails, as it should.
    return folder / "cache"


@pytest.fixture(scope="module")
def variants(cache):
    return Store(cache, readonly=True, live=True).variants("every")


@pytest.mark.nightly
@pytest.mark.parametrize("model", ["cnn", "cnn_lstm", "dense_a"])
@pytest.mark.parametrize("method", [*METHODS, "chain"])
def test_a_method_yields_variants_of_a_network(variants, model, method):
    made = variants.query("model == @model and method == @method")
    if (model, method) == REFUSED:
        assert made.empty
        return
    assert len(made) >= 1
    if method in METHODS and METHODS[method].removes:
        assert made["achieved_sparsity"].iloc[0] == pytest.approx(SPARSITY, abs=0.01)
    assert made["latency_ms"].gt(0).all()


@pytest.mark.nightly
def test_what_cannot_be_made_says_why(cache, variants):
    store = Store(cache, readonly=True, live=True)
    (failure,) = store.failures("every").to_dict("records")
    config = json.loads(failure["config"])
    assert (config["model"], config["method"]) == REFUSED
    assert "cannot round the layer 'lstm'" in failure["reason"]
    refusals = store.refusals("every")
    assert refusals["reason"].str.fullmatch(r"[^\n]{20,}[^.\s]\.").all()
    jobs = 3 * (len(METHODS) + 2) - 1
    assert len(variants) + len(refusals) == jobs * 6
