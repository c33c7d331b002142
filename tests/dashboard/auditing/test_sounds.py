import pytest
from faulty import COUNTS, write_faulty

from dashboard.auditing.sounds import CLIPPED, count, sounds
from edac_core.datasets import open_dataset
from edac_core.datasets.audit import audit


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    folder = write_faulty(tmp_path_factory.mktemp("faulty"))
    return audit(open_dataset("covid19-cough", path=folder))


def names(sound):
    return [row["recording"] for row in sound.recordings]


def test_every_recording_that_was_dropped_can_be_looked_at(audited):
    by_kind = sounds(audited)
    dropped = audited.recordings.query("verdict == 'drop'")["recording"]
    offered = {
        name for kind in by_kind if kind != CLIPPED for sound in by_kind[kind]
        for name in names(sound)
    }  # fmt: skip
    kept = {"copy-a"}
    assert offered == set(dropped) | kept


def test_copies_stand_together(audited):
    by_kind = sounds(audited)
    assert [names(sound) for sound in by_kind["contradictory labels"]] == [
        ["same-0a", "same-0b"],
        ["same-1a", "same-1b", "same-1c", "same-1d"],
    ]
    (copies,) = by_kind["duplicate"]
    assert names(copies) == ["copy-a", "copy-b"]
    assert [row["reason"] for row in copies.recordings] == ["", "duplicate"]


def test_counts_are_those_of_the_audit(audited):
    by_kind = sounds(audited)
    counts = {kind: count(listed, kind) for kind, listed in by_kind.items()}
    assert counts.pop(CLIPPED) == 1
    assert counts == {
        kind: n for kind, n in COUNTS.items() if kind not in {"usable", "missing file"}
    }


def test_what_cannot_be_decoded_is_not_played(audited):
    by_kind = sounds(audited)
    silent = {kind for kind, listed in by_kind.items() if not all(s.audible for s in listed)}
    assert silent == {"undecodable", "empty"}


def test_a_data_set_without_faults_has_nothing_to_listen_to(audited):
    good = audited.recordings["recording"].str.startswith("good")
    assert sounds(type(audited)(audited.recordings[good], audited.metadata_auc)) == {}
