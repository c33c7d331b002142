import contextlib
import errno
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
import stored

from edac_core.errors import StoreError
from edac_core.studies.ship import first_run_of_each_model, ship
from edac_core.studies.store import LayerChange, Store

PRECISIONS = ("float32", "int8")


@pytest.fixture
def two_runs(filled, split):
    """A study of two runs, and another study that shall stay behind."""
    keys = []
    for seed in (1, 2):
        for method in ("none", "constant"):
            keys.append(f"{method}{seed}")
            config = stored.CONFIG | {"method": method, "split_seed": seed}
            contents = [f"{keys[-1]} {precision}".encode() for precision in PRECISIONS]
            variants = [
                stored.make_variant(split, precision, content)
                for precision, content in zip(PRECISIONS, contents, strict=True)
            ]
            result = stored.make_result(split, weights=b"npz", variants=variants)
            filled.put_job(keys[-1], config, split.key, result)
    filled.put_study("shipped", title="Shipped", plan={}, data={})
    filled.claim("shipped", keys)
    return filled


def test_rows_come_whole_and_files_as_chosen(two_runs, tmp_path):
    size = ship(
        ["shipped"],
        source=two_runs.folder,
        target=tmp_path / "out",
        choose=lambda variants: (variants["split_seed"] == 1) & (variants["precision"] == "int8"),
    )
    copy = Store(tmp_path / "out", readonly=True)
    before, after = two_runs.variants("shipped"), copy.variants("shipped")
    pd.testing.assert_frame_equal(before.drop(columns="has_model"), after.drop(columns="has_model"))
    shipped = after[after["has_model"]]
    chosen = shipped[["method", "split_seed", "precision"]].itertuples(index=False, name=None)
    assert set(chosen) == {("none", 1, "int8"), ("constant", 1, "int8")}
    assert copy.model(shipped.iloc[0]["sha256"])
    assert len(copy.scores(after["key"].iloc[-1])) == 14
    assert size == sum(f.stat().st_size for f in (tmp_path / "out").rglob("*") if f.is_file())
    copy.close()


def test_a_study_may_come_without_files(two_runs, tmp_path):
    ship(["study"], rows_only=["shipped"], source=two_runs.folder, target=tmp_path / "out")
    copy = Store(tmp_path / "out", readonly=True)
    assert copy.studies()["name"].tolist() == ["shipped", "study"]
    assert copy.variants("study")["has_model"].any()
    assert not copy.variants("shipped")["has_model"].any()
    assert len(copy.scores(copy.variants("shipped")["key"].iloc[0])) == 14
    copy.close()


def test_other_studies_and_weights_stay_behind(two_runs, tmp_path):
    ship(["shipped"], source=two_runs.folder, target=tmp_path / "out")
    copy = Store(tmp_path / "out", readonly=True)
    assert copy.studies()["name"].tolist() == ["shipped"]
    assert copy.finished(["job"]) == set()
    assert copy.weights("none1") is None
    assert two_runs.weights("none1") == b"npz"
    copy.close()


def test_what_is_known_of_layers_comes_along(two_runs, tmp_path):
    change = LayerChange("dense", 12, 0.9, "int8", 0.7, 0.75, 0.6, 0.5, 6)
    for job in ("none1", "job"):
        two_runs.put_sensitivities(job, [change])
    ship(["shipped"], source=two_runs.folder, target=tmp_path / "out")
    copy = Store(tmp_path / "out", readonly=True)
    assert copy.sensitivities("shipped")["job"].tolist() == ["none1"]
    copy.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "out" / Store.DATABASE)) as database:
        assert database.execute("SELECT count(*) FROM sensitivities").fetchone() == (1,)


def test_an_unfinished_study_is_refused_and_nothing_is_replaced(two_runs, tmp_path):
    two_runs.claim("shipped", ["none1", "later"])
    target = tmp_path / "out"
    target.mkdir()
    (target / "kept").touch()
    with pytest.raises(StoreError, match="'shipped' is not finished"):
        ship(["shipped"], source=two_runs.folder, target=target)
    assert (target / "kept").exists()


@pytest.mark.parametrize("at", ["copy_database", "model_path"])
def test_what_was_shipped_stays_where_a_new_one_cannot_be_made(two_runs, tmp_path, monkeypatch, at):
    def no_space(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    target = tmp_path / "out"
    ship(["study"], source=two_runs.folder, target=target)
    before = {path: path.read_bytes() for path in tmp_path.rglob("out/*") if path.is_file()}
    monkeypatch.setattr(Store, at, no_space)
    with pytest.raises(StoreError, match="No space left on device; free space"):
        ship(["shipped"], source=two_runs.folder, target=target)
    assert {path: path.read_bytes() for path in tmp_path.rglob("out/*") if path.is_file()} == before
    assert not list(tmp_path.glob(".shipping-*"))


def test_a_store_may_be_shipped_onto_itself(two_runs, tmp_path):
    target = tmp_path / "out"
    ship(["shipped", "study"], source=two_runs.folder, target=target)
    ship(["shipped"], source=target, target=target)
    with contextlib.closing(Store(target, readonly=True)) as copy:
        assert copy.studies()["name"].tolist() == ["shipped"]
        assert copy.variants("shipped")["has_model"].any()


def test_the_source_is_only_read(two_runs, tmp_path):
    two_runs.finish()
    two_runs.close()
    before = two_runs.path.read_bytes()
    ship(["shipped"], source=two_runs.folder, target=tmp_path / "out")
    assert two_runs.path.read_bytes() == before
    assert [path.name for path in two_runs.folder.glob("studies*")] == [Store.DATABASE]


def test_of_each_models_first_run_come_the_reference_int8_and_whatever_is_small():
    variants = pd.DataFrame(
        [
            ("a", 2, 1, "none", "float32", 9e6),
            ("a", 1, 2, "none", "float32", 9e6),
            ("a", 1, 2, "none", "float16", 5e6),
            ("a", 1, 2, "none", "int8", 2e6),
            ("a", 1, 2, "constant", "float32", 9e6),
            ("a", 1, 2, "width", "float32", 9e4),
            ("a", 2, 1, "width", "float32", 9e4),
            ("a", 1, 2, "constant", "int8", 2e6),
            ("b", 1, 3, "none", "float32", 9e6),
        ],
        columns=["model", "split_seed", "training_seed", "method", "precision", "raw_bytes"],
    )
    chosen = [False, True, False, True, False, True, False, True, True]
    assert first_run_of_each_model(variants).tolist() == chosen


def test_others_stay_where_studies_are_added(two_runs, tmp_path):
    out = tmp_path / "out"
    ship(["study"], rows_only=["shipped"], source=two_runs.folder, target=out)
    with contextlib.closing(Store(out, readonly=True)) as first:
        before = first.variants("study")
    ship(["shipped"], source=two_runs.folder, target=out, add=True)
    with contextlib.closing(Store(out, readonly=True)) as copy:
        assert copy.studies()["name"].tolist() == ["shipped", "study"]
        pd.testing.assert_frame_equal(before, copy.variants("study"))
        assert copy.variants("shipped")["has_model"].any()
        here = copy.variants("study").query("has_model")["sha256"]
        assert all(copy.model(sha) for sha in here)
    assert [path.name for path in tmp_path.glob(".shipping-*")] == []


def test_a_study_that_is_added_replaces_its_former_self(two_runs, tmp_path):
    out = tmp_path / "out"
    ship(["study", "shipped"], source=two_runs.folder, target=out)
    two_runs.put_study("shipped", title="Shipped anew", plan={}, data={})
    ship(["shipped"], source=two_runs.folder, target=out, add=True)
    with contextlib.closing(Store(out, readonly=True)) as copy:
        assert copy.studies().set_index("name").loc["shipped", "title"] == "Shipped anew"
        assert len(copy.variants("shipped")) == len(two_runs.variants("shipped"))


def test_what_was_shipped_comes_back_where_the_new_one_cannot_take_its_place(
    two_runs, tmp_path, monkeypatch
):
    target = tmp_path / "out"
    ship(["study"], source=two_runs.folder, target=target)
    before = {path: path.read_bytes() for path in tmp_path.rglob("out/*") if path.is_file()}
    rename = Path.rename

    def refusing(path, to):
        if path.parent.name.startswith(".shipping-") and path.name == "out":
            raise OSError(errno.EBUSY, "Device or resource busy")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(StoreError, match="Device or resource busy"):
        ship(["shipped"], source=two_runs.folder, target=target)
    assert {path: path.read_bytes() for path in tmp_path.rglob("out/*") if path.is_file()} == before
