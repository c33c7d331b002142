"""From a plan's data set to the arrays that jobs train and score on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edac_core.datasets import Dataset, open_dataset
from edac_core.datasets.audit import Audit, audit
from edac_core.datasets.recordings import TRAITS
from edac_core.frontends import get_frontend
from edac_core.frontends.extract import extract_each
from edac_core.models.examples import Examples, Features
from edac_core.studies.plan import Data
from edac_core.studies.protocols import divide
from edac_core.studies.store import SplitRecord

FEATURES = "features.sqlite"
"""The file of a cache that keeps features."""

_RECORDED = ["recording", "label", "group", "participant", "set", "copy"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class AuditedData:
    """A data set whose recordings were all looked at."""

    dataset: Dataset
    audit: Audit

    def facts(self) -> Mapping[str, Any]:
        """Return what a study says of its data, as plain values."""
        usable = self.audit.usable
        return {
            "dataset": self.dataset.name,
            "title": self.dataset.title,
            "licence": self.dataset.licence,
            "synthetic": self.dataset.synthetic,
            "recordings": len(usable),
            "positives": int(usable["label"].sum()),
            "groups": {str(k): int(n) for k, n in usable["group"].value_counts().items()},
            "dropped": self._dropped(),
            "notes": list(self.dataset.notes),
            "metadata_auc": self._metadata_auc(),
        }

    def _dropped(self) -> Mapping[str, int]:
        listed = self.audit.recordings.query("verdict == 'drop'")["reason"]
        reasons = pd.concat([listed, self.dataset.dropped["reason"]])
        return {str(reason): int(n) for reason, n in reasons.value_counts().items()}

    def _metadata_auc(self) -> Mapping[str, float]:
        table = self.audit.metadata_auc.dropna(subset="auc")
        return dict(zip(table["property"], table["auc"], strict=True))


@dataclass(frozen=True)
class SplitInputs:
    """The three sets of one split, for one front-end.

    `groups` are those of the test examples; `fingerprint` stands for all of it in keys.
    """

    record: SplitRecord
    fingerprint: str
    training: Examples
    validation: Examples
    test: Examples
    groups: tuple[str, ...]


def open_data(data: Data, *, cache: Path, workers: int) -> AuditedData:
    """Open and audit a plan's data set.

    Raises
    ------
    DataError
        If there is no such data set or option, or it is not there or not as its owners publish it.
    """
    path = Path(data.path) if data.path else None
    dataset = open_dataset(data.dataset, path=path, **data.options)
    return AuditedData(dataset, audit(dataset, cache=cache, workers=workers))


def prepare(
    usable: pd.DataFrame,
    *,
    protocol: str,
    recipe: str,
    seed: int,
    frontend: str,
    cache: Path,
    workers: int,
    progress: Progress | None = None,
) -> SplitInputs:
    """Divide recordings and compute the features of every example.

    Parameters
    ----------
    usable
        The recordings that the audit kept.
    protocol, recipe
        How they are divided and augmented; see `edac_core.studies.protocols.divide`.
    seed
        Chooses the sets, and seeds the augmentation.
    frontend
        Name of the front-end.
    progress
        Called with what is computed, how many are done, and of how many.
    """
    table = divide(usable, recipe=recipe, protocol=protocol, seed=seed)
    config = get_frontend(frontend)

    def features(rows: pd.DataFrame, pipelines: Sequence[str]) -> list[Features]:
        what = f"{frontend} features, split {seed}"
        return extract_each(
            rows, frontend=config, pipelines=pipelines, seed=seed, cache=cache / FEATURES,
            workers=workers,
            progress=None if progress is None else lambda done, of: progress(what, done, of),
        )  # fmt: skip

    examples = _examples(table, _features_by_example(table, features))
    test = table[table["set"] == "test"]
    fingerprint = _fingerprint(table, frontend=asdict(config), seed=seed)
    return SplitInputs(
        SplitRecord(fingerprint, seed, table[_RECORDED + [t for t in TRAITS if t in table]]),
        fingerprint,
        examples["train"],
        examples["validation"],
        examples["test"],
        tuple(test["group"]),
    )


def _features_by_example(
    table: pd.DataFrame, features: Callable[[pd.DataFrame, Sequence[str]], list[Features]]
) -> dict[tuple[str, str], Features]:
    """Compute features by recording and copy, each recording once with all of its copies."""
    wanted: dict[tuple[str, ...], list[str]] = {}
    for name, copies in table.groupby("recording")["copy"]:
        wanted.setdefault(tuple(sorted(copies)), []).append(str(name))
    rows = table.drop_duplicates("recording").set_index("recording", drop=False)
    found: dict[tuple[str, str], Features] = {}
    for pipelines, names in wanted.items():
        for pipeline, arrays in zip(pipelines, features(rows.loc[names], pipelines), strict=True):
            found |= {(name, pipeline): array for name, array in zip(names, arrays, strict=True)}
    return found


def _examples(
    table: pd.DataFrame, features: Mapping[tuple[str, str], Features]
) -> dict[str, Examples]:
    return {
        str(name): Examples(
            np.stack([features[key] for key in zip(rows["recording"], rows["copy"], strict=True)]),
            rows["label"].to_numpy(np.int64),
        )
        for name, rows in table.groupby("set")
    }


def _fingerprint(table: pd.DataFrame, **config: Any) -> str:
    rows = table[["recording", "content", "label", "group", "set", "copy"]].to_csv(index=False)
    described = json.dumps(config, sort_keys=True)
    return hashlib.sha256((rows + described).encode()).hexdigest()[:32]
