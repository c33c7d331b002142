import numpy as np
import pandas as pd
import pytest
import stored
from scipy import stats
from sklearn.metrics import roc_auc_score

from edac_core.locations import SHIPPED
from edac_core.measure.significance import combine_p_values, delong_difference
from edac_core.studies.compare import (
    compare_two,
    compare_variants,
    difference_bounds,
    difference_of_two,
    in_full,
    summarise_comparison,
)
from edac_core.studies.select import paired_difference
from edac_core.studies.store import Store, TestScores

BASELINE = {**stored.CONFIG, "method": "none", "sparsity": 0.0}


@pytest.fixture
def with_baseline(filled, split):
    """The study of the other tests, its baseline beside it."""
    filled.put_job("base", BASELINE, split.key, stored.make_result(split, "float32", "int8"))
    filled.claim("study", ["job", "base"])
    return filled


def compared(store, *, model=None):
    variants = store.variants("study")
    if model is not None:
        variants = variants[variants["model"] == model]
    return compare_variants(variants, store.scores)


def variants_of(*rows):
    """Variants of runs; each has a key, a run (its split and both seeds), and its threshold."""
    frame = pd.DataFrame(rows, columns=["key", "run", "method", "precision", "threshold"])
    return frame.assign(
        model="cnn", protocol="clean", split=frame["run"], split_seed=frame["run"],
        training_seed=1234, sparsity=0.5,
    )  # fmt: skip


def scores_of(labels, **scores):
    """A function as `Store.scores`: validation scores that mislead, then those of the test."""

    def read(key):
        test = pd.DataFrame({"label": labels, "set": "test", "score": scores[key]})
        return pd.concat([test.assign(set="validation", label=1 - test["label"]), test])

    return read


LABELS = [1, 1, 1, 1, 0, 0, 0, 0]


def test_each_variant_decides_at_its_own_threshold():
    variants = variants_of(
        ("base", 1, "none", "float32", 0.5), ("pruned", 1, "constant", "int8", 0.1)
    )
    scores = scores_of(
        LABELS,
        # Wrong on the last positive and the last negative.
        base=[0.9, 0.8, 0.5, 0.4, 0.1, 0.2, 0.3, 0.7],
        # At 0.1: right on all positives, wrong on three of the negatives.
        pruned=[0.3, 0.2, 0.2, 0.1, 0.2, 0.3, 0.4, 0.0],
    )
    row = compare_variants(variants, scores).loc["pruned"]
    assert (row["only_baseline_right"], row["only_variant_right"]) == (3, 2)
    assert row["mcnemar_p"] == stats.binomtest(3, 5).pvalue


def test_a_variant_is_compared_with_the_baseline_of_its_own_run():
    variants = variants_of(
        ("base1", 1, "none", "float32", 0.5), ("pruned1", 1, "constant", "float32", 0.5),
        ("base2", 2, "none", "float32", 0.5), ("pruned2", 2, "constant", "float32", 0.5),
    )  # fmt: skip
    right, wrong = np.array(LABELS, float), 1 - np.array(LABELS, float)
    scores = scores_of(LABELS, base1=right, pruned1=wrong, base2=wrong, pruned2=right)
    table = compare_variants(variants.sample(frac=1, random_state=2), scores)
    assert table.loc["pruned1", ["only_baseline_right", "only_variant_right"]].tolist() == [8, 0]
    assert table.loc["pruned2", ["only_baseline_right", "only_variant_right"]].tolist() == [0, 8]
    assert table["mcnemar_p"].loc[["pruned1", "pruned2"]].tolist() == [2 / 2**8] * 2
    assert table["mcnemar_p"].loc[["base1", "base2"]].tolist() == [1, 1]


@pytest.mark.parametrize("column", ["protocol", "model", "split", "split_seed", "training_seed"])
def test_nothing_is_compared_across(column):
    variants = variants_of(
        ("base", 1, "none", "float32", 0.5), ("pruned", 1, "constant", "float32", 0.5)
    )
    variants[column] = [1, 2]
    scores = scores_of(LABELS, base=LABELS, pruned=LABELS)
    assert compare_variants(variants, scores).index.tolist() == ["base"]


def test_two_configurations_are_compared_within_their_runs():
    variants = variants_of(
        ("one1", 1, "constant", "int8", 0.5), ("one2", 2, "constant", "int8", 0.1),
        ("two1", 1, "polynomial", "int8", 0.5), ("two3", 3, "polynomial", "int8", 0.5),
    )  # fmt: skip
    labels = np.array(LABELS, bool)
    right, wrong = np.array(LABELS, np.float32), 1 - np.array(LABELS, np.float32)
    scores = {"one1": right, "one2": right, "two1": wrong, "two3": right}
    answers = {key: TestScores(labels, values) for key, values in scores.items()}
    first, second = variants[:2], variants[2:]
    assert compare_two(first, second, answers) == stats.binomtest(8, 8).pvalue
    assert np.isnan(compare_two(first, second[1:], answers))


def test_without_its_baseline_a_run_is_left_out(filled):
    comparison = compared(filled)
    assert comparison.empty
    variants = filled.variants("study")
    assert summarise_comparison(comparison, variants).empty
    table = in_full(variants, comparison)
    assert len(table) == 2
    assert table[["mcnemar_p", "only_baseline_right", "only_variant_right"]].isna().all(axis=None)


def test_a_study_is_compared_from_its_store(with_baseline):
    variants = with_baseline.variants("study").set_index("key")
    comparison = compared(with_baseline)
    assert set(comparison.index) == set(variants.index)

    def right(key):
        test = with_baseline.scores(key).query("set == 'test'")
        return (test["score"] >= variants.loc[key, "threshold"]) == test["label"].astype(bool)

    for key, row in comparison.iterrows():
        counts = pd.crosstab(right("base-float32"), right(key))
        counts = counts.reindex(index=[False, True], columns=[False, True], fill_value=0)
        assert row["only_baseline_right"] == counts.loc[True, False]
        assert row["only_variant_right"] == counts.loc[False, True]


def test_one_model_of_a_study(with_baseline, split):
    config = {**BASELINE, "model": "other"}
    with_baseline.put_job("other", config, split.key, stored.make_result(split, "float32"))
    with_baseline.claim("study", ["job", "base", "other"])
    assert compared(with_baseline, model="other").index.tolist() == ["other-float32"]
    assert len(compared(with_baseline)) == 5


def test_the_full_table_has_zeros_and_mebibytes(with_baseline):
    variants = with_baseline.variants("study").assign(
        zip_bytes=3 * 2**20, raw_bytes=2**19, weights=200, nonzero_weights=50
    )
    table = in_full(variants, compared(with_baseline))
    assert table["method"].tolist() == ["none", "none", "constant", "constant"]
    assert (table["zip_mib"] == 3).all()
    assert (table["raw_mib"] == 0.5).all()
    assert (table["zero_weights"] == 150).all()
    assert (table["zero_percent"] == 75).all()
    assert table["mcnemar_p"].iloc[0] == 1
    assert table["only_baseline_right"].dtype == "Int64"


def test_runs_are_brought_together():
    keys = [f"{run}-{method}" for run in (1, 2, 3) for method in ("none", "constant")]
    variants = variants_of(
        *((key, int(key[0]), key[2:], "int8", 0.5) for key in keys),
        ("later", 4, "constant", "int8", 0.5),
    )
    comparison = pd.DataFrame(
        {
            "only_baseline_right": [0, 4, 0, 5, 0, 9],
            "only_variant_right": [0, 2, 0, 2, 0, 2],
            "mcnemar_p": [1, 0.02, 1, 0.3, 1, 0.1],
            "auc_difference_low": [0, -0.03, 0, -0.05, 0, -0.01],
            "auc_difference_high": [0, 0.01, 0, 0.02, 0, 0.03],
        },
        index=pd.Index(keys, name="key"),
    )
    row = summarise_comparison(comparison, variants).set_index("method").loc["constant"]
    assert (row["only_baseline_right"], row["only_variant_right"]) == (6, 2)
    assert row["mcnemar_p"] == combine_p_values([0.02, 0.3, 0.1]) == pytest.approx(0.15)
    assert (row["delong_low"], row["delong_high"]) == pytest.approx((-0.03, 0.02))


def test_of_one_split_the_interval_is_that_of_its_recordings():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 80).astype(bool)
    answers = {
        key: TestScores(labels, (labels + rng.normal(0, 1, 80)).astype(np.float32))
        for key in ("one7", "one8", "two7", "two8")
    }
    rows = variants_of(*((key, 1, key[:3], "int8", 0.5) for key in answers)).assign(
        training_seed=[7, 8, 7, 8],
        auc=[roc_auc_score(labels, answers[key].scores) for key in answers],
    )
    paired = difference_of_two(rows[:2], rows[2:], answers, overlap=(600, 200))
    found = [
        delong_difference(labels, answers[f"one{n}"].scores, answers[f"two{n}"].scores)
        for n in (7, 8)
    ]
    assert (paired.runs, paired.splits) == (2, 1)
    assert paired.difference == pytest.approx(np.mean([one.difference for one in found]))
    assert (paired.low, paired.high) == pytest.approx(
        tuple(np.mean([(one.low, one.high) for one in found], axis=0))
    )


def test_of_several_splits_the_interval_is_over_them():
    labels = np.array(LABELS, bool)
    right, half = np.array(LABELS, np.float32), np.full(8, 0.5, np.float32)
    answers = {key: TestScores(labels, right) for key in ("one1", "one2", "two1")}
    answers["two2"] = TestScores(labels, half)
    rows = variants_of(*((key, int(key[-1]), key[:3], "int8", 0.5) for key in answers))
    rows = rows.assign(auc=[1.0, 1.0, 1.0, 0.5])
    paired = difference_of_two(rows[:2], rows[2:], answers, overlap=(600, 200))
    assert paired == paired_difference(rows[:2], rows[2:], overlap=(600, 200))
    assert (paired.splits, paired.difference) == (2, -0.25)


def test_bounds_are_over_splits_where_there_are_several_and_delongs_elsewhere():
    rows = pd.DataFrame(
        {"splits": [3, 1, 0], "corrected_low": [-0.2, np.nan, np.nan], "corrected_high": [0.1] * 3,
         "delong_low": [-0.1, -0.3, np.nan], "delong_high": [0.0, 0.2, np.nan]},
        index=[4, 7, 9],
    )  # fmt: skip
    bounds = difference_bounds(rows)
    assert bounds.index.tolist() == [4, 7, 9]
    assert bounds[:2].to_numpy().tolist() == [[-0.2, 0.1], [-0.3, 0.2]]
    assert bounds.loc[9].isna().all()


def test_counts_of_the_shipped_study_follow_from_its_sensitivity_and_specificity():
    store = Store(SHIPPED, readonly=True)
    variants = store.variants("cnn")
    one_run = variants[(variants["split_seed"] == 2)].iloc[::6]
    reference = variants.query("split_seed == 2 and method == 'none' and precision == 'float32'")
    sample = pd.concat([one_run, reference]).drop_duplicates("key")
    labels = store.scores(reference["key"].item()).query("set == 'test'")["label"]
    positives, negatives = labels.sum(), (1 - labels).sum()
    right = sample["sensitivity"] * positives + sample["specificity"] * negatives
    counts = compare_variants(sample, store.scores).loc[sample["key"]]
    gained = counts["only_variant_right"] - counts["only_baseline_right"]
    assert gained.tolist() == pytest.approx((right - right.iloc[-1]).tolist())
    store.close()
