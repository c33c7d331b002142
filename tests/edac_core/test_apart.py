import os
import signal
import sys
import threading
import time

import pytest

from edac_core.apart import Workers
from edac_core.audio import load
from edac_core.errors import ApartError, AudioError


@pytest.fixture
def workers():
    workers = Workers(processes=2)
    yield workers
    workers.close()


def test_a_call_is_made_in_another_process_that_lives_on(workers):
    assert not workers.used
    first, second = (workers.call(os.getpid, seconds=20) for _ in range(2))
    assert first == second != os.getpid()
    assert workers.used


def test_an_error_of_the_core_comes_back_as_it_is(workers):
    with pytest.raises(AudioError, match="The recording is an empty file"):
        workers.call(load, b"", seconds=20)


def test_any_other_error_is_a_sentence_about_the_subject(workers):
    with pytest.raises(ApartError, match=r"^cough.wav could not be worked on \(ValueError: "):
        workers.call(int, "five", seconds=20, subject="cough.wav")


class SlowToArrive:
    """Takes seconds to be read by the worker, as the import of a large module does."""

    def __reduce__(self):
        return time.sleep, (2,)


def test_what_a_worker_takes_to_begin_is_not_counted(workers):
    assert workers.call(repr, SlowToArrive(), seconds=1.5) == "None"


def test_what_takes_too_long_is_killed_and_the_next_call_works(workers):
    before = workers.call(os.getpid, seconds=20)
    with pytest.raises(ApartError, match=r"^cough\.wav took longer than 0\.2 s and was stopped"):
        workers.call(time.sleep, 60, seconds=0.2, subject="cough.wav")
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)
    assert workers.call(os.getpid, seconds=20) != before


def test_a_worker_that_dies_is_a_sentence_and_the_next_call_works(workers):
    with pytest.raises(ApartError, match="ended the process that worked on it"):
        workers.call(signal.raise_signal, signal.SIGKILL, seconds=20)
    assert workers.call(abs, -1, seconds=20) == 1


def test_what_takes_too_much_memory_is_a_sentence():
    workers = Workers(processes=1, memory=300 * 2**20)
    with pytest.raises(ApartError, match=r"^cough\.flac needs more than the 0\.29 GiB of memory"):
        workers.call(bytes, 2**30, seconds=20, subject="cough.flac")
    assert workers.call(len, bytes(2**20), seconds=20) == 2**20
    workers.close()


def test_threads_share_the_workers(workers):
    seen = []

    def _sleep_and_tell():
        workers.call(time.sleep, 0.3, seconds=20)
        seen.append(workers.call(os.getpid, seconds=20))

    threads = [threading.Thread(target=_sleep_and_tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert len(set(seen)) <= 2


def test_a_worker_that_cannot_be_started_keeps_its_place(monkeypatch):
    workers = Workers(processes=1)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(
            ApartError, match=r"^No process could be started for cough\.wav \(No such"
        ):
            workers.call(abs, -1, seconds=20, subject="cough.wav")
        # With its place lost, this would wait for ever.
        assert workers._free.qsize() == 1
    assert workers.call(abs, -1, seconds=20) == 1
    workers.close()


def test_a_worker_that_ended_between_calls_is_replaced_and_nobody_is_blamed(workers):
    first = workers.call(os.getpid, seconds=20)
    os.kill(first, signal.SIGKILL)
    time.sleep(0.2)
    assert workers.call(os.getpid, seconds=20) != first


def test_closed_workers_are_started_anew_by_the_next_call(workers):
    first = workers.call(os.getpid, seconds=20)
    workers.close()
    assert workers.call(os.getpid, seconds=20) != first


def test_a_worker_that_does_not_get_ready_is_told_from_work_that_takes_long(workers, monkeypatch):
    monkeypatch.setattr("edac_core.apart._STARTING_SECONDS", 0.01)
    with pytest.raises(ApartError, match=r"process for cough\.wav did not start within 0\.01 s"):
        workers.call(abs, -1, seconds=20, subject="cough.wav")
