"""Coswara: crowdsourced coughs, breaths, vowels and counting (CC BY 4.0); shallow coughs here.

Source: https://github.com/iiscleap/Coswara-Data. Its layout is `combined_data.csv`, a row a
participant, and `Extracted_data/<date>/<participant>/cough-shallow.wav`. Labels are EDAC's
(Appendix A.1): recovered participants are negative, those under validation are left out. EDAC
counts 1,984 negative and 681 positive recordings before it removes silent ones, as the audit does.
"""

from pathlib import Path
from typing import Any

from edac_core.datasets.listing import Row, compare_counts, match, read_table
from edac_core.datasets.location import require_folder
from edac_core.datasets.recordings import Dataset, make_dataset
from edac_core.errors import DataError

NAME = "coswara"
FOLDER = "Coswara-Data"
METADATA = "combined_data.csv"
EXTRACTED = "Extracted_data"

LABELS = {
    "healthy": 0,
    "no_resp_illness_exposed": 0,
    "resp_illness_not_identified": 0,
    "recovered_full": 0,
    "positive_mild": 1,
    "positive_moderate": 1,
    "positive_asymp": 1,
}
"""Labels by covid_status (EDAC, Appendix A.1); other statuses are not used."""

_COUGH = "cough-shallow"
_QUALITIES = f"annotations/{_COUGH}_labels.csv"
_EDAC_COUNTS = (1984, 681)


def load(*, path: Path | None = None, min_quality: int = 0) -> Dataset:
    """Tabulate the shallow coughs of Coswara.

    Rows that repeat an id count once if their statuses agree; otherwise they are dropped. So is a
    recording that lies under two dates with different content.

    Parameters
    ----------
    path
        Its folder; `Coswara-Data` in the data root by default.
    min_quality
        Lowest quality to keep, as annotated: 0 bad, 1 good, 2 excellent. EDAC keeps all.

    Returns
    -------
    Dataset
        Positive means that COVID-19 was reported. A recording is named by its participant.

    Raises
    ------
    DataError
        The folder is missing, a table is malformed, the quality is none, or none of the
        recordings is there.
    """
    if min_quality not in {0, 1, 2}:
        raise DataError(f"Quality {min_quality!r} is not one of Coswara's: use 0, 1 or 2.")
    folder = require_folder(NAME, path=path, marker=METADATA, folder_name=FOLDER)
    qualities = _qualities(folder) if min_quality else None
    matched = match(
        read_table(folder / METADATA, columns=("id", "covid_status")),
        _files(folder),
        key="id",
        deciding=("covid_status",),
        problem=lambda row: _problem(row, qualities=qualities, min_quality=min_quality),
    )
    rows: list[dict[str, Any]] = [
        {
            "recording": name,
            "path": str(file),
            "label": LABELS[row["covid_status"]],
            "participant": name,
            "sex": row.get("g"),
            "age": row.get("a"),
        }
        for name, row, file in matched.usable
    ]
    return make_dataset(
        rows,
        name=NAME,
        title="Coswara (shallow coughs)",
        licence="CC BY 4.0",
        dropped=matched.dropped,
        notes=[compare_counts([row["label"] for row in rows], _EDAC_COUNTS, matched=matched)],
    )


def _files(folder: Path) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.glob(f"{EXTRACTED}/*/*/{_COUGH}.wav")):
        files.setdefault(file.parent.name, []).append(file)
    return files


def _qualities(folder: Path) -> dict[str, str]:
    rows = read_table(folder / _QUALITIES, columns=("FILENAME", "QUALITY"))
    return {row["FILENAME"].removesuffix(f"_{_COUGH}"): row["QUALITY"] for row in rows}


def _problem(row: Row, *, qualities: dict[str, str] | None, min_quality: int) -> str:
    status = row["covid_status"]
    if status not in LABELS:
        return f"status {status} is not used" if status else "no status"
    if qualities is None:
        return ""
    quality = qualities.get(row["id"], "")
    if quality not in {"0", "1", "2"}:
        return "no quality annotation"
    return f"quality {quality} is below {min_quality}" if int(quality) < min_quality else ""
