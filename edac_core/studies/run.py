"""Running a study: its jobs on Dask, its latencies alone, everything into the store.

A run computes what the store does not know yet. It can be stopped at any moment, by any means:
the next run of the same plan goes on with what is missing.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from distributed import Client, Future, LocalCluster, as_completed, get_worker

from edac_core.compress import REFERENCE_PRECISION
from edac_core.errors import EdacError
from edac_core.locations import SHIPPED
from edac_core.measure.latency import machine, measure_latency
from edac_core.studies.estimate import Pace, read_costs
from edac_core.studies.inputs import SplitInputs, open_data, prepare
from edac_core.studies.jobs import Family, Job, expand, job_keys, training_key
from edac_core.studies.journal import Event, Listener, journal, only_writer
from edac_core.studies.plan import Plan
from edac_core.studies.protocols import ORIGINAL
from edac_core.studies.store import JobResult, Store, variant_key

TOPIC = "edac-epochs"
_LATENCY_INPUTS = 100
_LATENCY_GROUP = 12
_LATENCY_BYTES = 5e8


@dataclass(frozen=True)
class Summary:
    """How a run ended."""

    study: str
    jobs: int
    computed: int
    failed: int


@dataclass(frozen=True)
class Step:
    """A job with all that it needs but the weights it starts from.

    `training` is the key of a baseline's training; see `edac_core.studies.jobs.training_key`.
    """

    job: Job
    key: str
    inputs: SplitInputs
    training: str | None = None


@dataclass(frozen=True)
class Branch:
    """The steps of one family; see `edac_core.studies.jobs.Family`."""

    baseline: Step
    chains: tuple[tuple[Step, ...], ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The baseline, then its levels."""
        return (self.baseline, *(step for chain in self.chains for step in chain))

    def after(self) -> dict[str, list[Step]]:
        """Return the steps that start from each step's weights, by its key."""
        found: dict[str, list[Step]] = {step.key: [] for step in self.steps}
        for chain in self.chains:
            for before, step in itertools.pairwise((self.baseline, *chain)):
                found[before.key].append(step)
        return found


def run_study(
    plan: Plan,
    *,
    cache: Path,
    workers: int | None = None,
    scheduler: str | None = None,
    listener: Listener = print,
) -> Summary:
    """Run what the store in `cache` does not know of a plan yet.

    Parameters
    ----------
    plan
        The study.
    cache
        Folder of the store, the audits and the features.
    workers
        Worker processes on this machine; by default one a core.
    scheduler
        Address of a Dask scheduler to use instead, such as ``tcp://host:8786``.
    listener
        Called in this process with everything that happens, which is also written to the run's
        journal; see `edac_core.studies.journal`.

    Raises
    ------
    DataError, AudioError, PlanError
        If the data set is missing or does not fit the plan.
    StoreError
        If the store cannot be written, or another run writes to it.
    """
    workers = workers or os.cpu_count() or 1
    store = Store(cache)
    with (
        only_writer(store.folder),
        contextlib.closing(store),
        journal(cache, plan) as record,
    ):

        def tell(event: Event) -> None:
            record(event)
            listener(event)

        return _run(plan, store, cache=cache, workers=workers, scheduler=scheduler, listener=tell)


def _run(
    plan: Plan,
    store: Store,
    *,
    cache: Path,
    workers: int,
    scheduler: str | None,
    listener: Listener,
) -> Summary:
    branches = _prepare(plan, store, cache=cache, workers=workers, listener=listener)
    steps = [step for branch in branches for step in branch.steps]
    known = store.finished(step.key for step in steps)
    missing = [step for step in steps if step.key not in known]
    outlook = {"workers": None if scheduler else workers, "outlook": _outlook(missing, cache)}
    listener(Event("planned", plan.name, len(known), len(steps), outlook))
    failed = 0
    if missing:
        with _client(scheduler, workers) as client:
            failed = _Execution(client, store, listener, done=len(known), total=len(steps)).run(
                branches, known
            )
    _measure_latencies(branches, store, calls=plan.latency_calls, listener=listener)
    listener(Event("done", plan.name, len(steps) - failed, len(steps)))
    return Summary(plan.name, len(steps), len(missing) - failed, failed)


def _outlook(missing: Iterable[Step], cache: Path) -> list[dict[str, Any]]:
    """Say of each kind of job how many are to be done and how long one may take."""
    pace = Pace(read_costs([cache, SHIPPED]))
    kinds: dict[tuple[str, str], list[Step]] = {}
    for step in missing:
        kinds.setdefault((step.job.model, step.job.kind), []).append(step)
    rows: list[dict[str, Any]] = []
    for (model, kind), steps in kinds.items():
        expected = pace.expect(steps[0].job, examples=len(steps[0].inputs.training.labels))
        seconds = None if expected is None else expected.seconds
        rows.append({"model": model, "kind": kind, "jobs": len(steps), "seconds": seconds})
    return rows


def perform(job: Job, inputs: SplitInputs, start: bytes | None, threads: int | None) -> JobResult:
    """Do one job in a worker process, which is where TensorFlow is imported."""
    from edac_core.models.backend import use_threads  # noqa: PLC0415 - not in the driver
    from edac_core.studies.work import run_job  # noqa: PLC0415 - not in the driver

    if threads is not None:
        use_threads(threads)
    worker = get_worker()
    begun = {"job": job.describe(), **_described(job), "epochs": job.epochs}
    worker.log_event(TOPIC, begun)

    def report(epoch: Any) -> None:
        worker.log_event(TOPIC, {**begun, **asdict(epoch)})

    return run_job(job, inputs, start, on_epoch=report)


class _Execution:
    """Submits jobs as the weights they start from become known and stores what comes back."""

    def __init__(
        self, client: Client, store: Store, listener: Listener, *, done: int, total: int
    ) -> None:
        self._client, self._store, self._listener = client, store, listener
        self._done, self._total, self._failed = done, total, 0
        self._known: set[str] = set()
        self._after: dict[str, list[Step]] = {}
        self._steps: dict[Future[JobResult], Step] = {}
        self._data: dict[str, Future[SplitInputs]] = {}
        self._queue = as_completed()
        self._order = itertools.count()
        self._threads = _threads_per_worker(client)
        client.subscribe_topic(TOPIC, self._on_epoch)

    def run(self, branches: tuple[Branch, ...], known: set[str]) -> int:
        """Do what is not known; return how many jobs failed."""
        self._known = known
        for branch in branches:
            self._after |= branch.after()
            if branch.baseline.key not in known:
                self._submit(branch.baseline, self._trained_before(branch.baseline))
        for branch in branches:
            if branch.baseline.key in known:
                self._go_on(branch.baseline)
        for future in self._queue:
            self._collect(future)
        return self._failed

    def _submit(self, step: Step, start: Future[bytes] | None) -> None:
        future = self._client.submit(
            perform, step.job, self._scattered(step.inputs), start, self._threads,
            key=f"edac-{step.key}", priority=-next(self._order),
        )  # fmt: skip
        self._steps[future] = step
        self._queue.add(future)

    def _trained_before(self, step: Step) -> Future[bytes] | None:
        """Return a baseline's weights, if all that they depend on is as it was."""
        job = None if step.training is None else self._store.trained(step.training)
        if job is None:
            return None
        weights: Future[bytes] = self._client.scatter(self._store.weights(job), hash=False)
        return weights

    def _go_on(self, done: Step) -> None:
        """Submit what starts from a finished step and is not known."""
        missing = [step for step in self._after[done.key] if step.key not in self._known]
        if missing:
            scattered = self._client.scatter(self._store.weights(done.key), hash=False)
            for step in missing:
                self._submit(step, scattered)
        for step in self._after[done.key]:
            if step.key in self._known:
                self._go_on(step)

    def _scattered(self, inputs: SplitInputs) -> Future[SplitInputs]:
        if inputs.fingerprint not in self._data:
            self._data[inputs.fingerprint] = self._client.scatter(inputs, hash=False)
        return self._data[inputs.fingerprint]

    def _collect(self, future: Future[JobResult]) -> None:
        step = self._steps.pop(future)
        if future.status != "finished":
            self._fail(step, _reason(future))
            return
        result = future.result()
        self._store.put_job(
            step.key, step.job.to_dict(), step.inputs.record.key, result, training=step.training
        )
        self._done += 1
        self._tell("finished", step, seconds=result.seconds)
        self._go_on(step)

    def _fail(self, step: Step, reason: str) -> None:
        """Record a failure, and that of all that would have gone on from it."""
        self._record_failure(step, reason)
        for later in self._after[step.key]:
            if later.key not in self._known:
                self._fail(later, f"{step.job.describe()}, which it starts from, failed")

    def _record_failure(self, step: Step, reason: str) -> None:
        self._store.put_failure(step.key, step.job.to_dict(), reason)
        self._failed += 1
        self._tell("failed", step, reason=reason)

    def _tell(self, kind: str, step: Step, **detail: Any) -> None:
        detail = {**_described(step.job), **detail}
        self._listener(Event(kind, step.job.describe(), self._done, self._total, detail))

    def _on_epoch(self, event: tuple[float, Mapping[str, Any]]) -> None:
        detail = event[1]
        kind = "epoch" if "number" in detail else "started"
        self._listener(Event(kind, detail["job"], self._done, self._total, detail))


def _described(job: Job) -> dict[str, Any]:
    return {"model": job.model, "kind": job.kind}


def _prepare(
    plan: Plan, store: Store, *, cache: Path, workers: int, listener: Listener
) -> tuple[Branch, ...]:
    def progress(what: str, done: int, total: int) -> None:
        listener(Event("preparing", what, done, total))

    progress("audit of the recordings", 0, 0)
    data = open_data(plan.data, cache=cache, workers=workers)
    families = expand(plan)
    inputs = {
        wanted: prepare(
            data.audit.usable, protocol=plan.data.protocol, recipe=recipe, seed=seed,
            frontend=frontend, cache=cache, workers=workers, progress=progress,
        )
        for wanted in sorted({_wanted(family) for family in families})
        for seed, frontend, recipe in [wanted]
    }  # fmt: skip
    branches = tuple(_branch(family, inputs[_wanted(family)]) for family in families)
    _register(plan, data.facts(), branches, store)
    return branches


def _wanted(family: Family) -> tuple[int, str, str]:
    """Return what decides a family's inputs: split seed, front-end and recipe."""
    spec = family.baseline.spec
    return family.baseline.split_seed, spec.frontend, spec.recipe


def _branch(family: Family, inputs: SplitInputs) -> Branch:
    keys = job_keys(family, inputs.fingerprint)
    steps = {job: Step(job, keys[job], inputs) for job in family.jobs}
    training = training_key(family.baseline, inputs.fingerprint)
    steps[family.baseline] = replace(steps[family.baseline], training=training)
    chains = tuple(tuple(steps[job] for job in chain) for chain in family.chains)
    return Branch(steps[family.baseline], chains)


def _register(
    plan: Plan, facts: Mapping[str, Any], branches: tuple[Branch, ...], store: Store
) -> None:
    networks = {branch.baseline.job.model: _network_facts(branch) for branch in branches}
    first = next(iter(networks.values()))
    data = {**facts, "networks": networks, "sets": first["sets"]}
    store.put_study(plan.name, title=plan.title, plan=plan.to_dict(), data=data)
    for branch in branches:
        store.put_split(branch.baseline.inputs.record)
    store.claim(plan.name, [step.key for branch in branches for step in branch.steps])


def _network_facts(branch: Branch) -> dict[str, Any]:
    """Say how a network is called and how many recordings, and copies of them, it learns from."""
    inputs, spec = branch.baseline.inputs, branch.baseline.job.spec
    examples = inputs.record.recordings
    sets = examples[examples["copy"] == ORIGINAL]["set"].value_counts()
    return {
        "title": spec.title,
        "frontend": spec.frontend,
        "recipe": spec.recipe,
        "sets": {str(name): int(n) for name, n in sets.items()},
        "training_examples": len(inputs.training.labels),
        "test_examples": len(inputs.test.labels),
    }


def _measure_latencies(
    branches: tuple[Branch, ...], store: Store, *, calls: int, listener: Listener
) -> None:
    """Time what has no latency on this machine yet, always beside the float32 baseline."""
    here = machine()
    todo = [(branch, _unmeasured(branch, store, here)) for branch in branches]
    total = sum(len(keys) for _, keys in todo)
    done = 0
    for branch, keys in todo:
        for group in _groups(keys, store):
            listener(Event("measuring", "latency", done, total))
            _measure_group(group, branch, store, calls=calls, here=here)
            done += len(group)


def _groups(keys: list[str], store: Store) -> Iterator[list[str]]:
    """Divide variants into groups that fit into memory together."""
    sizes = store.raw_bytes(keys)
    group: list[str] = []
    for key in keys:
        held = sum(sizes[other] for other in group)
        if group and (len(group) == _LATENCY_GROUP or held + sizes[key] > _LATENCY_BYTES):
            yield group
            group = []
        group.append(key)
    if group:
        yield group


def _unmeasured(branch: Branch, store: Store, here: Mapping[str, Any]) -> list[str]:
    done = store.finished(step.key for step in branch.steps)
    if branch.baseline.key not in done:
        return []
    keys = [step.key for step in branch.steps if step.key in done]
    measured = store.measured_on(here)
    return [key for key in store.variants_of(keys) if key not in measured]


def _measure_group(
    keys: list[str],
    branch: Branch,
    store: Store,
    *,
    calls: int,
    here: Mapping[str, Any],
) -> None:
    reference = variant_key(branch.baseline.key, REFERENCE_PRECISION)
    models = {key: store.model_of(key) for key in dict.fromkeys([reference, *keys])}
    inputs = branch.baseline.inputs.test.features[:_LATENCY_INPUTS]
    latencies = measure_latency(models, inputs, calls=calls)
    store.put_latencies(latencies, baseline=reference, machine=here)


@contextlib.contextmanager
def _client(scheduler: str | None, workers: int) -> Iterator[Client]:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if scheduler is not None:
        with Client(scheduler) as client:
            yield client
        return
    cluster = LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    )
    with cluster, Client(cluster) as client:
        yield client


def _threads_per_worker(client: Client) -> int | None:
    """Share this machine's cores between its workers; leave a cluster's to itself."""
    if not isinstance(client.cluster, LocalCluster):
        return None
    return max(1, (os.cpu_count() or 1) // len(client.cluster.workers))


def _reason(future: Future[JobResult]) -> str:
    try:
        error = future.exception()
    except CancelledError:
        return "it was cancelled"
    return str(error) if isinstance(error, EdacError) else f"{type(error).__name__}: {error}"
