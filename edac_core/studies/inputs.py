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

from edac_core.augment import EDAC_COPIES
from edac_core.datasets import Dataset, open_dataset
from edac_core.datasets.audit import Audit, audit
from edac_core.datasets.split import split
from edac_core.frontends import get_frontend
from edac_core.frontends.extract import extract_each
from edac_core.models.examples import Examples
from edac_core.studies.plan import Data
from edac_core.studies.store import SplitRecord

_FEATURES = "features.sqlite"

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

    def examples(rows: pd.DataFrame, pipelines: Sequence[str] = ("",)) -> list[Examples]:
        what = f"{'augmented ' if any(pipelines) else ''}features, split {seed}"
        arrays = extract_each(
            rows, frontend=config, pipelines=pipelines, seed=seed, cache=cache / _FEATURES,
            workers=workers,
            progress=None if progress is None else lambda done, of: progress(what, done, of),
        )  # fmt: skip
        return [Examples(array, rows["label"].to_numpy(np.int64)) for array in arrays]

    positives = sets["train"].query("label == 1")
    training = _joined(examples(sets["train"]) + examples(positives, EDAC_COPIES))
    columns = ["recording", "label", "group", "participant", "set"]
    fingerprint = _fingerprint(table, frontend=asdict(config), seed=seed)
    return SplitInputs(
        SplitRecord(fingerprint, seed, table[columns]),
        fingerprint,
        training,
        _joined(examples(sets["validation"])),
        _joined(examples(sets["test"])),
        tuple(sets["test"]["group"]),
    )


def _joined(parts: list[Examples]) -> Examples:
    return Examples(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def _fingerprint(table: pd.DataFrame, **config: Any) -> str:
    rows = table[["recording", "content", "label", "group", "set"]].to_csv(index=False)
    described = json.dumps({"augmentations": EDAC_COPIES, **config}, sort_keys=True)
    return hashlib.sha256((rows + described).encode()).hexdigest()[:32]
