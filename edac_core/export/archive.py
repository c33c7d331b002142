"""Archives whose bytes follow from their contents alone."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

_FIRST_DATE_OF_ZIP = (1980, 1, 1, 0, 0, 0)
_UNIX, _READABLE = 3, 0o100644 << 16
_LEVEL = 6


def zipped(
    files: Mapping[str, bytes], *, folder: str = "", levels: Mapping[str, int] | None = None
) -> bytes:
    """Zip files so that the same files give the same bytes.

    Parameters
    ----------
    files
        Contents by name.
    folder
        Which they lie in; none if empty.
    levels
        Deflate's level for some of them, 1 to 9; 6 for the others.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(f"{folder}/{name}" if folder else name, _FIRST_DATE_OF_ZIP)
            member.create_system, member.external_attr = _UNIX, _READABLE
            archive.writestr(
                member,
                content,
                zipfile.ZIP_DEFLATED,
                compresslevel=(levels or {}).get(name, _LEVEL),
            )
    return buffer.getvalue()


def npz(arrays: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """Write arrays as NumPy's .npz, without its time stamps and without pickles."""
    return zipped({f"{name}.npy": _npy(array) for name, array in arrays.items()})


def _npy(array: npt.NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
