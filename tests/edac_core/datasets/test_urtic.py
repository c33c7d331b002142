import pytest

from edac_core.datasets import open_dataset, urtic
from edac_core.datasets.audit import audit
from edac_core.datasets.split import split
from edac_core.errors import DataError

LABELS = {
    f"{part}_{index:04}.wav": "C" if index % 3 == 0 else "NC"
    for part in ("train", "devel", "test")
    for index in range(1, 7)
}
COUNTS = {"train": (2, 4), "validation": (2, 4), "test": (2, 4)}


@pytest.fixture
def folder(tmp_path, write_noise):
    folder = tmp_path / "urtic"
    for seed, name in enumerate(LABELS):
        write_noise(folder / "wav" / name, seed=seed, rate=16_000)
    (folder / "lab").mkdir()
    write(folder, LABELS)
    return folder


def write(folder, labels, end="\n", mark=""):
    lines = [f"{name}\t{label}" for name, label in labels.items()]
    header = f"{mark}file_name\tCold (upper respiratory tract infection)"
    text = end.join([header, *lines, ""])
    (folder / "lab" / "ComParE2017_Cold.tsv").write_bytes(text.encode())


def load(folder):
    return open_dataset("urtic", path=folder)


def reasons(dataset):
    return list(dataset.dropped.itertuples(index=False, name=None))


@pytest.mark.parametrize(("end", "mark"), [("\n", ""), ("\r\n", "\ufeff")])
def test_labels_and_the_official_split_are_read(folder, end, mark):
    write(folder, LABELS, end=end, mark=mark)
    table = load(folder).recordings
    assert table["recording"].tolist() == [name.removesuffix(".wav") for name in LABELS]
    assert table["label"].tolist() == [0, 0, 1, 0, 0, 1] * 3
    assert table["split"].tolist() == ["train"] * 6 + ["validation"] * 6 + ["test"] * 6
    assert table["participant"].isna().all()
    assert split(table, seed=0)["set"].tolist() == table["split"].tolist()


def test_what_cannot_be_used_is_listed_with_its_reason(folder, write_noise):
    write_noise(folder / "wav" / "train_0007.wav")
    write_noise(folder / "wav" / "extra_0001.wav")
    (folder / "wav" / "train_0001.wav").unlink()
    changes = {
        "train_0002.wav": "cold",
        "devel_0001.wav": "",
        "extra_0001.wav": "C",
        "../lab/train_0003.wav": "C",
    }
    write(folder, {**LABELS, **changes})
    dataset = load(folder)
    assert len(dataset.recordings) == 15
    assert reasons(dataset) == [
        ("train_0001", "missing file"),
        ("train_0002", "label cold is not C or NC"),
        ("devel_0001", "no label"),
        ("extra_0001", "name is not of train, devel or test"),
        ("../lab/train_0003", "name is not of train, devel or test"),
        ("train_0007", "no metadata"),
    ]
    assert dataset.notes == ("18 of 20 listed recordings are here.",)


def test_a_path_in_a_name_finds_nothing(folder):
    write(folder, {**LABELS, "train_/../../wav/train_0001.wav": "C"})
    assert reasons(load(folder)) == [("train_/../../wav/train_0001", "missing file")]


def test_one_name_twice_is_settled_or_dropped(folder):
    table = folder / "lab" / "ComParE2017_Cold.tsv"
    table.write_text(table.read_text() + "train_0001\tNC\ntrain_0002.wav\tC\n\n\n")
    assert reasons(load(folder)) == [
        ("train_0001", "repeated row"),
        ("train_0002", "contradictory rows"),
        ("train_0002", "contradictory rows"),
    ]


@pytest.mark.parametrize("release", ["?", "no rows"])
def test_missing_test_labels_are_one_sentence(folder, release):
    labels = {
        name: "?" if name.startswith("test") else label
        for name, label in LABELS.items()
        if release == "?" or not name.startswith("test")
    }
    write(folder, labels)
    dataset = load(folder)
    assert dataset.recordings["split"].isna().all()
    assert {reason for _, reason in reasons(dataset)} <= {"no label", "no metadata"}
    missing, counts = dataset.notes
    assert missing.startswith("The labels of the test recordings are missing")
    assert missing.count(".") == 1
    assert counts == (
        "2 and 4 (train), 2 and 4 (validation) recordings with and without a cold, where "
        "970 and 8,535 (train), 1,011 and 8,585 (validation) are published."
    )


def test_a_whole_corpus_is_compared_with_what_was_published(folder, monkeypatch):
    assert load(folder).notes == (
        "2 and 4 (train), 2 and 4 (validation), 2 and 4 (test) recordings with and without a cold, "
        "where 970 and 8,535 (train), 1,011 and 8,585 (validation), 895 and 8,656 (test) are "
        "published.",
    )
    monkeypatch.setattr(urtic, "COUNTS", COUNTS)
    assert load(folder).notes == (
        "2 and 4 (train), 2 and 4 (validation), 2 and 4 (test) recordings with and without a cold, "
        "as published.",
    )


def test_a_malformed_table_is_refused(folder):
    (folder / "lab" / "ComParE2017_Cold.tsv").write_text("file_name,label\ntrain_0001.wav,C\n")
    with pytest.raises(DataError, match=r"Cold\.tsv lacks the column 'file_name'"):
        load(folder)


def test_bad_recordings_are_left_to_the_audit(folder, write_noise):
    (folder / "wav" / "train_0001.wav").write_bytes(b"not audio")
    write_noise(folder / "wav" / "train_0002.wav", seconds=0.02)
    assert audit(load(folder)).recordings["reason"].tolist()[:3] == ["undecodable", "too short", ""]
