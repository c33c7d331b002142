"""Fetch a public data set once, in as many attempts as the connection takes.

What is verified: every member of the archive against its CRC-32, that the data set's own module
can read what was unpacked, and the archive's SHA-256 if the caller knows it. A public branch
moves, so no SHA-256 of it can be written here: the one of the archive that arrived is recorded
beside it, and a later run that finds the archive verifies it against that record. This detects
damage, not a publisher who changed the data set.
"""

import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pooch
import requests
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

from edac_core.datasets import covid19_cough
from edac_core.datasets.recordings import Dataset
from edac_core.errors import DataError

_TIMEOUT_SECONDS = 30
_BLOCK_BYTES = 8_192  # What an interruption can lose: a block arrives whole or not at all.


@dataclass(frozen=True)
class _Public:
    """Where a public data set is, and who can read it."""

    base_url: str
    archive: str
    marker: str
    load: Callable[..., Dataset]


_PUBLIC = {
    covid19_cough.NAME: _Public(
        base_url="https://github.com/covid19-cough/dataset",
        archive="archive/refs/heads/master.zip",
        marker=covid19_cough.METADATA,
        load=covid19_cough.load,
    )
}

DOWNLOADABLE = tuple(_PUBLIC)
"""Names that `download` knows."""


def download(
    name: str,
    *,
    target: Path,
    base_url: str | None = None,
    known_hash: str | None = None,
    progress: bool = True,
) -> Path:
    """Download and unpack a public data set, unless it is there.

    An interrupted download goes on from where it stopped, if the server allows it and the archive
    has not changed. The data set's folder appears only when it is whole.

    Parameters
    ----------
    name
        One of `DOWNLOADABLE`.
    target
        Folder that gets the data set's folder, the archive and its SHA-256; `data_root()` is
        where data sets are looked for.
    base_url
        Of a mirror with the same layout.
    known_hash
        SHA-256 that the archive must have.
    progress
        Whether to show a progress bar.

    Returns
    -------
    pathlib.Path
        The data set's folder.

    Raises
    ------
    DataError
        The name is unknown, the server cannot be reached or stops answering, or what arrives is
        damaged or not the data set.
    """
    if name not in _PUBLIC:
        raise DataError(f"Data set {name!r} cannot be downloaded: {', '.join(_PUBLIC)} can.")
    public = _PUBLIC[name]
    folder = target.expanduser().resolve() / name
    if (folder / public.marker).is_file():
        return folder
    url = f"{(base_url or public.base_url).rstrip('/')}/{public.archive}"
    archive = folder.with_name(f"{name}.zip")
    _fetch(url, archive=archive, known_hash=known_hash, progress=progress)
    try:
        _unpack(archive, folder=folder, load=public.load)
    except _DamagedError as error:
        _forget(archive)
        raise DataError(
            f"What {url} sent is damaged or not the data set {name!r} ({error}): run the download "
            "again."
        ) from error
    return folder


class _DamagedError(Exception):
    """The archive cannot be trusted."""


def _fetch(url: str, *, archive: Path, known_hash: str | None, progress: bool) -> None:
    part = archive.with_suffix(".part")
    _forget_if_changed(archive)
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        pooch.get_logger().setLevel("WARNING")
        pooch.retrieve(
            url,
            known_hash=known_hash,
            fname=archive.name,
            path=archive.parent,
            downloader=_Resuming(part, progress=progress),
        )
        _record(archive).write_text(f"{pooch.file_hash(str(archive))}  {archive.name}\n")
    except requests.RequestException as error:
        raise DataError(_connection_sentence(url, error, part=part)) from error
    except ValueError as error:
        raise DataError(
            f"What {url} sent does not have the SHA-256 {known_hash}: check the hash, or leave it "
            "out if the data set has changed."
        ) from error
    except OSError as error:
        raise DataError(
            f"{archive.parent} cannot be written to ({error.strerror}): choose another folder."
        ) from error


def _connection_sentence(url: str, error: requests.RequestException, *, part: Path) -> str:
    if error.response is not None:
        return f"{url} answered {error.response.status_code}: check the address or try later."
    if part.is_file() and part.stat().st_size:
        size = part.stat().st_size / 1e6
        return f"The download of {url} stopped after {size:.1f} MB: run it again to go on."
    return f"{url} cannot be reached: check the network connection and run the download again."


def _record(archive: Path) -> Path:
    return archive.with_suffix(".zip.sha256")


def _forget(archive: Path) -> None:
    archive.unlink(missing_ok=True)
    _record(archive).unlink(missing_ok=True)


def _forget_if_changed(archive: Path) -> None:
    if not (archive.is_file() and _record(archive).is_file()):
        return
    recorded = _record(archive).read_text().split()
    if recorded[:1] != [pooch.file_hash(str(archive))]:
        _forget(archive)


@dataclass(frozen=True)
class _Resuming:
    """A downloader for pooch that leaves what it has got for the next attempt.

    The server's ETag (or date) is kept beside the part: `If-Range` asks for the rest only if the
    archive is still the same, and for all of it otherwise (RFC 9110, section 13.1.5).
    """

    part: Path
    progress: bool

    def __call__(self, url: str, output_file: str, _: object) -> None:
        """Download to `output_file`, as pooch asks for it."""
        if not self._continued(url):
            self._continued(url)
        self._validator.unlink(missing_ok=True)
        self.part.replace(output_file)

    def _continued(self, url: str) -> bool:
        headers = self._headers()
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as response:
            unsatisfiable = requests.codes.requested_range_not_satisfiable
            if response.status_code == unsatisfiable and "Range" in headers:
                # There is nothing after the part: it was whole, or no longer fits the archive.
                self.part.unlink()
                return False
            response.raise_for_status()
            self._receive(response)
            return True

    @property
    def _validator(self) -> Path:
        return self.part.with_suffix(".part.etag")

    def _headers(self) -> dict[str, str]:
        # Compressed on the way, a byte's position would mean something else.
        whole = {"Accept-Encoding": "identity"}
        if not (self.part.is_file() and self._validator.is_file()):
            return whole
        range_ = f"bytes={self.part.stat().st_size}-"
        return {**whole, "Range": range_, "If-Range": self._validator.read_text()}

    def _receive(self, response: requests.Response) -> None:
        resumed = response.status_code == requests.codes.partial_content
        if not resumed:
            self._remember(response)
        done = self.part.stat().st_size if resumed else 0
        left = response.headers.get("Content-Length")
        total = done + int(left) if left else None
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with (
            self.part.open("ab" if resumed else "wb") as file,
            Progress(*columns, disable=not self.progress) as bar,
        ):
            task = bar.add_task("", total=total, completed=done)
            for block in response.iter_content(_BLOCK_BYTES):
                file.write(block)
                bar.advance(task, len(block))

    def _remember(self, response: requests.Response) -> None:
        self.part.unlink(missing_ok=True)
        validator = response.headers.get("ETag") or response.headers.get("Last-Modified")
        if validator:
            self._validator.write_text(validator)
        else:
            self._validator.unlink(missing_ok=True)


def _unpack(archive: Path, *, folder: Path, load: Callable[..., Dataset]) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as aside:
        whole = Path(aside, "whole")
        try:
            with zipfile.ZipFile(archive) as bundle:
                for member in bundle.infolist():
                    _extract(bundle, member, whole)
            load(path=whole)
        # zipfile raises a RuntimeError for members that are encrypted or packed unusually.
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, DataError) as error:
            raise _DamagedError(str(error).rstrip(".")) from error
        _move(whole, folder)


def _extract(bundle: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
        raise _DamagedError(f"it wants to write outside its folder, to {member.filename}")
    if not member.is_dir():
        # The archive's one top folder is named after the branch.
        file = folder.joinpath(*path.parts[1:])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bundle.read(member))


def _move(whole: Path, folder: Path) -> None:
    try:
        whole.rename(folder)
    except OSError as error:
        raise DataError(
            f"{folder} is in the way ({error.strerror}): move it elsewhere and run the download "
            "again."
        ) from error
