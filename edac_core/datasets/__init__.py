"""Recordings: one table for every data set, its audit and its split."""

import inspect
from collections.abc import Callable
from pathlib import Path

from edac_core.datasets import coswara, coughvid, covid19_cough, folder, synthetic, urtic
from edac_core.datasets.location import data_root
from edac_core.datasets.recordings import Dataset
from edac_core.errors import DataError

__all__ = ["DATASETS", "Dataset", "canonical", "data_root", "open_dataset", "options_of"]

_OPENERS: dict[str, Callable[..., Dataset]] = {
    coswara.NAME: coswara.load,
    coughvid.NAME: coughvid.load,
    covid19_cough.NAME: covid19_cough.load,
    urtic.NAME: urtic.load,
    folder.NAME: folder.load,
    synthetic.NAME: synthetic.load,
}

DATASETS = tuple(_OPENERS)
"""Names that `open_dataset` knows."""


def canonical(name: str) -> str:
    """Spell a data set's name as `DATASETS` does, which a module's name does not."""
    return name.replace("_", "-")


def open_dataset(name: str, *, path: Path | None = None, **options: object) -> Dataset:
    """Tabulate a data set's recordings.

    Parameters
    ----------
    name
        One of `DATASETS`; "_" may stand for "-".
    path
        Where it lies, if not where its module looks: a folder, or a CSV file for "folder".
    **options
        What the data set's own `load` takes, such as `n` and `seed` for "synthetic".

    Returns
    -------
    Dataset
        Its recordings, none of them decoded yet.

    Raises
    ------
    DataError
        The name or an option is unknown, or the data set is missing or malformed.
    """
    known = canonical(name)
    if known not in _OPENERS:
        raise DataError(f"There is no data set {name!r}: choose from {', '.join(DATASETS)}.")
    _refuse_unknown(options, name=known)
    return _OPENERS[known](path=path, **options)


def options_of(name: str) -> dict[str, object]:
    """Return the options that a data set's own `load` takes, with what they are by default."""
    parameters = inspect.signature(_OPENERS[canonical(name)]).parameters
    return {key: option.default for key, option in parameters.items() if key != "path"}


def _refuse_unknown(options: dict[str, object], *, name: str) -> None:
    known = options_of(name)
    if unknown := [option for option in options if option not in known]:
        offered = f"use {', '.join(known)}" if known else "it has none, so leave it out"
        raise DataError(f"Data set {name!r} has no option {unknown[0]!r}: {offered}.")
