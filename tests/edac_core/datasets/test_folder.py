import os
from pathlib import Path

import pytest

from edac_core.datasets import open_dataset
from edac_core.errors import DataError


@pytest.fixture
def csv(tmp_path, write_noise):
    for name in "abcd":
        write_noise(tmp_path / "wav" / f"{name}.wav")
    return lambda text: _written(tmp_path / "list.csv", text)


def _written(path, text):
    path.write_text(text, "utf-8")
    return path


def test_all_columns_are_read_and_paths_resolve_against_the_csv(csv, tmp_path):
    path = csv(
        "path,label,participant,group,split,note,sex,age,device\n"
        "wav/a.wav,1,anna,clinic,train,x,f,61,phone\n"
        f"{tmp_path}/wav/b.wav,0,ben,home,test,y,m,,\n"
    )
    table = open_dataset("folder", path=path).recordings
    assert table["path"].tolist() == [str(tmp_path.resolve() / "wav" / f"{n}.wav") for n in "ab"]
    assert table["label"].tolist() == [1, 0]
    assert table["participant"].tolist() == ["anna", "ben"]
    assert table["group"].tolist() == ["clinic", "home"]
    assert table["split"].tolist() == ["train", "test"]
    assert table["sex"].tolist() == ["f", "m"]
    assert table["age_band"].fillna("").tolist() == ["60 and over", ""]
    assert table["device"].fillna("").tolist() == ["phone", ""]
    assert "note" not in table


def test_a_byte_order_mark_and_spaces_do_no_harm(csv):
    path = csv("\ufeffpath, label\nwav/a.wav, 1\nwav/b.wav, 0\n")
    assert open_dataset("folder", path=path).recordings["label"].tolist() == [1, 0]


@pytest.mark.parametrize(("positive", "labels"), [("sick", [1, 0]), ("well", [0, 1])])
def test_two_names_need_the_positive_one(csv, positive, labels):
    path = csv("path,label\nwav/a.wav,sick\nwav/b.wav,well\n")
    table = open_dataset("folder", path=path, positive=positive).recordings
    assert table["label"].tolist() == labels


def test_rows_that_cannot_be_used_are_dropped_with_a_reason(csv):
    path = csv("path,label\nwav/a.wav,1\nwav/gone.wav,0\nwav/b.wav,\n")
    dataset = open_dataset("folder", path=path)
    assert dataset.recordings["recording"].tolist() == ["wav/a.wav"]
    assert dict(dataset.dropped.itertuples(index=False)) == {
        "wav/gone.wav": "missing file",
        "wav/b.wav": "no label",
    }


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        ("file,label\nwav/a.wav,1\n", {}, "lacks the column 'path'"),
        ("path\nwav/a.wav\n", {}, "lacks the column 'label'"),
        ("", {}, "not a CSV"),
        ("path,label\nwav/a.wav,1\n,0\n", {}, "no path in line 3"),
        ("path,label\nwav/a.wav,sick\nwav/b.wav,well\n", {}, "'sick', 'well': say which"),
        ("path,label\nwav/a.wav,sick\n", {"positive": "ill"}, "no label 'ill'"),
        ("path,label\nwav/a.wav,1\nwav/b.wav,2\nwav/c.wav,0\n", {}, "3 different labels"),
        ("path,label\ngone.wav,1\n", {}, "None of the 1 files"),
        ("path,label\nwav/a.wav,1\nwav/a.wav,1\n", {}, "twice"),
        ("path,label,split\nwav/a.wav,1,dev\n", {}, "split 'dev'"),
        ("path,label\nwav/a.wav,1,2\n", {}, "more cells than its first one"),
        ("path,label,path\nwav/a.wav,1,wav/b.wav\n", {}, "has the column 'path' twice"),
        ("path,label, label\nwav/a.wav,1,0\n", {}, "has the column 'label' twice"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(csv, text, options, complaint):
    with pytest.raises(DataError) as caught:
        open_dataset("folder", path=csv(text), **options)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_commas_at_the_ends_of_lines_do_no_harm(csv):
    path = csv("path,label\nwav/a.wav,1,\nwav/b.wav,0,\n")
    assert open_dataset("folder", path=path).recordings["label"].tolist() == [1, 0]


@pytest.mark.parametrize("name", ["x" * 5_000, "x/" * 3_000, "a\0.wav", "loop.wav", "."])
def test_what_can_be_no_file_is_a_missing_one(csv, name, tmp_path):
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    dataset = open_dataset("folder", path=csv(f"path,label\nwav/a.wav,1\n{name},0\n"))
    assert dataset.recordings["recording"].tolist() == ["wav/a.wav"]
    assert dataset.dropped["reason"].tolist() == ["missing file"]


def test_a_csv_that_can_be_no_file_is_a_sentence(tmp_path):
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    names = ["loop.csv", "pipe.csv", "x" * 300, "a\0.csv", "."]
    for path in (*(tmp_path / name for name in names), Path("~nobody here/x.csv")):
        with pytest.raises(DataError, match=r"check the path|give the path of a CSV file"):
            open_dataset("folder", path=path)


def test_a_path_may_lead_out_of_the_csvs_folder(csv, tmp_path, write_noise):
    write_noise(tmp_path.parent / "beside.wav")
    (tmp_path / "link.wav").symlink_to(tmp_path.parent / "beside.wav")
    path = csv("path,label\n../beside.wav,1\nlink.wav,0\n")
    assert len(open_dataset("folder", path=path).recordings) == 2


def test_a_missing_csv_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.csv cannot be read"):
        open_dataset("folder", path=tmp_path / "gone.csv")
    with pytest.raises(DataError, match="needs a CSV file"):
        open_dataset("folder")
