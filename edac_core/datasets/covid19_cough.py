"""covid19-cough: induced coughs over the telephone and Telegram (CC0).

Source: https://github.com/covid19-cough/dataset. Its layout is `metadata.json`, a list of
`{filename, covid19, source, ...}`, and the recordings in `raw/`, as MP3. There are no speaker
identifiers, so the same person may be in training and test; the recording source ("call-center",
8 kHz stereo, or "telegram", 48 kHz mono) is kept as the group, because it alone predicts the
label. Run the audit before believing any figure.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edac_core.datasets.location import require_folder
from edac_core.datasets.recordings import Dataset, make_dataset
from edac_core.errors import DataError

NAME = "covid19-cough"
METADATA = "metadata.json"

Entry = dict[str, Any]


def load(*, path: Path | None = None) -> Dataset:
    """Tabulate the recordings of covid19-cough.

    Parameters
    ----------
    path
        Its folder; `covid19-cough` in the data root by default.

    Returns
    -------
    Dataset
        Positive means that COVID-19 was reported. Entries without a label or a file are in
        `dropped`.

    Raises
    ------
    DataError
        The folder is missing, its metadata is malformed, or none of its recordings is there.
    """
    folder = require_folder(NAME, path=path, marker=METADATA)
    entries = _read_metadata(folder / METADATA)
    problems = {entry["filename"]: _problem(entry, folder=folder) for entry in entries}
    return make_dataset(
        list(_rows([entry for entry in entries if not problems[entry["filename"]]], folder=folder)),
        name=NAME,
        title="COVID-19 cough (covid19-cough/dataset)",
        licence="CC0 1.0",
        dropped=[(Path(name).stem, reason) for name, reason in problems.items() if reason],
    )


def _read_metadata(file: Path) -> list[Entry]:
    try:
        entries = json.loads(file.read_text("utf-8"))
        return [dict(entry, filename=str(entry["filename"])) for entry in entries]
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{file} is not a JSON list of entries with a filename: download the data set again."
        ) from error


def _problem(entry: Entry, *, folder: Path) -> str:
    if not isinstance(entry.get("covid19"), bool):
        return "no label"
    # A name that is a path could point outside the data set.
    inside = Path(entry["filename"]).name == entry["filename"]
    return "" if inside and (folder / "raw" / entry["filename"]).is_file() else "missing file"


def _rows(entries: list[Entry], *, folder: Path) -> Iterator[Entry]:
    for entry in entries:
        yield {
            "recording": Path(entry["filename"]).stem,
            "path": str(folder / "raw" / entry["filename"]),
            "label": int(entry["covid19"]),
            "group": entry.get("source"),
        }
