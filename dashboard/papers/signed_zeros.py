"""Signed zeros: what a sign that means nothing adds to a zip."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from dashboard import format as write
from dashboard.choices import Network
from dashboard.measuring import Measurement
from dashboard.papers.claims import Shown, how_to_run
from dashboard.studies import Study, read_figures
from dashboard.theme import model_title
from edac_core.papers import published_curve
from edac_core.studies import BASELINE

if TYPE_CHECKING:
    from edac_core.measure.zeros import ZeroSigns

LEVEL = 0.9
"""Sparsity at which signs of zeros are compared."""

_MASKS = (
    "A mask that multiplies leaves -0.0 where a weight was negative. The sign means nothing, but "
    "no archive can leave it out. Here zeros are made positive before conversion, which costs "
    "nothing."
)
_SAME = 1e-9


@dataclass(frozen=True)
class Stored:
    """A float32 file whose zeros are compared; `pruned` says whether the study pruned it."""

    study: Study
    model: str
    sha256: str
    run: str
    pruned: bool


def signed_zeros(shown: Sequence[Shown]) -> str | Measurement:
    """Tell what signs of zeros do to a file's zip, beside what was published."""
    stored = file_for_zeros(shown)
    if stored is None:
        return (
            f"{_MASKS} There is no float32 file in the stores here to measure it on; "
            f"{how_to_run(['plans/quick.toml'])}."
        )
    from edac_core.studies.evidence import compare_stored_zero_signs  # noqa: PLC0415 - see there

    sparsity = None if stored.pruned else LEVEL
    shelf = stored.study.shelf
    return Measurement(
        # By the content of the file: a store that grows does not have it measured again.
        key=("zeros", shelf.folder, stored.sha256, sparsity),
        function=compare_stored_zero_signs,
        arguments=(shelf.folder, shelf.live, stored.sha256, sparsity),
        subject="The comparison of zips",
        meanwhile=f"{_MASKS} Measuring zips of {model_title(stored.model)}: some seconds.",
        tell=functools.partial(tell_zeros, stored),
    )


def tell_zeros(stored: Stored, found: ZeroSigns) -> str:
    """Write what was measured."""
    ratio = found.zip_bytes_random / found.zip_bytes_positive
    return (
        f"{_MASKS} Measured on {_which(stored)}: {found.zeros:,} of {found.weights:,} weights "
        f"are zero. The zip has **{write.size(found.zip_bytes_positive)}** if all of them are "
        f"+0.0, and **{write.size(found.zip_bytes_random)}** if each has a random sign "
        f"({found.negative_zeros:,} are then -0.0): {ratio:.2f} times as much. Both files give "
        f"the same output, to the last bit, for {found.agreeing} of {found.inputs} random "
        f"inputs.{_published_zip(stored.model)}"
    )


def file_for_zeros(shown: Sequence[Shown]) -> Stored | None:
    """Choose the file to show signed zeros with: pruned to `LEVEL` if one is here, and small."""
    rows = [
        (abs(row["sparsity"] - LEVEL) > _SAME, row["raw_bytes"], number, label)
        for number, one in enumerate(shown)
        for label, row in _float_rows(one.summary).iterrows()
    ]
    for unpruned, _, number, label in sorted(rows):
        study, row = shown[number].study, shown[number].summary.loc[[label]].iloc[0]
        network = Network(study, read_figures(study), str(row["model"]))
        for run, sha256 in network.present_files(row).items():
            return Stored(study, network.model, sha256, run, not unpruned)
    return None


def _float_rows(summary: pd.DataFrame) -> pd.DataFrame:
    pruned = (summary["sparsity"] - LEVEL).abs() < _SAME
    chosen = (summary["method"] == BASELINE) | pruned
    return summary[chosen & (summary["precision"] == "float32")]


def _which(stored: Stored) -> str:
    name = f"the {model_title(stored.model)} of “{write.literally(stored.study.title)}”"
    if stored.pruned:
        return f"{name} (run {stored.run}, pruned to {write.per_cent(LEVEL)})"
    return (
        f"{name} (run {stored.run}: the baseline's weights with the smallest "
        f"{write.per_cent(LEVEL)} of each layer set to zero, since no pruned float32 file is here)"
    )


def _published_zip(model: str) -> str:
    published = published_curve(model, "polynomial", "float32")
    rows = published[(published["sparsity"] - LEVEL).abs() < _SAME]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    size = write.size(row["zip_bytes"])
    return f" {row['paper']} published {size} at {write.per_cent(LEVEL)} ({row['place']})."
