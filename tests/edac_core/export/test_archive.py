import io
import zipfile

import numpy as np
import pytest

from edac_core.export.archive import npz, zipped

FILES = {"a.txt": b"a" * 1_000, "b.bin": bytes(range(256))}


def test_the_same_files_give_the_same_bytes():
    assert zipped(FILES, folder="x") == zipped(dict(FILES), folder="x")


def test_files_come_back_from_their_folder(tmp_path):
    with zipfile.ZipFile(io.BytesIO(zipped(FILES, folder="x", levels={"a.txt": 1}))) as archive:
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        archive.extractall(tmp_path)
    assert {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()} == FILES


def test_a_member_can_be_read_by_its_owner_and_others():
    with zipfile.ZipFile(io.BytesIO(zipped(FILES))) as archive:
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}


def test_arrays_come_back():
    arrays = {"x": np.arange(6, dtype=np.float32).reshape(2, 3).T, "y": np.array([1, 2])}
    with np.load(io.BytesIO(npz(arrays)), allow_pickle=False) as loaded:
        assert set(loaded.files) == {"x", "y"}
        np.testing.assert_array_equal(loaded["x"], arrays["x"])
        assert loaded["x"].dtype == np.float32


def test_pickles_are_refused():
    with pytest.raises(ValueError, match="allow_pickle"):
        npz({"x": np.array([object()])})
