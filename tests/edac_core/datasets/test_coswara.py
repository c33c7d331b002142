import csv

import pytest
import soundfile

from edac_core.datasets import coswara, data_root, open_dataset
from edac_core.datasets.audit import audit
from edac_core.errors import DataError

HEADER = "id,a,covid_status,record_date,ep,g,l_c,l_l,l_s"
STATUSES = {
    "p0": "healthy",
    "p1": "no_resp_illness_exposed",
    "p2": "resp_illness_not_identified",
    "p3": "recovered_full",
    "p4": "positive_mild",
    "p5": "positive_moderate",
    "p6": "positive_asymp",
}


def row(name, status):
    return f'{name},28,{status},2020-04-23,y,male,India,"Anand, town",Gujarat'


def cough(folder, date, name):
    return folder / "Extracted_data" / date / name / "cough-shallow.wav"


@pytest.fixture
def folder(tmp_path, write_noise):
    """Make a miniature of Coswara: two dates, a participant of each status that is used."""
    folder = tmp_path / "Coswara-Data"
    for index, name in enumerate(STATUSES):
        date = "20200413" if index < 4 else "20210419"
        file = write_noise(cough(folder, date, name), seed=index, rate=44_100)
        file.with_name("metadata.json").write_text("{}")
        write_noise(file.with_name("cough-heavy.wav"), seed=index + 100, rate=44_100)
    write(folder, *(row(name, status) for name, status in STATUSES.items()))
    annotations = folder / "annotations"
    annotations.mkdir()
    lines = [f"p{index}_cough-shallow,{index % 3}" for index in range(6)]
    text = "\n".join(["FILENAME, QUALITY", *lines, ""])
    (annotations / "cough-shallow_labels.csv").write_text(text)
    return folder


def write(folder, *lines, end="\n"):
    folder.mkdir(exist_ok=True)
    text = end.join([HEADER, *lines, ""])
    (folder / "combined_data.csv").write_bytes(text.encode())


def add(folder, *lines):
    with (folder / "combined_data.csv").open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def load(folder, **options):
    return open_dataset("coswara", path=folder, **options)


def reasons(dataset):
    return list(dataset.dropped.itertuples(index=False, name=None))


def test_statuses_become_edacs_labels_and_ids_participants(folder):
    dataset = load(folder)
    table = dataset.recordings
    assert table["recording"].tolist() == list(STATUSES)
    assert table["participant"].tolist() == list(STATUSES)
    assert table["label"].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert table["sex"].tolist() == ["male"] * 7
    assert table["age_band"].tolist() == ["18 to 39"] * 7
    assert table.loc[4, "path"] == str(cough(folder, "20210419", "p4").resolve())
    assert table["split"].isna().all()
    assert (dataset.licence, dataset.synthetic) == ("CC BY 4.0", False)
    assert dataset.dropped.empty


def test_it_is_found_in_the_data_root(folder, monkeypatch):
    monkeypatch.setenv("EDAC_DATA_DIR", str(folder.parent))
    assert len(open_dataset("coswara").recordings) == 7


def test_what_cannot_be_used_is_listed_with_its_reason(folder, write_noise):
    write_noise(cough(folder, "20200413", "unlisted"))
    write_noise(cough(folder, "20200413", "waiting"))
    add(
        folder,
        row("waiting", "under_validation"),
        row("blank", ""),
        row("gone", "healthy"),
        row("../20200413/p0", "healthy"),
        "",
        ",,,,,,,,",
        row("", "healthy"),
        row("p0", "positive_mild") + ",surplus",
    )
    dataset = load(folder)
    assert dataset.recordings["recording"].tolist() == list(STATUSES)
    assert dataset.recordings["label"].tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert sorted(reasons(dataset)) == sorted(
        [
            ("waiting", "status under_validation is not used"),
            ("blank", "no status"),
            ("gone", "missing file"),
            ("../20200413/p0", "missing file"),
            ("", "no id"),
            ("p0", "more values than columns"),
            ("unlisted", "no metadata"),
        ]
    )


def test_one_id_for_two_participants_is_settled_or_dropped(folder, write_noise):
    add(folder, row("p0", "healthy"), row("p1", "positive_mild"))
    twice = cough(folder, "20210419", "p2")
    twice.parent.mkdir(parents=True)
    twice.write_bytes(cough(folder, "20200413", "p2").read_bytes())
    write_noise(cough(folder, "20210419", "p3"), seed=50)
    dataset = load(folder)
    assert dataset.recordings["recording"].tolist() == ["p0", "p2", "p4", "p5", "p6"]
    assert dataset.recordings["path"][1] == str(cough(folder, "20200413", "p2").resolve())
    assert reasons(dataset) == [
        ("p0", "repeated row"),
        ("p1", "contradictory rows"),
        ("p1", "contradictory rows"),
        ("p3", "different files of one name"),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_table_may_come_from_windows(folder, end, mark):
    write(folder, *(row(name, status) for name, status in STATUSES.items()), end=end)
    file = folder / "combined_data.csv"
    file.write_bytes(mark.encode() + file.read_bytes())
    assert load(folder).recordings["label"].tolist() == [0, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(("quality", "kept"), [(0, 7), (1, 4), (2, 2)])
def test_recordings_can_be_chosen_by_quality(folder, quality, kept):
    dataset = load(folder, min_quality=quality)
    assert len(dataset.recordings) == kept
    if quality:
        assert ("p0", f"quality 0 is below {quality}") in reasons(dataset)
        assert ("p6", "no quality annotation") in reasons(dataset)


def test_annotations_are_needed_only_to_choose_by_quality(folder):
    (folder / "annotations" / "cough-shallow_labels.csv").unlink()
    assert len(load(folder).recordings) == 7
    with pytest.raises(DataError, match=r"cough-shallow_labels\.csv cannot be read"):
        load(folder, min_quality=1)


@pytest.mark.parametrize("quality", [3, -1, "good"])
def test_a_quality_that_is_none_is_refused(folder, quality):
    with pytest.raises(DataError, match=r"Quality .* use 0, 1 or 2"):
        load(folder, min_quality=quality)


def test_a_whole_data_set_is_compared_with_the_paper(folder, monkeypatch):
    assert load(folder).notes == (
        "4 negative and 3 positive recordings, where EDAC has 1,984 and 681.",
    )
    monkeypatch.setattr(coswara, "_EDAC_COUNTS", (4, 3))
    assert load(folder).notes == ("4 negative and 3 positive recordings, as in EDAC.",)


def test_a_part_says_how_much_it_is(folder):
    add(folder, *(row(f"q{index}", "healthy") for index in range(3)))
    assert load(folder).notes == (
        "7 of 10 listed recordings are here, 4 labelled negative and 3 positive; "
        "EDAC has 1,984 and 681.",
    )


def test_a_table_without_a_status_is_refused(folder):
    (folder / "combined_data.csv").write_text("id,age\np0,28\n")
    with pytest.raises(DataError, match=r"combined_data\.csv lacks the column 'covid_status'"):
        load(folder)


def test_a_table_without_recordings_is_refused(folder):
    write(folder, row("gone", "healthy"))
    with pytest.raises(DataError, match=r"'coswara' has no recordings \(7 times: no metadata\)"):
        load(folder)


def test_bad_recordings_are_left_to_the_audit(folder, write_noise):
    cough(folder, "20200413", "p0").write_bytes(b"RIFF, but no more of it")
    cough(folder, "20200413", "p1").write_bytes(b"")
    write_noise(cough(folder, "20200413", "p2"), seconds=0.04, rate=44_100)
    soundfile.write(cough(folder, "20210419", "p4"), [], 44_100)
    done = audit(load(folder))
    assert done.recordings["reason"].tolist() == [
        "undecodable",
        "empty",
        "too short",
        "",
        "empty",
        "",
        "",
    ]


@pytest.fixture(scope="module")
def real():
    folder = data_root() / "Coswara-Data"
    if not (folder / "combined_data.csv").is_file():
        pytest.skip(f"no recordings in {folder}; set EDAC_DATA_DIR")
    return open_dataset("coswara")


def test_the_real_statuses_give_edacs_counts():
    table = data_root() / "Coswara-Data" / "combined_data.csv"
    if not table.is_file():
        pytest.skip(f"{table} is missing; set EDAC_DATA_DIR")
    with table.open(newline="") as file:
        statuses = [entry["covid_status"] for entry in csv.DictReader(file)]
    labels = [coswara.LABELS[status] for status in statuses if status in coswara.LABELS]
    assert (labels.count(0), labels.count(1)) == (1984, 681) == coswara._EDAC_COUNTS


def test_every_real_row_is_accounted_for(real):
    rows = [reason for _, reason in reasons(real) if reason != "no metadata"]
    assert len(real.recordings) + len(rows) == 2746
    assert rows.count("status under_validation is not used") == 81


def test_the_real_recordings_have_the_known_defects(real):
    if len(real.recordings) != 76:
        pytest.skip("the expected numbers are those of the date 20200413 alone")
    assert "76 of 2,746 listed recordings are here" in real.notes[0]
    assert set(real.recordings["label"]) == {0}
    assert audit(real, workers=1).summary() == {"usable": 68, "empty": 2, "silent": 6}
