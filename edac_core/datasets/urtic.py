"""URTIC: speech with and without a cold, of the Interspeech 2017 ComParE challenge (on request).

Its layout is `wav/{train,devel,test}_NNNN.wav` and `lab/ComParE2017_Cold.tsv`. The split is the
official one. Speakers are not published, so no participants are known; the official split keeps
them apart. The challenge's own release leaves the test labels out; then the split is left open.
"""

import re
from collections import Counter
from pathlib import Path

from edac_core.datasets.listing import Matched, Row, match, read_table
from edac_core.datasets.location import require_folder
from edac_core.datasets.recordings import Dataset, make_dataset

NAME = "urtic"
METADATA = "lab/ComParE2017_Cold.tsv"

LABELS = {"C": 1, "NC": 0}
"""Labels: cold and no cold."""

SPLITS = {"train": "train", "devel": "validation", "test": "test"}
"""Sets by the beginning of a file's name."""

COUNTS = {"train": (970, 8535), "validation": (1011, 8585), "test": (895, 8656)}
"""Published numbers of recordings with and without a cold."""

_NAME = "file_name"
_LABEL = "Cold (upper respiratory tract infection)"
_NO_TEST_LABELS = (
    "The labels of the test recordings are missing, as in the challenge's release, so a test set "
    "is drawn from the others, whose speakers may be on both sides: ask the corpus's owners for "
    "them."
)


def load(*, path: Path | None = None) -> Dataset:
    """Tabulate the recordings of URTIC.

    Parameters
    ----------
    path
        Its folder; `urtic` in the data root by default.

    Returns
    -------
    Dataset
        Positive means a cold. The split is the official one, or open without test labels.

    Raises
    ------
    DataError
        The folder is missing, its table is malformed, or none of the recordings is there.
    """
    folder = require_folder(NAME, path=path, marker=METADATA)
    table = read_table(folder / METADATA, columns=(_NAME, _LABEL), delimiter="\t")
    matched = match(
        [{**row, _NAME: row[_NAME].removesuffix(".wav")} for row in table],
        {file.stem: [file] for file in sorted(folder.glob("wav/*.wav"))},
        key=_NAME,
        deciding=(_LABEL,),
        problem=_problem,
    )
    splits = {name: _split(name) for name, _, _ in matched.usable}
    official = "test" in splits.values()
    rows = [
        {
            "recording": name,
            "path": str(file),
            "label": LABELS[row[_LABEL]],
            "split": splits[name] if official else None,
        }
        for name, row, file in matched.usable
    ]
    return make_dataset(
        rows,
        name=NAME,
        title="URTIC (ComParE 2017 Cold)",
        licence="on request from its owners",
        dropped=matched.dropped,
        notes=_notes(table, matched),
    )


def _split(name: str) -> str | None:
    found = re.match("(train|devel|test)_", name)
    return SPLITS[found[1]] if found else None


def _problem(row: Row) -> str:
    if _split(row[_NAME]) is None:
        return "name is not of train, devel or test"
    label = row[_LABEL]
    if label in {"", "?"}:
        return "no label"
    return "" if label in LABELS else f"label {label} is not C or NC"


def _notes(table: list[Row], matched: Matched) -> list[str]:
    labelled = {_split(row[_NAME]) for row in table if row[_LABEL] in LABELS}
    notes = [] if "test" in labelled else [_NO_TEST_LABELS]
    return [*notes, _counts_note(matched, [name for name in COUNTS if name in labelled])]


def _counts_note(matched: Matched, splits: list[str]) -> str:
    if not matched.whole:
        return f"{matched.present:,} of {matched.listed:,} listed recordings are here."
    number = Counter((_split(name), row[_LABEL]) for name, row, _ in matched.usable)
    found = {split: (number[split, "C"], number[split, "NC"]) for split in splits}
    published = {split: COUNTS[split] for split in splits}
    if found == published:
        return f"{_listed(found)} recordings with and without a cold, as published."
    return (
        f"{_listed(found)} recordings with and without a cold, where {_listed(published)} are "
        "published."
    )


def _listed(counts: dict[str, tuple[int, int]]) -> str:
    return ", ".join(f"{c:,} and {nc:,} ({split})" for split, (c, nc) in counts.items())
