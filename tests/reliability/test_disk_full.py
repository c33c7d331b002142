"""Where nothing more can be written: one sentence or a warning, and all that was there stays."""

import contextlib
import io
import json
import subprocess
import zipfile

import numpy as np
import pandas as pd
import pytest
import soundfile

from edac_core import cli
from edac_core.cli import variants
from edac_core.datasets import download, synthetic
from edac_core.datasets.facts import gather
from edac_core.datasets.repository import Blob, Repository
from edac_core.errors import DataError, EdacError, StoreError
from edac_core.frontends import get_frontend
from edac_core.frontends.cache import ArrayCache, CacheWarning
from edac_core.frontends.extract import extract
from edac_core.progress import libraries_write_to
from edac_core.studies import search

FULL, READ_ONLY = "No space left on device", "Read-only file system"


def fill(folder):
    with contextlib.suppress(OSError), (folder / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def forbid(folder):
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


@pytest.fixture(params=[FULL, READ_ONLY])
def unwritable(request, small_disk):
    """Return how a disk is made unwritable, what the system says then, and the disk."""
    spoil = fill if request.param == FULL else forbid
    return (lambda: spoil(small_disk)), request.param, small_disk


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")
                  if path.name != "filling")  # fmt: skip


def wave(path, seed):
    samples = 0.1 * np.random.default_rng(seed).standard_normal(22_050)
    soundfile.write(path, samples, 22_050, "PCM_16")
    return str(path)


def one_sentence(error, *words):
    text = str(error.value)
    assert "\n" not in text
    assert all(word in text for word in words), text
    return text


def test_features_are_computed_and_not_kept(unwritable, tmp_path):
    spoil, _, disk = unwritable
    path = disk / "features.sqlite"
    table = pd.DataFrame(
        [{"recording": str(at), "path": wave(tmp_path / f"{at}.wav", at)} for at in range(3)]
    )
    options = {"frontend": get_frontend("mfcc"), "workers": 1}
    extract(table[:1], cache=path, **options)
    spoil()
    before = everything(disk)
    with pytest.warns(CacheWarning, match=r"features\.sqlite cannot be used"):
        found = extract(table, cache=path, **options)
    np.testing.assert_array_equal(found, extract(table, cache=None, **options))
    # SQLite removes its own when the file is next used.
    own = {"features.sqlite-wal", "features.sqlite-shm"}
    assert set(everything(disk)) - own == set(before)


def test_features_that_were_kept_are_read_from_a_full_disk(small_disk):
    arrays = ArrayCache(small_disk / "features.sqlite")
    arrays.put({"kept": np.ones((3, 4), np.float32)})
    fill(small_disk)
    with pytest.warns(CacheWarning, match="make room on its disk"):
        arrays.put({"more": np.ones((300, 400), np.float32)})
    (small_disk / "filling").unlink()
    assert list(arrays.get(["kept", "more"])) == ["kept"]


def test_an_audit_is_made_and_not_kept(unwritable, tmp_path):
    spoil, said, disk = unwritable
    first, second = wave(tmp_path / "1.wav", 1), wave(tmp_path / "2.wav", 2)
    gather([first], cache=disk, workers=1)
    spoil()
    kept, before = (disk / "facts-1.json").read_bytes(), everything(disk)
    with pytest.warns(UserWarning, match=f"cannot be kept in .*{said}.*make room"):
        found = gather([first, second], cache=disk, workers=1)
    pd.testing.assert_frame_equal(found, gather([first, second], workers=1))
    assert (disk / "facts-1.json").read_bytes() == kept
    assert everything(disk) == before


def test_generated_recordings_are_refused_in_a_sentence(unwritable):
    spoil, said, disk = unwritable
    spoil()
    before = everything(disk)
    with pytest.raises(DataError) as error:
        synthetic.load(path=disk / "synthetic", n=12)
    one_sentence(error, str(disk), said, "make room")
    assert set(everything(disk)) - set(before) <= {"synthetic"}


@pytest.fixture
def published(monkeypatch):
    """A repository that answers with 600 kB, more than the disk has."""

    def complete(transfer, _url):
        with transfer.part.open("wb") as file:
            file.write(bytes(600_000))

    monkeypatch.setattr("edac_core.datasets.transfer.Resuming.complete", complete)
    return Repository("http://127.0.0.1/tree", "http://127.0.0.1/files")


def test_a_download_that_does_not_fit_is_one_sentence(published, unwritable):
    spoil, said, disk = unwritable
    spoil()
    with pytest.raises(DataError) as error:
        published.fetch(Blob("a", 600_000, "0" * 40), to=disk / "a", progress=False)
    one_sentence(error, str(disk), said, "make room", "run the download again")


def test_an_archive_that_does_not_fit_unpacked_is_one_sentence_and_leaves_nothing(small_disk):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("top/raw/large", bytes(900_000))
    (small_disk / "data.zip").write_bytes(archive.getvalue())
    with pytest.raises(DataError) as error:
        download._unpack(small_disk / "data.zip", folder=small_disk / "data", load=print)
    one_sentence(error, str(small_disk), FULL, "run the download again")
    assert everything(small_disk) == ["data.zip"]


def test_an_export_that_does_not_fit_leaves_the_one_before(unwritable):
    spoil, said, disk = unwritable
    for name in ("cough.tflite", "cough.zip"):
        (disk / name).write_bytes(b"the one before")
    spoil()
    before = everything(disk)
    for name in ("cough.tflite", "cough.zip"):
        with pytest.raises(StoreError) as error:
            variants._write(disk / name, bytes(600_000))
        one_sentence(error, str(disk / name), said, "choose another --output")
        assert (disk / name).read_bytes() == b"the one before"
    assert everything(disk) == before


def test_a_search_that_cannot_be_begun_is_one_sentence(unwritable):
    spoil, _, disk = unwritable
    spoil()
    url = f"sqlite:///{disk / 'search.sqlite'}"
    with pytest.raises(StoreError) as error, search._study(url, "name", "settings"):
        pass
    one_sentence(error, url, "make room for it")


def note_much(url):
    with search._study(url, "name", "settings") as study:
        for _ in range(50):
            study.ask().set_user_attr("reason", "x" * 2000)


def test_a_search_whose_disk_fills_up_goes_on_when_there_is_room(small_disk):
    url = f"sqlite:///{small_disk / 'search.sqlite'}"
    with search._study(url, "name", "settings") as study:
        study.tell(study.ask(), [1.0, 0.5])
    fill(small_disk)
    with pytest.raises(StoreError) as error:
        note_much(url)
    one_sentence(error, url, "search again to go on")
    (small_disk / "filling").unlink()
    with search._study(url, "name", "settings") as study:
        assert study.get_trials()[0].values == [1.0, 0.5]  # noqa: PD011 - of a trial


def test_a_log_that_cannot_be_written_is_one_sentence(small_disk):
    forbid(small_disk)
    for name in ("sensitivity.log", "runs/study/log"):
        with pytest.raises(StoreError) as error, libraries_write_to(small_disk / name):
            pass
        one_sentence(error, str(small_disk / name), "choose another --cache")


def test_all_these_errors_are_what_the_command_line_prints(unwritable, capsys):
    spoil, said, disk = unwritable
    spoil()
    folder = disk / "cache"
    status = cli.main(["search", "plans/quick.toml", "--trials", "1", "--cache", str(folder)])
    assert status == cli.USAGE_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("edac: ")
    assert said in line or "cannot be" in line
    assert not json.dumps(everything(disk)).count(".part")
    assert issubclass(StoreError, EdacError)
