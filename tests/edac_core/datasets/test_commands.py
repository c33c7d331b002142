"""What `edac data` prints of a data set."""

import csv
import json

import pytest

from edac_core.cli import main


@pytest.fixture
def coswara(tmp_path, write_noise):
    folder = tmp_path / "Coswara-Data"
    lines = ["id,covid_status"]
    for index in range(8):
        date = folder / "Extracted_data" / "20200413" / f"p{index}"
        write_noise(date / "cough-shallow.wav", seed=index, gain=0 if index == 7 else 0.1)
        lines.append(f"p{index},{'positive_mild' if index % 2 else 'healthy'}")
    lines += ["gone,healthy", "waiting,under_validation", ""]
    (folder / "combined_data.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture
def audited(coswara, tmp_path, capsys):
    def run(*options):
        arguments = ["--path", str(coswara), "--cache", str(tmp_path / "cache"), *options]
        assert main(["data", "audit", "coswara", *arguments]) == 0
        return capsys.readouterr().out

    return run


NOTE = (
    "8 of 10 listed recordings are here, 4 labelled negative and 4 positive; "
    "EDAC has 1,984 and 681."
)


def test_an_audit_is_valid_json_lines(audited):
    verdicts, metadata, notes = (json.loads(line) for line in audited("--json").splitlines())
    assert {row["verdict"]: row["recordings"] for row in verdicts} == {
        "usable": 7,
        "silent": 1,
        "missing file": 1,
        "status under_validation is not used": 1,
    }
    assert {row["property"] for row in metadata} >= {"duration", "channel balance"}
    assert notes == {"notes": [NOTE]}


def test_an_audit_is_for_people_without_options(audited):
    text = audited()
    assert text.startswith("Coswara (shallow coughs), licence: CC BY 4.0\n")
    assert "What predicts the label without the sound" in text
    assert "NaN" not in text
    assert text.endswith(f"\n{NOTE}\n")


def test_an_audit_of_one_label_says_that_nothing_can_be_said(audited, coswara):
    table = coswara / "combined_data.csv"
    table.write_text(table.read_text().replace("positive_mild", "healthy"))
    assert "Too few usable recordings of one label" in audited()


def test_an_audit_as_csv_is_one_row_a_recording(audited):
    lines = audited("--csv").splitlines()
    assert lines[0].startswith("recording,path,label")
    assert len(lines) == 11
    rows = {row["recording"]: row for row in csv.DictReader(lines)}
    assert (rows["gone"]["verdict"], rows["gone"]["reason"]) == ("drop", "missing file")


def test_a_download_by_hand_is_one_sentence(tmp_path, capsys):
    assert main(["data", "download", "coughvid", "--path", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "https://zenodo.org/records/7024894" in error
    assert error.count("\n") == 1
