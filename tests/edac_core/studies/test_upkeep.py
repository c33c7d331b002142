import dataclasses
import hashlib
import io
import json
import lzma
import os
import pickle
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import stored

from edac_core.datasets.facts import gather
from edac_core.errors import StoreError
from edac_core.frontends.cache import ArrayCache
from edac_core.measure.size import Size
from edac_core.studies.journal import only_writer
from edac_core.studies.store import Store
from edac_core.studies.upkeep import check, check_shipped, forget_missing


class Payload:
    """A pickle that makes a file when it is read."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def npz():
    buffer = io.BytesIO()
    np.savez(buffer, **{"0000": np.arange(6, dtype=np.float32)})
    return buffer.getvalue()


def variant(split, precision, content):
    made = stored.make_variant(split, precision, content)
    packed = lzma.compress(content)
    return dataclasses.replace(
        made, packed=packed, size=Size(len(content), 11, len(packed), 100, 50)
    )


@pytest.fixture
def cache(tmp_path, split):
    """A cache with two jobs, a trained baseline and a level, and with features and facts."""
    folder = tmp_path / "cache"
    store = Store(folder)
    store.put_study("study", title="Study", plan={"name": "study"}, data={"synthetic": True})
    store.put_split(split)
    store.claim("study", ["base", "level"])
    for key, method in (("base", "none"), ("level", "constant")):
        made = [variant(split, name, f"{key} {name}".encode()) for name in ("float32", "int8")]
        store.put_job(
            key, {**stored.CONFIG, "method": method}, split.key,
            stored.make_result(split, variants=made, weights=npz()),
            training="training" if key == "base" else None,
        )  # fmt: skip
    store.close()
    ArrayCache(folder / "features.sqlite").put({"one": np.ones((2, 3), np.float32)})
    (tmp_path / "recording").write_bytes(b"no recording")
    gather([str(tmp_path / "recording")], cache=folder, workers=1)
    (folder / "search").mkdir()
    with sqlite3.connect(folder / "search" / "study.sqlite") as database:
        database.execute("CREATE TABLE trials (value)")
    database.close()
    return folder


def sha(key, precision):
    return hashlib.sha256(f"{key} {precision}".encode()).hexdigest()


def model(cache, key="level", precision="int8"):
    return cache / "models" / f"{sha(key, precision)}.tflite.xz"


def tree(folder):
    """Return everything in a folder with its content."""
    return {
        str(path.relative_to(folder)): path.readlink() if path.is_symlink()
        else path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }  # fmt: skip


def finished(cache):
    store = Store(cache)
    found = store.finished(["base", "level"])
    store.close()
    return found


def sql(cache, statement, *values):
    with sqlite3.connect(cache / "studies.sqlite") as database:
        database.execute(statement, values)
    database.close()


def mended(cache, kind):
    """Check, repair, and check again; return the one finding."""
    before = tree(cache)
    (finding,) = [found for found in check(cache) if found.kind == kind]
    assert tree(cache) == before, "looking changes nothing"
    assert finding.done == ""
    done = check(cache, repair=True)
    assert [found.kind for found in done if found.kind == kind] == [kind]
    assert all(found.done for found in done)
    assert check(cache) == []
    return next(found for found in done if found.kind == kind)


def test_a_whole_cache_is_whole_and_looking_changes_nothing(cache):
    before = tree(cache)
    assert check(cache) == []
    assert tree(cache) == before


def test_a_cache_that_is_not_there_is_whole(tmp_path):
    assert check(tmp_path / "none", repair=True) == []
    assert list(tmp_path.iterdir()) == []


def emptied(path):
    path.write_bytes(b"")


def truncated(path):
    path.write_bytes(path.read_bytes()[:-9])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def removed(path):
    path.unlink()


def a_folder(path):
    path.unlink()
    path.mkdir()
    (path / "kept").write_text("somebody's")


def a_dangling_link(path):
    path.unlink()
    path.symlink_to("nowhere")


def a_link_to_another_file(path):
    path.unlink()
    (path.parents[2] / "victim").write_text("somebody else's")
    path.symlink_to(path.parents[2] / "victim")


def a_pickle(path):
    path.write_bytes(pickle.dumps(Payload(path.parents[2] / "ran")))


DAMAGES = [emptied, truncated, flipped, removed, a_folder, a_dangling_link,
           a_link_to_another_file, a_pickle]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_the_job_of_a_damaged_model_file_is_forgotten_and_its_neighbours_stay(
    cache, tmp_path, damage
):
    damage(model(cache))
    found = mended(cache, "model")
    assert "job forgotten" in found.done
    assert finished(cache) == {"base"}
    assert not os.path.lexists(model(cache))
    assert not model(cache, precision="float32").exists()
    assert model(cache, "base").exists()
    assert not (tmp_path / "ran").exists()
    if damage is a_link_to_another_file:
        assert (tmp_path / "victim").read_text() == "somebody else's"
    if damage is a_folder:
        (kept,) = (cache / "set-aside").glob("*/kept")
        assert kept.read_text() == "somebody's"


def test_a_trained_baseline_keeps_its_weights_when_its_file_is_lost(cache, split):
    removed(model(cache, "base"))
    mended(cache, "model")
    assert finished(cache) == {"level"}
    store = Store(cache)
    assert store.weights(store.trained("training")) == npz()
    again = [variant(split, name, f"base {name}".encode()) for name in ("float32", "int8")]
    store.put_job(
        "base", {**stored.CONFIG, "method": "none"}, split.key,
        stored.make_result(split, variants=again, weights=npz()), training="training",
    )  # fmt: skip
    assert store.trained("training") == "base-weights"
    store.close()
    mended(cache, "rows")
    store = Store(cache)
    assert store.trained("training") == "base"
    assert store.finished(["base-weights"]) == set()
    store.close()


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE variants SET auc = auc + 0.001 WHERE job = 'level'", "do not follow"),
        ("UPDATE variants SET sensitivity = 1 - sensitivity WHERE job = 'level'", "do not follow"),
        ("UPDATE groups SET n = n + 1 WHERE variant = 'level-int8'", "do not follow"),
        ("DELETE FROM groups WHERE variant = 'level-int8'", "do not follow"),
        ("UPDATE variants SET test_scores = substr(test_scores, 5) WHERE job = 'level'",
         "do not follow"),
        ("UPDATE variants SET validation_scores = x'00' WHERE job = 'level'", "do not follow"),
        ("UPDATE variants SET test_scores = zeroblob(32) WHERE job = 'level'", "do not follow"),
        ("UPDATE jobs SET config = substr(config, 2) WHERE key = 'level'", "config"),
        ("UPDATE jobs SET history = '[' WHERE key = 'level'", "history"),
        ("UPDATE jobs SET environment = 'x' WHERE key = 'level'", "environment"),
        ("UPDATE jobs SET weights = substr(weights, 1, 90) WHERE key = 'level'", "weights"),
    ],
)  # fmt: skip
def test_a_job_whose_rows_contradict_each_other_is_forgotten(cache, statement, text):
    sql(cache, statement)
    assert text in mended(cache, "job").text
    assert finished(cache) == {"base"}


def test_a_flipped_bit_of_weights_is_noticed(cache):
    weights = bytearray(npz())
    weights[weights.index(np.arange(6, dtype=np.float32).tobytes())] ^= 1
    sql(cache, "UPDATE jobs SET weights = ? WHERE key = 'level'", bytes(weights))
    assert "weights" in mended(cache, "job").text


def test_a_pickle_among_weights_is_never_run(cache, tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, **{"0000": np.array([Payload(tmp_path / "ran")], dtype=object)})
    for weights in (buffer.getvalue(), pickle.dumps(Payload(tmp_path / "ran"))):
        sql(cache, "UPDATE jobs SET weights = ? WHERE key = 'level'", weights)
        assert "weights" in check(cache)[0].text
    assert not (tmp_path / "ran").exists()


def test_sizes_that_are_not_those_of_the_file_are_noticed(cache):
    sql(cache, "UPDATE variants SET raw_bytes = raw_bytes + 1 WHERE key = 'level-int8'")
    assert "size" in mended(cache, "model").text


def test_a_split_with_another_label_is_forgotten_with_its_jobs(cache):
    with sqlite3.connect(cache / "studies.sqlite") as database:
        (text,) = database.execute("SELECT recordings FROM splits").fetchone()
    database.close()
    table = json.loads(text)
    at = table["columns"].index("label")
    table["data"][-1][at] = 1 - table["data"][-1][at]
    sql(cache, "UPDATE splits SET recordings = ?", json.dumps(table))
    assert {found.name for found in check(cache) if found.kind == "job"} == {"base", "level"}
    assert all(found.done for found in check(cache, repair=True))
    assert check(cache) == []
    with sqlite3.connect(cache / "studies.sqlite") as database:
        assert database.execute("SELECT count(*) FROM splits").fetchone() == (0,)
    database.close()


def test_rows_without_their_job_are_deleted(cache):
    sql(cache, "INSERT INTO refusals VALUES ('gone', 'int8', 'no')")
    assert "1 rows" in mended(cache, "rows").text


def test_a_model_file_that_nobody_has_is_deleted(cache):
    orphan = cache / "models" / f"{'0' * 64}.tflite.xz"
    orphan.write_bytes(b"x")
    mended(cache, "orphan")
    assert not orphan.exists()


def test_what_is_not_the_programs_is_left_alone(cache):
    (cache / "models" / "notes.txt").write_text("mine")
    (cache / "mine").mkdir()
    assert check(cache, repair=True) == []
    assert (cache / "models" / "notes.txt").read_text() == "mine"


def test_leftovers_of_interrupted_writers_are_deleted_when_nobody_can_need_them(cache, tmp_path):
    old, new = cache / ".writing-old", cache / ".writing-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "link").symlink_to(tmp_path / "recording")
    os.utime(old, (0, 0))
    mended(cache, "leftover")
    assert not old.exists()
    assert new.exists()
    part = cache / "models" / ".part-x"
    part.write_bytes(b"half")
    mended(cache, "leftover")
    assert not part.exists()
    assert (tmp_path / "recording").exists()


def test_a_lock_that_is_a_link_is_removed_and_what_it_points_to_is_not(cache, tmp_path):
    victim = tmp_path / "recording"
    for name in ("run.lock", "facts.lock"):
        (cache / name).unlink(missing_ok=True)
        (cache / name).symlink_to(victim)
    assert [found.kind for found in check(cache)] == ["lock", "lock"]
    assert all(found.done == "deleted" for found in check(cache, repair=True))
    assert check(cache) == []
    assert victim.read_bytes() == b"no recording"


def test_a_log_that_a_killed_writer_left_is_folded_in(cache, split, tmp_path):
    store = Store(cache)
    store.claim("study", ["base", "level", "later"])
    shutil.copytree(cache, tmp_path / "killed")
    store.close()
    killed = tmp_path / "killed"
    assert (killed / "studies.sqlite-wal").stat().st_size
    assert [found.kind for found in check(killed)] == ["log"]
    assert [found.done for found in check(killed, repair=True)] == ["folded into the database"]
    assert check(killed) == []
    assert not (killed / "studies.sqlite-wal").exists()
    readonly = Store(killed, readonly=True)
    assert readonly.planned("study") == 3
    readonly.close()


def test_a_database_that_cannot_be_read_is_named_and_models_are_left(cache):
    before = sorted((cache / "models").iterdir())
    (cache / "studies.sqlite").write_bytes(b"not a database at all" * 400)
    (finding,) = check(cache, repair=True)
    assert (finding.kind, finding.done) == ("database", "")
    assert "run the plans again" in finding.remedy
    assert sorted((cache / "models").iterdir()) == before


def test_damaged_features_are_forgotten(cache):
    arrays = ArrayCache(cache / "features.sqlite")
    arrays.put({"two": np.zeros((2, 3), np.float32)})
    with sqlite3.connect(cache / "features.sqlite") as database:
        database.execute("UPDATE arrays SET data = zeroblob(24) WHERE key = 'one'")
    database.close()
    assert "1 arrays" in mended(cache, "features").text
    assert list(arrays.get(["one", "two"])) == ["two"]


@pytest.mark.parametrize("damage", [truncated, a_folder, a_pickle])
def test_a_feature_cache_that_cannot_be_read_is_begun_anew(cache, damage):
    damage(cache / "features.sqlite")
    found = check(cache, repair=True)
    assert found
    assert all(finding.kind == "features" and finding.done for finding in found)
    assert check(cache) == []


@pytest.mark.parametrize("damage", [emptied, truncated, flipped, a_folder, a_dangling_link])
def test_damaged_facts_are_deleted(cache, damage):
    damage(cache / "facts-1.json")
    mended(cache, "facts")


def test_a_damaged_search_is_set_aside(cache):
    emptied_trials = cache / "search" / "study.sqlite"
    emptied_trials.write_bytes(b"not a database at all" * 400)
    assert "moved to set-aside/study.sqlite." in mended(cache, "search").done


def test_nothing_is_checked_beside_a_run(cache):
    for repair in (False, True):
        with only_writer(cache), pytest.raises(StoreError, match="is writing to"):
            check(cache, repair=repair)
        with only_writer(cache / "search"), pytest.raises(StoreError, match="is writing to"):
            check(cache, repair=repair)


def test_models_behind_a_link_are_not_deleted(cache, tmp_path):
    (cache / "models").rename(tmp_path / "elsewhere")
    (cache / "models").symlink_to(tmp_path / "elsewhere")
    orphan = tmp_path / "elsewhere" / f"{'0' * 64}.tflite.xz"
    orphan.write_bytes(b"x")
    with pytest.raises(StoreError, match="outside the cache, behind a link"):
        check(cache, repair=True)
    assert orphan.exists()


def test_a_finished_store_may_lack_files_but_not_have_damaged_ones(cache):
    store = Store(cache)
    store.finish()
    store.close()
    removed(model(cache, "base"))
    before = tree(cache)
    assert check_shipped(cache) == []
    flipped(model(cache))
    (finding,) = check_shipped(cache)
    assert "where the program came from" in finding.remedy
    assert finding.done == ""
    assert tree(cache).keys() == before.keys()


def test_lost_models_of_a_study_are_forgotten_on_request(cache):
    removed(model(cache, "level"))
    assert forget_missing(cache, "study") == 1
    assert finished(cache) == {"base"}
    assert forget_missing(cache, "study") == 0
    with pytest.raises(StoreError, match="no study 'other'"):
        forget_missing(cache, "other")
