"""Files over a connection that may break: what has arrived is kept for the next attempt."""

from dataclasses import dataclass
from pathlib import Path

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

TIMEOUT_SECONDS = 30
"""How long a server may say nothing."""

_BLOCK_BYTES = 8_192  # What an interruption can lose: a block arrives whole or not at all.


@dataclass(frozen=True)
class Resuming:
    """A downloader for pooch that leaves what it has got for the next attempt.

    The server's ETag (or date) is kept beside the part: `If-Range` asks for the rest only if the
    file is still the same, and for all of it otherwise (RFC 9110, section 13.1.5).

    Parameters
    ----------
    part
        Where what has arrived is kept.
    progress
        Whether to show a progress bar.
    label
        What stands before the bar.
    """

    part: Path
    progress: bool
    label: str = ""

    def __call__(self, url: str, output_file: str, _: object) -> None:
        """Download to `output_file`, as pooch asks for it."""
        self.complete(url)
        self.part.replace(output_file)

    def complete(self, url: str) -> None:
        """Download what the part lacks.

        Raises
        ------
        requests.RequestException
            The server refuses, cannot be reached, or stops answering.
        """
        if not self._continued(url):
            self._continued(url)
        self._validator.unlink(missing_ok=True)

    def _continued(self, url: str) -> bool:
        headers = self._headers()
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
            unsatisfiable = requests.codes.requested_range_not_satisfiable
            if response.status_code == unsatisfiable and "Range" in headers:
                # There is nothing after the part: it was whole, or no longer fits the file.
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
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
        )
        with (
            self.part.open("ab" if resumed else "wb") as file,
            Progress(*columns, console=Console(stderr=True), disable=not self.progress) as bar,
        ):
            task = bar.add_task(self.label, total=total, completed=done)
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


def connection_sentence(
    url: str, error: requests.RequestException, *, part: Path | None = None
) -> str:
    """Say in one sentence why a download failed and how to go on.

    Parameters
    ----------
    url
        That was asked for.
    error
        What came of it.
    part
        Where what has arrived is kept, if anything is.

    Returns
    -------
    str
        For a `DataError`.
    """
    if error.response is not None:
        return f"{url} answered {error.response.status_code}: check the address or try later."
    if part and part.is_file() and part.stat().st_size:
        size = part.stat().st_size / 1e6
        return f"The download of {url} stopped after {size:.1f} MB: run it again to go on."
    return f"{url} cannot be reached: check the network connection and run the download again."
