import io

import numpy as np
import pandas as pd
import pytest
from faulty import COUNTS, write_faulty

from dashboard.auditing import audited
from dashboard.auditing.audit_tables import as_csv, listing, source_table
from dashboard.auditing.audits import Audited
from edac_core.datasets import open_dataset
from edac_core.datasets.audit import Audit, audit
from edac_core.datasets.recordings import make_dataset


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = write_faulty(tmp_path_factory.mktemp("faulty"))
    dataset = open_dataset("covid19-cough", path=folder)
    return Audited(dataset, audit(dataset))


@pytest.fixture
def nothing_usable(tmp_path):
    """A data set whose only recording is missing."""
    row = {"recording": "a", "path": str(tmp_path / "a.wav"), "label": 1}
    dataset = make_dataset([row], name="mine", title="Mine", licence="CC0")
    return Audited(dataset, audit(dataset))


def figures(found):
    return {cell.label: cell for cell in audited.cells(found)}


def test_the_figures_are_those_of_the_audit(found):
    cells = figures(found)
    assert cells["Usable recordings"].value == str(COUNTS["usable"])
    assert cells["Usable recordings"].change == "63.6 % of 33 listed"
    assert cells["Left out"].value == str(33 - COUNTS["usable"])
    assert cells["Left out"].note == "6 contradictory labels"
    assert cells["Clipped"].value == "1"
    assert cells["People"].value == "unknown"
    positives = int(found.audit.usable["label"].sum())
    assert cells["Positive"].change == f"{positives} positive"


def test_what_was_left_out_counts_what_was_never_heard_too(found):
    assert audited.left_out(found) == {k: n for k, n in COUNTS.items() if k != "usable"}


def test_known_people_are_counted(found):
    named = found.audit.recordings.assign(participant="somebody")
    cells = figures(Audited(found.dataset, Audit(named, found.audit.metadata_auc)))
    assert (cells["People"].value, cells["People"].change) == ("1", "21.0 recordings each")


def test_a_data_set_says_whether_it_is_whole(found):
    text = audited.describe(found.dataset)
    assert "Licence: CC0 1.0." in text
    assert "Not whole: 1 of 33 listed recordings have no file here." in text


def test_nothing_usable_is_described_without_failing(nothing_usable):
    cells = figures(nothing_usable)
    assert cells["Usable recordings"].value == "0"
    assert cells["Positive"].value == "none"
    assert source_table(nothing_usable.audit).empty
    assert audited.describe_predictors(nothing_usable.audit.metadata_auc) == ""


def test_the_best_predictor_is_named():
    table = pd.DataFrame({"property": ["duration", "source", "rate"], "auc": [0.6, 0.9, np.nan]})
    assert "nothing but the source of a recording gets an AUC of 0.900" in (
        audited.describe_predictors(table)
    )


def test_sources_are_described(found):
    table = source_table(found.audit).set_index("source")
    usable = found.audit.usable
    assert table["usable"].to_dict() == usable["group"].value_counts().to_dict()
    assert table.loc["call-center", ["rates", "channels"]].tolist() == ["8 kHz", "stereo"]
    assert table.loc["telegram", ["rates", "channels"]].tolist() == ["16 kHz", "mono"]
    assert table["clipped"].sum() == 1


def test_a_source_of_several_rates_counts_them(found):
    mixed = found.audit.recordings.assign(group="all")
    table = source_table(Audit(mixed, found.audit.metadata_auc))
    assert table["rates"].tolist() == ["16 kHz (15), 8 kHz (6)"]


def test_the_file_has_every_listed_recording_and_no_path(found):
    table = pd.read_csv(io.BytesIO(as_csv(listing(found))))
    assert len(table) == 33
    assert "path" not in table
    assert table["used"].sum() == COUNTS["usable"]
    assert table.set_index("recording").loc["absent", "reason"] == "missing file"
    counts = table["reason"].value_counts().to_dict()
    assert counts == {k: n for k, n in COUNTS.items() if k != "usable"}


def test_facts_of_a_study_are_said_in_sentences():
    data = {
        "dataset": "mine", "title": "My_coughs", "recordings": 1_200, "positives": 300,
        "groups": {"phone": 1_000, "lab": 200}, "dropped": {"silent": 3}, "licence": "CC0",
        "notes": ["Nothing is [sic] missing."],
    }  # fmt: skip
    text = " ".join(audited.describe_facts(data))
    assert "**My\\_coughs**." in text
    assert "1,200 usable recordings, 300 of them positive." in text
    assert "Sources: phone \\(1,000\\), lab \\(200\\)." in text
    assert "Left out: silent \\(3\\)." in text
    assert "\\[sic\\]" in text
    assert audited.describe_facts({"dataset": "mine", "recordings": 5})[1] == (
        "5 usable recordings."
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.257, "0.3 s"), (9.949, "9.9 s"), (9.96, "10 s"), (119, "119 s"), (3_209, "53 min")],
)
def test_durations_are_short(value, written):
    assert audited.seconds(value) == written
