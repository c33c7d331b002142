import numpy as np
import pandas as pd
import pytest

from edac_core.studies.select import summarise
from edac_core.studies.targets import TARGETS, Target, against_smaller_networks, nearest

TARGET = Target("cnn", 10, 5, 4, (None, None, None))


def figures(**methods):
    """Variants of three splits: a baseline of 1,000 bytes in 4 ms, and one a method."""
    rows = [_row(split, "none", (0.8, 1000, 1000, 4.0)) for split in (1, 2, 3)]
    rows += [_row(split, name, values) for name, values in methods.items() for split in (1, 2, 3)]
    return pd.DataFrame(rows)


def _row(split, method, values):
    auc, zipped, raw, latency = values
    return {
        "model": "cnn", "protocol": "clean", "method": method, "sparsity": 0.9,
        "precision": "float32", "split_seed": split, "training_seed": 1,
        "auc": auc + 0.01 * split * (method != "none"), "auc_low": auc, "auc_high": auc, "uar": auc,
        "raw_bytes": raw, "zip_bytes": zipped, "weights": 10, "nonzero_weights": 10,
        "latency_ms": latency, "latency_p95_ms": latency, "baseline_latency_ms": 4.0,
    }  # fmt: skip


def reached(variants, **options):
    summary = summarise(variants)
    found = nearest(summary, variants, TARGET, overlap=(600, 200), **options)
    return None if found is None else (summary.loc[found.label, "method"], found)


def test_the_variant_whose_weakest_ratio_is_best_is_nearest():
    name, found = reached(figures(
        lopsided=(0.8, 10, 1000, 4.0), even=(0.8, 100, 200, 1.0), nearly=(0.8, 101, 200, 1.0)
    ))  # fmt: skip
    assert name == "even"
    assert found.share == pytest.approx(1.0)


def test_a_variant_that_loses_too_much_does_not_count():
    name, _ = reached(figures(bad=(0.7, 10, 10, 0.1), good=(0.77, 500, 500, 2.0)))
    assert name == "good"


def test_the_interval_allows_for_splits_that_overlap():
    """Nadeau and Bengio by hand: differences 0.01, 0.02, 0.03; t of 2 degrees is 4.303."""
    _, found = reached(figures(even=(0.8, 100, 200, 1.0)))
    half = 4.30265 * np.sqrt((1 / 3 + 200 / 600) * 1e-4)
    assert found.difference.difference == pytest.approx(0.02)
    assert found.difference.high - found.difference.difference == pytest.approx(half, rel=1e-4)


def test_two_splits_are_too_few():
    variants = figures(even=(0.8, 100, 200, 1.0))
    assert reached(variants[variants["split_seed"] < 3]) is None


def test_what_has_no_latency_does_not_count():
    assert reached(figures(even=(0.8, 100, 200, np.nan)).assign(baseline_latency_ms=np.nan)) is None


def test_targets_are_of_the_papers_networks():
    assert [target.model for target in TARGETS] == ["cnn", "cnn_lstm", "dense_a"]


def test_each_variant_meets_the_best_smaller_network_that_is_no_larger():
    variants = figures(
        width=(0.7, 100, 100, 1.0), **{"width-distilled": (0.6, 200, 100, 1.0)},
        tiny=(0.9, 50, 50, 1.0), same=(0.75, 100, 100, 1.0), large=(0.65, 300, 100, 1.0),
    )  # fmt: skip
    summary = summarise(variants)
    found = summary.join(against_smaller_networks(summary), how="inner").set_index("method")
    smaller = summary.index[summary["method"] == "width"][0]
    assert found["reference"].fillna(-1).to_dict() == {
        "none": smaller, "tiny": -1, "same": smaller, "large": smaller,
    }  # fmt: skip
    assert found["gain"].round(6).fillna(-1).to_dict() == {
        "none": 0.08, "tiny": -1, "same": 0.05, "large": -0.05,
    }  # fmt: skip


def test_without_smaller_networks_nothing_has_a_rival():
    found = against_smaller_networks(summarise(figures(even=(0.8, 100, 200, 1.0))))
    assert found["gain"].isna().all()
