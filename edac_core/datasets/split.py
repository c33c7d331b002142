"""The protocol `clean`: training, validation and test sets that share nobody.

Recordings of one participant stay together, and so do recordings of the same content. Where
participants are unknown, each recording counts as its own, and the split cannot promise that the
same person is not on both sides.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from edac_core.datasets.recordings import SPLITS
from edac_core.errors import DataError

_TOGETHER = ("participant", "content")


def split(
    recordings: pd.DataFrame, *, seed: int, test: float = 0.2, validation: float = 0.2
) -> pd.DataFrame:
    """Assign each recording to a set, stratified by label and group.

    One of n folds becomes the test set and one of m folds of the rest the validation set, so the
    fractions are the nearest that whole folds allow (0.2 and 0.2 are five folds, then four). A
    split that the data set prescribes is kept as it is; if it has no validation set, one is drawn
    from its training set.

    Parameters
    ----------
    recordings
        As in `edac_core.datasets.recordings`, with `content` if they were audited.
    seed
        Of the folds. The order of the rows does not matter.
    test, validation
        Fractions of all recordings.

    Returns
    -------
    pandas.DataFrame
        The recordings with the column set: "train", "validation" or "test".

    Raises
    ------
    DataError
        A fraction is impossible, only some rows prescribe a split, a stratum has fewer
        participants than folds, or a set would lack one of the labels.
    """
    if not (test > 0 and validation > 0 and test + validation < 1):
        raise DataError(
            f"Fractions of {test:g} for test and {validation:g} for validation leave no three "
            "sets: choose positive ones that add up to less than 1."
        )
    ordered = recordings.sort_values("recording", ignore_index=True)
    start = _prescribed(ordered) if ordered["split"].notna().any() else None
    sets = _hold_out(ordered, "test", test, seed=seed) if start is None else start
    if "validation" not in sets.to_numpy():
        rest = ordered[sets == "train"]
        fraction = validation * len(ordered) / len(rest)
        sets.update(_hold_out(rest, "validation", fraction, seed=seed))
    _refuse_one_sided(ordered["label"], sets)
    by_name = dict(zip(ordered["recording"], sets, strict=True))
    return recordings.assign(set=recordings["recording"].map(by_name))


def _prescribed(ordered: pd.DataFrame) -> pd.Series:
    given = ordered["split"]
    if given.isna().any():
        raise DataError(
            f"{given.isna().sum()} of {len(given)} recordings have no split while the others do: "
            "fill the column in or leave it out."
        )
    for name in ("train", "test"):
        if name not in given.to_numpy():
            raise DataError(f"The given split has no {name} set: add one or leave the column out.")
    return given.copy()


def _hold_out(rows: pd.DataFrame, name: str, fraction: float, *, seed: int) -> pd.Series:
    """Call one fold of the rows by the name and the others "train"."""
    folds = max(2, round(1 / fraction))
    strata = rows["label"].astype("str") + " " + rows["group"]
    clusters = _clusters(rows)
    _refuse_small(rows, clusters, folds=folds)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    _, held_out = next(splitter.split(rows, strata, clusters))
    sets = np.full(len(rows), "train", dtype=object)
    sets[held_out] = name
    return pd.Series(sets, index=rows.index, dtype="str")


def _clusters(rows: pd.DataFrame) -> npt.NDArray[np.int32]:
    """Give rows one number if a chain of shared participants and contents links them."""
    ends: list[npt.NDArray[np.int64]] = []
    nodes = len(rows)
    for column in _TOGETHER:
        values = rows[column] if column in rows else pd.Series(np.nan, index=rows.index)
        codes, names = pd.factorize(values)
        row = np.flatnonzero(codes >= 0)
        ends.append(np.stack([row, codes[row] + nodes]))
        nodes += len(names)
    start, end = np.concatenate(ends, axis=1)
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(nodes, nodes))
    _, component = connected_components(graph, directed=False)
    return np.asarray(component[: len(rows)])


def _refuse_small(rows: pd.DataFrame, clusters: npt.NDArray[np.int32], *, folds: int) -> None:
    for label, group in sorted(set(zip(rows["label"], rows["group"], strict=True))):
        here = (rows["label"] == label) & (rows["group"] == group)
        if (people := len(np.unique(clusters[here]))) < folds:
            raise DataError(
                f"Label {label} in group {group!r} has only {people} participants or independent "
                f"recordings and needs {folds}: add some, or give its recordings another group."
            )


def _refuse_one_sided(labels: pd.Series, sets: pd.Series) -> None:
    for name in SPLITS:
        if missing := {0, 1} - set(labels[sets == name]):
            raise DataError(
                f"The {name} set would have no recording with label {missing.pop()}: add "
                "recordings of it or change the given split."
            )
