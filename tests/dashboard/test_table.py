import pandas as pd

from dashboard.table import variant_table

SUMMARY = pd.DataFrame(
    {
        "precision": ["float32", "int8", "int8"],
        "schedule": ["none", "none", "constant"],
        "sparsity": [0.0, 0.0, 0.999],
        "auc": [0.8, 0.79, 0.7],
        "auc_half_width": 0.03,
        "auc_std": 0.01,
        "auc_difference": [0, -0.01, -0.1],
        "zip_bytes": [22e6, 4e6, 5e6],
        "zip_ratio": [1, 5.5, 4.4],
        "raw_bytes": [24e6, 6e6, 6e6],
        "latency_ms": 1.0,
        "speedup": 1.0,
        "nonzero_weights": [100, 100, 1],
    },
    index=[4, 5, 9],
)


def test_smallest_first_and_the_chosen_one_marked():
    table = variant_table(SUMMARY, chosen=9)
    assert table["zip"].tolist() == [4000, 5000, 22000]
    assert table["chosen"].tolist() == ["", "●", ""]
    assert table["on_front"].tolist() == [True, False, True]
    assert table["schedule"].tolist() == ["not pruned", "constant", "not pruned"]
    assert table["sparsity"].tolist() == [0, 99.9, 0]
