import threading

import pytest

from dashboard import workers
from edac_core.errors import ApartError
from edac_core.rehearsal import rehearse


class Pool:
    used = False

    def __init__(self):
        self.together, self.called = threading.Barrier(workers.PROCESSES + 1), []

    def call(self, function, **_):
        self.called.append(function)
        self.together.wait(10)
        raise ApartError("Too much memory: buy more.")


@pytest.fixture
def pool(monkeypatch):
    pool = Pool()
    monkeypatch.setattr(workers, "workers", lambda: pool)
    monkeypatch.setattr(workers, "FIRST_PAGE_SECONDS", 0)
    workers.start_early.clear()
    yield pool
    workers.start_early.clear()


def test_each_worker_rehearses_once_while_the_other_does_and_may_fail(pool):
    assert workers.start_early() is workers.start_early()
    pool.together.wait(10)
    assert pool.called == [rehearse] * workers.PROCESSES


def test_workers_that_are_used_already_are_left_alone(pool):
    pool.used = True
    workers.start_early().join(10)
    assert not pool.called
