import pandas as pd
import pytest

from dashboard.choices import Network
from dashboard.papers.published import UNITS, Measured, published_table
from dashboard.studies import find_studies, read_figures
from edac_core.papers import EDAC, SQUEEZE, edac_tables, squeeze_tables


@pytest.fixture
def measured(stores, made_up):
    stores(shipped=made_up)
    ((study,), _) = find_studies()
    return Measured("cnn", Network(study, read_figures(study), "cnn"))


def cell(table, sparsity, precision):
    same = (table["sparsity"] - sparsity).abs() < 1e-9
    return table[same & (table["precision"] == precision)].iloc[0]


@pytest.mark.parametrize("method", ["constant", "polynomial"])
@pytest.mark.parametrize(("model", "name"), [("cnn", "CNN"), ("cnn_lstm", "CNN-LSTM")])
def test_edacs_tables_are_whole_and_as_published(model, name, method):
    table = published_table(Measured(model, None), method=method)
    wanted = edac_tables().query("model == @name and schedule == @method")
    assert len(table) == len(wanted) == 17 * 3
    for _, row in wanted.iterrows():
        found = cell(table, row["sparsity_percent"], row["precision"])
        assert found["auc_paper"] == row["auc_mean"]
        assert found["zip_paper"] == pytest.approx(row["zip_megabytes_mean"])
        assert found["latency_ms_paper"] == row["latency_ms_mean"]


@pytest.mark.parametrize(("model", "name"), [("dense_a", "A"), ("dense_c", "C")])
def test_squeezes_tables_are_whole_and_in_mebibytes(model, name):
    table = published_table(Measured(model, None), method="polynomial")
    assert len(table) == 4
    wanted = squeeze_tables().query("model == @name").set_index("variant")
    found = cell(table, 90, "int8")
    row = wanted.loc["pruned+quantised"]
    assert (found["uar_paper"], found["uar_devel_paper"]) == (
        row["uar_test"], row["uar_rebalanced_devel"]
    )  # fmt: skip
    assert found["zip_paper"] == pytest.approx(row["zip_mebibytes"])
    assert "auc_paper" not in table
    assert "latency_ms_paper" not in table


def test_ours_stands_beside_it_in_the_same_unit(measured):
    table = published_table(measured, method="polynomial")
    ours = measured.network.row(method="polynomial", sparsity=0.95, precision="int8")
    found = cell(table, 95, "int8")
    assert found["zip_here"] == pytest.approx(ours["zip_bytes"] / 1e6)
    for name in ("auc", "zip_ratio", "latency_ms", "speedup", "runs"):
        assert found[f"{name}_here"] == ours[name]
    assert pd.isna(cell(table, 90, "int8")["auc_here"])
    # The unpruned network belongs to both methods.
    assert pd.notna(cell(table, 0, "float32")["auc_here"])


def test_a_network_that_was_not_measured_has_the_papers_columns_only():
    table = published_table(Measured("cnn_lstm", None), method="constant")
    assert not [name for name in table if name.endswith("_here")]


def test_an_mb_is_what_each_paper_takes_it_for():
    assert UNITS == {EDAC: ("MB", 1e6), SQUEEZE: ("MiB", 2**20)}


@pytest.mark.parametrize(
    ("model", "methods", "precisions"),
    [
        ("cnn", ["polynomial", "constant"], ["float32", "float16", "int8"]),
        ("dense_b", ["polynomial"], ["float32", "int8"]),
    ],
)
def test_what_was_published_can_be_chosen(model, methods, precisions):
    published = Measured(model, None)
    assert (published.methods(), published.precisions()) == (methods, precisions)
