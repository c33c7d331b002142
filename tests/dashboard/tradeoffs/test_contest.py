import numpy as np
import pandas as pd

from dashboard.tradeoffs.contest import contest_table


def summary(*rows):
    names = ["method", "precision", "sparsity", "zip_bytes", "auc"]
    return pd.DataFrame(rows, columns=names)


def test_each_method_is_set_against_the_best_smaller_network_of_its_size():
    table = contest_table(summary(
        ("width", "int8", 0.98, 40e3, 0.80), ("width-distilled", "int8", 0.99, 30e3, 0.78),
        ("none", "int8", 0.0, 400e3, 0.79), ("polynomial", "int8", 0.9, 35e3, 0.79),
        ("polynomial", "int8", 0.95, 45e3, 0.75), ("polynomial", "int8", 0.99, 10e3, 0.70),
    )).set_index("method")  # fmt: skip
    row = table.loc["polynomial"]
    assert (row["variants"], row["better"], row["no_rival"]) == (3, 1, 1)
    np.testing.assert_allclose(row["gain"], 0.01)
    assert row["at"] == "int8, 90 %, 35.0 kB"
    assert table.loc["not compressed but for its precision", "better"] == 0


def test_without_a_smaller_network_there_is_no_contest():
    assert contest_table(summary(("none", "int8", 0.0, 400e3, 0.79))).empty
