"""A search over recipes for the best compromises between size, or latency, and AUC.

Optuna proposes recipes (see `edac_core.compress.methods`); each is run as a study runs it, so that
what is known is not computed again, and its variants are in the store like all others. A recipe is
judged by the mean AUC of the *validation* recordings over the plan's runs. The search never looks
at the test set: what it finds can be tested on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
import pandas as pd
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from edac_core.compress import REFERENCE_PRECISION
from edac_core.compress.methods import Step, write_recipe
from edac_core.errors import ModelError, PlanError, StoreError
from edac_core.measure.discrimination import auc_interval
from edac_core.models import resolve
from edac_core.studies import BASELINE, SMALLER_NETWORKS
from edac_core.studies.jobs import code_fingerprint, versions
from edac_core.studies.journal import SEARCHES, Event, Listener, only_writer
from edac_core.studies.plan import Plan, derived_name, parse_plan
from edac_core.studies.run import run_study
from edac_core.studies.select import RUN, ZIP_BYTES, Limits, pareto_front
from edac_core.studies.store import Store

_SUFFIX = "-search"
"""What the name of a plan gets behind it, as the name of its search's study."""

Size = Literal["zip_bytes", "raw_bytes", "latency_ms"]

_NOTHING = BASELINE
_UNCHANGED = Step("rewritten")
_RANDOM_RECIPES = 10
_PROPOSALS = 10
_STORAGE_FAILED = (SQLAlchemyError, StorageInternalError)
# Of a file that is damaged, Optuna also finds its version or its texts to be wrong.
_UNUSABLE = (*_STORAGE_FAILED, RuntimeError, ValueError, KeyError, AssertionError)
_NO_MORE = 1e-9  # What two ways of adding the same numbers may differ by.
_LEAST_SCALE = 0.01


@dataclass(frozen=True, kw_only=True)
class Space:
    """Which recipes there are: three steps, each of which may be left out ("none").

    Parameters
    ----------
    first
        Methods that make the network smaller.
    first_kept
        Least and greatest share of the weights that such a method leaves; in between, each order
        of magnitude is as likely as another.
    then
        Methods that set weights to zero.
    then_kept
        As `first_kept`, of the weights that the first step has left.
    last
        Methods that remove nothing.
    """

    first: tuple[str, ...] = (_NOTHING, "width", "width-distilled", "structured-taylor")
    first_kept: tuple[float, float] = (0.003, 0.5)
    then: tuple[str, ...] = (_NOTHING, "polynomial", "sensitive")
    then_kept: tuple[float, float] = (0.02, 0.7)
    last: tuple[str, ...] = (_NOTHING, "cluster-16", "cluster-32", "qat")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A recipe stored in a precision, and its means over the runs of the plan.

    Parameters
    ----------
    validation_auc
        Area under the ROC curve of the validation recordings.
    auc_drop
        How far that is below the unpruned float32 network's of the same run.
    zip_bytes, raw_bytes, latency_ms
        Of the file.
    """

    recipe: str
    precision: str
    validation_auc: float
    auc_drop: float
    zip_bytes: float
    raw_bytes: float
    latency_ms: float


Outcome = Candidate | str
"""A candidate, or why there is none."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search has found so far.

    Parameters
    ----------
    study
        The name of its study in the store.
    storage
        Where Optuna keeps it, as optuna-dashboard takes it.
    candidates
        How many were measured.
    refused
        Why there is no candidate, by recipe and precision.
    front
        The candidates within the limits that no other beats in size or validation AUC without
        losing in the other; the smallest first.
    """

    study: str
    storage: str
    candidates: int
    refused: Mapping[tuple[str, str], str]
    front: tuple[Candidate, ...]


def search(
    plan: Plan,
    space: Space | None = None,
    *,
    cache: Path,
    trials: int,
    limits: Limits | None = None,
    minimise: Size = ZIP_BYTES,
    seed: int = 0,
    workers: int | None = None,
    listener: Listener = print,
) -> Found:
    """Try recipes, and go on with the search of this plan if there is one.

    A search that was stopped and goes on tries the same recipes as one that was not. Proposals
    follow the limits that each trial was made under; the front is always that of `limits`.

    Parameters
    ----------
    plan
        Gives the data, the one network, the precisions, and how training goes. What it says of
        methods and sparsities is not used.
    space
        Which recipes to choose from.
    cache
        Folder of the store; the searches are in a folder of it.
    trials
        How many recipes to try. Each is converted to all precisions, and recorded once for each.
        What is proposed again costs nothing and does not count, unless ten in a row are.
    limits
        What a candidate has to meet; the AUC drop is that of the validation recordings.
    minimise
        What is to be small while the AUC is to be large.
    seed
        Seeds the proposals.
    workers
        Worker processes; see `run_study`.
    listener
        Called with everything that happens; see `run_study`.

    Raises
    ------
    PlanError
        If the plan has more than one network, or no trial is asked for.
    ModelError
        If a network cannot be trained at all.
    StoreError
        If the search cannot be kept, was begun with another plan, or is running already.
    DataError, AudioError
        If the data set is missing or does not fit the plan.
    """
    limits = limits or Limits()
    space = _possible(space or Space(), plan)
    _check(plan, trials)
    name = _plan_with(plan, ()).name
    folder = _folder(cache)
    url = f"sqlite:///{folder / f'{plan.name}.sqlite'}"
    with only_writer(folder), _study(url, f"{name}, {minimise}", _settings(plan, space)) as study:
        searching = _Search(
            plan, space, study, cache=cache, limits=limits, minimise=minimise, seed=seed,
            workers=workers, listener=listener,
        )  # fmt: skip
        searching.run(trials)
        return searching.found(name, url)


class _Search:
    """Asks Optuna for recipes, has them run and tells it what came of them."""

    def __init__(
        self,
        plan: Plan,
        space: Space,
        study: optuna.Study,
        *,
        cache: Path,
        limits: Limits,
        minimise: Size,
        seed: int,
        workers: int | None,
        listener: Listener,
    ) -> None:
        self._plan, self._space, self._study = plan, space, study
        self._cache, self._workers, self._listener = cache, workers, listener
        self._limits, self._minimise, self._seed = limits, minimise, seed
        self._outcomes: dict[str, dict[str, Outcome]] = {}
        for trial in study.get_trials(deepcopy=False):
            self._remember(trial)

    def run(self, trials: int) -> None:
        """Try so many recipes."""
        self._take_up_again()
        for done in range(trials):
            self._say(done, trials)
            self._try_a_new_one()
            while self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                self._try(self._ask())
        self._say(trials, trials)

    def found(self, name: str, storage: str) -> Found:
        """Return what is known by now."""
        outcomes = [
            (recipe, precision, outcome)
            for recipe, of_recipe in self._outcomes.items()
            for precision, outcome in of_recipe.items()
        ]
        candidates = [outcome for *_, outcome in outcomes if isinstance(outcome, Candidate)]
        return Found(
            study=name,
            storage=storage,
            candidates=len(candidates),
            refused={(r, p): outcome for r, p, outcome in outcomes if isinstance(outcome, str)},
            front=front_of(candidates, self._limits, minimise=self._minimise),
        )

    def _try_a_new_one(self) -> None:
        # Near its end a search, above all in a small space, proposes what it has tried before.
        for _ in range(_PROPOSALS):
            known = len(self._outcomes)
            self._try(self._ask())
            if len(self._outcomes) > known:
                return

    def _say(self, done: int, trials: int) -> None:
        self._listener(Event("preparing", "recipes of the search", done, trials))

    def _remember(self, trial: FrozenTrial) -> None:
        told = trial.user_attrs
        if trial.state == TrialState.COMPLETE:
            outcome = Candidate(**{item.name: told[item.name] for item in fields(Candidate)})
        elif trial.state == TrialState.PRUNED:
            outcome = told["reason"]
        else:
            return
        self._outcomes.setdefault(told["recipe"], {})[told["precision"]] = outcome

    def _take_up_again(self) -> None:
        """Ask again for what was interrupted: its finished jobs are in the store."""
        for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)
            self._study.enqueue_trial(trial.params)

    def _ask(self) -> Trial:
        # The sampler of each trial has its own seed, and trials that were interrupted do not
        # count: whether the search was stopped in between makes no difference.
        states = [trial.state for trial in self._study.get_trials(deepcopy=False)]
        number = len(states) - states.count(TrialState.FAIL)
        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        at_random = _RANDOM_RECIPES * len(self._plan.compression.precisions)
        self._study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=at_random)
        return self._study.ask()

    def _try(self, trial: Trial) -> None:
        recipe = suggest_recipe(trial, self._space)
        precision = trial.suggest_categorical("precision", self._plan.compression.precisions)
        known = self._outcomes.get(recipe, {})
        if precision not in known:
            self._outcomes[recipe] = self._evaluate(recipe)
            for other in self._outcomes[recipe]:
                if other not in {precision, *known}:
                    self._study.enqueue_trial({**trial.params, "precision": other})
        self._tell(trial, recipe, precision)

    def _tell(self, trial: Trial, recipe: str, precision: str) -> None:
        outcome = self._outcomes[recipe][precision]
        if isinstance(outcome, str):
            _note(trial, {"recipe": recipe, "precision": precision, "reason": outcome})
            self._study.tell(trial, state=TrialState.PRUNED)
            return
        _note(trial, asdict(outcome))
        for name, excess in _excess(outcome, self._limits).items():
            trial.set_constraint(name, excess)
        self._study.tell(trial, [getattr(outcome, self._minimise), outcome.validation_auc])

    def _evaluate(self, recipe: str) -> dict[str, Outcome]:
        """Run a recipe and read what came of it, in each precision."""
        precisions = self._plan.compression.precisions
        # All that has worked is one study; what was refused would be tried again in it.
        worked = [
            text for text, outcomes in self._outcomes.items()
            if any(isinstance(outcome, Candidate) for outcome in outcomes.values())
        ]  # fmt: skip
        try:
            plan = _plan_with(self._plan, tuple(dict.fromkeys([*worked, recipe])))
        except PlanError as error:
            return dict.fromkeys(precisions, str(error))
        run_study(plan, cache=self._cache, workers=self._workers, listener=self._listener)
        with contextlib.closing(Store(self._cache, readonly=True, live=True)) as store:
            return read_outcomes(store, plan, recipe)


def _note(trial: Trial, facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        trial.set_user_attr(name, value)


def suggest_recipe(trial: Trial, space: Space) -> str:
    """Let a trial choose a recipe; one without any step is an exact rewrite."""
    steps = [
        _removing(trial, "first", space.first, space.first_kept),
        _removing(trial, "then", space.then, space.then_kept),
        Step(trial.suggest_categorical("last", space.last)),
    ]
    return write_recipe([step for step in steps if step.method != _NOTHING] or [_UNCHANGED])


def _removing(trial: Trial, place: str, methods: Sequence[str], kept: tuple[float, float]) -> Step:
    method = trial.suggest_categorical(place, methods)
    if method == _NOTHING:
        return Step(method)
    share = trial.suggest_float(f"{place} kept", *kept, log=True)
    # Two digits are enough, and make it likelier that a recipe is known already.
    return Step(method, round(1 - float(f"{share:.2g}"), 12))


def read_outcomes(store: Store, plan: Plan, recipe: str) -> dict[str, Outcome]:
    """Return what a recipe comes to in a study that was run, by precision.

    Of the test set, nothing is used.

    Raises
    ------
    ModelError
        If a baseline is missing: then no recipe can be judged.
    """
    jobs = store.jobs(plan.name)
    configs = jobs["config"]
    baselines = jobs[[config["method"] == BASELINE for config in configs]]
    done = jobs[[config["recipe"] == recipe for config in configs]]
    runs = len(plan.data.split_seeds) * len(plan.training.seeds)
    reasons = _reasons(store, plan.name)
    if len(baselines) < runs:
        raise ModelError(
            "The search cannot go on without its baselines: "
            f"{reasons.get('', 'not all of them are in the store')}."
        )
    figures = _figures(store, plan.name, [*baselines["key"], *done["key"]])
    references = figures[figures["job"].isin(baselines["key"])]
    own = figures[figures["job"].isin(done["key"])]
    refusals = store.refusals(plan.name)
    why_not = refusals[refusals["job"].isin(done["key"])].groupby("precision")["reason"].first()
    found: dict[str, Outcome] = {}
    for precision in plan.compression.precisions:
        rows = own[own["precision"] == precision]
        reason = why_not.get(precision) or reasons.get(recipe) or "it was not run"
        found[precision] = (
            _candidate(rows, references, recipe) if len(rows) == runs else str(reason)
        )
    return found


def front_of(
    candidates: Sequence[Candidate], limits: Limits, *, minimise: Size = ZIP_BYTES
) -> tuple[Candidate, ...]:
    """Return the Pareto front of the candidates within limits, the smallest first."""
    within = [
        candidate for candidate in candidates
        if all(excess <= _NO_MORE for excess in _excess(candidate, limits).values())
    ]  # fmt: skip
    sizes = [getattr(candidate, minimise) for candidate in within]
    marks = pareto_front(sizes, [candidate.validation_auc for candidate in within])
    front = [candidate for candidate, mark in zip(within, marks, strict=True) if mark]
    return tuple(sorted(front, key=lambda candidate: float(getattr(candidate, minimise))))


def _excess(candidate: Candidate, limits: Limits) -> dict[str, float]:
    """Say how far a candidate is above each limit, as a share of it, so that they add up."""
    return {
        name: (getattr(candidate, name) - limit) / max(abs(limit), _LEAST_SCALE)
        for name, limit in limits.given().items()
    }


def _figures(store: Store, study: str, jobs: Sequence[str]) -> pd.DataFrame:
    """Return the variants of jobs with their AUC on the validation set."""
    variants = store.variants(study, jobs=jobs)
    aucs = [_validation_auc(store, key) for key in variants["key"]]
    columns = [*RUN, "job", "precision", "zip_bytes", "raw_bytes", "latency_ms"]
    return variants[columns].assign(validation_auc=aucs)


def _validation_auc(store: Store, variant: str) -> float:
    scores = store.scores(variant)
    rows = scores[scores["set"] == "validation"]
    return auc_interval(rows["label"], rows["score"]).estimate


def _candidate(rows: pd.DataFrame, references: pd.DataFrame, recipe: str) -> Candidate:
    reference = references[references["precision"] == REFERENCE_PRECISION]
    paired = rows.merge(reference[[*RUN, "validation_auc"]], on=RUN, suffixes=("", "_of_baseline"))
    means = paired[["validation_auc", "zip_bytes", "raw_bytes", "latency_ms"]].mean()
    drop = paired["validation_auc_of_baseline"] - paired["validation_auc"]
    return Candidate(
        recipe=recipe,
        precision=str(rows["precision"].iloc[0]),
        auc_drop=float(drop.mean()),
        **{str(name): float(value) for name, value in means.items()},
    )


def _reasons(store: Store, study: str) -> dict[str, str]:
    """Say why jobs failed, by recipe; that of baselines is empty."""
    failures = store.failures(study)
    configs = map(json.loads, failures["config"])
    return {config["recipe"]: reason for config, reason in zip(configs, failures["reason"],
                                                               strict=True)}  # fmt: skip


def _check(plan: Plan, trials: int) -> None:
    if trials < 1:
        raise PlanError(f"The number of trials must be at least 1, not {trials}.")
    if len(plan.training.models) > 1:
        raise PlanError(
            f"A search is for one network, and the plan {plan.name!r} has "
            f"{', '.join(plan.training.models)}; leave one of them."
        )


def _possible(space: Space, plan: Plan) -> Space:
    """Leave out smaller networks of what cannot be built smaller."""
    spec, _ = resolve(plan.training.models[0])
    if spec.has_widths:
        return space
    return replace(space, first=tuple(m for m in space.first if m not in SMALLER_NETWORKS))


def study_of(plan: Plan) -> str:
    """Return the name of the study that a plan's search fills."""
    return derived_name(plan.name, _SUFFIX)


def _plan_with(plan: Plan, recipes: tuple[str, ...]) -> Plan:
    settings = plan.to_dict()
    # As methods they are the same jobs, and so have the same results, as those of other plans.
    settings["compression"] |= {
        "schedules": (), "methods": recipes, "recipes": {}, "sparsities": (),
    }  # fmt: skip
    return parse_plan({**settings, "name": study_of(plan), "title": f"{plan.title}: search"})


def _folder(cache: Path) -> Path:
    folder = Path(cache) / SEARCHES
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder of searches {folder} cannot be made ({error.strerror}): choose another "
            "--cache folder."
        ) from error
    return folder


def _settings(plan: Plan, space: Space) -> str:
    """Return a hash of all that the figures of a search depend on."""
    described = {
        "plan": {**_plan_with(plan, ()).to_dict(), "title": ""},
        "space": asdict(space),
        "code": code_fingerprint(),
        "versions": dict(versions()),
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def _study(url: str, name: str, settings: str) -> Iterator[optuna.Study]:
    """Open a study of Optuna's, and close its file again."""
    try:
        storage = RDBStorage(url)
        study = optuna.create_study(
            storage=storage, study_name=name, directions=["minimize", "maximize"],
            load_if_exists=True,
        )  # fmt: skip
    except _UNUSABLE as error:
        raise StoreError(_unusable(url, error, "mend or remove it, or make room for it")) from error
    try:
        _check_settings(study, settings)
        yield study
    except _STORAGE_FAILED as error:
        raise StoreError(
            _unusable(url, error, "make room for it or mend it, and search again to go on")
        ) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _unusable(url: str, error: Exception, remedy: str) -> str:
    # Optuna's own error names SQLAlchemy's, which names SQLite's.
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    return f"The search in {url} cannot be used ({str(cause).splitlines()[0]}); {remedy}."


def _check_settings(study: optuna.Study, settings: str) -> None:
    if study.user_attrs.get("settings", settings) != settings:
        raise StoreError(
            f"The search {study.study_name!r} was begun with another plan or another version of "
            "the program; give the plan another name to begin a new one."
        )
    study.set_user_attr("settings", settings)
