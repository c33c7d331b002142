"""From a plan's data set to the arrays that jobs train and score on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edac_core.datasets import Dataset, open_dataset
from edac_core.datasets.audit import Audit, audit
from edac_core.datasets.split import split
from edac_core.frontends import get_frontend
from edac_core.frontends.extract import extract
from edac_core.models.examples import Examples, Features
from edac_core.studies.plan import Data
from edac_core.studies.store import SplitRecord

AUGMENTATIONS = ("aug1", "aug2")
"""Pipelines whose output on each positive training recording is added to the training set."""

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

    `groups` are those of the test recordings; `fingerprint` stands for all of it in keys.
    """

    record: SplitRecord
    fingerprint: str
    training: Examples
    validation: Examples
    test: Examples
    groups: tuple[str, ...]


def open_data(data: Data, *, cache: Path, workers: int) -> AuditedData:
    """Open and audit a plan's data set."""
    path = Path(data.path) if data.path else None
    dataset = open_dataset(data.dataset, path=path, **data.options)
    return AuditedData(dataset, audit(dataset, cache=cache, workers=workers))


def prepare_clean(
    usable: pd.DataFrame,
    *,
    seed: int,
    frontend: str,
    cache: Path,
    workers: int,
    progress: Progress | None = None,
) -> SplitInputs:
    """Divide recordings by protocol ``clean`` and compute their features.

    Participants and identical recordings stay in one set. Positive training recordings get two
    augmented copies (EDAC, Appendix A); nothing else is augmented.

    Parameters
    ----------
    usable
        The recordings that the audit kept.
    seed
        Chooses the sets, and seeds the augmentation.
    frontend
        Name of the front-end.
    progress
        Called with what is computed, how many are done, and of how many.
    """
    table = split(usable, seed=seed)
    sets = {name: rows for name, rows in table.groupby("set")}  # noqa: C416 - keys are labels
    config = get_frontend(frontend)

    def features(rows: pd.DataFrame, pipeline: str | None = None) -> Features:
        what = f"{pipeline or 'features'} of {len(rows)} recordings"
        return extract(
            rows, frontend=config, pipeline=pipeline, seed=seed, cache=cache, workers=workers,
            progress=None if progress is None else lambda done, of: progress(what, done, of),
        )  # fmt: skip

    positives = sets["train"].query("label == 1")
    training = _stack(
        [(features(sets["train"]), sets["train"]["label"])]
        + [(features(positives, pipeline), positives["label"]) for pipeline in AUGMENTATIONS]
    )
    columns = ["recording", "label", "group", "participant", "set"]
    fingerprint = _fingerprint(table, frontend=asdict(config), seed=seed)
    return SplitInputs(
        SplitRecord(fingerprint, seed, table[columns]),
        fingerprint,
        training,
        _stack([(features(sets["validation"]), sets["validation"]["label"])]),
        _stack([(features(sets["test"]), sets["test"]["label"])]),
        tuple(sets["test"]["group"]),
    )


def _stack(parts: list[tuple[Features, pd.Series]]) -> Examples:
    features = np.concatenate([features for features, _ in parts])
    labels = np.concatenate([labels.to_numpy(np.int64) for _, labels in parts])
    return Examples(features, labels)


def _fingerprint(table: pd.DataFrame, **config: Any) -> str:
    rows = table[["recording", "content", "label", "group", "set"]].to_csv(index=False)
    described = json.dumps({"augmentations": AUGMENTATIONS, **config}, sort_keys=True)
    return hashlib.sha256((rows + described).encode()).hexdigest()[:32]
