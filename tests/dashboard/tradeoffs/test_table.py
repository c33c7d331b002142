import numpy as np
import pandas as pd

from dashboard.tradeoffs.table import (
    MOST_ROWS,
    ROWS_OF_MANY,
    judged,
    rows_of_table,
    variant_table,
)
from edac_core.studies.select import pareto_front

SUMMARY = pd.DataFrame(
    {
        "model": "cnn",
        "protocol": "clean",
        "precision": ["float32", "int8", "int8"],
        "method": ["none", "none", "constant"],
        "sparsity": [0.0, 0.0, 0.999],
        "auc": [0.8, 0.79, 0.7],
        "auc_half_width": 0.03,
        "auc_std": 0.01,
        "auc_difference": [0, -0.01, -0.1],
        "splits": [3, 3, 1],
        "corrected_low": [0, -0.015, np.nan],
        "corrected_high": [0, 0.02, np.nan],
        "zip_bytes": [22e6, 4e6, 5e6],
        "zip_ratio": [1, 5.5, 4.4],
        "raw_bytes": [24e6, 6e6, 6e6],
        "latency_ms": 1.0,
        "speedup": 1.0,
        "uar": [0.7, 0.71, 0.6],
        "weights": 100,
        "nonzero_weights": [100, 96, 1],
    },
    index=[4, 5, 9],
)

COMPARISON = SUMMARY[["model", "protocol", "method", "sparsity", "precision"]].assign(
    mcnemar_p=[1.0, 0.4, 0.003],
    only_baseline_right=0.0,
    only_variant_right=0.0,
    delong_low=[0, -0.5, -0.13],
    delong_high=[0, 0.5, -0.07],
)


def test_smallest_first_by_their_labels():
    table = variant_table(SUMMARY, COMPARISON)
    assert table["zip"].tolist() == [4000, 5000, 22000]
    assert table.index.tolist() == [5, 9, 4]
    assert table["on_front"].tolist() == [True, False, True]
    assert table["method"].tolist() == ["not pruned", "constant", "not pruned"]
    assert table["sparsity"].tolist() == [0, 99.9, 0]
    assert table["zeros"].tolist() == [4, 99, 0]
    assert table["uar"].tolist() == [0.71, 0.6, 0.7]
    assert table["mcnemar_p"].tolist() == [0.4, 0.003, 1]


def test_each_is_judged_by_the_margin():
    table = variant_table(SUMMARY, COMPARISON)
    minus = "\N{MINUS SIGN}"
    shown = judged(table, margin=0.02)
    assert list(shown.columns[4:7]) == ["difference", "within", "interval"]
    assert shown["interval"].tolist() == [
        f"{minus}0.015 to +0.020", f"{minus}0.130 to {minus}0.070", "±0.000 to ±0.000"
    ]  # fmt: skip
    assert shown["within"].tolist() == ["yes", "no", None]
    assert judged(table, margin=0.01)["within"].tolist() == ["unsettled", "no", None]
    assert judged(table, margin=0.1)["within"].tolist() == ["yes", "unsettled", None]


def test_without_a_baseline_nothing_is_judged():
    alone = SUMMARY.assign(auc_difference=np.nan, corrected_low=np.nan, corrected_high=np.nan)
    shown = judged(variant_table(alone, COMPARISON[:0]), margin=0.02)
    assert shown[["interval", "within"]].isna().all(axis=None)


def test_p_is_that_of_the_same_configuration():
    shuffled = COMPARISON.iloc[[2, 0]].reset_index(drop=True)
    table = variant_table(SUMMARY, shuffled)
    assert table["mcnemar_p"].isna().tolist() == [True, False, False]
    assert table["mcnemar_p"].tolist()[1:] == [0.003, 1]
    other = shuffled.assign(protocol="paper")
    assert variant_table(SUMMARY, other)["mcnemar_p"].isna().all()


def test_of_few_variants_the_table_has_all():
    assert rows_of_table(SUMMARY).equals(SUMMARY)


def test_of_many_it_has_the_front_and_what_stands_for_the_rest():
    rng = np.random.default_rng(5)
    count = 10 * MOST_ROWS
    summary = pd.DataFrame(
        {"zip_bytes": rng.uniform(1e4, 1e7, count), "auc": rng.uniform(0.5, 0.8, count),
         "method": rng.choice(["constant", "polynomial"], count), "precision": "int8"}
    )  # fmt: skip
    rows = rows_of_table(summary)
    front = summary.index[pareto_front(summary["zip_bytes"], summary["auc"])]
    assert set(front) <= set(rows.index)
    assert ROWS_OF_MANY / 2 < len(rows) < 2 * ROWS_OF_MANY


def test_unbeaten_means_of_all_variants_not_of_those_in_the_table():
    table = variant_table(SUMMARY, COMPARISON, shown=SUMMARY.loc[[9]])
    assert table["on_front"].tolist() == [False]
