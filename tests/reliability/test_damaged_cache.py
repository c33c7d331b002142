"""Every file of a cache, damaged in every way: a warning or a sentence, and the right answer."""

import os
import pickle
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from edac_core.datasets import synthetic
from edac_core.datasets.facts import gather
from edac_core.errors import EdacError
from edac_core.frontends import get_frontend
from edac_core.frontends.extract import extract
from edac_core.studies import search
from edac_core.studies.journal import only_writer
from edac_core.studies.processes import ProcessMark
from edac_core.studies.store import Store


class Payload:
    """A pickle that makes a file when it is read."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def emptied(path, _aside):
    path.write_bytes(b"")


def truncated(path, _aside):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def flipped(path, _aside):
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 50, len(data), max(1, len(data) // 50)):
        data[at] ^= 16
    path.write_bytes(data)


def removed(path, _aside):
    path.unlink(missing_ok=True)


def a_folder(path, _aside):
    path.unlink(missing_ok=True)
    path.mkdir()


def a_dangling_link(path, aside):
    path.unlink(missing_ok=True)
    path.symlink_to(aside / "nowhere")


def a_link_to_another_file(path, aside):
    path.unlink(missing_ok=True)
    path.symlink_to(aside / "victim")


def a_pickle(path, aside):
    path.write_bytes(pickle.dumps(Payload(aside / "ran")))


DAMAGES = [emptied, truncated, flipped, removed, a_folder, a_dangling_link,
           a_link_to_another_file, a_pickle]  # fmt: skip
pytestmark = pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)


@pytest.fixture
def aside(tmp_path):
    """A folder with somebody else's file, which stays as it is whatever happens."""
    folder = tmp_path / "aside"
    folder.mkdir()
    (folder / "victim").write_text("somebody else's" * 100)
    yield folder
    assert (folder / "victim").read_text() == "somebody else's" * 100
    assert not (folder / "ran").exists()


def wave(path, seed):
    samples = 0.1 * np.random.default_rng(seed).standard_normal(22_050)
    soundfile.write(path, samples, 22_050, "PCM_16")
    return str(path)


@pytest.mark.parametrize("name", ["features.sqlite", "features.sqlite-wal", "features.sqlite-shm"])
def test_features_are_right_whatever_the_cache_holds(tmp_path, aside, damage, name):
    table = pd.DataFrame(
        [{"recording": str(at), "path": wave(tmp_path / f"{at}.wav", at)} for at in range(2)]
    )
    options = {"frontend": get_frontend("mfcc"), "workers": 1}
    cache = tmp_path / "features.sqlite"
    expected = extract(table, cache=cache, **options)
    damage_or_skip(damage, tmp_path / name, aside)
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_array_equal(extract(table, cache=cache, **options), expected)


def damage_or_skip(damage, path, aside):
    if damage in {truncated, flipped} and not path.exists():
        pytest.skip("a file that is not there cannot be damaged in this way")
    damage(path, aside)


@pytest.mark.parametrize("name", ["facts-1.json", "facts.lock"])
def test_facts_are_right_whatever_the_cache_holds(tmp_path, aside, damage, name):
    paths, cache = [wave(tmp_path / "1.wav", 1)], tmp_path / "cache"
    expected = gather(paths, cache=cache, workers=1)
    damage(cache / name, aside)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        pd.testing.assert_frame_equal(gather(paths, cache=cache, workers=1), expected)
        more = [*paths, wave(tmp_path / "2.wav", 2)]
        assert len(gather(more, cache=cache, workers=1)) == 2
    if name == "facts-1.json" and damage is not removed:
        assert "damaged and is written anew" in str(told[0].message)


@pytest.mark.parametrize("name", ["recording", synthetic.SUMS])
def test_generated_recordings_are_those_that_were_generated(tmp_path, aside, damage, name):
    path = tmp_path / "synthetic"
    table = synthetic.load(path=path, n=4).recordings
    expected = [Path(file).read_bytes() for file in table["path"]]
    folder = Path(table["path"][0]).parent
    damage(Path(table["path"][0]) if name == "recording" else folder / name, aside)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        again = synthetic.load(path=path, n=4).recordings
    assert [Path(file).read_bytes() for file in again["path"]] == expected
    if name == "recording":
        assert "is damaged" in str(told[0].message)
    assert os.listdir(path) == [folder.name]  # noqa: PTH208 - names alone


def refusal_of(work, *arguments):
    """Return the sentence that something is refused with, or "" if it is done."""
    refused = ""
    try:
        work(*arguments)
    except EdacError as error:
        refused = str(error)
    assert "\n" not in refused
    return refused


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    file = tmp_path_factory.mktemp("searched") / "search.sqlite"
    with search._study(f"sqlite:///{file}", "name", "settings") as study:
        study.tell(study.ask(), [1.0, 0.5])
    return file


def begin_anew(file):
    with search._study(f"sqlite:///{file}", "name", "settings") as study:
        assert len(study.get_trials()) == 0


def test_a_search_is_refused_in_a_sentence_or_begun_anew(searched, tmp_path, aside, damage):
    file = tmp_path / "search.sqlite"
    shutil.copy(searched, file)
    damage(file, aside)
    refused = refusal_of(begin_anew, file)
    assert str(file) in refused or damage in {emptied, removed, a_dangling_link}


def take(folder):
    with only_writer(folder):
        assert ProcessMark.read(folder / "run.lock").pid == os.getpid()


def test_a_lock_is_taken_or_refused_in_a_sentence(tmp_path, aside, damage):
    take(tmp_path)
    damage(tmp_path / "run.lock", aside)
    refused = refusal_of(take, tmp_path)
    odd = {a_folder, a_dangling_link, a_link_to_another_file}
    assert ("run.lock cannot be used" in refused) == (damage in odd)
    assert not (aside / "nowhere").exists()


def read_figures(folder):
    store = Store(folder)
    try:
        assert len(store.figures("study")) in {0, 2}
    finally:
        store.close()


@pytest.mark.parametrize("name", ["studies.sqlite", "studies.sqlite-wal", "studies.sqlite-shm"])
def test_a_store_is_read_or_refused_in_a_sentence(filled, aside, damage, name):
    filled.finish()
    filled.close()
    damage_or_skip(damage, filled.folder / name, aside)
    refused = refusal_of(read_figures, filled.folder)
    assert not refused or str(filled.folder) in refused
