import pandas as pd
import pytest

from edac_core.datasets.recordings import AGE_BANDS, COLUMNS, make_dataset
from edac_core.errors import DataError


def row(**changes):
    return {"recording": "a", "path": "/x/a.wav", "label": 1, **changes}


def build(*rows, **options):
    return make_dataset(rows, name="mine", title="Mine", licence="CC0", **options)


def test_unknown_columns_are_filled_in_and_others_left_out():
    table = build(row(extra=3), row(recording="b", label=0)).recordings
    assert tuple(table.columns) == COLUMNS
    assert table["group"].tolist() == ["all", "all"]
    assert table["participant"].isna().all()
    assert table["split"].isna().all()
    assert table["label"].dtype == "int64"


def test_known_values_are_kept():
    table = build(row(participant=7, group="telegram", split="test")).recordings
    assert table.loc[0, ["participant", "group", "split"]].tolist() == ["7", "telegram", "test"]


def test_what_is_known_of_people_and_devices_follows():
    table = build(
        row(sex=" Female", age="28.0", device="phone"), row(recording="b", sex="", age=None)
    ).recordings
    assert tuple(table.columns) == (*COLUMNS, "sex", "age_band", "device")
    assert table.loc[0, ["sex", "age_band", "device"]].tolist() == ["female", "18 to 39", "phone"]
    assert table.loc[1, ["sex", "age_band", "device"]].isna().all()


def test_a_trait_that_nobody_has_is_no_column():
    table = build(row(sex="", age="?", device=None), row(recording="b", age="n/a")).recordings
    assert tuple(table.columns) == COLUMNS


def test_ages_become_bands():
    ages = [0, 17.9, 18, 39, 40, 59, 60, 129, 130, -1]
    rows = [row(recording=str(place), age=age) for place, age in enumerate(ages)]
    bands = build(*rows).recordings["age_band"]
    assert bands[:8].tolist() == [band for band in AGE_BANDS for _ in "ab"]
    assert bands[8:].isna().all()


def test_traits_stay_with_their_rows_whatever_the_index():
    given = pd.DataFrame([row(sex="male"), row(recording="b", sex="other")], index=[5, 2])
    table = make_dataset(given, name="mine", title="Mine", licence="CC0").recordings
    assert table.set_index("recording")["sex"].to_dict() == {"a": "male", "b": "other"}


def test_booleans_become_zero_and_one():
    assert build(row(label=True), row(recording="b", label=False)).recordings["label"].tolist() == [
        1,
        0,
    ]


def test_dropped_recordings_keep_their_reason():
    dropped = build(row(), dropped=[("b", "missing file")]).dropped
    assert dropped.to_dict("records") == [{"recording": "b", "reason": "missing file"}]
    assert list(build(row()).dropped.columns) == ["recording", "reason"]


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([], "no recordings"),
        ([{"recording": "a", "path": "/x"}], "'label'"),
        ([row(label=2)], "label 2"),
        ([row(label=float("nan"))], "label nan"),
        ([row(), row()], "'a' twice"),
        ([row(path=None)], "without a recording or path"),
        ([row(path="x/a.wav")], "relative path 'x/a.wav'"),
        ([row(split="dev")], "split 'dev'"),
    ],
)
def test_a_wrong_table_is_refused_by_name(rows, complaint):
    with pytest.raises(DataError, match="'mine'") as caught:
        build(*rows)
    assert complaint in str(caught.value)


def test_the_given_table_is_not_changed():
    given = pd.DataFrame([row()])
    make_dataset(given, name="mine", title="Mine", licence="CC0")
    assert list(given.columns) == ["recording", "path", "label"]


def test_notes_are_kept():
    assert build(row()).notes == ()
    assert build(row(), notes=["Whole."]).notes == ("Whole.",)


def test_without_recordings_the_commonest_reason_is_said():
    dropped = [("a", "no label"), ("b", "missing file"), ("c", "missing file")]
    with pytest.raises(DataError, match=r"no recordings \(2 times: missing file\): check"):
        build(dropped=dropped)
