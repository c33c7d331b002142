"""Timing a study's variants, in the process of the run, when nothing else runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edac_core.compress import REFERENCE_PRECISION
from edac_core.measure.latency import machine, measure_latency
from edac_core.studies.journal import Event, Listener
from edac_core.studies.steps import Branch
from edac_core.studies.store import Store, variant_key

_INPUTS = 100
_GROUP = 12
_BYTES = 5e8


def measure_latencies(
    branches: tuple[Branch, ...], store: Store, *, calls: int, listener: Listener
) -> None:
    """Time what has no latency on this machine yet, always beside the float32 baseline."""
    here = machine()
    todo = _unmeasured(branches, store, here)
    total = sum(len(keys) for _, keys in todo)
    done = 0
    for branch, keys in todo:
        for group in _groups(keys, store):
            listener(Event("measuring", "latency", done, total))
            _measure_group(group, branch, store, calls=calls, here=here)
            done += len(group)


def _unmeasured(
    branches: tuple[Branch, ...], store: Store, here: Mapping[str, Any]
) -> list[tuple[Branch, list[str]]]:
    """Return the variants of each branch that are to be timed; none without its baseline."""
    done = store.finished(step.key for branch in branches for step in branch.steps)
    measured = store.measured_on(here)
    found = []
    for branch in branches:
        jobs = [step.key for step in branch.steps if step.key in done]
        if branch.baseline.key in done:
            variants = store.variants_of(jobs)
            # What was evicted on another machine cannot be timed on this one.
            todo = [key for key in variants if key not in measured and store.has_model(key)]
            found.append((branch, todo))
    return found


def _groups(keys: list[str], store: Store) -> Iterator[list[str]]:
    """Divide variants into groups that fit into memory together."""
    sizes = store.raw_bytes(keys)
    group: list[str] = []
    for key in keys:
        held = sum(sizes[other] for other in group)
        if group and (len(group) == _GROUP or held + sizes[key] > _BYTES):
            yield group
            group = []
        group.append(key)
    if group:
        yield group


def _measure_group(
    keys: list[str], branch: Branch, store: Store, *, calls: int, here: Mapping[str, Any]
) -> None:
    reference = variant_key(branch.baseline.key, REFERENCE_PRECISION)
    models = {key: store.model_of(key) for key in dict.fromkeys([reference, *keys])}
    inputs = branch.baseline.inputs.test.features[:_INPUTS]
    latencies = measure_latency(models, inputs, calls=calls)
    store.put_latencies(latencies, baseline=reference, machine=here)
