import pytest
import streamlit as st

from dashboard import recordings
from dashboard.player import encoded
from dashboard.recordings import Sets, read_sample
from edac_core.datasets.synthetic import synthesize
from edac_core.errors import DataError


@pytest.fixture(autouse=True)
def _nothing_cached():
    st.cache_data.clear()


def test_recordings_a_network_was_tested_on_come_first_and_those_it_learnt_from_last():
    names = list(recordings._titles("synthetic", None))
    of = {names[0]: "train", names[1]: "validation", names[3]: "test"}
    titles = recordings._titles("synthetic", Sets("synthetic", of))
    assert next(iter(titles)) == names[3]
    assert list(titles)[1] == names[1]
    assert list(titles)[-1] == names[0]
    assert titles[names[3]].endswith(", test set")
    assert titles[names[2]].endswith(", in no set")
    assert sorted(titles) == sorted(names)


def test_sets_of_another_data_set_say_nothing():
    sets = Sets("coughs", {"studio-positive-1": "train"})
    assert recordings._titles("synthetic", sets) == recordings._titles("synthetic", None)
    assert sets.of_recording(read_sample("synthetic", "studio-positive-1")) is None


def test_a_synthetic_sample_is_what_its_name_says():
    sample = read_sample("synthetic", "telephone-negative-2")
    assert sample.data == encoded(synthesize(0, seed=2, source="telephone"))
    assert (sample.label, sample.identifier) == (0, "telephone-negative-2")


def test_an_unknown_sample_is_a_sentence():
    with pytest.raises(DataError, match="has no recording 'studio-positive-99': choose another"):
        read_sample("synthetic", "studio-positive-99")


def test_a_sample_whose_file_is_gone_is_a_sentence(tmp_path):
    row = {"title": "A cough", "path": tmp_path / "gone.wav"}
    with pytest.raises(DataError, match=r"^The file of A cough cannot be read \(No such file"):
        recordings._bytes_of(row)
