import gc
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
import pytest
import tiny
from sklearn.metrics import roc_auc_score

from edac_core.errors import ModelError
from edac_core.measure.size import unpack
from edac_core.models import MODELS
from edac_core.models.backend import use_threads
from edac_core.runtime import Variant
from edac_core.studies.inputs import SplitInputs
from edac_core.studies.jobs import Job
from edac_core.studies.store import SplitRecord
from edac_core.studies.work import pack_weights, run_job, unpack_weights

PRECISIONS = ("float32", "float16", "int8")


@pytest.fixture(scope="module", autouse=True)
def tiny_model():
    MODELS["tiny"] = tiny.spec()
    yield
    del MODELS["tiny"]


def make_inputs():
    sets = [tiny.examples(n, seed=seed) for seed, n in enumerate((96, 64, 64))]
    groups = ("bot", "phone") * 32
    return SplitInputs(SplitRecord("key", 0, pd.DataFrame()), "key", *sets, groups)


@pytest.fixture(scope="module")
def inputs():
    return make_inputs()


def job(**options):
    shared = {"model": "tiny", "protocol": "clean", "split_seed": 1, "training_seed": 7}
    training = {"training_epochs": 6, "training_batch_size": 32, "patience": 3}
    level = {"epochs": 6, "batch_size": 32, "precisions": PRECISIONS}
    return Job(**shared | training | level | options)


def level(method, sparsity, **options):
    return job(method=method, sparsity=sparsity, recipe=f"{method}:{sparsity}", **options)


@pytest.fixture(scope="module")
def baseline(inputs):
    return run_job(job(), inputs)


@pytest.fixture(scope="module")
def pruned(inputs, baseline):
    pruned = level("polynomial", 0.75, epochs=3, frequency=3)
    return run_job(pruned, inputs, baseline.weights)


def test_a_job_yields_one_variant_a_precision(baseline, pruned):
    for result in (baseline, pruned):
        assert tuple(variant.precision for variant in result.variants) == PRECISIONS


def test_a_baseline_hands_back_the_weights_its_variants_have(baseline, inputs):
    model = tiny.network()
    model.set_weights(unpack_weights(baseline.weights))
    expected = model.predict(inputs.test.features, verbose=0)[:, 0]
    np.testing.assert_allclose(baseline.variants[0].scores.test, expected, atol=1e-6)


def test_stored_scores_are_those_of_the_stored_file(pruned, inputs):
    for variant in pruned.variants:
        scores = Variant(unpack(variant.packed)).score(inputs.test.features)
        np.testing.assert_array_equal(variant.scores.test, scores)


def test_figures_are_those_of_the_scores(pruned, inputs):
    for variant in pruned.variants:
        expected = roc_auc_score(inputs.test.labels, variant.scores.test)
        assert variant.auc.estimate == pytest.approx(expected)
        assert {name: group.n for name, group in variant.groups.items()} == {"bot": 32, "phone": 32}


def test_the_threshold_comes_from_validation(pruned, inputs):
    for variant in pruned.variants:
        assert variant.decision.threshold in variant.scores.validation


def test_a_level_is_as_sparse_as_asked(pruned):
    assert pruned.achieved_sparsity == pytest.approx(0.75, abs=0.005)
    float32 = pruned.variants[0].size
    assert float32.nonzero_weights == pytest.approx(float32.weights * 0.25, abs=2)
    assert pruned.weights is None


def test_a_level_starts_from_its_baseline(inputs, baseline):
    untrained = run_job(job(epochs=1, patience=1, precisions=("float32",)), inputs)
    pruned = level("constant", 0.1, epochs=1, frequency=1, precisions=("float32",))
    one, other = (run_job(pruned, inputs, start.weights) for start in (baseline, untrained))
    assert not np.array_equal(one.variants[0].scores.test, other.variants[0].scores.test)


def test_a_level_without_weights_to_start_from_is_refused(inputs):
    pruned = level("constant", 0.1, epochs=1, frequency=1)
    with pytest.raises(ModelError, match=r"starts from are not in this store; use another --cache"):
        run_job(pruned, inputs)


def test_levels_hand_their_weights_on_if_others_go_on_from_them(inputs, baseline):
    options = {"epochs": 1, "frequency": 1, "start": "previous", "precisions": ("float32",)}
    first = run_job(level("constant", 0.5, **options), inputs, baseline.weights)
    second = run_job(level("constant", 0.9, **options), inputs, first.weights)
    assert second.achieved_sparsity == pytest.approx(0.9, abs=0.01)
    kept = unpack_weights(first.weights)
    assert sum((weight == 0).sum() for weight in kept) >= first.achieved_sparsity * 100


def digests():
    """Do a job twice on one thread, as workers do; needs a process of its own."""
    use_threads(1)
    MODELS["tiny"] = tiny.spec()
    results = [run_job(job(), make_inputs()) for _ in range(2)]
    return [[variant.sha256 for variant in result.variants] for result in results]


def test_the_same_job_gives_the_same_files():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        first, second = executor.submit(digests).result()
    assert first == second


def training_graphs():
    gc.collect()
    graphs = [each for each in gc.get_objects() if type(each).__name__ == "FuncGraph"]
    return sum(graph.name in {"update", "gradients"} for graph in graphs)


def test_a_finished_job_leaves_nothing_of_its_training_behind(inputs):
    before = training_graphs()
    run_job(job(epochs=1), inputs)
    assert training_graphs() == before


def test_what_ran_is_recorded(baseline):
    assert baseline.environment["peak_memory_mb"] > 100
    assert baseline.environment["versions"]["tensorflow"]
    assert baseline.environment["machine"]["cpu"]
    assert baseline.environment["onednn"] == "1"
    assert [epoch["number"] for epoch in baseline.history] == list(
        range(1, len(baseline.history) + 1)
    )


def test_weights_survive_packing():
    weights = [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros(0, np.float32)]
    for before, after in zip(weights, unpack_weights(pack_weights(weights)), strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_baseline_that_was_trained_before_is_only_converted(inputs, baseline):
    again = run_job(job(), inputs, baseline.weights)
    assert again.history == ()
    for one, before in zip(again.variants, baseline.variants, strict=True):
        np.testing.assert_array_equal(one.scores.test, before.scores.test)


def test_what_a_precision_cannot_be_made_of_says_why(inputs, baseline):
    blocks = level("block", 0.5, epochs=1, frequency=1, precisions=("float32", "int8"))
    result = run_job(blocks, inputs, baseline.weights)
    assert [variant.precision for variant in result.variants] == ["float32"]
    assert result.refusals.keys() == {"int8"}
    assert "sparse" in result.refusals["int8"]


def test_a_chain_does_one_step_after_the_other(inputs, baseline):
    chain = job(
        method="chain", recipe="structured-norm:0.5+constant:0.5", sparsity=0.75, epochs=1,
        frequency=1, precisions=("float32",), graph="rewritten",
    )  # fmt: skip
    result = run_job(chain, inputs, baseline.weights)
    assert result.achieved_sparsity >= 0.75
    full, small = baseline.variants[0].size.weights, result.variants[0].size.weights
    assert small <= 0.5 * full
    assert len(result.history) == 2


def test_compaction_takes_dead_units_out_and_scores_stay(inputs, baseline):
    dead, compact = (
        run_job(
            job(
                method=recipe, recipe=recipe, sparsity=0.97, epochs=1, frequency=1,
                precisions=("float32",), graph="rewritten",
            ),
            inputs, baseline.weights,
        )
        for recipe in ("constant:0.97", "constant:0.97+compaction")
    )  # fmt: skip
    before, after = dead.variants[0], compact.variants[0]
    np.testing.assert_allclose(after.scores.test, before.scores.test, atol=1e-6)
    assert after.size.raw_bytes < before.size.raw_bytes
    assert after.size.weights < before.size.weights


def test_training_for_8_bits_keeps_the_zeros_and_has_one_precision(inputs, baseline):
    recipe = "constant:0.75+qat"
    chain = job(
        method="constant+qat", recipe=recipe, sparsity=0.75, epochs=1, frequency=1,
        precisions=("float32", "int8_full"), graph="rewritten",
    )  # fmt: skip
    result = run_job(chain, inputs, baseline.weights)
    assert result.achieved_sparsity == pytest.approx(0.75, abs=0.01)
    assert [variant.precision for variant in result.variants] == ["int8_full"]
    assert "trained to be stored as int8_full" in result.refusals["float32"]
