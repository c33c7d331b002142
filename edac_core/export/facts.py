"""What a store knows of a variant, brought together for those who get only the variant."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from edac_core import __version__
from edac_core.errors import StoreError
from edac_core.measure.harms import GroupHarm
from edac_core.measure.parts import Footprint
from edac_core.models import ModelSpec, get_model
from edac_core.studies.jobs import BASELINE
from edac_core.studies.select import RUN, is_reference
from edac_core.studies.store import Store
from edac_core.studies.trust import MARGIN, SENSITIVITY, Trust, trust, who_pays

Values = dict[str, Any]

POOLED_NOTE = (
    "Over all sources together. It also counts what only tells the sources apart, so it is no "
    "evidence that anything is heard in a cough; see auc_within_source and metadata_auc."
)


@dataclass(frozen=True)
class Measured:
    """What was measured of one variant.

    Parameters
    ----------
    row
        The variant's row of `Store.variants`.
    groups
        Its rows of `Store.groups`.
    scores
        As `Store.scores` returns them.
    latency
        Its newest row of `Store.latencies`, if there is one.
    """

    row: Values
    groups: tuple[Values, ...]
    scores: pd.DataFrame
    latency: Values | None

    @property
    def name(self) -> str:
        """A name for folders: network, level, precision and run."""
        level = f"{100 * self.row['sparsity']:.6g}"
        run = f"split{self.row['split_seed']}-seed{self.row['training_seed']}"
        return f"{self.row['model']}-{self.row['method']}-{level}-{self.row['precision']}-{run}"

    @property
    def test(self) -> pd.DataFrame:
        """Scores of the test set."""
        return self.scores[self.scores["set"] == "test"]

    def share_called(self, label: int, *, positive: bool) -> Values:
        """Return which share of the test set's examples of a label are called so.

        With its 95 % interval (Wilson's).
        """
        scores = self.test.loc[self.test["label"] == label, "score"]
        called = (scores >= self.row["threshold"]) == positive
        return _share(int(called.sum()), len(called))

    def figures(self) -> Values:
        """Return every figure as plain values."""
        row = self.row
        return {
            **{name: row[name] for name in ("method", "sparsity", "precision", "sha256")},
            "auc_within_source": [_within(group) for group in self.groups],
            "auc_pooled": {**_interval(row, "auc"), "note": POOLED_NOTE},
            "threshold": row["threshold"],
            "sensitivity": self.share_called(1, positive=True),
            "specificity": self.share_called(0, positive=False),
            "uar": row["uar"],
            "bytes": {name: row[f"{name}_bytes"] for name in ("raw", "zip", "xz")},
            "weights": row["weights"],
            "nonzero_weights": row["nonzero_weights"],
            "achieved_sparsity": row["achieved_sparsity"],
            "latency": _latency(self.latency),
        }


def _level(row: Values) -> str:
    """Say what was done to the baseline."""
    recipe = row["method"]
    if not row["sparsity"]:
        return str(recipe)
    return f"{100 * row['sparsity']:.6g} % of the weights removed ({recipe})"


@dataclass(frozen=True)
class Facts:
    """A variant, the study it comes from and the float32 baseline of its run."""

    study: Values
    job: Values
    variant: Measured
    baseline: Measured | None

    @property
    def config(self) -> Mapping[str, Any]:
        """The job's configuration."""
        config: Mapping[str, Any] = self.job["config"]
        return config

    @functools.cached_property
    def spec(self) -> ModelSpec:
        """The network."""
        return get_model(self.config["model"], definition=self.config.get("definition", ""))

    @property
    def title(self) -> str:
        """What the variant is, in words."""
        row = self.variant.row
        level = "not pruned"
        if row["method"] != BASELINE:
            level = _level(row)
        return f"{self.spec.title}, {level}, {row['precision']}"

    @property
    def data(self) -> Mapping[str, Any]:
        """What the study knows of its data set."""
        data: Mapping[str, Any] = self.study["data"]
        return data

    @property
    def sets(self) -> Mapping[str, int]:
        """How many recordings the network's sets have."""
        network = self.data.get("networks", {}).get(self.config["model"], {})
        sets: Mapping[str, int] = network.get("sets", self.data.get("sets", {}))
        return {name: sets[name] for name in ("train", "validation", "test") if name in sets}

    @property
    def protocol(self) -> str:
        """How recordings were divided."""
        return str(self.variant.row["protocol"])

    def tested(self) -> Values:
        """Count what was tested; augmented copies are no recordings of their own."""
        test = self.variant.test
        return {
            "examples": len(test),
            "positives": int(test["label"].sum()),
            "recordings": int(test["recording"].nunique()),
        }

    def trust(self) -> Trust | None:
        """Compare the variant with its baseline; None if it is that, or there is none."""
        if self.baseline is None or self.baseline.row["key"] == self.variant.row["key"]:
            return None
        return trust(self.variant.scores, self.baseline.scores)

    def harms(self) -> tuple[GroupHarm, ...]:
        """Return what changed in each group of recordings, largest harm first."""
        if self.baseline is None:
            return ()
        return who_pays(
            self.variant.scores,
            self.baseline.scores,
            threshold=self.variant.row["threshold"],
            baseline_threshold=self.baseline.row["threshold"],
        )

    def metrics(self, footprint: Footprint) -> Values:
        """Return all that metrics.json holds.

        Parameters
        ----------
        footprint
            Of the variant's file.
        """
        found = self.trust()
        row, data = self.variant.row, self.data
        return _plain_values({
            "study": self.study["name"],
            "title": self.study["title"],
            "research_only": "Not a diagnosis.",
            "model": row["model"],
            "protocol": self.protocol,
            "split_seed": row["split_seed"],
            "training_seed": row["training_seed"],
            "test": self.tested(),
            "variant": self.variant.figures(),
            "float32_baseline": self.baseline and self.baseline.figures(),
            "beside_baseline": found and {
                "margin": MARGIN, "sensitivity": SENSITIVITY, **asdict(found),
                "harms": [asdict(harm) for harm in self.harms()],
            },
            "footprint": asdict(footprint),
            "data": {**{name: data[name] for name in _DATA if name in data}, "sets": self.sets},
            "job": {
                **{name: self.job[name] for name in ("key", "environment", "seconds")},
                # The text of a user's own network has a file of its own.
                "config": {name: self.config[name] for name in self.config if name != "definition"},
            },
            "edac_explorer": __version__,
        })  # fmt: skip

    def operating_point(self) -> Values:
        """Return all that operating_point.json holds."""
        validation = self.variant.scores.query("set == 'validation'")
        return _plain_values({
            "threshold": self.variant.row["threshold"],
            "rule": "positive if score >= threshold",
            "chosen_on": {"set": "validation", "examples": len(validation)},
            "chosen_by": "Youden's index: the highest sensitivity + specificity - 1",
            "measured_on": {"set": "test", **self.tested()},
            "sensitivity": self.variant.share_called(1, positive=True),
            "specificity": self.variant.share_called(0, positive=False),
            "uar": self.variant.row["uar"],
        })  # fmt: skip


_DATA = (
    "dataset", "title", "licence", "synthetic", "recordings", "positives", "groups", "dropped",
    "metadata_auc", "notes", "fingerprint",
)  # fmt: skip


def gather(store: Store, *, study: str, variant: str) -> Facts:
    """Read what a store knows of a variant.

    Parameters
    ----------
    store
        Where it is.
    study, variant
        Name of the study, key of one of its variants.

    Raises
    ------
    StoreError
        If the store has no such study or variant.
    """
    job = variant.rpartition("-")[0]
    found = store.variants(study, jobs=[job])
    chosen = _records(found[found["key"] == variant])
    if not chosen:
        raise StoreError(
            f"The study {study!r} in {store.folder} has no variant {variant!r}; choose another."
        )
    (row,) = chosen
    jobs, studies = store.jobs(study), store.studies()
    reference = _reference(store, study, row)
    return Facts(
        study=_records(studies[studies["name"] == study])[0],
        job=_records(jobs[jobs["key"] == job])[0],
        variant=_measured(store, study, row),
        baseline=_measured(store, study, reference) if reference else None,
    )


def _reference(store: Store, study: str, row: Values) -> Values | None:
    """Find the float32 baseline of a variant's run."""
    figures = store.figures(study)
    same_run = is_reference(figures)
    for name in RUN:
        same_run &= figures[name] == row[name]
    found = store.variants(study, jobs=figures.loc[same_run, "job"])
    return next(iter(_records(found[is_reference(found)])), None)


def _measured(store: Store, study: str, row: Values) -> Measured:
    groups = store.groups(study, jobs=[row["job"]])
    latencies = store.latencies(study)
    # They come in the order in which they were measured.
    times = _records(latencies[latencies["variant"] == row["key"]])
    return Measured(
        row=row,
        groups=tuple(_records(groups[groups["variant"] == row["key"]])),
        scores=store.scores(row["key"]),
        latency=times[-1] if times else None,
    )


def _records(rows: pd.DataFrame) -> list[Values]:
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def _share(count: int, total: int) -> Values:
    share: Values = {"count": count, "of": total}
    if not total:
        return {**share, "estimate": None, "low": None, "high": None}
    interval = binomtest(count, total).proportion_ci(method="wilson")
    return {**share, "estimate": count / total, "low": interval.low, "high": interval.high}


def _interval(row: Mapping[str, Any], name: str) -> Values:
    return {"estimate": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}


def _within(group: Values) -> Values:
    return {
        "source": group["group"],
        "examples": group["n"],
        "positives": group["positives"],
        **_interval(group, "auc"),
    }


def _latency(row: Values | None) -> Values | None:
    if row is None:
        return None
    names = ("median_ms", "p95_ms", "mean_ms", "calls", "baseline_ms", "machine", "when")
    return {name: row[name] for name in names}


def _plain_values(values: Mapping[str, Any]) -> Values:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """Return values that JSON has: no NumPy scalars, and null for what is not known."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    item = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(item, float) and not np.isfinite(item) else item
