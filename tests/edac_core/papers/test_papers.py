import pytest

from edac_core.papers import EDAC, SQUEEZE, edac_tables, published_curve, squeeze_tables

COLUMNS = ["paper", "place", "sparsity", "auc", "auc_std", "uar", "uar_devel", "zip_bytes",
           "zip_ratio", "latency_ms", "speedup"]  # fmt: skip
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
    assert list(curve.columns) == COLUMNS
    assert set(curve["paper"]) == {EDAC}
    assert curve["uar"].isna().all()
    assert [round(100 * sparsity, 1) for sparsity in curve["sparsity"]] == SPARSITIES


def test_unpruned_cnn_is_as_published():
    cell = _at(published_curve("cnn", "constant", "float32"), 0)
    assert (cell["auc"], cell["zip_bytes"]) == (0.886, 22_739_000)
    assert cell["latency_ms"] == 1.779


def test_headline_reductions_are_as_published():
    cnn = published_curve("cnn", "polynomial", "float32")
    cnn_int8 = published_curve("cnn", "polynomial", "int8")
    small = _at(cnn_int8, 0.95)["zip_bytes"]
    assert small == 215_000
    assert _at(cnn, 0)["zip_bytes"] / small == pytest.approx(105.76, abs=0.01)
    lstm = published_curve("cnn_lstm", "polynomial", "float32")
    lstm_int8 = published_curve("cnn_lstm", "polynomial", "int8")
    ratio = _at(lstm, 0)["zip_bytes"] / _at(lstm_int8, 0.9)["zip_bytes"]
    assert ratio == pytest.approx(19.34, abs=0.01)


@pytest.mark.parametrize(
    ("model", "precision", "sizes", "uars"),
    [
        ("dense_a", "float32", [137.4, 28.8], [0.68, 0.67]),
        ("dense_a", "int8", [32.1, 7.0], [0.68, 0.67]),
        ("dense_b", "float32", [168.6, 35.1], [0.68, 0.67]),
        ("dense_c", "int8", [55.1, 11.8], [0.65, 0.66]),
    ],
)
def test_dense_networks_are_as_table_3_has_them(model, precision, sizes, uars):
    curve = published_curve(model, "polynomial", precision)
    assert list(curve.columns) == COLUMNS
    assert set(curve["paper"]) == {SQUEEZE}
    assert curve["sparsity"].tolist() == [0, 0.9]
    assert (curve["zip_bytes"] / 1024 / 1024).tolist() == pytest.approx(sizes)
    assert curve["uar"].tolist() == uars
    assert curve[["auc", "auc_std", "latency_ms"]].isna().all(axis=None)


def test_headline_reduction_of_the_dense_networks_is_as_published():
    """ "An initial size of 228.8 MB to only 11.8 MB", 94.8 %."""
    before = published_curve("dense_c", "polynomial", "float32")["zip_bytes"].iloc[0]
    after = published_curve("dense_c", "polynomial", "int8")["zip_bytes"].iloc[-1]
    assert 1 - after / before == pytest.approx(0.948, abs=0.0005)


def test_an_unpruned_network_belongs_to_every_schedule():
    curve = published_curve("dense_a", "constant", "float32")
    assert curve["sparsity"].tolist() == [0]


@pytest.mark.parametrize(
    ("model", "precision"),
    [("CNN", "float32"), ("unknown", "float32"), ("dense_a", "float16"), ("cnn", "int4")],
)
def test_what_was_not_published_has_no_rows(model, precision):
    curve = published_curve(model, "polynomial", precision)
    assert len(curve) == 0
    assert list(curve.columns) == COLUMNS
