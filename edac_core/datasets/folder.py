"""Your own recordings: a CSV file beside them.

It has the columns `path` and `label`, and may have `participant`, `group` (the recording source),
`split` ("train", "validation" or "test"), and `sex`, `age` (in years) and `device`, by which harms
of compression are looked for. Paths are absolute or relative to the CSV's folder.
Labels are 0 and 1, or two names of which you say which is the positive one.
"""

from pathlib import Path

import pandas as pd

from edac_core.datasets.recordings import Dataset, make_dataset
from edac_core.errors import DataError

NAME = "folder"


def load(*, path: Path | None = None, positive: str | None = None) -> Dataset:
    """Tabulate the recordings that a CSV file lists.

    Parameters
    ----------
    path
        The CSV file.
    positive
        The label that counts as positive, when labels are two names instead of 0 and 1.

    Returns
    -------
    Dataset
        A recording is named by its path as the CSV gives it. Rows without a label or a file are
        in `dropped`.

    Raises
    ------
    DataError
        The CSV is missing or malformed, its labels are not two, or none of its files exists.
    """
    if path is None:
        raise DataError("Data set 'folder' needs a CSV file of recordings: give its path.")
    csv = path.expanduser().resolve()
    rows = _read_csv(csv)
    rows["recording"] = rows["path"]
    rows["path"] = [str(csv.parent / name) for name in rows["path"]]
    problems = pd.Series(
        [_problem(file, label) for file, label in zip(rows["path"], rows["label"], strict=True)],
        index=rows.index,
        dtype="str",
    )
    kept = rows[problems == ""]
    if kept.empty:
        raise DataError(f"None of the {len(rows)} files that {csv.name} lists exists: mend paths.")
    return make_dataset(
        kept.assign(label=_binary(kept["label"], positive=positive, csv=csv)),
        name=NAME,
        title=f"Your recordings ({csv.name})",
        licence="yours",
        dropped=zip(rows["recording"][problems != ""], problems[problems != ""], strict=True),
    )


def _read_csv(csv: Path) -> pd.DataFrame:
    try:
        rows = pd.read_csv(csv, dtype="str", encoding="utf-8-sig", skipinitialspace=True)
    except OSError as error:
        raise DataError(f"{csv} cannot be read ({error.strerror}): check the path.") from error
    except ValueError as error:
        raise DataError(f"{csv} is not a CSV file in UTF-8: export it again.") from error
    rows.columns = rows.columns.str.strip()
    if absent := [column for column in ("path", "label") if column not in rows]:
        raise DataError(f"{csv.name} lacks the column {absent[0]!r}: add it to its first line.")
    if rows["path"].isna().any():
        line = int(rows["path"].isna().to_numpy().argmax()) + 2
        raise DataError(f"{csv.name} has no path in line {line}: fill it in or delete the line.")
    return rows


def _problem(file: str, label: str | float) -> str:
    if pd.isna(label):
        return "no label"
    return "" if Path(file).is_file() else "missing file"


def _binary(labels: pd.Series, *, positive: str | None, csv: Path) -> pd.Series:
    names = sorted(labels.unique())
    if positive is None and set(names) <= {"0", "1"}:
        return labels.astype("int64")
    listed = ", ".join(map(repr, names[:5]))
    if len(names) > 2:  # noqa: PLR2004 - binary is what this project is about
        raise DataError(
            f"{csv.name} has {len(names)} different labels ({listed}): keep two of them."
        )
    if positive is None:
        raise DataError(f"{csv.name} has the labels {listed}: say which one is `positive`.")
    if positive not in names:
        raise DataError(f"{csv.name} has no label {positive!r}: choose `positive` from {listed}.")
    return (labels == positive).astype("int64")
