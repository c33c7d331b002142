"""Running a study: its jobs on Dask, its latencies alone, everything into the store.

A run computes what the store does not know yet. It can be stopped at any moment, by any means:
the next run of the same plan goes on with what is missing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from distributed import get_worker

from edac_core.locations import SHIPPED
from edac_core.studies.attempts import TOPIC, begun
from edac_core.studies.cluster import connect
from edac_core.studies.estimate import Pace, read_costs
from edac_core.studies.execution import Execution
from edac_core.studies.inputs import SplitInputs, open_data, prepare
from edac_core.studies.jobs import Family, Job, expand, job_keys, training_key
from edac_core.studies.journal import Event, Listener, journal, only_writer
from edac_core.studies.latencies import measure_latencies
from edac_core.studies.plan import Plan
from edac_core.studies.protocols import ORIGINAL
from edac_core.studies.steps import Branch, Step
from edac_core.studies.store import JobResult, Store


@dataclass(frozen=True)
class Summary:
    """How a run ended."""

    study: str
    jobs: int
    computed: int
    failed: int


def run_study(
    plan: Plan,
    *,
    cache: Path,
    workers: int | None = None,
    scheduler: str | None = None,
    resources: Mapping[str, float] | None = None,
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
    resources
        What each job asks of a worker, by Dask's resources, such as ``{"GPU": 1}``: name and
        amount. Workers that do not offer it are left alone.
    listener
        Called in this process with everything that happens, which is also written to the run's
        journal; see `edac_core.studies.journal`.

    Raises
    ------
    DataError, AudioError, PlanError
        If the data set is missing or does not fit the plan.
    StoreError
        If the store cannot be written, or another run writes to it.
    ClusterError
        If the scheduler cannot be reached, or its workers cannot do these jobs.
    """
    workers = workers or os.cpu_count() or 1
    # Opening a store for writing mends it, which is nobody's business while another one writes.
    with (
        only_writer(cache),
        contextlib.closing(Store(cache)) as store,
        journal(cache, plan) as record,
    ):

        def tell(event: Event) -> None:
            record(event)
            listener(event)

        return _run(
            plan, store, cache=cache, workers=workers, scheduler=scheduler,
            resources=resources or {}, listener=tell,
        )  # fmt: skip


def _run(
    plan: Plan,
    store: Store,
    *,
    cache: Path,
    workers: int,
    scheduler: str | None,
    resources: Mapping[str, float],
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
        with connect(scheduler, workers=workers, resources=resources) as cluster:
            cluster.require_workers(listener)
            failed = Execution(
                cluster, store, listener, perform=perform, done=len(known), total=len(steps)
            ).run(branches, known)
    measure_latencies(branches, store, calls=plan.latency_calls, listener=listener)
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
    shared = begun(job)
    worker = get_worker()

    def report(epoch: Any) -> None:
        worker.log_event(TOPIC, {**shared, **asdict(epoch)})

    return run_job(job, inputs, start, on_epoch=report)


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
    records = [branch.baseline.inputs.record for branch in branches]
    for record in {record.key: record for record in records}.values():
        store.put_split(record)
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
