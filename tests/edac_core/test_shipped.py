"""The studies that come along are whole, and are what they say."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from edac_core.datasets import open_dataset
from edac_core.errors import DataError
from edac_core.frontends import get_frontend
from edac_core.frontends.extract import extract
from edac_core.locations import PROJECT, SHIPPED
from edac_core.measure.size import size_of
from edac_core.runtime import Variant
from edac_core.studies.jobs import expand
from edac_core.studies.plan import load_plan, parse_plan
from edac_core.studies.select import is_reference, summarise
from edac_core.studies.store import Store
from edac_core.studies.targets import AUC_DROP, TARGETS, nearest

MOST_BYTES = 60e6


@pytest.fixture(scope="module")
def store():
    store = Store(SHIPPED, readonly=True)
    yield store
    store.close()


@pytest.fixture(scope="module")
def variants(store):
    return store.variants("cnn")


def test_the_study_is_the_plan_run_to_its_end(store, variants):
    plan = load_plan(PROJECT / "plans" / "cnn.toml")
    study = store.studies().set_index("name").loc["cnn"]
    jobs = sum(len(family.jobs) for family in expand(plan))
    assert parse_plan(study["plan"]) == plan
    assert len(store.jobs("cnn")) == store.planned("cnn") == jobs
    assert len(variants) == jobs * 3
    assert store.failures("cnn").empty
    assert variants["latency_ms"].notna().all()


def test_the_study_beside_it_tests_copies_by_the_papers_protocol(store):
    plan = load_plan(PROJECT / "plans" / "cnn-paper.toml")
    study = store.studies().set_index("name").loc["cnn-paper"]
    assert parse_plan(study["plan"]) == plan
    assert len(store.jobs("cnn-paper")) == sum(len(family.jobs) for family in expand(plan))
    scores = store.scores(store.variants("cnn-paper")["key"].iloc[0])
    copies = scores[(scores["set"] == "test") & (scores["copy"] != "")]
    assert copies["label"].eq(1).all()
    assert len(copies) > 100


def test_the_store_is_small(store):
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*")) <= MOST_BYTES


def test_every_int8_variant_of_one_run_and_its_reference_are_here(variants):
    runs = variants.groupby(["split_seed", "training_seed"])
    assert len(runs) == 5
    whole = [
        rows
        for _, rows in runs
        if rows.loc[rows["precision"].eq("int8") | is_reference(rows), "has_model"].all()
    ]
    assert len(whole) == 1
    assert whole[0]["precision"].eq("int8").sum() == 33


def test_every_file_is_what_its_digest_says_and_loads(store, variants):
    for sha in variants.loc[variants["has_model"], "sha256"]:
        assert Variant(store.model(sha)).input_shape == (302, 15, 1)


def test_figures_follow_from_the_scores(store, variants):
    for row in variants.iloc[::7].itertuples():
        scores = store.scores(row.key).query("set == 'test'")
        assert row.auc == pytest.approx(roc_auc_score(scores["label"], scores["score"]))
        assert row.auc_low <= row.auc <= row.auc_high
        positive = scores["score"] >= row.threshold
        assert row.sensitivity == pytest.approx(positive[scores["label"] == 1].mean())


def test_sizes_are_those_of_the_files(store, variants):
    here = variants[variants["has_model"]]
    for row in here[here["precision"] == "int8"].iloc[::8].itertuples():
        size = size_of(store.model(row.sha256))
        measured = (size.raw_bytes, size.zip_bytes, size.xz_bytes, size.nonzero_weights)
        assert measured == (row.raw_bytes, row.zip_bytes, row.xz_bytes, row.nonzero_weights)


def test_levels_are_as_sparse_as_they_say(variants):
    pruned = variants[(variants["method"] != "none") & (variants["precision"] == "float32")]
    left = pruned["nonzero_weights"] / pruned["weights"]
    np.testing.assert_allclose(1 - left, pruned["sparsity"], atol=2e-4)


def test_what_computed_it_is_recorded(store):
    environments = store.jobs("cnn")["environment"]
    assert all(environment["versions"]["tensorflow"] for environment in environments)
    assert all(machine["cpu"] for machine in store.latencies("cnn")["machine"])


def test_shipped_files_give_the_stored_scores_to_the_real_recordings(store, variants):
    try:
        recordings = open_dataset("covid19-cough").recordings
    except DataError as error:
        pytest.skip(str(error))
    here = variants[variants["has_model"] & variants["precision"].eq("int8")]
    for row in here.iloc[[0, -1]].itertuples():
        stored = store.scores(row.key).query("set == 'test'").iloc[::8]
        rows = stored[["recording"]].merge(recordings, on="recording")
        features = extract(rows, frontend=get_frontend("mfcc"), cache=None, workers=1)
        scores = Variant(store.model(row.sha256)).score(features)
        np.testing.assert_allclose(scores, stored["score"], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("cnn-smaller", True), ("cnn-lstm-smaller", False), ("dense-smaller", False),
        # Its baselines are those of the study cnn.
        ("cnn-methods", True),
        ("cnn-lstm", False), ("dense", False),
    ],
)  # fmt: skip
def test_studies_are_their_plans_run_to_the_end(store, name, files):
    plan = load_plan(PROJECT / "plans" / f"{name}.toml")
    study = store.studies().set_index("name").loc[name]
    assert parse_plan(study["plan"]) == plan
    assert len(store.jobs(name)) == sum(len(family.jobs) for family in expand(plan))
    variants = store.variants(name)
    made = len(variants) + len(store.refusals(name))
    assert made == len(store.jobs(name)) * len(plan.compression.precisions)
    assert variants["latency_ms"].notna().all()
    assert variants["has_model"].any() == files


@pytest.mark.parametrize(
    ("study", "target"),
    list(zip(("cnn-smaller", "cnn-lstm-smaller", "dense-smaller"), TARGETS, strict=True)),
)
def test_a_variant_gets_past_all_three_targets(store, study, target):
    figures = store.figures(study)
    summary = summarise(figures)
    found = nearest(summary, figures, target, overlap=(575, 192))
    assert found.share >= 1
    assert found.difference.difference >= -AUC_DROP
