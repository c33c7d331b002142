import pytest

from edac_core.papers import edac_tables, published_curve, squeeze_tables

SPARSITIES = [0, 10, 20, 30, 40, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 99, 99.9]


def _at(curve, sparsity):
    return curve[curve["sparsity"].sub(sparsity).abs() < 1e-9].iloc[0]


def test_edac_tables_are_complete():
    table = edac_tables()
    combinations = table.groupby(["model", "schedule", "precision"])["sparsity_percent"]
    assert combinations.ngroups == 2 * 2 * 3
    assert all(sorted(group) == SPARSITIES for _, group in combinations)
    assert not table.isna().any().any()


def test_squeeze_tables_are_complete():
    table = squeeze_tables()
    assert len(table) == 12
    assert table.groupby("model")["trainable_parameters"].first().to_dict() == {
        "A": 39_128_332,
        "B": 47_905_713,
        "C": 65_201_140,
    }
    assert table["zip_mebibytes"].iloc[0] == 137.4


def test_changing_a_table_leaves_the_next_reader_alone():
    table = edac_tables()
    table.loc[:, "auc_mean"] = 0
    assert edac_tables()["auc_mean"].min() > 0.4


@pytest.mark.parametrize("schedule", ["constant", "polynomial"])
@pytest.mark.parametrize("model", ["cnn", "cnn_lstm"])
@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_curves_rise_in_sparsity(model, schedule, precision):
    curve = published_curve(model, schedule, precision)
    assert list(curve.columns) == [
        "sparsity",
        "auc_mean",
        "auc_std",
        "zip_megabytes_mean",
        "latency_ms_mean",
    ]
    assert [round(100 * sparsity, 1) for sparsity in curve["sparsity"]] == SPARSITIES


def test_unpruned_cnn_is_as_published():
    cell = _at(published_curve("cnn", "constant", "float32"), 0)
    assert (cell["auc_mean"], cell["zip_megabytes_mean"]) == (0.886, 22.739)
    assert cell["latency_ms_mean"] == 1.779


def test_headline_reductions_are_as_published():
    cnn = published_curve("cnn", "polynomial", "float32")
    cnn_int8 = published_curve("cnn", "polynomial", "int8")
    small = _at(cnn_int8, 0.95)["zip_megabytes_mean"]
    assert small == 0.215
    assert _at(cnn, 0)["zip_megabytes_mean"] / small == pytest.approx(105.76, abs=0.01)
    lstm = published_curve("cnn_lstm", "polynomial", "float32")
    lstm_int8 = published_curve("cnn_lstm", "polynomial", "int8")
    ratio = _at(lstm, 0)["zip_megabytes_mean"] / _at(lstm_int8, 0.9)["zip_megabytes_mean"]
    assert ratio == pytest.approx(19.34, abs=0.01)


@pytest.mark.parametrize("model", ["dense_a", "CNN", "unknown"])
def test_models_without_a_curve_give_no_rows(model):
    curve = published_curve(model, "constant", "float32")
    assert len(curve) == 0
    assert "sparsity" in curve
