import sqlite3
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edac_core.frontends.cache import ArrayCache, CacheWarning


def _arrays(count, seed=0):
    rng = np.random.default_rng(seed)
    return {f"key {at}": rng.normal(size=(4, 3, 1)).astype(np.float32) for at in range(count)}


def _assert_same(got, expected):
    assert got.keys() == expected.keys()
    for key, array in expected.items():
        assert got[key].dtype == np.float32
        np.testing.assert_array_equal(got[key], array)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "features.sqlite"


def test_what_is_put_is_got_by_another_cache_of_the_file(path):
    arrays = _arrays(5)
    ArrayCache(path).put(arrays)
    _assert_same(ArrayCache(path).get([*arrays, "another"]), arrays)


def test_nothing_is_written_by_looking(path):
    assert ArrayCache(path).get(["key"]) == {}
    assert not path.parent.exists()


def test_an_array_is_replaced(path):
    cache = ArrayCache(path)
    cache.put(_arrays(2, seed=0))
    cache.put(_arrays(2, seed=1))
    _assert_same(cache.get(_arrays(2)), _arrays(2, seed=1))


def test_what_is_got_may_be_written_to(path):
    cache = ArrayCache(path)
    cache.put(_arrays(1))
    cache.get(["key 0"])["key 0"][:] = 0
    _assert_same(cache.get(["key 0"]), _arrays(1))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE arrays SET data = zeroblob(length(data)) WHERE key = 'key 1'",
        "UPDATE arrays SET data = substr(data, 2) WHERE key = 'key 1'",
        "UPDATE arrays SET data = 'text' WHERE key = 'key 1'",
        "UPDATE arrays SET shape = '[3, 4, 1]' WHERE key = 'key 1'",
        "UPDATE arrays SET dtype = '<i4' WHERE key = 'key 1'",
        "UPDATE arrays SET data = (SELECT data FROM arrays WHERE key = 'key 0'),"
        " sha256 = (SELECT sha256 FROM arrays WHERE key = 'key 0') WHERE key = 'key 1'",
    ],
)
def test_a_damaged_row_is_left_out_and_can_be_put_again(path, damage):
    arrays = _arrays(3)
    cache = ArrayCache(path)
    cache.put(arrays)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with pytest.warns(CacheWarning, match="key 1"):
        got = cache.get(arrays)
    _assert_same(got, {key: arrays[key] for key in ("key 0", "key 2")})
    cache.put({"key 1": arrays["key 1"]})
    _assert_same(cache.get(arrays), arrays)


@pytest.mark.parametrize("content", [b"not a database, but some other file" * 100, None])
def test_a_damaged_file_is_begun_anew(path, content):
    arrays = _arrays(200)
    cache = ArrayCache(path)
    cache.put(arrays)
    whole = path.read_bytes()
    path.write_bytes(content or whole[: len(whole) // 3])
    with pytest.warns(CacheWarning, match=r"features\.sqlite.*begun anew"):
        got = cache.get(arrays)
    for key, array in got.items():
        np.testing.assert_array_equal(array, arrays[key])
    cache.put(arrays)
    _assert_same(cache.get(arrays), arrays)


def test_a_file_that_cannot_be_opened_is_left_alone(path):
    path.mkdir(parents=True)
    with pytest.warns(CacheWarning, match="cannot be used"):
        ArrayCache(path).put(_arrays(1))
    with pytest.warns(CacheWarning, match="cannot be used"):
        assert ArrayCache(path).get(["key 0"]) == {}
    assert path.is_dir()


def test_many_write_at_once(path):
    parts = [_arrays(8, seed=seed) for seed in range(6)]
    parts = [
        {f"{seed} {key}": array for key, array in part.items()} for seed, part in enumerate(parts)
    ]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda part: ArrayCache(path).put(part), parts))
    expected = {key: array for part in parts for key, array in part.items()}
    _assert_same(ArrayCache(path).get(expected), expected)
