"""How long a plan will take on this machine, from what its finished jobs took.

The time of a job is modelled as a cost that every job of a network has (building, compiling,
converting, scoring) and one for every example of every epoch, which differs between baselines and
levels. Both are fitted to the jobs that this machine has finished.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import least_squares, nnls

from edac_core import locations
from edac_core.datasets import canonical, open_dataset, synthetic
from edac_core.errors import DataError, StoreError
from edac_core.measure.latency import machine
from edac_core.models import MODELS, ModelSpec
from edac_core.studies import BASELINE, method_of
from edac_core.studies.jobs import Family, Job, expand, job_keys
from edac_core.studies.plan import Data, parse_plan
from edac_core.studies.store import Store

KINDS = ("baseline", "level")

_COLUMNS = ["study", "key", "split", "config", "seconds", "epochs", "training_examples", "cpu",
            "cores", "data"]  # fmt: skip
_NUMBERS = {"seconds": float, "epochs": float, "training_examples": float}
_SYNTHETIC_RECORDINGS = inspect.signature(synthetic.load).parameters["n"].default
_ALIKE = 1.5
"""Jobs whose work differs by less than this factor do not tell fixed from proportional cost."""

_USUAL_SPREAD = 0.1
"""By how much (in natural logarithms) times of like jobs differ on a machine left alone."""

_TINY = 1e-9


@dataclass(frozen=True)
class Expectation:
    """What a job may take: seconds (None without a number of examples) and epochs.

    `measurements` is the number of finished jobs of its kind that this rests on.
    """

    seconds: float | None
    epochs: float
    measurements: int


@dataclass(frozen=True)
class Part:
    """The jobs of one network and kind ("baseline" or "level") in a plan.

    `known` of them are finished already; `epochs` are those that each may train, of at most
    `most_epochs`; `examples` are in the training set. `seconds` a job is None if no job of this
    kind was finished on this machine, or the number of examples is not known.
    """

    model: str
    title: str
    kind: str
    jobs: int
    known: int
    epochs: float
    most_epochs: int
    examples: int | None
    seconds: float | None
    measurements: int

    @property
    def missing(self) -> int:
        """How many jobs are to be done."""
        return self.jobs - self.known


@dataclass(frozen=True)
class Estimate:
    """The jobs of a plan and what they may take.

    `counted_in` says where the number of training examples comes from: "studies" (earlier ones of
    the same recordings), "recordings" (before the audit) or "" (it is not known).
    """

    parts: tuple[Part, ...]
    workers: int
    counted_in: str

    @property
    def jobs(self) -> int:
        """How many jobs the plan has."""
        return sum(part.jobs for part in self.parts)

    @property
    def known(self) -> int:
        """How many of them are finished already."""
        return sum(part.known for part in self.parts)

    @property
    def measurements(self) -> int:
        """How many finished jobs it rests on."""
        return sum(part.measurements for part in self.parts if part.missing)

    @property
    def unmeasured(self) -> tuple[Part, ...]:
        """The parts that are to be done and of which nothing is known."""
        return tuple(part for part in self.parts if part.missing and part.seconds is None)

    @property
    def seconds(self) -> float:
        """What the other parts may take, with all workers."""
        work = {
            kind: [(part.missing, part.seconds) for part in self.parts
                   if part.kind == kind and part.seconds is not None]
            for kind in KINDS
        }  # fmt: skip
        return wall_seconds(work, workers=self.workers)


class Pace:
    """What jobs took on this machine.

    Parameters
    ----------
    costs : DataFrame
        As `read_costs` returns it.
    """

    def __init__(self, costs: pd.DataFrame) -> None:
        here = machine()
        own = costs[(costs["cpu"] == here["cpu"]) & (costs["cores"] == here["cores"])]
        own = own.drop_duplicates("key").astype(_NUMBERS)
        self._rows = pd.DataFrame(
            {
                "model": [config["model"] for config in own["config"]],
                "definition": [config.get("definition", "") for config in own["config"]],
                "kind": [_kind(config) for config in own["config"]],
                "limit": [config.get("epochs", 0) for config in own["config"]],
                "epochs": own["epochs"].to_numpy(),
                "work": (own["epochs"] * own["training_examples"]).to_numpy(),
                "seconds": own["seconds"].to_numpy(),
            }
        ).query("work > 0 and seconds > 0")

    def expect(self, job: Job, *, examples: float | None) -> Expectation | None:
        """Return what a job may take; None if none of its kind was finished here."""
        rows = self._rows
        rows = rows[(rows["model"] == job.model) & (rows["definition"] == job.definition)]
        alike = rows[rows["kind"] == job.kind]
        if alike.empty:
            return None
        epochs = _epochs(job, alike)
        seconds = None
        if examples is not None:
            seconds = _seconds(rows, kind=job.kind, work=epochs * examples)
        return Expectation(seconds, epochs, len(alike))


def read_costs(folders: Iterable[Path]) -> pd.DataFrame:
    """Read what jobs took from the stores that are there and can be read.

    Returns
    -------
    DataFrame
        As `Store.costs`, with the column data: the plan's table of that name.
    """
    frames = [pd.DataFrame(columns=_COLUMNS)]
    for folder in folders:
        if Store.exists(folder):
            with contextlib.suppress(StoreError):
                frames.append(_costs_of(folder))
    return pd.concat([frame for frame in frames if len(frame)] or frames, ignore_index=True)


def estimate(content: Mapping[str, Any], cache: Path, workers: int) -> Estimate:
    """Estimate a plan.

    Parameters
    ----------
    content
        The plan's tables.
    cache
        The folder of the store that the run would write to.
    workers
        Jobs that go on at once.

    Raises
    ------
    PlanError
        If the plan is not possible.
    """
    plan = parse_plan(content)
    costs = read_costs([cache, locations.SHIPPED])
    pace = Pace(costs)
    same = costs[np.array([_same_data(data, plan.data) for data in costs["data"]], dtype=bool)]
    families = expand(plan)
    known = _known(families, same, cache)
    specs = {family.baseline.model: family.baseline.spec for family in families}
    counted = {spec.recipe: _examples(plan.data, spec, same) for spec in specs.values()}
    parts = tuple(
        _part(jobs, specs[model], known=known, pace=pace, examples=counted[specs[model].recipe][0])
        for (model, _), jobs in _by_kind(families).items()
    )
    return Estimate(parts, workers, max(source for _, source in counted.values()))


def wall_seconds(work: Mapping[str, Sequence[tuple[float, float]]], *, workers: int) -> float:
    """Return how long jobs take together: baselines first, then the levels that start from them.

    Parameters
    ----------
    work
        For each of `KINDS`, numbers of jobs and seconds that one of them takes.
    workers
        Jobs that go on at once.
    """
    total = 0.0
    for kind in KINDS:
        jobs = sum(count for count, _ in work.get(kind, []))
        seconds = sum(count * each for count, each in work.get(kind, []))
        total += seconds / max(1, min(workers, jobs)) if jobs else 0
    return total


def _costs_of(folder: Path) -> pd.DataFrame:
    live = folder.resolve() != locations.SHIPPED.resolve()
    with contextlib.closing(Store(folder, readonly=True, live=live)) as store:
        costs, studies = store.costs(), store.studies()
    by_study = studies.set_index("name")
    examples = {name: data.get("training_examples") for name, data in by_study["data"].items()}
    plans = {name: plan.get("data", {}) for name, plan in by_study["plan"].items()}
    return costs.assign(
        data=[plans.get(study, {}) for study in costs["study"]],
        training_examples=costs["training_examples"].fillna(costs["study"].map(examples)),
    )


def _kind(config: Mapping[str, Any]) -> str:
    return "baseline" if method_of(config) == BASELINE else "level"


def _epochs(job: Job, alike: pd.DataFrame) -> float:
    """Return how many epochs a job will train, by where earlier ones stopped."""
    stopped = alike[(alike["epochs"] < alike["limit"]) | (alike["epochs"] >= job.epochs)]
    if job.patience is None or stopped.empty:
        return job.epochs
    return float(stopped["epochs"].clip(upper=job.epochs).mean())


def _seconds(rows: pd.DataFrame, *, kind: str, work: float) -> float:
    """Fit fixed and proportional cost, both at least 0, to the logarithms of the times.

    A few jobs that the machine was too busy for do not count for much. Where the jobs of neither
    kind differ in their work, both kinds are taken to cost the same for an example; where no jobs
    do, all cost is taken as proportional.
    """
    works = rows["work"].to_numpy()
    of_kind = [np.where(rows["kind"] == each, works, 0) for each in KINDS]
    asked = [work if kind == each else 0 for each in KINDS]
    if _differ(rows.groupby("kind")["work"]):
        design, wanted = [np.ones_like(works), *of_kind], [1, *asked]
    elif _differ(rows.groupby(lambda _: 0)["work"]):
        design, wanted = [np.ones_like(works), works], [1, work]
    else:
        design, wanted = of_kind, asked
    # Scaled to about 1, so that no column is lost beside another.
    scales = np.array([max(column.max(), 1) for column in design])
    scaled, seconds = np.column_stack(design) / scales, rows["seconds"].to_numpy()

    def residuals(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.log(scaled @ costs) - np.log(seconds))

    start = nnls(scaled, seconds)[0] + _TINY
    costs = least_squares(
        residuals, start, bounds=(0, np.inf), loss="soft_l1", f_scale=_USUAL_SPREAD
    ).x
    return float(np.dot(costs / scales, wanted))


def _differ(works: Any) -> bool:
    """Whether the work of jobs differs enough, within one of the groups, to tell costs apart."""
    return bool((works.max() / works.min()).max() >= _ALIKE)


def _same_data(data: Mapping[str, Any], wanted: Data) -> bool:
    """Whether a study's recordings and their sets were made as this plan wants them."""
    return (
        canonical(str(data.get("dataset", ""))) == canonical(wanted.dataset)
        and data.get("protocol", "clean") == wanted.protocol
        and data.get("path") == wanted.path
        and data.get("options", {}) == dict(wanted.options)
    )


def _known(families: Sequence[Family], same: pd.DataFrame, cache: Path) -> set[Job]:
    """Return the jobs that are finished, if the recordings are what they were."""
    fingerprints = _fingerprints(same)
    keys: dict[str, Job] = {}
    for family in families:
        job = family.baseline
        found = fingerprints.get((job.split_seed, job.spec.recipe, job.spec.frontend))
        if found is not None:
            keys |= {key: job for job, key in job_keys(family, found).items()}
    if not keys or not Store.exists(cache):
        return set()
    with contextlib.closing(Store(cache, readonly=True, live=True)) as store:
        return {keys[key] for key in store.finished(keys)}


def _fingerprints(same: pd.DataFrame) -> dict[tuple[int, str, str], str]:
    """Return the newest fingerprint of a network's sets, by split seed, recipe and front-end."""
    found = {}
    for config, split in zip(same["config"], same["split"], strict=True):
        if spec := MODELS.get(config["model"]):
            found[int(config["split_seed"]), spec.recipe, spec.frontend] = str(split)
    return found


def _examples(data: Data, spec: ModelSpec, same: pd.DataFrame) -> tuple[int | None, str]:
    """Count the training examples of a recipe, and say by what."""
    models = [name for name, other in MODELS.items() if other.recipe == spec.recipe]
    alike = np.array([config["model"] in models for config in same["config"]], dtype=bool)
    counts = same["training_examples"][alike].dropna()
    if len(counts):
        return round(counts.mean()), "studies"
    # It imports scikit-learn, which a process that only shows estimates need not hold.
    from edac_core.studies.protocols import divide  # noqa: PLC0415 - see above

    try:
        table = divide(
            _recordings(data), recipe=spec.recipe, protocol=data.protocol, seed=data.split_seeds[0]
        )
    except DataError:
        return None, ""
    return int((table["set"] == "train").sum()), "recordings"


def _recordings(data: Data) -> pd.DataFrame:
    """Return the recordings as they are listed; the synthetic ones need not be there yet."""
    if canonical(data.dataset) != synthetic.NAME:
        path = Path(data.path) if data.path else None
        return open_dataset(data.dataset, path=path, **data.options).recordings
    count = int(data.options.get("n", _SYNTHETIC_RECORDINGS))
    rows = {"recording": [f"{index:06}" for index in range(count)], "group": "all"}
    labels = np.arange(count) % 2
    return pd.DataFrame({**rows, "label": labels, "participant": None, "split": None})


def _by_kind(families: Iterable[Family]) -> dict[tuple[str, str], list[Job]]:
    found: dict[tuple[str, str], list[Job]] = {}
    for family in families:
        for job in family.jobs:
            found.setdefault((job.model, job.kind), []).append(job)
    return found


def _part(
    jobs: Sequence[Job], spec: ModelSpec, *, known: set[Job], pace: Pace, examples: int | None
) -> Part:
    first = jobs[0]
    expected = pace.expect(first, examples=examples)
    return Part(
        model=spec.name,
        title=spec.title,
        kind=first.kind,
        jobs=len(jobs),
        known=len(known.intersection(jobs)),
        epochs=first.epochs if expected is None else expected.epochs,
        most_epochs=first.epochs,
        examples=examples,
        seconds=None if expected is None else expected.seconds,
        measurements=0 if expected is None else expected.measurements,
    )
