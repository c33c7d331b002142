import pandas as pd
import pytest

from edac_core.datasets.recordings import COLUMNS, make_dataset
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
