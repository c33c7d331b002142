import shutil
import threading
import time
from itertools import chain

import pandas as pd
import pytest
from faulty import write_faulty

from dashboard.auditing import audits
from dashboard.auditing.audits import AuditJob, Audits, Progress, Source
from edac_core.apart import Workers
from edac_core.datasets import open_dataset
from edac_core.datasets.audit import audit
from edac_core.errors import ApartError


class Here:
    """Stands for the workers: calls at once, and remembers batches."""

    def __init__(self, *, before=lambda: None):
        self.batches, self._before = [], before

    def call(self, function, **_):
        (first,) = function.args
        if isinstance(first, list) and first:
            self._before()
            self.batches.append(first)
        return function()


class Broken:
    def call(self, _function, *, seconds, subject):
        raise ApartError(f"{subject} took longer than {seconds:g} s and was stopped.")


@pytest.fixture
def source(tmp_path):
    folder = write_faulty(tmp_path)
    return Source("covid19-cough", "1", open_dataset("covid19-cough", path=folder))


def test_a_job_finds_what_the_audit_finds(source, tmp_path):
    here = Here()
    job = AuditJob(source, apart=here, cache=tmp_path / "cache")
    assert job.wait(30)
    expected = audit(source.dataset)
    pd.testing.assert_frame_equal(job.found.audit.recordings, expected.recordings)
    pd.testing.assert_frame_equal(job.found.audit.metadata_auc, expected.metadata_auc)
    assert sorted(chain(*here.batches)) == sorted(source.dataset.recordings["path"])
    assert (job.progress.done, job.progress.total) == (32, 32)


def test_a_job_that_fails_says_why(source, tmp_path):
    job = AuditJob(source, apart=Broken(), cache=tmp_path)
    assert job.wait(30)
    assert job.found is None
    assert job.problem.startswith("The audit of covid19-cough took longer than 600 s")


def test_a_job_stops_as_soon_as_one_of_its_workers_fails(source, tmp_path, monkeypatch):
    monkeypatch.setattr(audits, "FIRST_BATCH", 1)
    failed = threading.Event()

    def fail_once():
        if not failed.is_set():
            failed.set()
            raise ApartError("The first batch was too much.")
        time.sleep(0.05)

    here = Here(before=fail_once)
    job = AuditJob(source, apart=here, cache=tmp_path / "cache")
    assert job.wait(30)
    assert job.problem == "The first batch was too much."
    assert len(here.batches) <= 1


def test_others_get_their_turn_at_the_workers_during_an_audit(source, tmp_path, monkeypatch):
    monkeypatch.setattr(audits, "FIRST_BATCH", 1)
    monkeypatch.setattr(audits, "_BATCH_SECONDS", 0.0)
    workers = Workers(processes=1)
    try:
        job = AuditJob(source, apart=workers, cache=tmp_path / "cache")
        while not job.progress.done:
            time.sleep(0.001)
        assert workers.call(abs, -1, seconds=30) == 1
        assert job.progress.done < job.progress.total
        assert job.wait(60)
    finally:
        workers.close()


def test_a_job_that_is_given_up_stops_between_batches(source, tmp_path, monkeypatch):
    monkeypatch.setattr(audits, "FIRST_BATCH", 4)
    both, go_on = threading.Barrier(3), threading.Event()

    def hold():
        both.wait(30)
        assert go_on.wait(30)

    here = Here(before=hold)
    job = AuditJob(source, apart=here, cache=tmp_path / "cache")
    both.wait(30)
    job.give_up()
    go_on.set()
    assert job.wait(30)
    assert job.found is None
    assert [len(batch) for batch in here.batches] == [4, 4]


def test_all_sessions_share_a_job_until_the_folder_changes(source, tmp_path):
    known = Audits()
    ask = {"apart": Here(), "cache": tmp_path / "cache"}
    job = known.job(source, **ask)
    assert known.job(source, **ask) is job
    other = known.job(Source(source.name, "2", source.dataset), **ask)
    assert other is not job
    known.forget(job)
    assert known.job(other.source, **ask) is other
    known.forget(other)
    assert known.job(other.source, **ask) is not other


def test_the_stamp_changes_with_the_folder(stores, monkeypatch, tmp_path):
    def source():
        audits._source_in.clear()
        return audits._source("covid19-cough")

    stores()
    folder = write_faulty(tmp_path)
    monkeypatch.setenv("EDAC_DATA_DIR", str(folder.parent))
    first = source()
    assert source().stamp == first.stamp
    recording = folder / "raw" / "same-0a.mp3"
    shutil.copy(folder / "raw" / "good-01.mp3", recording)
    second = source()
    assert second.stamp != first.stamp
    recording.unlink()
    assert source().stamp != second.stamp


def test_what_is_left_is_told_from_what_is_done():
    assert Progress(total=10).seconds_left is None
    assert Progress(done=20, total=100, seconds=5).seconds_left == 20


def test_batches_hold_every_path_once_and_grow_while_they_are_quick():
    paths = [f"p{index}" for index in range(1_000)]
    batches = list(audits._batches(paths))
    assert list(chain(*batches)) == paths
    assert [len(batch) for batch in batches[:3]] == [16, 64, 256]


def test_batches_shrink_when_they_are_slow(monkeypatch):
    clock = iter(range(0, 10_000, 8))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    sizes = [len(batch) for batch in audits._batches([str(index) for index in range(40)])]
    assert sizes[:4] == [16, 2, 1, 1]
    assert sum(sizes) == 40
