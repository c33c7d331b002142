"""Where data sets lie on this machine."""

import os
from pathlib import Path

from edac_core.errors import DataError
from edac_core.locations import PROJECT

VARIABLE = "EDAC_DATA_DIR"


class MissingDataError(DataError):
    """A data set is not where it is looked for."""


def data_root() -> Path:
    """Name the folder that holds one folder a data set.

    Returns
    -------
    pathlib.Path
        `EDAC_DATA_DIR` if it is set; otherwise `../shared/data` beside the project if it exists;
        otherwise the project's `data`, which need not exist yet.
    """
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser().resolve()
    shared = PROJECT.parent / "shared" / "data"
    return shared if shared.is_dir() else PROJECT / "data"


def require_folder(
    name: str, *, path: Path | None, marker: str, folder_name: str | None = None
) -> Path:
    """Find a data set's folder.

    Parameters
    ----------
    name
        Of the data set.
    path
        The folder, if the caller knows better.
    marker
        File that every whole copy of the data set has, relative to its folder.
    folder_name
        Of its folder in `data_root()`, if that is not called as the data set is.

    Returns
    -------
    pathlib.Path
        Absolute.

    Raises
    ------
    MissingDataError
        The folder is missing or lacks the marker.
    """
    folder = (path or data_root() / (folder_name or name)).expanduser().resolve()
    if not (folder / marker).is_file():
        raise MissingDataError(
            f"Data set {name!r} is not in {folder} ({marker} is missing): run `edac data download "
            f"{name}` if it is public, set {VARIABLE} to the folder that holds it, or use the data "
            "set 'synthetic'."
        )
    return folder
