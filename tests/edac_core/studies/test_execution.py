import functools
import itertools
from dataclasses import replace

import distributed
import pytest
import stubs
from distributed import LocalCluster

from edac_core.errors import ClusterError
from edac_core.studies import attempts, execution
from edac_core.studies import run as run_module
from edac_core.studies.cluster import Cluster, exit_words, memory_limit
from edac_core.studies.execution import IN_FLIGHT
from edac_core.studies.jobs import equipment, expand
from edac_core.studies.run import run_study

SLOTS = 2


@pytest.fixture(scope="module")
def scheduler():
    with LocalCluster(
        n_workers=1, threads_per_worker=SLOTS, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def study(monkeypatch, tmp_path, scheduler):
    """Return a function that runs a plan of stub jobs in threads of this process."""
    monkeypatch.setattr(run_module, "open_data", lambda *_a, **_k: stubs.Data())
    monkeypatch.setattr(run_module, "prepare", lambda _u, *, seed, **_k: stubs.inputs_of(seed))
    monkeypatch.setattr(run_module, "measure_latencies", lambda *_a, **_k: None)

    def run(plan, *, listener=lambda _event: None, **options):
        monkeypatch.setattr(run_module, "perform", functools.partial(stubs.perform, **options))
        return run_study(plan, cache=tmp_path, scheduler=scheduler, listener=listener)

    return run


def levels(count, **changes):
    return stubs.plan(*(round(0.1 + 0.8 * n / count, 6) for n in range(count)), **changes)


def test_no_more_jobs_are_with_the_cluster_than_it_can_soon_do(study):
    """However many there are; beside them, the recordings and the weights they start from."""
    alive = []

    def count(event):
        if event.kind == "finished":
            alive.append(len(distributed.default_client().futures))

    summary = study(levels(150), listener=count)
    assert (summary.computed, summary.failed) == (151, 0)
    assert max(alive) <= IN_FLIGHT * SLOTS + 2
    assert len(alive) == 151


def test_an_attempt_that_finds_its_mark_begins_nothing_however_often_it_is_asked(scheduler):
    """Its answer may be lost with a second worker, whereupon Dask asks again."""
    (family,) = expand(stubs.plan(0.5))
    with distributed.Client(scheduler) as client:
        mark = distributed.Event("marked", client=client)
        mark.set()
        arguments = stubs.perform, family.baseline, None, None, None, equipment()
        found = client.submit(
            lambda: [attempts.attempt(*arguments) for _ in range(2)], key="marked"
        ).result()
        assert found == [attempts.Lost(), attempts.Lost()]
        assert mark.is_set()
        mark.clear()


def test_data_are_sent_once_and_let_go_when_no_step_is_left(study, monkeypatch):
    sent, held = [], []

    def send(cluster, data, *, real=Cluster.send):
        sent.append(type(data).__name__)
        return real(cluster, data)

    def look(event):
        if event.kind == "finished":
            held.append([
                name for name in distributed.default_client().futures if not name.startswith("edac")
            ])  # fmt: skip

    monkeypatch.setattr(Cluster, "send", send)
    plan = levels(20)
    study(replace(plan, data=replace(plan.data, split_seeds=(1, 2))), listener=look)
    assert sorted(sent) == ["SplitInputs", "SplitInputs", "bytes", "bytes"]
    # The levels of the second split come last: what the first needed is no longer there.
    assert max(map(len, held)) <= 4
    assert len(held[-1]) == 2


def test_jobs_are_begun_in_the_order_of_the_plan(study, tmp_path):
    begun = []

    def listen(event):
        if event.kind == "started":
            begun.append(event.text)

    study(levels(12), listener=listen)
    expected = [f"cnn constant {100 * (0.1 + 0.8 * n / 12):.1f}%" for n in range(12)]
    found = [text.partition(",")[0] for text in begun[1:]]
    assert set(found) == set(expected)
    # Two run at once, so neighbours may change places.
    assert all(abs(found.index(text) - n) < IN_FLIGHT * SLOTS for n, text in enumerate(expected))


def test_a_chain_of_thousands_of_levels_needs_no_stack(study):
    """Known levels are passed over, failed ones take along all that come after."""
    plan = levels(3000, start="previous")
    (first, *_) = plan.compression.sparsities
    summary = study(plan, fates={first: "mistake"})
    assert (summary.computed, summary.failed) == (1, 3000)


def test_a_worker_that_comes_later_with_other_libraries_ends_the_run(study, monkeypatch, tmp_path):
    monkeypatch.setattr(attempts, "equipment", lambda: {"edac_core": "other"})
    with pytest.raises(ClusterError, match="edac_core other where the run has"):
        study(levels(2))


def test_a_job_whose_workers_are_lost_before_it_begins_is_given_up_in_the_end(study, monkeypatch):
    """As where no worker can hold its data: it is not begun, so it is not blamed at once."""
    moves = itertools.count()

    def lose(_execution, _future, flight, *, real=execution.Execution._outcome):
        if flight.ready.step.job.is_baseline:
            return real(_execution, _future, flight)
        next(moves)
        return execution._Moved()

    monkeypatch.setattr(execution.Execution, "_outcome", lose)
    summary = study(levels(1))
    assert (summary.computed, summary.failed) == (1, 1)
    assert next(moves) == execution.MOVES


def test_runs_that_share_a_scheduler_hear_of_their_own_jobs_only(study, scheduler):
    heard = []
    report = {"task": "edac-another-1", "job": "of another run", "epochs": 1}

    def listen(event):
        heard.append(event)
        if event.kind == "planned":
            return
        if event.kind == "finished" and event.done == 1:
            distributed.default_client().log_event(attempts.TOPIC, report)

    study(levels(6), listener=listen)
    assert "of another run" not in {event.text for event in heard}
    assert [event.kind for event in heard].count("started") == 7


@pytest.mark.parametrize(
    ("code", "words"),
    [(3, "exit status 3"), (-9, "killed by signal 9: Killed")],
)
def test_an_exit_code_is_said_in_words(code, words):
    assert exit_words(code) == words


@pytest.mark.parametrize(
    ("machine", "workers", "limit"), [(24, 2, 12), (24, 4, 6), (16, 4, 6), (4, 2, 4)]
)
def test_workers_share_the_memory_but_each_may_hold_the_largest_job(
    machine, workers, limit, monkeypatch
):
    monkeypatch.setattr("edac_core.studies.cluster.MEMORY_LIMIT", machine * 10**9)
    assert memory_limit(workers) == limit * 10**9
