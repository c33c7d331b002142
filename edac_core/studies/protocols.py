"""From usable recordings to the examples of a training, a validation and a test set.

A *recipe* is how a paper made its sets: what it augments, what it balances, what it holds out. A
*protocol* says how far it is followed. ``paper`` follows it whole, so that its figures can be
compared with the published ones. ``clean`` takes the paper's training set only: participants,
where they are known, and copies of a recording stay in one set, and what is validated and tested
is the recordings as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd
from sklearn.model_selection import train_test_split

from edac_core.augment import COUGHVID_NEGATIVE, COUGHVID_POSITIVE, EDAC_COPIES
from edac_core.datasets.split import split
from edac_core.errors import DataError, PlanError

ORIGINAL = ""
"""The `copy` of an example that is a recording as it is."""

_TEST = "test"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a paper makes its sets.

    Parameters
    ----------
    copies
        The augmented copies that a recording of each label gets, as pipelines of
        `edac_core.augment`.
    balanced
        Whether the larger class is thinned at random to the size of the smaller.
    test
        Fraction of the recordings that is held out, unless the data set prescribes its test set.
    validation
        Fraction of the rest that validates.
    """

    copies: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    balanced: bool = False
    test: float
    validation: float


RECIPES: Mapping[str, Recipe] = {
    # EDAC, section 3 and appendix A: 70/15/15, positives augmented twice.
    "edac-coswara": Recipe(copies={1: EDAC_COPIES}, test=0.15, validation=0.15 / 0.85),
    # EDAC, section 3 and table 2: 60/20/20; of a positive come six examples, of a negative two.
    "edac-coughvid": Recipe(
        copies={0: COUGHVID_NEGATIVE, 1: COUGHVID_POSITIVE}, test=0.2, validation=0.25
    ),
    # Squeeze, table 1. Its 1,869 and 432 cold recordings are more than the 1,981 that the official
    # training and development sets have; what can be kept is their proportion.
    "squeeze": Recipe(balanced=True, test=1 / 3, validation=432 / 2301),
}
"""The papers' recipes by name."""


def clean(recordings: pd.DataFrame, recipe: Recipe, *, seed: int) -> pd.DataFrame:
    """Divide by participant and content; only the training set is balanced and augmented.

    See `divide`.
    """
    table = split(recordings, seed=seed).assign(copy=ORIGINAL)
    training = table[table["set"] == "train"]
    held_out = table[table["set"] != "train"]
    if recipe.balanced:
        training = _thinned(training, seed=seed)
    return pd.concat([_augmented(training, recipe), held_out], ignore_index=True)


def paper(recordings: pd.DataFrame, recipe: Recipe, *, seed: int) -> pd.DataFrame:
    """Divide as the paper did.

    The test set is held out by label alone (or as the data set prescribes it) and augmented like
    the rest, class by class. The rest is divided into training and validation after augmentation,
    so that a recording and its copies may be on both sides (EDAC, appendix A.3). See `divide`.
    """
    table = recordings.sort_values("recording", ignore_index=True).assign(copy=ORIGINAL)
    test, rest = _held_out(table, recipe, seed=seed)
    if recipe.balanced:
        rest = _thinned(rest, seed=seed)
    training, validation = _halves(_augmented(rest, recipe), recipe.validation, seed=seed)
    sets = {"train": training, "validation": validation, _TEST: _augmented(test, recipe)}
    return pd.concat([rows.assign(set=name) for name, rows in sets.items()], ignore_index=True)


PROTOCOLS: Mapping[str, Callable[..., pd.DataFrame]] = {"clean": clean, "paper": paper}
"""Ways to divide, by name."""


def divide(recordings: pd.DataFrame, *, recipe: str, protocol: str, seed: int) -> pd.DataFrame:
    """Make the three sets.

    Parameters
    ----------
    recordings : DataFrame
        What the audit kept: columns recording, label, group, participant, split, content.
    recipe, protocol : str
        One of `RECIPES` and one of `PROTOCOLS`.
    seed : int
        Chooses the sets; the order of the rows does not matter.

    Returns
    -------
    DataFrame
        One row an example: the recording's columns, ``copy`` (the augmentation pipeline, or
        `ORIGINAL`) and ``set`` ("train", "validation" or "test").

    Raises
    ------
    DataError
        There are too few recordings to divide.
    PlanError
        The recipe is unknown.
    """
    if recipe not in RECIPES:
        raise PlanError(f"There is no recipe {recipe!r}; choose from: {', '.join(RECIPES)}.")
    return PROTOCOLS[protocol](recordings, RECIPES[recipe], seed=seed)


def _augmented(rows: pd.DataFrame, recipe: Recipe) -> pd.DataFrame:
    """Add the copies of each label after the recordings themselves."""
    copies = [
        rows[rows["label"] == label].assign(copy=pipeline)
        for label, pipelines in recipe.copies.items()
        for pipeline in pipelines
    ]
    return pd.concat([rows, *copies], ignore_index=True)


def _thinned(rows: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Keep as many recordings of each label as the rarer label has."""
    ordered = rows.sort_values("recording")
    fewest = int(ordered["label"].value_counts().min())
    return ordered.groupby("label").sample(fewest, random_state=seed).sort_index()


def _held_out(
    table: pd.DataFrame, recipe: Recipe, *, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    prescribed = table["split"] == _TEST
    if prescribed.any():
        return table[prescribed], table[~prescribed]
    rest, test = _halves(table, recipe.test, seed=seed)
    return test, rest


def _halves(rows: pd.DataFrame, fraction: float, *, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide at random, each label alike, the second part being the fraction."""
    try:
        first, second = train_test_split(
            rows, test_size=fraction, stratify=rows["label"], random_state=seed
        )
    except ValueError as error:
        counts = rows["label"].value_counts().to_dict()
        raise DataError(
            f"{len(rows)} recordings ({counts.get(0, 0)} negative, {counts.get(1, 0)} positive) "
            "are too few to hold some of each label out: add recordings."
        ) from error
    return first.sort_index(), second.sort_index()
