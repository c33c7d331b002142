"""The dashboard as `streamlit run app.py` starts it, for whatever looks at it from outside."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edac_core.locations import CACHE_VARIABLE, PROJECT

_START_SECONDS = 180
_STOP_SECONDS = 60
_LOOK_EVERY_SECONDS = 0.05
_LOOK_SECONDS = 10


@dataclass(frozen=True)
class Server:
    """A dashboard that runs: its address and the number of its process."""

    url: str
    pid: int


@contextlib.contextmanager
def serving(
    cache: Path,
    *,
    log: Path,
    app: Path = PROJECT / "app.py",
    folder: Path = PROJECT,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run the dashboard on a free port.

    Parameters
    ----------
    cache
        Folder of its studies of this machine, beside the shipped ones.
    log
        File for what it prints.
    app
        The script that is run.
    folder
        The working directory that it is run from.
    options
        Further options of `streamlit run`.
    environment
        Variables beside those of this process.

    Yields
    ------
    Server

    Raises
    ------
    SystemExit
        If it ends or does not answer within three minutes; with what it printed.
    """
    port = free_port()
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - our own app
            [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port),
             "--server.headless", "true", *options],
            cwd=folder, env={**os.environ, CACHE_VARIABLE: str(cache), **(environment or {})},
            stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process, log=log)
            yield Server(url, process.pid)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes], *, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=_LOOK_SECONDS),  # noqa: S310 - our own server
        ):
            return
        time.sleep(_LOOK_EVERY_SECONDS)
    raise SystemExit(f"The dashboard does not start: {log.read_text('utf-8', 'replace')}")
