import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from edac_core.errors import DataError, StoreError
from edac_core.locations import SHIPPED
from edac_core.measure.noninferiority import Verdict, difference_over_splits
from edac_core.measure.parts import Footprint, RuntimeSupport
from edac_core.studies.compare import compare_variants, in_full
from edac_core.studies.store import Store
from edac_core.studies.tables import (
    means,
    overlaps_of,
    with_footprints,
    with_operating_points,
    with_verdicts,
)

STUDY = "cnn-smaller"
SIZES = {"train": 575, "test": 192}


@pytest.fixture(scope="module")
def store():
    return Store(SHIPPED, readonly=True)


@pytest.fixture(scope="module")
def variants(store):
    found = store.variants(STUDY)
    return found[found["precision"].isin(["float32", "int8"]) & found["sparsity"].isin([0, 0.99])]


@pytest.fixture(scope="module")
def comparison(store, variants):
    return compare_variants(variants, store.scores)


@pytest.fixture(scope="module")
def table(variants, comparison):
    return in_full(variants, comparison)


@pytest.fixture(scope="module")
def averages(variants, comparison):
    overlaps = {"cnn": (SIZES["train"], SIZES["test"])}
    return means(variants, comparison, margin=0.02, overlaps=overlaps)


def row_of(averages, method, precision):
    chosen = (averages["method"] == method) & (averages["precision"] == precision)
    (row,) = averages[chosen].to_dict("records")
    return row


def test_verdicts_are_by_the_bounds_of_the_difference():
    rows = pd.DataFrame({
        "method": ["none", "constant", "constant", "constant", "constant"],
        "precision": ["float32"] * 5,
        "auc_difference_low": [0.0, -0.01, -0.3, -0.3, np.nan],
        "auc_difference_high": [0.0, 0.01, -0.1, 0.1, np.nan],
    })  # fmt: skip
    assert with_verdicts(rows, margin=0.05)["verdict"].tolist() == [
        "", Verdict.NOT_WORSE, Verdict.WORSE, Verdict.CANNOT_TELL, Verdict.CANNOT_TELL,
    ]  # fmt: skip
    with pytest.raises(DataError, match="margin is 0"):
        with_verdicts(rows, margin=0)


def test_operating_points_reach_the_sensitivity_on_validation(store, table):
    found = with_operating_points(table, store.scores, sensitivity=0.8)
    assert found.index.equals(table.index)
    for key, row in found.iterrows():
        scores = store.scores(key)
        validation, test = (scores[scores["set"] == name] for name in ("validation", "test"))
        threshold = row["point_threshold"]
        reached = (validation.loc[validation["label"] == 1, "score"] >= threshold).mean()
        assert reached >= 0.8
        called = test["score"] >= threshold
        assert row["point_sensitivity"] == called[test["label"] == 1].mean()
        assert row["point_specificity"] == (~called)[test["label"] == 0].mean()


def test_devices_are_asked_of_every_file_and_files_that_are_not_here_are_missing(table):
    here, *_ = table["sha256"]

    def footprint(digest):
        if digest != here:
            raise StoreError("It is not here.")
        takes = (
            RuntimeSupport("LiteRT", "whole", "by loading", ""),
            RuntimeSupport("XNNPACK", "part", "by loading", "one operator is left"),
        )
        return Footprint(10, 2000, 3_000_000, takes, None)

    found = with_footprints(table, footprint)
    assert found.loc[table["sha256"] == here, "ram_bytes"].tolist() == [2000]
    assert found.loc[table["sha256"] == here, "macs"].tolist() == [3_000_000]
    assert found.loc[table["sha256"] == here, "runtimes"].tolist() == ["LiteRT"]
    others = found.loc[table["sha256"] != here, ["ram_bytes", "macs", "runtimes"]]
    assert others.isna().all(axis=None)


def test_means_are_over_runs_and_the_worst_run_is_named(store, variants, averages):
    for method, precision in (("width", "int8"), ("structured-taylor", "float32")):
        row = row_of(averages, method, precision)
        mine = variants.query("method == @method and precision == @precision and sparsity == 0.99")
        reference = variants.query("method == 'none' and precision == 'float32'")
        aucs = [_auc(store, key) for key in mine.sort_values("split_seed")["key"]]
        before = [_auc(store, key) for key in reference.sort_values("split_seed")["key"]]
        differences = np.subtract(aucs, before)
        assert row["runs"] == row["splits"] == 3
        assert row["auc"] == pytest.approx(np.mean(aucs))
        assert row["auc_std"] == pytest.approx(np.std(aucs, ddof=1))
        assert row["auc_worst"] == pytest.approx(min(aucs))
        assert row["auc_difference_worst"] == pytest.approx(min(differences))
        assert row["zip_bytes"] == pytest.approx(mine["zip_bytes"].mean())
        over = difference_over_splits(differences, training=SIZES["train"], test=SIZES["test"])
        assert row["auc_difference_low"] == pytest.approx(over.low)
        assert row["auc_difference_high"] == pytest.approx(over.high)


def _auc(store, key):
    test = store.scores(key).query("set == 'test'")
    return roc_auc_score(test["label"], test["score"])


def test_the_mean_of_a_single_run_has_the_interval_of_that_run(store, variants):
    one = variants[variants["split_seed"] == 1]
    comparison = compare_variants(one, store.scores)
    averages = means(one, comparison, margin=0.02, overlaps={})
    row = row_of(averages, "width", "int8")
    key = one.query("method == 'width' and precision == 'int8'")["key"].iloc[0]
    assert row["auc_difference_low"] == comparison.loc[key, "auc_difference_low"]
    assert row["auc_difference_high"] == comparison.loc[key, "auc_difference_high"]
    assert np.isnan(row["auc_std"])


@pytest.mark.parametrize(
    ("facts", "overlaps"),
    [
        ({"sets": SIZES}, {"cnn": (575, 192), "other": (575, 192)}),
        ({"networks": {"cnn": {"sets": SIZES}}}, {"cnn": (575, 192)}),
        ({"networks": {"cnn": {"sets": {"test": 3}}}, "sets": {}}, {}),
        ({}, {}),
    ],
)
def test_overlaps_come_from_the_facts_of_the_data(facts, overlaps):
    assert overlaps_of(facts, ["cnn", "other"]) == overlaps
