import json

import pytest

from edac_core.datasets import open_dataset
from edac_core.errors import DataError


def change(folder, *entries):
    path = folder / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) + list(entries)))


def test_labels_groups_and_paths_come_from_the_metadata(covid19_cough_folder):
    table = open_dataset("covid19-cough", path=covid19_cough_folder).recordings
    assert table["recording"].tolist() == [f"r{index}" for index in range(6)]
    assert table["label"].tolist() == [1, 0, 1, 0, 1, 0]
    assert table["group"].tolist() == ["telegram"] * 3 + ["call-center"] * 3
    assert table["participant"].isna().all()
    assert table.loc[0, "path"] == str((covid19_cough_folder / "raw" / "r0.mp3").resolve())


def test_it_is_found_in_the_data_root(covid19_cough_folder, monkeypatch):
    monkeypatch.setenv("EDAC_DATA_DIR", str(covid19_cough_folder.parent))
    dataset = open_dataset("covid19-cough")
    assert (len(dataset.recordings), dataset.synthetic, dataset.licence) == (6, False, "CC0 1.0")


def test_what_cannot_be_used_is_listed_with_its_reason(covid19_cough_folder):
    change(
        covid19_cough_folder,
        {"filename": "gone.mp3", "covid19": True, "source": "telegram"},
        {"filename": "unknown.mp3", "covid19": None, "source": "telegram"},
        {"filename": "../metadata.json", "covid19": True, "source": "telegram"},
    )
    dataset = open_dataset("covid19-cough", path=covid19_cough_folder)
    assert len(dataset.recordings) == 6
    assert dict(dataset.dropped.itertuples(index=False)) == {
        "gone": "missing file",
        "unknown": "no label",
        "metadata": "missing file",
    }


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"covid19": true}]', "3"])
def test_malformed_metadata_is_refused(covid19_cough_folder, text):
    (covid19_cough_folder / "metadata.json").write_text(text)
    with pytest.raises(DataError, match=r"metadata\.json is not a JSON list"):
        open_dataset("covid19-cough", path=covid19_cough_folder)


def test_metadata_without_recordings_is_refused(covid19_cough_folder):
    for path in (covid19_cough_folder / "raw").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="'covid19-cough' has no recordings"):
        open_dataset("covid19-cough", path=covid19_cough_folder)
