import json

import pytest
import soundfile

from edac_core.audio import load as load_audio
from edac_core.datasets import coughvid, open_dataset
from edac_core.datasets.audit import audit
from edac_core.errors import DataError

UUIDS = [f"0000000{index}-7f3a-42aa-ac13-834aaa2b6b92" for index in range(6)]
STATUSES = ["healthy", "symptomatic", "COVID-19", "healthy", "healthy", "healthy"]
ROWS = [
    {
        "uuid": uuid,
        "datetime": "2020-04-13T21:30:59.801831+00:00",
        "cough_detected": cough,
        "latitude": "31.3",
        "age": age,
        "gender": gender,
        "status": status,
    }
    for uuid, cough, status, age, gender in zip(
        UUIDS,
        ["0.9609", "0.7", "1.0", "0.6999", "0.0001", "0.9"],
        STATUSES,
        ["28.0", "", "61.0", "", "", "40.0"],
        ["male", "", "female", "", "", "other"],
        strict=True,
    )
]


def table(rows, *, version=1, end="\n"):
    """Write rows as a version of the data set has them."""
    columns = list(ROWS[0])
    if version > 1:
        columns.insert(3, "SNR")
    if version > 2:
        columns = ["", *columns, "status_SSL"]
    extra = {"SNR": "16.15", "status_SSL": "COVID-19"}
    lines = [",".join({**extra, **row, "": str(n)}[c] for c in columns)
             for n, row in enumerate(rows)]  # fmt: skip
    return end.join([",".join(columns), *lines, ""])


@pytest.fixture
def recordings(tmp_path, write_noise, write_opus):
    folder = tmp_path / "coughvid"
    for index, uuid in enumerate(UUIDS[:3]):
        write_opus(folder / f"{uuid}.webm", seed=index)
    for index, uuid in enumerate(UUIDS[3:], 3):
        suffix = "ogg" if index < 5 else "wav"
        write_noise(folder / f"{uuid}.{suffix}", seed=index, rate=48_000)
    return folder


@pytest.fixture
def folder(recordings):
    (recordings / "metadata_compiled.csv").write_text(table(ROWS))
    return recordings


@pytest.fixture
def sidecars(recordings):
    for row in ROWS:
        values = {key: value for key, value in row.items() if key != "uuid" and value}
        (recordings / f"{row['uuid']}.json").write_text(json.dumps(values))
    return recordings


def load(folder, **options):
    return open_dataset("coughvid", path=folder, **options)


def reasons(dataset):
    return list(dataset.dropped.itertuples(index=False, name=None))


KEPT = [UUIDS[0], UUIDS[1], UUIDS[2], UUIDS[5]]


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_version_of_the_table_is_read(recordings, version, end):
    text = "\ufeff" + table(ROWS, version=version, end=end)
    (recordings / "metadata_compiled.csv").write_bytes(text.encode())
    dataset = load(recordings)
    assert dataset.recordings["recording"].tolist() == KEPT
    assert dataset.recordings["label"].tolist() == [0, 1, 1, 0]
    assert dataset.recordings["participant"].isna().all()
    assert dataset.recordings["sex"].fillna("").tolist() == ["male", "", "female", "other"]
    bands = dataset.recordings["age_band"].fillna("").tolist()
    assert bands == ["18 to 39", "", "60 and over", "40 to 59"]
    assert reasons(dataset) == [(uuid, "cough_detected is below 0.7") for uuid in UUIDS[3:5]]


def test_sidecars_stand_for_a_table(sidecars):
    dataset = load(sidecars)
    assert dataset.recordings["recording"].tolist() == KEPT
    assert dataset.recordings["label"].tolist() == [0, 1, 1, 0]


def test_sidecars_agree_with_the_table_and_a_table_comes_first(sidecars):
    from_sidecars = load(sidecars).recordings
    (sidecars / "metadata_compiled.csv").write_text(table(ROWS))
    assert load(sidecars).recordings.equals(from_sidecars)
    (sidecars / "metadata_compiled.csv").write_text(table(ROWS[:3]))
    assert len(load(sidecars).recordings) == 3


def test_bad_sidecars_are_dropped_alone(sidecars):
    (sidecars / f"{UUIDS[0]}.json").write_text("{")
    (sidecars / f"{UUIDS[1]}.json").write_text("[1, 2]")
    (sidecars / f"{UUIDS[2]}.json").write_text("[" * 100_000)
    (sidecars / f"{UUIDS[3]}.json").unlink()
    (sidecars / f"{UUIDS[4]}.json").write_text('{"status": null, "cough_detected": 0.9}')
    (sidecars / "other.json").write_text('{"status": "healthy", "cough_detected": 0.9}')
    dataset = load(sidecars)
    assert dataset.recordings["recording"].tolist() == [UUIDS[5]]
    assert sorted(reasons(dataset)) == [
        *((uuid, "unreadable metadata") for uuid in UUIDS[:3]),
        (UUIDS[3], "no metadata"),
        (UUIDS[4], "no status"),
        ("other", "missing file"),
    ]


def test_what_cannot_be_used_is_listed_with_its_reason(folder):
    changes = [
        {"uuid": "gone"},
        {"uuid": "../metadata_compiled"},
        {"uuid": f"../coughvid/{UUIDS[0]}"},
        {"uuid": UUIDS[3], "status": ""},
        {"uuid": UUIDS[4], "status": "recovered"},
        {"uuid": UUIDS[5], "cough_detected": "yes"},
        {"uuid": "inf", "cough_detected": "inf"},
        {"uuid": ""},
    ]
    rows = [*ROWS[:3], *({**ROWS[0], **change} for change in changes)]
    text = table(rows).replace("\n", "\n\n")
    (folder / "metadata_compiled.csv").write_text(text)
    (folder / f"{UUIDS[2]}.webm").rename(folder / "unlisted.webm")
    dataset = load(folder)
    assert dataset.recordings["recording"].tolist() == UUIDS[:2]
    assert reasons(dataset) == [
        (UUIDS[2], "missing file"),
        ("gone", "missing file"),
        ("../metadata_compiled", "missing file"),
        (f"../coughvid/{UUIDS[0]}", "missing file"),
        (UUIDS[3], "no status"),
        (UUIDS[4], "status recovered is not used"),
        (UUIDS[5], "cough_detected is not a number"),
        ("inf", "cough_detected is not a number"),
        ("", "no uuid"),
        ("unlisted", "no metadata"),
    ]


def test_one_uuid_twice_is_settled_or_dropped(folder):
    rows = [*ROWS, ROWS[0], {**ROWS[1], "status": "healthy"}]
    (folder / "metadata_compiled.csv").write_text(table(rows))
    dataset = load(folder)
    assert dataset.recordings["recording"].tolist() == [UUIDS[0], UUIDS[2], UUIDS[5]]
    assert reasons(dataset)[:3] == [
        (UUIDS[0], "repeated row"),
        (UUIDS[1], "contradictory rows"),
        (UUIDS[1], "contradictory rows"),
    ]


def test_of_several_formats_the_original_is_taken(folder, write_noise):
    for suffix in ("wav", "ogg"):
        write_noise(folder / f"{UUIDS[0]}.{suffix}", seed=9, rate=48_000)
    write_noise(folder / f"{UUIDS[5]}.ogg", seed=9, rate=48_000)
    dataset = load(folder)
    names = [path.rsplit("/", 1)[1] for path in dataset.recordings["path"]]
    assert names == [*(f"{uuid}.webm" for uuid in UUIDS[:3]), f"{UUIDS[5]}.ogg"]
    assert len(dataset.dropped) == 2


@pytest.mark.parametrize(("threshold", "kept"), [(0, 6), (0.7, 4), (0.95, 2), (1, 1)])
def test_the_threshold_is_an_option(folder, threshold, kept):
    assert len(load(folder, min_cough=threshold).recordings) == kept


@pytest.mark.parametrize("threshold", [1.1, -0.1, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(folder, threshold):
    with pytest.raises(DataError, match="probability cannot be"):
        load(folder, min_cough=threshold)


def test_counts_are_compared_with_the_paper(folder, monkeypatch):
    assert load(folder).notes == (
        "2 negative and 2 positive recordings, where EDAC has 8,958 and 2,666.",
    )
    monkeypatch.setattr(coughvid, "_EDAC_COUNTS", (2, 2))
    assert load(folder).notes == ("2 negative and 2 positive recordings, as in EDAC.",)
    (folder / f"{UUIDS[0]}.webm").unlink()
    assert load(folder).notes[0].startswith("5 of 6 listed recordings are here, 1 labelled")


def test_the_papers_counts_add_up():
    assert coughvid._EDAC_COUNTS == (8958, 1935 + 731)
    assert sum(coughvid._EDAC_COUNTS) == 11_624


def test_a_folder_without_metadata_is_refused(recordings):
    with pytest.raises(DataError, match=r"metadata_compiled\.csv is missing"):
        load(recordings)


def test_stereo_webm_is_mixed_down_and_its_balance_measured(folder, write_opus):
    write_opus(folder / f"{UUIDS[0]}.webm", gains=(0.2, 0.05))
    facts = audit(load(folder)).recordings.set_index("recording")
    assert facts["reason"].eq("").all()
    assert facts.loc[UUIDS[0], "channels"] == 2
    # A gain of 4 is 12 dB; Opus is lossy.
    assert facts.loc[UUIDS[0], "channel_balance_db"] == pytest.approx(12, abs=1)
    assert facts.loc[UUIDS[1], "channels"] == 1
    waveform = load_audio(facts.loc[UUIDS[0], "path"])
    assert waveform.ndim == 1
    assert len(waveform) == pytest.approx(0.4 * 22_050, rel=0.05)


def test_bad_recordings_are_left_to_the_audit(folder, write_opus):
    whole = (folder / f"{UUIDS[0]}.webm").read_bytes()
    (folder / f"{UUIDS[0]}.webm").write_bytes(whole[:40])
    write_opus(folder / f"{UUIDS[1]}.webm", seconds=0.04)
    soundfile.write(folder / f"{UUIDS[5]}.wav", [], 48_000)
    done = audit(load(folder))
    assert dict(zip(done.recordings["recording"], done.recordings["reason"], strict=True)) == {
        UUIDS[0]: "undecodable",
        UUIDS[1]: "too short",
        UUIDS[2]: "",
        UUIDS[5]: "empty",
    }
