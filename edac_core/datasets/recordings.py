"""The one table that every data set becomes.

| column | type | meaning |
|---|---|---|
| recording | str | unique name of the recording |
| path | str | absolute path of its file |
| label | int | 1 positive, 0 negative |
| participant | str or missing | who was recorded |
| group | str | the recording source; "all" when unknown |
| split | str or missing | "train", "validation" or "test" when the data set prescribes it |

What a data set knows of people and devices, by which harms are looked for, follows; a column that
nothing is known of is not there:

| column | type | meaning |
|---|---|---|
| sex | str or missing | as the data set names it, in lower case |
| age_band | str or missing | one of `AGE_BANDS` |
| device | str or missing | what it was recorded with |
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from edac_core.errors import DataError

COLUMNS = ("recording", "path", "label", "participant", "group", "split")
REQUIRED = ("recording", "path", "label")
TRAITS = ("sex", "age_band", "device")
AGE_BANDS = ("under 18", "18 to 39", "40 to 59", "60 and over")
SPLITS = ("train", "validation", "test")
UNKNOWN_GROUP = "all"
_AGES = (0, 18, 40, 60, 130)


@dataclass(frozen=True)
class Dataset:
    """Recordings with their labels, before any of them was decoded.

    Build it with `make_dataset`, which checks the table.

    Parameters
    ----------
    name
        Under which `open_dataset` knows it.
    title
        For people.
    recordings
        One row a recording; the columns are described in this module's docstring.
    synthetic
        Whether the recordings were generated: results then say nothing about people.
    licence
        Of the recordings.
    dropped
        Columns recording and reason: what the data set lists but the table leaves out.
    notes
        Sentences for people: whether the data set is whole and agrees with what was published.
    """

    name: str
    title: str
    recordings: pd.DataFrame
    synthetic: bool
    licence: str
    dropped: pd.DataFrame
    notes: tuple[str, ...] = ()


def make_dataset(
    rows: pd.DataFrame | Iterable[Mapping[str, Any]],
    *,
    name: str,
    title: str,
    licence: str,
    synthetic: bool = False,
    dropped: Iterable[tuple[str, str]] = (),
    notes: Iterable[str] = (),
) -> Dataset:
    """Check rows and make a data set of them.

    Parameters
    ----------
    rows
        A table or mappings with at least recording, path and label; participant, group, split,
        sex, age (in years) and device may be absent or missing. Other columns are left out.
    name, title, licence, synthetic
        As in `Dataset`.
    dropped
        Pairs of recording and reason.
    notes
        Sentences.

    Returns
    -------
    Dataset
        With the table's columns in order and its rows as given.

    Raises
    ------
    DataError
        There are no rows, a column is missing, or a value is outside what the table allows.
    """
    given = pd.DataFrame(rows if isinstance(rows, pd.DataFrame) else list(rows))
    left_out = pd.DataFrame(list(dropped), columns=["recording", "reason"], dtype="str")
    _refuse_empty(given, left_out, name=name)
    table = _typed(given, name=name)
    _refuse_invalid(table, name=name)
    return Dataset(name, title, table, synthetic, licence, left_out, tuple(notes))


def _refuse_empty(rows: pd.DataFrame, left_out: pd.DataFrame, *, name: str) -> None:
    if not rows.empty:
        return
    counts = left_out["reason"].value_counts()
    why = f" ({counts.iloc[0]:,} times: {counts.index[0]})" if len(counts) else ""
    raise DataError(f"Data set {name!r} has no recordings{why}: check its folder.")


def _typed(rows: pd.DataFrame, *, name: str) -> pd.DataFrame:
    if absent := [column for column in REQUIRED if column not in rows]:
        raise DataError(f"Data set {name!r} lacks the column {absent[0]!r}: add it.")
    table = rows.reindex(columns=list(COLUMNS)).reset_index(drop=True)
    if not table["label"].isin([0, 1]).all():
        wrong = table.loc[~table["label"].isin([0, 1]), "label"].iloc[0]
        raise DataError(f"Data set {name!r} has the label {wrong}: use 0 or 1.")
    text = {column: "str" for column in COLUMNS if column != "label"}
    table = table.astype({"label": "int64", **text}).fillna({"group": UNKNOWN_GROUP})
    return table.join(_traits(given=rows.reset_index(drop=True)))


def _traits(given: pd.DataFrame) -> pd.DataFrame:
    """Return what is known of people and devices; an exact age could tell who somebody is."""
    known = given.reindex(columns=["sex", "age", "device"])
    age = pd.to_numeric(known["age"], errors="coerce")
    band = pd.cut(age, _AGES, right=False, labels=list(AGE_BANDS))
    table = known.assign(age_band=band)[list(TRAITS)].astype("str").apply(_written)
    return table.dropna(axis="columns", how="all")


def _written(values: pd.Series) -> pd.Series:
    values = values.str.strip()
    values = values.str.lower() if values.name == "sex" else values
    return values.mask(values == "")


def _refuse_invalid(table: pd.DataFrame, *, name: str) -> None:
    if (repeated := table["recording"].duplicated()).any():
        twice = table.loc[repeated, "recording"].iloc[0]
        raise DataError(f"Data set {name!r} lists the recording {twice!r} twice: keep one row.")
    if table[["recording", "path"]].isna().any(axis=None):
        raise DataError(f"Data set {name!r} has a row without a recording or path: fill it in.")
    if relative := [path for path in table["path"] if not Path(path).is_absolute()]:
        raise DataError(f"Data set {name!r} has the relative path {relative[0]!r}: make it whole.")
    known = table["split"].isin(SPLITS) | table["split"].isna()
    if not known.all():
        wrong = table.loc[~known, "split"].iloc[0]
        raise DataError(f"Data set {name!r} has the split {wrong!r}: use {', '.join(SPLITS)}.")
