"""A public GitHub repository as a server of files that are known by their Git hashes.

Every file is verified by the size and the SHA-1 that the repository's tree lists for it
(`git hash-object` gives the same), so that what arrives is what was published.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from edac_core.datasets.transfer import TIMEOUT_SECONDS, Resuming, connection_sentence
from edac_core.errors import DataError


@dataclass(frozen=True)
class Blob:
    """One file of a repository.

    Parameters
    ----------
    path
        In the repository.
    size
        In bytes.
    sha1
        Git's: that of a header with the size, and the content.
    """

    path: str
    size: int
    sha1: str

    def is_in(self, file: Path) -> bool:
        """Whether a file is there and has this content."""
        if not file.is_file() or file.stat().st_size != self.size:
            return False
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, self._digest).hexdigest() == self.sha1

    def _digest(self) -> Any:
        return hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)


@dataclass(frozen=True)
class Repository:
    """A branch of a repository, over GitHub's tree API and its raw files.

    Parameters
    ----------
    tree_url
        Address of the branch's tree with all its subtrees, as JSON.
    files_url
        Address under which the branch's files lie.
    """

    tree_url: str
    files_url: str

    def blobs(self) -> list[Blob]:
        """List the files.

        Returns
        -------
        list of Blob
            In the tree's order, which is that of their paths.

        Raises
        ------
        DataError
            The server cannot be reached, or answers something else than a whole tree.
        """
        try:
            response = requests.get(self.tree_url, timeout=TIMEOUT_SECONDS)
            response.raise_for_status()
        except requests.RequestException as error:
            raise DataError(connection_sentence(self.tree_url, error)) from error
        return self._parse(response.content)

    def fetch(self, blob: Blob, *, to: Path, progress: bool = True, label: str = "") -> None:
        """Download a file unless it is there, going on from where the last attempt stopped.

        Parameters
        ----------
        blob
            From `blobs`.
        to
            The file; it appears, or is replaced, only when it is whole and verified.
        progress, label
            As in `edac_core.datasets.transfer.Resuming`.

        Raises
        ------
        DataError
            The server cannot be reached or stops answering, what arrives is not the file, or the
            folder cannot be written to.
        """
        if blob.is_in(to):
            return
        part = to.with_name(f"{to.name}.part")
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            self._complete(blob, Resuming(part, progress=progress, label=label))
            part.replace(to)
        except OSError as error:
            raise DataError(
                f"{to.parent} cannot be written to ({error.strerror}): make room there or choose "
                "another folder, and run the download again."
            ) from error

    def _complete(self, blob: Blob, transfer: Resuming) -> None:
        if blob.is_in(transfer.part):
            return
        url = f"{self.files_url}/{blob.path}"
        try:
            transfer.complete(url)
        except requests.RequestException as error:
            raise DataError(connection_sentence(url, error, part=transfer.part)) from error
        if not blob.is_in(transfer.part):
            transfer.part.unlink()
            raise DataError(
                f"What {url} sent does not have the size and SHA-1 that the repository lists: run "
                "the download again."
            )

    def _parse(self, answer: bytes) -> list[Blob]:
        try:
            tree = json.loads(answer)
            whole = not tree.get("truncated")
            entries = [entry for entry in tree["tree"] if entry["type"] == "blob"]
            blobs = [Blob(str(e["path"]), int(e["size"]), str(e["sha"])) for e in entries]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"What {self.tree_url} sent is no tree of files: check the address or try later."
            ) from error
        if not whole:
            raise DataError(f"{self.tree_url} lists only a part of its files: use a mirror.")
        return blobs
