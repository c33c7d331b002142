"""One plan from the command line to the table: a network of one's own, as the papers did it."""

import io

import pandas as pd
import pytest
from command import edac

from edac_core.locations import PROJECT

PLAN = """
name = "own"
title = "Own"
[data]
dataset = "synthetic"
protocol = "paper"
options = { n = 80, seed = 3 }
[training]
models = ["tiny_net.py"]
epochs = 2
[compression]
schedules = ["polynomial"]
sparsities = [0.5, 0.9]
precisions = ["float32", "int8"]
start = "previous"
decay_end = "last step"
epochs = 1
frequency = 2
"""


def said(*arguments):
    done = edac(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "tiny_net.py").write_text((PROJECT / "docs/examples/tiny_net.py").read_text())
    (folder / "plan.toml").write_text(PLAN)
    cache = ["--cache", folder / "cache"]
    said("run", folder / "plan.toml", "--quiet", "--workers", "1", *cache)
    return pd.read_csv(io.StringIO(said("table", "own", "--csv", *cache)))


def test_every_row_carries_its_protocol_and_model(table):
    assert list(table["sparsity"]) == [0.0, 0.0, 0.5, 0.5, 0.9, 0.9]
    assert set(table["protocol"]) == {"paper"}
    assert set(table["model"]) == {"tiny_net"}


def test_zeros_are_counted(table):
    float32 = table[table["precision"] == "float32"].set_index("sparsity")
    assert float32.loc[0.0, "zero_weights"] == 0
    # The decay ends between two updates, so that it falls short, as in the papers.
    assert 30 < float32.loc[0.5, "zero_percent"] <= 50.1
    assert 50 < float32.loc[0.9, "zero_percent"] <= 90.1
    weights = float32["weights"]
    assert weights.min() == weights.max() > 0


def test_all_is_measured(table):
    columns = ["auc", "uar", "zip_mib", "raw_mib", "latency_ms", "mcnemar_p"]
    assert table[columns].notna().all(axis=None)
    baseline = table.query("sparsity == 0 and precision == 'float32'")
    assert list(baseline["mcnemar_p"]) == [1.0]
