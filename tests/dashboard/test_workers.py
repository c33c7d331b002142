import threading

import pytest

from dashboard import workers
from edac_core.errors import ApartError
from edac_core.rehearsal import rehearse


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(workers, "FIRST_PAGE_SECONDS", 0)
    workers.start_early.clear()
    yield
    workers.start_early.clear()


def finish(timers):
    for timer in timers:
        timer.join(30)


def test_each_worker_rehearses_while_the_other_does(at_once, monkeypatch):
    together, called = threading.Barrier(workers.PROCESSES), []

    class Pool:
        def call(self, function, **_):
            together.wait(10)
            called.append(function)

    monkeypatch.setattr(workers, "workers", Pool)
    finish(workers.start_early())
    finish(workers.start_early())
    assert called == [rehearse] * workers.PROCESSES


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_rehearsal_that_fails_disturbs_nobody(at_once, monkeypatch):
    class Pool:
        def call(self, *_, **__):
            raise ApartError("Too much memory: buy more.")

    monkeypatch.setattr(workers, "workers", Pool)
    finish(workers.start_early())
