"""Doing jobs on a Dask cluster: a bounded number at a time, each attempted a few times at most."""

from __future__ import annotations

import collections
import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any

from distributed import Event as Mark
from distributed import Future, KilledWorker, as_completed

from edac_core.studies.attempts import TOPIC, Failed, Lost, Outcome, Perform, Unfit, attempt
from edac_core.studies.cluster import Cluster
from edac_core.studies.jobs import equipment
from edac_core.studies.journal import Event, Listener
from edac_core.studies.steps import Branch, Step, described
from edac_core.studies.store import JobResult, Store

ATTEMPTS = 3
"""How often a job is begun, at most, if workers are lost at it or it runs out of memory."""

MOVES = 12
"""How often a job is given to other workers, at most, as those it waited at were lost."""

IN_FLIGHT = 2
"""How many jobs are with the cluster for each that it can do at once: the next is there in time."""


@dataclass(frozen=True)
class _Ready:
    """A step that can be done, and the key of the job whose weights it starts from."""

    step: Step
    start: str | None


@dataclass(frozen=True)
class _Flight:
    """A step that is with the cluster: its task's name, and the data that it was given."""

    ready: _Ready
    task: str
    data: tuple[Future[Any] | None, ...]


@dataclass(frozen=True)
class _Moved:
    """The workers that a job waited at were lost before it began."""


class Execution:
    """Submits jobs as the weights they start from become known and stores what comes back.

    Parameters
    ----------
    cluster
        Where jobs are done.
    perform
        Does a job, in a worker process.
    done, total
        How many of the plan's jobs are finished, and how many there are.
    """

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        listener: Listener,
        *,
        perform: Perform,
        done: int,
        total: int,
    ) -> None:
        self._cluster, self._store, self._listener = cluster, store, listener
        self._perform = perform
        self._done, self._total, self._failed = done, total, 0
        self._known: set[str] = set()
        self._after: dict[str, list[Step]] = {}
        self._waiting: collections.deque[_Ready] = collections.deque()
        self._flights: dict[Future[Outcome], _Flight] = {}
        self._parcels = _Parcels(cluster.send)
        self._troubles: dict[str, _Troubles] = collections.defaultdict(_Troubles)
        self._where: dict[str, str] = {}
        self._queue = as_completed()
        self._order = itertools.count()
        # Runs that share a scheduler share neither tasks nor events.
        self._name = f"edac-{uuid.uuid4().hex}"
        cluster.listen(TOPIC, self._on_report)

    def run(self, branches: tuple[Branch, ...], known: set[str]) -> int:
        """Do what is not known; return how many jobs failed.

        Raises
        ------
        ClusterError
            If the scheduler or all workers are gone, or one of them is no copy of this program.
        """
        self._known = known
        for branch in branches:
            self._after |= branch.after()
        self._waiting.extend(
            _Ready(branch.baseline, self._trained_before(branch.baseline))
            for branch in branches
            if branch.baseline.key not in known
        )
        self._parcels.expect(itertools.chain(self._needs_of_levels(), self._needs_of_baselines()))
        for branch in branches:
            if branch.baseline.key in known:
                self._go_on(branch.baseline)
        self._submit()
        for future in self._queue:
            self._collect(future)
            self._submit()
        return self._failed

    # -- what is to be done ----------------------------------------------------------------

    def _trained_before(self, step: Step) -> str | None:
        """Return the job that has a baseline's weights, if all they depend on is as it was."""
        return None if step.training is None else self._store.trained(step.training)

    def _needs_of_baselines(self) -> Iterator[str]:
        for ready in self._waiting:
            yield from _needs(ready)

    def _needs_of_levels(self) -> Iterator[str]:
        for start, steps in self._after.items():
            for step in steps:
                if step.key not in self._known:
                    yield from _needs(_Ready(step, start))

    def _go_on(self, done: Step) -> None:
        """Let what starts from a finished step and is not known wait for a worker."""
        finished = [done]
        while finished:
            start = finished.pop().key
            for step in self._after[start]:
                if step.key in self._known:
                    finished.append(step)
                else:
                    self._waiting.append(_Ready(step, start))

    # -- to the cluster and back -----------------------------------------------------------

    def _submit(self) -> None:
        most = IN_FLIGHT * max(1, self._cluster.slots())
        while self._waiting and len(self._flights) < most:
            self._launch(self._waiting.popleft())

    def _launch(self, ready: _Ready) -> None:
        order, job = next(self._order), ready.step.job
        data = self._send(ready)
        task = f"{self._name}-{ready.step.key}-{order}"
        future = self._cluster.client.submit(
            attempt, self._perform, job, *data, self._cluster.threads, equipment(),
            key=task, priority=-order, resources=self._cluster.resources or None,
        )  # fmt: skip
        self._flights[future] = _Flight(ready, task, data)
        self._queue.add(future)

    def _send(self, ready: _Ready) -> tuple[Future[Any] | None, Future[Any] | None]:
        """Return a step's inputs and the weights it starts from, which are on the cluster."""
        inputs, start = ready.step.inputs, ready.start
        sent = self._parcels.get(inputs.fingerprint, lambda: inputs)
        if start is None:
            return sent, None
        return sent, self._parcels.get(start, lambda: self._store.weights(start))

    def _collect(self, future: Future[Outcome]) -> None:
        flight = self._flights.pop(future)
        outcome = self._outcome(future, flight)
        worker = self._where.pop(flight.task, None)
        match outcome:
            case JobResult():
                self._keep(flight.ready, outcome)
            case Failed(reason, again=False):
                self._fail(flight.ready, reason)
            case Failed(reason):
                self._try_again(flight.ready, _Trouble("it ran out of memory", reason))
            case Lost():
                Mark(flight.task, client=self._cluster.client).clear()
                ending = self._cluster.ending(worker)
                self._try_again(flight.ready, _Trouble("its worker process ended", ending))
            case Unfit():
                raise self._cluster.unfit(outcome.worker, outcome.differences)
            case _Moved():
                self._move(flight)

    def _outcome(self, future: Future[Outcome], flight: _Flight) -> Outcome | _Moved:
        try:
            return future.result()
        except (KilledWorker, CancelledError):  # Dask gave up, or the job's data were lost.
            self._cluster.require_scheduler()
        except Exception as error:  # noqa: BLE001 - such as a result that cannot be sent
            self._cluster.require_scheduler()
            return Failed(f"{type(error).__name__}: {error}")
        mark = Mark(flight.task, client=self._cluster.client)
        return Lost() if mark.is_set() else _Moved()

    # -- what became of it -----------------------------------------------------------------

    def _keep(self, ready: _Ready, result: JobResult) -> None:
        step = ready.step
        self._store.put_job(
            step.key, step.job.to_dict(), step.inputs.record.key, result, training=step.training
        )
        self._done += 1
        self._end(ready)
        self._tell("finished", step, seconds=result.seconds)
        self._go_on(step)

    def _try_again(self, ready: _Ready, trouble: _Trouble) -> None:
        troubles = self._troubles[ready.step.key]
        troubles.met.append(trouble)
        if len(troubles.met) == ATTEMPTS:
            self._fail(ready, troubles.describe())
            return
        self._tell("retrying", ready.step, reason=f"{trouble.what} ({trouble.how})")
        self._waiting.append(ready)

    def _move(self, flight: _Flight) -> None:
        """Give a job to other workers: it may not be what ended those that it waited at."""
        self._parcels.forget(flight.data)
        troubles = self._troubles[flight.ready.step.key]
        troubles.moves += 1
        if troubles.moves < MOVES:
            self._waiting.appendleft(flight.ready)
            return
        reason = (
            f"the workers that it was given to were lost before it began, {MOVES} times: look "
            "whether they have the memory to hold its data"
        )
        self._fail(flight.ready, reason)

    def _fail(self, ready: _Ready, reason: str) -> None:
        """Record a failure, and that of all that would have gone on from it."""
        failed = collections.deque([(ready, reason)])
        while failed:
            ended, why = failed.popleft()
            self._record_failure(ended, why)
            step = ended.step
            for later in self._after[step.key]:
                if later.key in self._known:
                    self._go_on(later)
                else:
                    because = f"{step.job.describe()}, which it starts from, failed"
                    failed.append((_Ready(later, step.key), because))

    def _record_failure(self, ready: _Ready, reason: str) -> None:
        step = ready.step
        self._store.put_failure(step.key, step.job.to_dict(), reason)
        self._failed += 1
        self._end(ready)
        self._tell("failed", step, reason=reason)

    def _end(self, ready: _Ready) -> None:
        """Let go of what only this step needed."""
        self._troubles.pop(ready.step.key, None)
        for name in _needs(ready):
            self._parcels.release(name)

    def _tell(self, kind: str, step: Step, **detail: Any) -> None:
        detail = {**described(step.job), **detail}
        self._listener(Event(kind, step.job.describe(), self._done, self._total, detail))

    def _on_report(self, report: Mapping[str, Any]) -> None:
        """Hear of a task that begins, or of an epoch."""
        task = str(report["task"])
        if not task.startswith(self._name):
            return
        detail = {name: value for name, value in report.items() if name != "task"}
        if "worker" in detail:
            self._where[task] = detail["worker"]
        kind = "epoch" if "number" in detail else "started"
        self._listener(Event(kind, detail["job"], self._done, self._total, detail))


def _needs(ready: _Ready) -> Iterator[str]:
    """Name the data that a step is given."""
    yield ready.step.inputs.fingerprint
    if ready.start is not None:
        yield ready.start


class _Parcels:
    """Data on the cluster: sent when it is first needed, kept while steps are left that need it."""

    def __init__(self, send: Callable[[Any], Future[Any]]) -> None:
        self._send = send
        self._needs: collections.Counter[str] = collections.Counter()
        self._sent: dict[str, Future[Any]] = {}

    def expect(self, names: Iterable[str]) -> None:
        """Count the steps that need each parcel."""
        self._needs.update(names)

    def get(self, name: str, load: Callable[[], Any]) -> Future[Any] | None:
        """Return a parcel; it is sent if it was not, or was lost with its last worker."""
        sent = self._sent.get(name)
        if sent is None or sent.status != "finished":
            data = load()
            if data is None:
                return None
            sent = self._sent[name] = self._send(data)
        return sent

    def release(self, name: str) -> None:
        """Say that a step which needed a parcel is done."""
        self._needs[name] -= 1
        if not self._needs[name]:
            del self._needs[name]
            self._sent.pop(name, None)

    def forget(self, lost: Iterable[Future[Any] | None]) -> None:
        """Send these again when they are next needed."""
        for name in [name for name, sent in self._sent.items() if sent in lost]:
            del self._sent[name]


@dataclass(frozen=True)
class _Trouble:
    """How an attempt ended: what happened, and how."""

    what: str
    how: str


@dataclass
class _Troubles:
    """What befell one job."""

    met: list[_Trouble] = field(default_factory=list)
    moves: int = 0

    def describe(self) -> str:
        """Say why there is no further attempt, and what can be done."""
        kinds = collections.Counter(trouble.what for trouble in self.met)
        said = " and ".join(
            f"{what} {_COUNTS[count]} ({', '.join(self._how(what))})"
            for what, count in kinds.items()
        )
        return f"{said}: {_REMEDY}"

    def _how(self, what: str) -> Iterable[str]:
        return dict.fromkeys(trouble.how for trouble in self.met if trouble.what == what)


_COUNTS = {1: "once", 2: "twice", 3: "three times"}
_REMEDY = (
    "look into the run's log, or give each worker more memory (fewer --workers on this machine), "
    "and run again"
)
