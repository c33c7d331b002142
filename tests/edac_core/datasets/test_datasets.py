import pytest

from edac_core.datasets import DATASETS, open_dataset
from edac_core.errors import DataError


def test_every_registered_data_set_is_offered():
    assert DATASETS == (
        "coswara",
        "coughvid",
        "covid19-cough",
        "urtic",
        "folder",
        "synthetic",
    )


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match=r"no data set 'coughs': choose from .*synthetic"):
        open_dataset("coughs")


def test_an_unknown_option_lists_the_known_ones():
    with pytest.raises(DataError, match="no option 'size': use n, seed"):
        open_dataset("synthetic", size=3)
    with pytest.raises(DataError, match="no option 'n': it has none"):
        open_dataset("covid19-cough", n=3)


def test_path_and_options_reach_the_data_set(tmp_path):
    dataset = open_dataset("synthetic", path=tmp_path, n=4, seed=3)
    assert len(dataset.recordings) == 4
    assert all(path.startswith(str(tmp_path.resolve())) for path in dataset.recordings["path"])


def test_an_underscore_may_stand_for_a_hyphen(tmp_path):
    with pytest.raises(DataError, match="edac data download covid19-cough"):
        open_dataset("covid19_cough", path=tmp_path)
