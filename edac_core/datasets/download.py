"""Fetch a public data set once, in as many attempts as the connection takes.

Coswara comes from its repository, file by file (`edac_core.datasets.coswara_download`). The others
are one archive. What is verified of it: every member against its CRC-32, that the data set's own
module can read what was unpacked, and the archive's SHA-256 if the caller knows it. A public branch
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

from edac_core.datasets import coswara, coughvid, covid19_cough, urtic
from edac_core.datasets.coswara_download import GITHUB, download_coswara
from edac_core.datasets.recordings import Dataset
from edac_core.datasets.repository import Repository
from edac_core.datasets.transfer import Resuming, connection_sentence
from edac_core.errors import DataError


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

DOWNLOADABLE = (*_PUBLIC, coswara.NAME)
"""Names that `download` knows."""

_BY_HAND = {
    coughvid.NAME: (
        "COUGHVID is to be downloaded by hand from https://zenodo.org/records/7024894 (which links "
        "older versions): unpack it so that {folder} holds its recordings and "
        f"{coughvid.METADATA}."
    ),
    urtic.NAME: (
        "URTIC is given out by its owners on request (the Cold corpus of the Interspeech 2017 "
        "challenge, http://www.compare.openaudio.eu): unpack it so that {folder} holds wav and "
        f"{urtic.METADATA}."
    ),
}


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
    has not changed. The data set's folder appears only when it is whole; of Coswara, each date's.

    Parameters
    ----------
    name
        One of `DOWNLOADABLE`.
    target
        Folder that gets the data set's folder, the archive and its SHA-256; `data_root()` is
        where data sets are looked for.
    base_url
        Of a mirror with the same layout; for Coswara, `git/trees/master?recursive=1` below it
        answers as GitHub's tree API does and the files lie in `raw/master`.
    known_hash
        SHA-256 that the archive must have, for a data set that is one archive.
    progress
        Whether to show a progress bar.

    Returns
    -------
    pathlib.Path
        The data set's folder.

    Raises
    ------
    DataError
        The name is unknown or has to be downloaded by hand, the server cannot be reached or stops
        answering, or what arrives is damaged or not the data set.
    """
    if by_hand := instructions(name, target=target):
        raise DataError(by_hand)
    if name not in DOWNLOADABLE:
        raise DataError(f"Data set {name!r} cannot be downloaded: {', '.join(DOWNLOADABLE)} can.")
    folder = target.expanduser().resolve() / name
    if name in _PUBLIC:
        return _download_archive(
            _PUBLIC[name], folder, base_url=base_url, known_hash=known_hash, progress=progress
        )
    if known_hash:
        raise DataError(
            f"Data set {name!r} is not one archive: leave the SHA-256 {known_hash} out."
        )
    repository = _mirror(base_url) if base_url else GITHUB
    return download_coswara(target=target, repository=repository, progress=progress)


def instructions(name: str, *, target: Path) -> str | None:
    """Say in a sentence how a data set is to be had that `download` cannot fetch.

    Parameters
    ----------
    name
        Of the data set.
    target
        Folder that is to get the data set's folder.

    Returns
    -------
    str or None
        None if there is nothing to say of it.
    """
    folder = target.expanduser().resolve() / name
    return _BY_HAND[name].format(folder=folder) if name in _BY_HAND else None


def _mirror(base_url: str) -> Repository:
    base = base_url.rstrip("/")
    return Repository(f"{base}/git/trees/master?recursive=1", f"{base}/raw/master")


class _DamagedError(Exception):
    """The archive cannot be trusted."""


def _download_archive(
    public: _Public, folder: Path, *, base_url: str | None, known_hash: str | None, progress: bool
) -> Path:
    if (folder / public.marker).is_file():
        return folder
    url = f"{(base_url or public.base_url).rstrip('/')}/{public.archive}"
    archive = folder.with_name(f"{folder.name}.zip")
    _fetch(url, archive=archive, known_hash=known_hash, progress=progress)
    try:
        _unpack(archive, folder=folder, load=public.load)
    except _DamagedError as error:
        _forget(archive)
        raise DataError(
            f"What {url} sent is damaged or not the data set {folder.name!r} ({error}): run the "
            "download again."
        ) from error
    return folder


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
            downloader=Resuming(part, progress=progress),
        )
        _record(archive).write_text(f"{pooch.file_hash(str(archive))}  {archive.name}\n")
    except requests.RequestException as error:
        raise DataError(connection_sentence(url, error, part=part)) from error
    except ValueError as error:
        raise DataError(
            f"What {url} sent does not have the SHA-256 {known_hash}: check the hash, or leave it "
            "out if the data set has changed."
        ) from error
    except OSError as error:
        raise DataError(
            f"{archive.parent} cannot be written to ({error.strerror}): make room there or choose "
            "another folder, and run the download again."
        ) from error


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


def _unpack(archive: Path, *, folder: Path, load: Callable[..., Dataset]) -> None:
    try:
        _unpack_aside(archive, folder=folder, load=load)
    except OSError as error:
        raise DataError(
            f"{folder.parent} cannot be written to ({error.strerror}): make room there or choose "
            "another folder, and run the download again."
        ) from error


def _unpack_aside(archive: Path, *, folder: Path, load: Callable[..., Dataset]) -> None:
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
