import os

import numpy as np
import pytest
import stored

from edac_core.errors import StoreError
from edac_core.frontends.cache import ArrayCache
from edac_core.measure.latency import Latency
from edac_core.studies.eviction import LIMIT_VARIABLE, bytes_of, evict, limit_from_environment
from edac_core.studies.journal import only_writer
from edac_core.studies.store import Store
from edac_core.studies.upkeep import check, forget_missing

NAMES = ("float32", "int8", "float16", "int4_weights")


@pytest.fixture
def cache(store, split):
    """A measured baseline and level, the files of each older than the one before."""
    store.put_study("study", title="Study", plan={}, data={})
    store.put_split(split)
    store.claim("study", ["base", "level"])
    for key, method in (("base", "none"), ("level", "constant")):
        made = [stored.make_variant(split, name, f"{key} {name}".encode()) for name in NAMES]
        store.put_job(
            key, {**stored.CONFIG, "method": method}, split.key,
            stored.make_result(split, variants=made, weights=b"npz"),
        )  # fmt: skip
    keys = store.variants_of(["base", "level"])
    took = dict.fromkeys(keys, Latency(1.0, 1.0, 1.0, 1))
    store.put_latencies(took, baseline="base-float32", machine={})
    for age, key in enumerate(keys):
        os.utime(path_of(store, key), (0, 1e9 - age))
    return store.folder


def path_of(store, key):
    shas = store.variants("study").set_index("key")["sha256"]
    return store.model_path(shas[key])


def left(store):
    variants = store.variants("study")
    return set(variants.loc[variants["has_model"], "key"])


def test_what_was_used_least_recently_goes_first(cache, store):
    size = path_of(store, "level-int4_weights").stat().st_size
    done = evict(cache, keep_bytes=bytes_of(cache) - size - 1)
    assert done.files == 2
    assert done.bytes_left == bytes_of(cache)
    assert "level-int4_weights" not in left(store)
    assert "level-float16" not in left(store)
    assert len(left(store)) == 6


def test_loading_a_model_keeps_it_longer(cache, store):
    """Whichever store loads it, and where the file system keeps no times of access."""
    reader = Store(cache, readonly=True, live=True)
    reader.model_of("level-int4_weights")
    reader.close()
    evict(cache, keep_bytes=bytes_of(cache) - 1)
    assert "level-int4_weights" in left(store)
    assert "level-float16" not in left(store)


def test_a_finished_store_is_not_touched_by_reading(cache, store):
    store.finish()
    path = path_of(store, "level-int8")
    before = path.stat().st_mtime_ns
    finished = Store(cache, readonly=True)
    finished.model_of("level-int8")
    finished.close()
    assert path.stat().st_mtime_ns == before


def test_baselines_and_what_is_not_measured_are_spared(cache, store, split):
    new = stored.make_result(split, variants=[stored.make_variant(split, "int8", b"new")])
    store.put_job("new", stored.CONFIG, split.key, new)
    store.claim("study", ["base", "level", "new"])
    done = evict(cache, keep_bytes=0)
    assert left(store) == {"base-float32", "new-int8"}
    assert done.bytes_left > 0


def test_features_go_too_and_figures_and_weights_stay(cache, store):
    ArrayCache(cache / "features.sqlite").put({"key": np.ones((3, 4), np.float32)})
    os.utime(cache / "features.sqlite", (0, 0))
    before = store.figures("study")
    evict(cache, keep_bytes=bytes_of(cache) - 1)
    assert not (cache / "features.sqlite").exists()
    assert len(left(store)) == 8
    evict(cache, keep_bytes=0)
    assert store.figures("study").equals(before)
    assert store.weights("level") == b"npz"


def test_reading_features_keeps_them_longer(cache):
    features = ArrayCache(cache / "features.sqlite")
    features.put({"key": np.ones((3, 4), np.float32)})
    os.utime(cache / "features.sqlite", (0, 0))
    features.get(["key"])
    evict(cache, keep_bytes=bytes_of(cache) - 1)
    assert (cache / "features.sqlite").exists()


def test_an_evicted_model_says_how_it_is_made_again(cache, store):
    evict(cache, keep_bytes=0)
    with pytest.raises(StoreError, match="edac cache forget STUDY, then run the study's plan"):
        store.model_of("level-int8")
    assert forget_missing(cache, "study") == 2
    assert store.finished(["base", "level"]) == set()
    assert not list((cache / "models").glob("*.evicted"))


def test_what_was_evicted_is_not_amiss(cache, store):
    evict(cache, keep_bytes=0)
    assert [found for found in check(cache) if found.name.startswith("models/")
            and found.text == "it is missing"] == []  # fmt: skip


def test_nothing_is_evicted_beside_a_run(cache, store):
    with only_writer(cache), pytest.raises(StoreError, match="Another run"):
        evict(cache, keep_bytes=0)
    assert len(left(store)) == 8


def test_nothing_is_evicted_through_a_link(cache, store, tmp_path):
    (cache / "models").rename(tmp_path / "elsewhere")
    (cache / "models").symlink_to(tmp_path / "elsewhere")
    assert evict(cache, keep_bytes=0).files == 0
    assert len(left(store)) == 8


def test_without_a_store_there_is_nothing_to_evict(tmp_path):
    with pytest.raises(StoreError, match="no study store"):
        evict(tmp_path, keep_bytes=0)


def test_the_limit_is_a_number_of_bytes(monkeypatch):
    for text, limit in (("", None), ("20000", 20000)):
        monkeypatch.setenv(LIMIT_VARIABLE, text)
        assert limit_from_environment() == limit
    monkeypatch.setenv(LIMIT_VARIABLE, "20 GB")
    with pytest.raises(StoreError, match="EDAC_CACHE_BYTES is '20 GB'"):
        limit_from_environment()
