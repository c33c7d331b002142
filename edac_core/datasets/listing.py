"""A table of recordings and the files that lie beside it, matched by name.

Public tables have blank lines, repeated rows and rows without a file, and folders have files that
no table knows. None of this stops a loader: what cannot be used is dropped with its reason. Files
are only ever looked up by name among those that a folder lists, so a name such as `../x` finds
nothing.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

from edac_core.errors import DataError

Row = dict[str, str]

MALFORMED = "(malformed)"
"""Key of a row that cannot be used; its value is the reason."""


@dataclass(frozen=True)
class Matched:
    """What a table and a folder have in common.

    Parameters
    ----------
    usable
        Name, row and file of each recording that can be used, in the table's order.
    dropped
        Name and reason of each other row, and of each file without a row.
    listed
        Number of names in the table.
    present
        Of them, those with a file.
    """

    usable: list[tuple[str, Row, Path]]
    dropped: list[tuple[str, str]]
    listed: int
    present: int

    @property
    def whole(self) -> bool:
        """Whether no recording with a label lacks its file."""
        return all(reason != "missing file" for _, reason in self.dropped)


def read_table(file: Path, *, columns: Sequence[str], delimiter: str = ",") -> list[Row]:
    """Read a table whose first line names its columns.

    Byte order marks, line ends of any system, blank lines, and spaces around names and values do
    no harm. A character that is not UTF-8 becomes a replacement character.

    Parameters
    ----------
    file
        With values separated by the delimiter and quoted by `"` where needed.
    columns
        That the table must have.
    delimiter
        Between values.

    Returns
    -------
    list of dict
        One a row, by column; values that are not there are "". A row with more values than there
        are columns has the key `MALFORMED`.

    Raises
    ------
    DataError
        The file cannot be read, is no such table, or lacks a column.
    """
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            lines = dropwhile(str.isspace, stream)
            reader = csv.DictReader(
                lines, delimiter=delimiter, restkey=MALFORMED, restval="", strict=True
            )
            rows = [_clean(row) for row in reader]
            found = [name.strip() for name in reader.fieldnames or ()]
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}): check the path.") from error
    except csv.Error as error:
        raise DataError(
            f"{file} is not a table after line {reader.line_num} ({error}): download it again."
        ) from error
    if absent := [column for column in columns if column not in found]:
        raise DataError(f"{file} lacks the column {absent[0]!r}: download the data set again.")
    return [row for row in rows if any(row.values())]


def match(
    rows: Iterable[Row],
    files: Mapping[str, Sequence[Path]],
    *,
    key: str,
    deciding: Sequence[str],
    problem: Callable[[Row], str],
) -> Matched:
    """Find the file of each row.

    Rows of one name count once if they agree; otherwise all of them are dropped, as nobody knows
    which is right. The same holds for files of one name.

    Parameters
    ----------
    rows
        Of a table.
    files
        Those there are, by name.
    key
        The column of names.
    deciding
        Columns in which rows of one name must agree.
    problem
        Says why a row cannot be used, or "" if it can.

    Returns
    -------
    Matched
        Each row and each file without a row is in it once.
    """
    by_name = _by_name(rows, key=key)
    usable: list[tuple[str, Row, Path]] = []
    dropped: list[tuple[str, str]] = []
    for name, same in by_name.items():
        row, reasons = _settle(same, key=key, deciding=deciding)
        dropped += [(name, reason) for reason in reasons]
        if row is None:
            continue
        if reason := problem(row) or _file_problem(files.get(name, ())):
            dropped.append((name, reason))
        else:
            usable.append((name, row, files[name][0]))
    unlisted = [name for name, paths in files.items() if name not in by_name for _ in paths]
    dropped += [(name, "no metadata") for name in unlisted]
    return Matched(usable, dropped, len(by_name), sum(name in files for name in by_name))


def compare_counts(labels: Sequence[int], published: tuple[int, int], *, matched: Matched) -> str:
    """Say whether a data set has as many recordings as EDAC counted.

    Parameters
    ----------
    labels
        Of the usable recordings: 1 positive, 0 negative.
    published
        EDAC's number of negative and of positive recordings.
    matched
        How much of the data set is there.

    Returns
    -------
    str
        A sentence.
    """
    positive = sum(labels)
    negative = len(labels) - positive
    theirs = "EDAC has {:,} and {:,}".format(*published)
    if not matched.whole:
        return (
            f"{matched.present:,} of {matched.listed:,} listed recordings are here, {negative:,} "
            f"labelled negative and {positive:,} positive; {theirs}."
        )
    agreement = "as in EDAC" if (negative, positive) == published else f"where {theirs}"
    return f"{negative:,} negative and {positive:,} positive recordings, {agreement}."


def _clean(row: Mapping[str, str | list[str]]) -> Row:
    return {
        name.strip(): (value if isinstance(value, str) else _surplus(value)).strip()
        for name, value in row.items()
    }


def _surplus(values: list[str]) -> str:
    return "more values than columns" if any(value.strip() for value in values) else ""


def _by_name(rows: Iterable[Row], *, key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def _settle(same: list[Row], *, key: str, deciding: Sequence[str]) -> tuple[Row | None, list[str]]:
    """Choose one of the rows of one name, and say why not the others."""
    if not same[0][key]:
        return None, [f"no {key}"] * len(same)
    reasons = [row[MALFORMED] for row in same if row.get(MALFORMED)]
    sound = [row for row in same if not row.get(MALFORMED)]
    if len({tuple(row[column] for column in deciding) for row in sound}) > 1:
        return None, reasons + ["contradictory rows"] * len(sound)
    return (sound[0] if sound else None), reasons + ["repeated row"] * (len(sound) - 1)


def _file_problem(paths: Sequence[Path]) -> str:
    if not paths:
        return "missing file"
    if len(paths) > 1 and len({path.read_bytes() for path in paths}) > 1:
        return "different files of one name"
    return ""
