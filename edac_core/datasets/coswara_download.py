"""Fetch Coswara date by date, in as many attempts as the connection takes.

Its repository holds, for each date, a compressed archive cut into parts
(`<date>/<date>.tar.gz.aa`, `.ab` ...). The parts of one date are fetched, verified, unpacked and
removed before the next date's, so that no more than one date lies on the disk twice. A date's
folder appears only when it is whole, and is not fetched again.
"""

import gzip
import io
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edac_core.datasets import coswara
from edac_core.datasets.repository import Blob, Repository
from edac_core.errors import DataError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GITHUB = Repository(
    tree_url="https://api.github.com/repos/iiscleap/Coswara-Data/git/trees/master?recursive=1",
    files_url="https://raw.githubusercontent.com/iiscleap/Coswara-Data/master",
)
"""Where Coswara is published."""

_PART = re.compile(r"(?P<date>\d{8})/[\w.-]+\.tar\.gz\.[a-z]+")
_TABLE = re.compile(r"combined_data\.csv|csv_labels_legend\.json|LICENSE\.md|annotations/\w[\w.-]*")
_ASIDE = ".download"
_BLOCK_BYTES = 1 << 20


class _DamagedError(Exception):
    """Parts that arrived as they were published cannot be unpacked."""


def download_coswara(
    *, target: Path, repository: Repository = GITHUB, progress: bool = True
) -> Path:
    """Download and unpack what of Coswara is not there yet.

    Parameters
    ----------
    target
        Folder that gets Coswara's.
    repository
        With the layout of the published one.
    progress
        Whether to show progress bars.

    Returns
    -------
    pathlib.Path
        Coswara's folder.

    Raises
    ------
    DataError
        The server cannot be reached or stops answering, what arrives is not what the repository
        lists, the folder cannot be written to, or dates cannot be unpacked: those that can are
        there.
    """
    folder = target.expanduser().resolve() / coswara.FOLDER
    blobs = repository.blobs()
    _refuse_other(blobs, repository=repository)
    for blob in blobs:
        if _TABLE.fullmatch(blob.path):
            repository.fetch(blob, to=folder / blob.path, progress=progress, label=blob.path)
    damaged = _fetch_dates(blobs, folder=folder, repository=repository, progress=progress)
    if damaged:
        raise DataError(
            f"Coswara's archives of {', '.join(damaged)} are damaged where they are published "
            f"({next(iter(damaged.values()))}): the other dates are in {folder}, so go on without."
        )
    shutil.rmtree(folder / _ASIDE, ignore_errors=True)
    return folder


def _refuse_other(blobs: list[Blob], *, repository: Repository) -> None:
    paths = {blob.path for blob in blobs}
    if coswara.METADATA not in paths or not any(map(_PART.fullmatch, paths)):
        raise DataError(
            f"{repository.tree_url} does not list Coswara's {coswara.METADATA} and archives: "
            "check the address."
        )


def _fetch_dates(
    blobs: list[Blob], *, folder: Path, repository: Repository, progress: bool
) -> dict[str, str]:
    """Fetch what is not there, and say which dates cannot be unpacked and why."""
    dates = _parts_by_date(blobs)
    damaged = {}
    for number, (date, parts) in enumerate(dates.items(), 1):
        aside = folder / _ASIDE / date
        unpacked = folder / coswara.EXTRACTED / date
        if not _is_filled(unpacked):
            label = f"date {number} of {len(dates)}"
            files = list(_fetched(parts, aside, repository, progress=progress, label=label))
            try:
                _unpack(files, date=date, to=unpacked)
            except _DamagedError as error:
                damaged[date] = str(error)
                continue
        shutil.rmtree(aside, ignore_errors=True)
    return damaged


def _parts_by_date(blobs: Iterable[Blob]) -> dict[str, list[Blob]]:
    dates: dict[str, list[Blob]] = {}
    for blob in sorted(blobs, key=lambda blob: blob.path):
        if found := _PART.fullmatch(blob.path):
            dates.setdefault(found["date"], []).append(blob)
    return dates


def _is_filled(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _fetched(
    parts: list[Blob], aside: Path, repository: Repository, *, progress: bool, label: str
) -> Iterator[Path]:
    for number, blob in enumerate(parts, 1):
        file = aside / Path(blob.path).name
        text = f"{label}, part {number} of {len(parts)}"
        repository.fetch(blob, to=file, progress=progress, label=text)
        yield file


def _unpack(parts: list[Path], *, date: str, to: Path) -> None:
    whole = parts[0].parent / "unpacked"
    try:
        shutil.rmtree(whole, ignore_errors=True)
        _extract(parts, whole)
        if not _is_filled(whole / date):
            raise _DamagedError(f"there is no folder {date} in it")
        to.parent.mkdir(parents=True, exist_ok=True)
        (whole / date).rename(to)
    # gzip's error for a damaged archive is an OSError.
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise _DamagedError(str(error).rstrip(".")) from error
    except OSError as error:
        raise DataError(
            f"{to.parent} cannot be written to ({error.strerror}): make room there or choose "
            "another folder, and run the download again."
        ) from error


def _extract(parts: list[Path], folder: Path) -> None:
    with (
        io.BufferedReader(_Concatenated(parts)) as joined,
        gzip.GzipFile(fileobj=joined) as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        archive.extractall(folder, filter=_safe)  # noqa: S202 - what the filter is for
        # The checksum stands behind the archive's end.
        while stream.read(_BLOCK_BYTES):
            pass


def _safe(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Leave out what would lie outside the folder, and whatever is neither file nor folder."""
    if not (member.isreg() or member.isdir()):
        return None
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None


class _Concatenated(io.RawIOBase):
    """Files read as if they were one."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = iter(files)
        self._current: io.BufferedIOBase = io.BytesIO()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read from the file whose turn it is."""
        count = self._current.readinto(buffer)
        while count == 0 and (file := next(self._files, None)):
            self._current.close()
            self._current = file.open("rb")
            count = self._current.readinto(buffer)
        return count

    def close(self) -> None:
        """Close the file whose turn it is."""
        self._current.close()
        super().close()
