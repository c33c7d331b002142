"""Your own recordings: a CSV file beside them.

It has the columns `path` and `label`, and may have `participant`, `group` (the recording source),
`split` ("train", "validation" or "test"), and `sex`, `age` (in years) and `device`, by which harms
of compression are looked for. Paths are absolute or relative to the CSV's folder.
They may lead out of it: the CSV is its user's own, and what it lists is only decoded as sound.
Labels are 0 and 1, or two names of which you say which is the positive one.
"""

import contextlib
import warnings
from pathlib import Path

import pandas as pd
from pandas.errors import ParserWarning

from edac_core.datasets.recordings import Dataset, make_dataset
from edac_core.errors import DataError

NAME = "folder"

_COLUMNS = ("path", "label", "participant", "group", "split", "sex", "age", "device")


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
    csv = _resolved(path)
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


def _resolved(path: Path) -> Path:
    try:
        csv = path.expanduser().resolve()
        # What is there and no file, such as a device, may have no end.
        readable = csv.is_file() or not csv.exists()
    # A loop of links or an unknown user is a RuntimeError, a null character a ValueError.
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{str(path)[:200]!r} cannot be read ({error}): check the path.") from error
    if not readable:
        raise DataError(f"{csv} is no file: give the path of a CSV file.")
    return csv


def _read_csv(csv: Path) -> pd.DataFrame:
    try:
        rows = _cells(csv)
    except OSError as error:
        raise DataError(f"{csv} cannot be read ({error.strerror}): check the path.") from error
    except ParserWarning as error:
        raise DataError(
            f"{csv.name} has lines with more cells than its first one: delete what is too much."
        ) from error
    except ValueError as error:
        raise DataError(f"{csv} is not a CSV file in UTF-8: export it again.") from error
    rows.columns = rows.columns.str.strip()
    _refuse_repeated(rows, csv=csv)
    if absent := [column for column in ("path", "label") if column not in rows]:
        raise DataError(f"{csv.name} lacks the column {absent[0]!r}: add it to its first line.")
    if rows["path"].isna().any():
        line = int(rows["path"].isna().to_numpy().argmax()) + 2
        raise DataError(f"{csv.name} has no path in line {line}: fill it in or delete the line.")
    return rows


def _cells(csv: Path) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ParserWarning)
        # Without an index: pandas would take the paths for one where lines have a cell too many.
        return pd.read_csv(
            csv,
            dtype="str",
            encoding="utf-8-sig",
            skipinitialspace=True,
            index_col=False,
            compression=None,
        )


def _refuse_repeated(rows: pd.DataFrame, *, csv: Path) -> None:
    # Of two columns of one name pandas calls the second one "name.1".
    names = [name.removesuffix(".1") for name in rows.columns]
    if repeated := [name for name in _COLUMNS if names.count(name) > 1]:
        raise DataError(f"{csv.name} has the column {repeated[0]!r} twice: rename one of them.")


def _problem(file: str, label: str | float) -> str:
    if pd.isna(label):
        return "no label"
    return "" if _is_file(file) else "missing file"


def _is_file(file: str) -> bool:
    # What is too long for a name, or leads in a circle, is an OSError.
    with contextlib.suppress(OSError, ValueError):
        return Path(file).is_file()
    return False


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
