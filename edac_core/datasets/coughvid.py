"""COUGHVID: crowdsourced coughs recorded in browsers (CC BY 4.0).

Source: https://zenodo.org/records/7024894 (version 3; it links the older ones). Its layout is one
folder of `<uuid>.webm`, `.ogg` or `.wav` with `metadata_compiled.csv`, or with a `<uuid>.json`
beside each recording. Labels and the threshold for `cough_detected` are those of EDAC
(Appendix A.2) after Hamdi et al. (2022), who count 8,958 healthy, 1,935 symptomatic and 731
COVID-19 recordings. There are no speaker identifiers, so the same person may be in training and
test.
"""

import json
import math
from pathlib import Path
from typing import Any

from edac_core.datasets.listing import MALFORMED, Row, compare_counts, match, read_table
from edac_core.datasets.location import data_root, require_folder
from edac_core.datasets.recordings import Dataset, make_dataset
from edac_core.errors import DataError

NAME = "coughvid"
METADATA = "metadata_compiled.csv"

LABELS = {"healthy": 0, "symptomatic": 1, "COVID-19": 1}
"""Labels by status (EDAC, Appendix A.2)."""

FORMATS = (".webm", ".ogg", ".wav")
"""Endings of recordings; of several with one uuid the first is taken, as others are copies."""

_COLUMNS = ("uuid", "cough_detected", "status")
_TRAITS = ("gender", "age")
_EDAC_COUNTS = (8958, 2666)


def load(*, path: Path | None = None, min_cough: float = 0.7) -> Dataset:
    """Tabulate the recordings of COUGHVID.

    Parameters
    ----------
    path
        Its folder; `coughvid` in the data root by default.
    min_cough
        Lowest probability of a cough (`cough_detected`) to keep.

    Returns
    -------
    Dataset
        Positive means that symptoms or COVID-19 were reported. A recording is named by its uuid.

    Raises
    ------
    DataError
        The folder is missing, its table is malformed, the probability is none, or none of the
        recordings is there.
    """
    if not 0 <= min_cough <= 1:
        raise DataError(f"A cough's probability cannot be {min_cough!r}: use 0 to 1.")
    folder = _folder(path)
    matched = match(
        _rows(folder),
        _files(folder),
        key="uuid",
        deciding=("cough_detected", "status"),
        problem=lambda row: _problem(row, min_cough=min_cough),
    )
    rows: list[dict[str, Any]] = [
        {
            "recording": name,
            "path": str(file),
            "label": LABELS[row["status"]],
            "sex": row.get("gender"),
            "age": row.get("age"),
        }
        for name, row, file in matched.usable
    ]
    return make_dataset(
        rows,
        name=NAME,
        title="COUGHVID",
        licence="CC BY 4.0",
        dropped=matched.dropped,
        notes=[compare_counts([row["label"] for row in rows], _EDAC_COUNTS, matched=matched)],
    )


def _folder(path: Path | None) -> Path:
    folder = (path or data_root() / NAME).expanduser().resolve()
    if any(folder.glob("*.json")):
        return folder
    return require_folder(NAME, path=folder, marker=METADATA)


def _rows(folder: Path) -> list[Row]:
    if (folder / METADATA).is_file():
        return read_table(folder / METADATA, columns=_COLUMNS)
    return [_sidecar(file) for file in sorted(folder.glob("*.json"))]


def _sidecar(file: Path) -> Row:
    try:
        values = dict(json.loads(file.read_text("utf-8-sig")))
    except (OSError, ValueError, TypeError, RecursionError):
        return {"uuid": file.stem, MALFORMED: "unreadable metadata"}
    known = {column: values.get(column) for column in (*_COLUMNS, *_TRAITS)}
    text = {column: "" if value is None else str(value) for column, value in known.items()}
    return {**text, "uuid": file.stem}


def _files(folder: Path) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for suffix in FORMATS:
        for file in sorted(folder.glob(f"*{suffix}")):
            files.setdefault(file.stem, [file])
    return files


def _problem(row: Row, *, min_cough: float) -> str:
    status = row["status"]
    if status not in LABELS:
        return f"status {status} is not used" if status else "no status"
    probability = _number(row["cough_detected"])
    if not math.isfinite(probability):
        return "cough_detected is not a number"
    return f"cough_detected is below {min_cough:g}" if probability < min_cough else ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
