"""How much each layer of a study's trained networks minds being pruned and rounded.

It is measured once for each baseline, on its validation recordings, and kept in the store beside
it: who shows it needs neither the network nor the recordings.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from edac_core.compress import REFERENCE_PRECISION
from edac_core.errors import ModelError, StoreError
from edac_core.measure.discrimination import auc_interval
from edac_core.models import ModelSpec, get_model
from edac_core.models.examples import Examples
from edac_core.studies import BASELINE, method_of
from edac_core.studies.inputs import SplitInputs, open_data, prepare
from edac_core.studies.journal import Event, Listener, only_writer
from edac_core.studies.plan import Data, parse_plan
from edac_core.studies.store import LayerChange, Store, variant_key

SPARSITIES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
PRECISIONS = (REFERENCE_PRECISION, "int8", "int4_weights")

# How far the AUC may be from that of the stored file, by what two runtimes round differently.
_SAME_AUC = 0.002
_STAGE = "networks, layer by layer"


@dataclass(frozen=True)
class _Baseline:
    """A trained network of a study."""

    job: str
    split: str
    split_seed: int
    name: str
    spec: ModelSpec


class _Recordings:
    """A study's recordings, looked at when the first are asked for."""

    def __init__(self, data: Data, *, cache: Path, workers: int, listener: Listener) -> None:
        self._data, self._cache, self._workers = data, cache, workers
        self._listener = listener
        self._known: tuple[tuple[int, str, str], SplitInputs] | None = None

    def of(self, baseline: _Baseline) -> SplitInputs:
        """Return the features of the recordings that a baseline learnt from."""
        wanted = (baseline.split_seed, baseline.spec.frontend, baseline.spec.recipe)
        if self._known is None or self._known[0] != wanted:
            self._known = (wanted, self._prepare(*wanted))
        found = self._known[1]
        if found.record.key != baseline.split:
            raise StoreError(
                f"The recordings are no longer those that {baseline.name} learnt from; put them "
                "back, or run the study's plan again."
            )
        return found

    @functools.cached_property
    def _usable(self) -> pd.DataFrame:
        self._listener(Event("preparing", "audit of the recordings"))
        return open_data(self._data, cache=self._cache, workers=self._workers).audit.usable

    def _prepare(self, seed: int, frontend: str, recipe: str) -> SplitInputs:
        return prepare(
            self._usable, protocol=self._data.protocol, recipe=recipe, seed=seed,
            frontend=frontend, cache=self._cache, workers=self._workers, progress=self._progress,
        )  # fmt: skip

    def _progress(self, what: str, done: int, total: int) -> None:
        self._listener(Event("preparing", what, done, total))


def measure_sensitivities(
    study: str,
    *,
    cache: Path,
    model: str | None = None,
    workers: int = 1,
    listener: Listener = print,
) -> None:
    """Measure the layers of a study's baselines, as far as the store does not know them yet.

    Parameters
    ----------
    study
        Its name.
    cache
        Folder of the store, the audits and the features.
    model
        One network of the study; all by default.
    workers
        Processes that compute features which are not known yet.
    listener
        Called with how far it is.

    Raises
    ------
    StoreError
        If the study, its baselines or their weights are not in the store, its recordings have
        changed, or another run writes to the store.
    ModelError
        If a network is not the one whose scores are stored.
    DataError, AudioError, PlanError
        If the data set is missing or does not fit the study's plan.
    """
    Store.refuse_absent(cache)
    with only_writer(cache), contextlib.closing(Store(cache)) as store:
        plan = _plan_of(store, study)
        missing = [_baseline(row) for row in _unmeasured(store, study, model)]
        data = parse_plan(plan).data
        recordings = _Recordings(data, cache=cache, workers=workers, listener=listener)
        for done, baseline in enumerate(missing):
            listener(Event("preparing", _STAGE, done, len(missing)))
            store.put_sensitivities(baseline.job, _measured(baseline, recordings, store))
        listener(Event("preparing", _STAGE, len(missing), len(missing)))


def _plan_of(store: Store, study: str) -> Mapping[str, Any]:
    studies = store.studies()
    found = studies.loc[studies["name"] == study, "plan"]
    if found.empty:
        raise StoreError(
            f"There is no study {study!r} in {store.folder}, and studies that were shipped come "
            "without the weights of their networks; run its plan first."
        )
    plan: Mapping[str, Any] = found.iloc[0]
    return plan


def _unmeasured(store: Store, study: str, model: str | None) -> list[Mapping[Any, Any]]:
    """Return the rows of `Store.jobs` of the baselines that lack anything."""
    jobs = store.jobs(study).to_dict("records")
    baselines: list[Mapping[Any, Any]] = [
        job for job in jobs
        if method_of(job["config"]) == BASELINE and model in {None, job["config"]["model"]}
    ]  # fmt: skip
    if not baselines:
        of_model = "" if model is None else f" of {model!r}"
        raise StoreError(
            f"The study {study!r} has no finished baseline{of_model}; run its plan first."
        )
    known = store.sensitivities(study)
    return [job for job in baselines if not _is_whole(known[known["job"] == job["key"]])]


def _is_whole(known: pd.DataFrame) -> bool:
    points = set(known[["sparsity", "precision"]].itertuples(index=False, name=None))
    return points >= {(sparsity, name) for sparsity in SPARSITIES for name in PRECISIONS}


def _baseline(job: Mapping[Any, Any]) -> _Baseline:
    config = job["config"]
    name = f"{config['model']}, split {config['split_seed']}, seed {config['training_seed']}"
    spec = get_model(config["model"], definition=config.get("definition", ""))
    return _Baseline(job["key"], job["split"], config["split_seed"], name, spec)


def _measured(
    baseline: _Baseline, recordings: _Recordings, store: Store
) -> tuple[LayerChange, ...]:
    weights = store.weights(baseline.job)
    if weights is None:
        raise StoreError(
            f"The weights of {baseline.name} are not in {store.folder}; remove the store, or "
            "choose another --cache folder, and run the study's plan there."
        )
    found = _measure(weights, baseline.spec, recordings.of(baseline).validation)
    stored = _stored_auc(store, baseline.job)
    if abs(found[0].auc_before - stored) > _SAME_AUC:
        raise ModelError(
            f"The network of {baseline.name} has a validation AUC of {found[0].auc_before:.3f}, "
            f"where {stored:.3f} is stored: run the study's plan again with this version."
        )
    return found


def _stored_auc(store: Store, job: str) -> float:
    scores = store.scores(variant_key(job, REFERENCE_PRECISION))
    rows = scores[scores["set"] == "validation"]
    return auc_interval(rows["label"], rows["score"]).estimate


def _measure(weights: bytes, spec: ModelSpec, validation: Examples) -> tuple[LayerChange, ...]:
    # TensorFlow takes seconds to import.
    from edac_core.compress.pruning import count_of, prunable_layers  # noqa: PLC0415
    from edac_core.compress.sensitivity import layer_sensitivity  # noqa: PLC0415
    from edac_core.studies.work import unpack_weights  # noqa: PLC0415

    model = spec.build()
    model.set_weights(unpack_weights(weights))
    layers = prunable_layers(model, never=spec.never_pruned)
    counts = {layer: count_of(variables) for layer, variables in layers.items()}
    rows = layer_sensitivity(model, spec, validation, sparsities=SPARSITIES, precisions=PRECISIONS)
    # The first of them changes nothing.
    return _changes(rows, counts, loss_before=rows[0].loss, recordings=len(validation.labels))


def _changes(
    rows: Sequence[Any], counts: Mapping[str, int], *, loss_before: float, recordings: int
) -> tuple[LayerChange, ...]:
    return tuple(
        LayerChange(
            row.layer, counts[row.layer], row.sparsity, row.precision, row.auc,
            row.auc + row.auc_drop, row.loss, loss_before, recordings,
        )
        for row in rows
    )  # fmt: skip
