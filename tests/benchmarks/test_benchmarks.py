import dataclasses
import io
import json
import os
import tomllib

import numpy as np
import pytest
import tiny
from rich.console import Console

from benchmarks import __main__ as command
from benchmarks import contest, features, level, memory, scoring, sweep, targets, training
from edac_core.compress.quantization import convert
from edac_core.datasets import open_dataset
from edac_core.measure.size import size_of
from edac_core.models import MODELS
from edac_core.studies.jobs import Job, expand
from edac_core.studies.plan import parse_plan
from edac_core.studies.work import pack_weights


@pytest.fixture(autouse=True)
def tiny_model(monkeypatch):
    monkeypatch.setitem(MODELS, "tiny", tiny.spec())


@pytest.fixture(scope="module")
def inputs():
    sets = {name: tiny.examples(64, seed=at) for at, name in enumerate(level._SETS)}
    return dataclasses.replace(memory.random_inputs(tiny.spec()), groups=("all",) * 64, **sets)


def silent(line):
    """Say nothing."""


def test_both_ways_of_training_reach_the_same_weights():
    one_batch = tiny.examples(training.BATCH_SIZE)
    own, plain = (
        contestant(tiny.spec(), one_batch, epochs=3) for contestant in training.CONTESTANTS.values()
    )
    for ours, theirs in zip(own.weights, plain.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_both_ways_of_scoring_give_the_same_scores():
    recordings = tiny.examples(70).features
    model = convert(tiny.network(), "float32")
    own, one_by_one = (load(model)(recordings) for load in scoring.CONTESTANTS.values())
    assert own.shape == (70,)
    assert np.ptp(own) > 0
    np.testing.assert_allclose(own, one_by_one, atol=1e-6)


def test_both_ways_to_a_level_prune_as_much(inputs, tmp_path):
    level.save_inputs(tmp_path / "inputs.npz", inputs)
    read = level.load_inputs(tmp_path / "inputs.npz")
    job = Job(
        model="tiny", protocol="clean", split_seed=1, training_seed=1, method="constant",
        recipe="constant:0.9", sparsity=0.9, epochs=1, training_epochs=1, frequency=1,
        batch_size=32, training_batch_size=32, precisions=("float32",),
    )  # fmt: skip
    weights = pack_weights(tiny.network().get_weights())
    found = [contestant(read, weights, job) for contestant in level.CONTESTANTS.values()]
    own, plain = (size_of(made["float32"].model).zip_bytes for made in found)
    assert own == pytest.approx(plain, rel=0.2)
    assert all(0 <= made["float32"].auc <= 1 for made in found)


def test_a_sweeps_plans_share_their_baseline():
    """So that the second run of the study trains levels only."""
    first, second = (
        expand(parse_plan(tomllib.loads(plan)))
        for plan in (
            sweep._plan("synthetic", (0.1,), epochs=1, schedule="constant"),
            sweep._plan("synthetic", sweep.SPARSITIES, epochs=10),
        )
    )
    (one,), (other,) = first, second
    assert one.baseline == other.baseline
    assert len(other.jobs) == 1 + len(sweep.SPARSITIES)


def test_a_cold_cache_is_empty_and_a_warm_one_full(tmp_path):
    recordings = open_dataset("synthetic", path=tmp_path, n=4).recordings
    found = features.measure(recordings, runs=1, say=silent, frontends=["mfcc"])
    states = found["frontends"]["mfcc"]
    assert [timed["computed"] for timed in states["cold"]] == [4]
    assert [timed["computed"] for timed in states["warm"]] == [0]


@pytest.mark.filterwarnings("ignore:.*slated for removal:DeprecationWarning")  # librosa.load's
@pytest.mark.parametrize("frontend", ["mfcc", "mel_image"])
def test_features_in_a_loop_are_the_same(frontend, tmp_path):
    recordings = open_dataset("synthetic", path=tmp_path, n=4).recordings
    own, loop = (
        contestant(recordings, frontend=frontend, folder=tmp_path)["features"]
        for contestant in (features.with_cache, features.in_a_loop)
    )
    assert features.share_alike(own, loop) > 0.999
    assert features.share_alike(own, loop[::-1]) < 0.9


def test_memory_is_measured_of_both_jobs(inputs):
    found = memory.peaks(tiny.spec(), inputs)
    assert set(found) == {"baseline", "level"}
    assert all(megabytes > 100 for megabytes in found.values())


def test_random_examples_are_repeatable_and_balanced():
    one, again = (contest.random_examples((3, 2), size=10) for _ in range(2))
    np.testing.assert_array_equal(one.features, again.features)
    assert one.features.dtype == np.float32
    assert one.labels.sum() == 5


def test_a_contestant_finds_tensorflow_untuned(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    environment = contest._environment()
    assert "TF_ENABLE_ONEDNN_OPTS" not in environment
    assert environment["PATH"] == os.environ["PATH"]


def test_a_contestant_that_fails_says_why():
    with pytest.raises(contest.ContestantError, match="invalid choice: 'nobody'"):
        contest.run_alone("benchmarks.training", "nobody", "cnn", 1)


def test_a_stage_that_fails_loses_no_results(tmp_path):
    def fail():
        raise contest.ContestantError("out of breath")

    megabytes = {"baseline": [100.0, 300.0, 200.0], "level": [None]}
    stages = {
        "training": fail,
        "memory": lambda: {"network": "tiny", "megabytes": megabytes},
    }
    path = tmp_path / "results" / "bench.json"
    shown = io.StringIO()
    assert command.run_stages(stages, Console(file=shown, width=200), path=path, runs=3) == [
        "training"
    ]
    results = json.loads(path.read_text("utf-8"))
    assert results["memory"]["megabytes"] == megabytes
    assert "out of breath" in shown.getvalue()
    assert "200" in shown.getvalue()

    command.run_stages({"training": fail}, Console(file=shown), path=path, runs=3)
    assert json.loads(path.read_text("utf-8")) == results


def test_every_stage_has_a_table():
    seconds = {"ours": [1.0, 3.0, 2.0], "plain_fit": [8.0], "one_at_a_time": [4.0]}
    timed = {"seconds": 2.0, "computed": 0}
    tables = [
        training.table(
            {"batch_size": 32, "networks": {"cnn": {"samples": 80, "seconds": seconds}}}
        ),
        scoring.table(
            {"network": "cnn", "recordings": 40, "seconds": seconds, "largest_difference": 0.0}
        ),
        features.table(
            {
                "recordings": 4,
                "processes": 2,
                "frontends": {
                    "mfcc": {"cold": [timed], "warm": [timed], "loop": [timed | {"alike": 1.0}]}
                },
            }
        ),
    ]
    out = io.StringIO()
    Console(file=out, width=200).print(*tables)
    for expected in ("10.0", "40.0", "4.00", "20.0", "2.00"):
        assert expected in out.getvalue()


def test_targets_come_from_the_studies_that_are_here():
    """The shipped studies alone: each network has its target, whether it was measured or not."""
    found = targets.measure(runs=1, say=silent)
    assert [row["target"]["model"] for row in found["targets"]] == ["cnn", "cnn_lstm", "dense_a"]
    cnn = found["targets"][0]
    assert cnn["variant"]["model"] == "cnn"
    assert cnn["difference"]["difference"] >= -0.02
    console = Console(file=io.StringIO(), width=100)
    console.print(targets.table(found))
    assert f"zip {cnn['variant']['zip_ratio']:.4g} (600)" in console.file.getvalue()
