import pandas as pd

from dashboard.tradeoffs.refusals import refusal_table


def test_a_configuration_is_a_row_whatever_the_number_of_its_runs():
    found = pd.DataFrame({
        "method": ["block", "block", "qat"], "sparsity": [0.9, 0.9, 0.0],
        "precision": ["int8", "int8", "float32"], "split_seed": [1, 2, 1],
        "reason": ["wrong results", "wrong results", "trained for 8 bits"],
    })  # fmt: skip
    assert refusal_table(found).to_dict("records") == [
        {"variant": "int8, block 90 %", "runs": 2, "reason": "wrong results"},
        {"variant": "float32, qat", "runs": 1, "reason": "trained for 8 bits"},
    ]
