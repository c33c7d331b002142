import contextlib
import re
import sqlite3
import tarfile
from pathlib import Path

import pytest
import stored

from edac_core.errors import StoreError
from edac_core.studies import schema
from edac_core.studies.store import Store

OLD = Path(__file__).with_name("version-1.tar.xz")
"""A store that the first program that ran studies wrote: a baseline, a level, a failure."""


@pytest.fixture
def old(tmp_path):
    with tarfile.open(OLD) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "version-1"


def opened(folder, **options):
    return contextlib.closing(Store(folder, **options))


def raw(path):
    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


def tables(path):
    """Return what makes each table and index, however it is set out."""
    with raw(path) as database:
        rows = database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {name: re.sub(r"\s+|--.*", "", sql) for name, sql in rows}


def figures(store):
    columns = ["job", "method", "precision", "sparsity", "auc", "raw_bytes", "latency_ms"]
    return store.variants("old")[columns].to_dict("records")


def test_the_old_store_is_of_version_1_and_lacks_tables(old):
    with raw(old / Store.DATABASE) as database:
        assert schema.version_of(database) == 1
    assert not {"trainings", "refusals", "sensitivities"} & set(tables(old / Store.DATABASE))


@pytest.mark.parametrize("live", [True, False])
def test_an_old_store_is_read_as_it_is(old, live):
    before = (old / Store.DATABASE).read_bytes()
    with opened(old, readonly=True, live=live) as store:
        assert [row["method"] for row in figures(store)] == ["none"] * 2 + ["polynomial"] * 2
        assert len(store.figures("old")) == 4
        assert store.refusals("old").empty
        assert store.sensitivities("old").empty
        assert store.failures("old")["reason"].tolist() == ["it diverged"]
        assert store.costs()["training_examples"].isna().all()
        assert len(store.scores("level-int8")) == 14
        assert store.model_of("level-int8") == b"level int8"
    assert (old / Store.DATABASE).read_bytes() == before


def test_an_old_store_is_migrated_when_it_is_written_to(old, split):
    with opened(old, readonly=True) as store:
        before = figures(store)
    with opened(old) as store:
        assert figures(store) == before
        assert store.weights("base") == b"npz"
        assert store.trained("training") is None
        result = stored.make_result(split, "float16", weights=b"npz")
        store.put_job("new", stored.CONFIG, "split-key", result, training="training")
        assert store.trained("training") == "new"
    with raw(old / Store.DATABASE) as database:
        assert schema.version_of(database) == schema.VERSION
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_migrated_store_has_the_tables_of_a_new_one(old, store):
    with opened(old):
        pass
    assert tables(old / Store.DATABASE) == tables(store.path)


def test_a_store_of_version_1_that_has_the_later_tables_is_migrated_too(filled):
    """As the shipped one: tables were added before the version was raised for it."""
    with raw(filled.path) as database:
        database.execute("UPDATE meta SET value = '1'")
    with opened(filled.folder) as again:
        assert len(again.variants("study")) == 2
    with raw(filled.path) as database:
        assert schema.version_of(database) == schema.VERSION


def test_a_migration_happens_whole_or_not_at_all(old, monkeypatch):
    (step,) = schema._STEPS
    monkeypatch.setattr(schema, "_STEPS", (step + "\nINSERT INTO nowhere VALUES (1);\n",))
    before = tables(old / Store.DATABASE)
    with pytest.raises(StoreError, match="no such table: nowhere"):
        Store(old)
    assert tables(old / Store.DATABASE) == before
    monkeypatch.undo()
    with opened(old) as store:
        assert len(figures(store)) == 4


def test_there_is_a_step_from_every_earlier_version():
    assert len(schema._STEPS) == schema.VERSION - 1


def test_a_new_store_is_made_whole_or_not_at_all(tmp_path, monkeypatch):
    broken = tmp_path / "broken.sql"
    broken.write_text(schema._NEW.read_text() + "INSERT INTO nowhere VALUES (1);\n")
    monkeypatch.setattr(schema, "_NEW", broken)
    with pytest.raises(StoreError, match="no such table: nowhere"):
        Store(tmp_path)
    assert tables(tmp_path / Store.DATABASE) == {}
    monkeypatch.undo()
    with opened(tmp_path) as store:
        assert store.studies().empty


@pytest.mark.parametrize("options", [{}, {"readonly": True}, {"readonly": True, "live": True}])
def test_a_store_of_a_later_version_is_refused_and_left_as_it_is(filled, options):
    filled.finish()
    filled.close()
    with raw(filled.path) as database:
        database.execute("UPDATE meta SET value = '99'")
    before = filled.path.read_bytes()
    with pytest.raises(StoreError, match=r"version 99, this program reads 2 and earlier; use the"):
        Store(filled.folder, **options)
    assert filled.path.read_bytes() == before
    assert [path.name for path in filled.folder.iterdir() if path.is_file()] == [Store.DATABASE]


def test_a_store_that_does_not_say_its_version_is_one_sentence(filled):
    with raw(filled.path) as database:
        database.execute("DELETE FROM meta")
    with pytest.raises(
        StoreError, match="does not say of which version its tables are; free space"
    ):
        Store(filled.folder, readonly=True, live=True)


def test_a_store_that_is_only_being_made_is_not_there_yet(tmp_path):
    (tmp_path / Store.DATABASE).touch()
    with pytest.raises(StoreError, match="no study store in"):
        Store(tmp_path, readonly=True, live=True)
