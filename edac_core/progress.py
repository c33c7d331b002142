"""How a run shows itself on a terminal: a bar and lines, JSON, or nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from edac_core.errors import StoreError

EventListener = Callable[[Any], None]


@contextlib.contextmanager
def libraries_write_to(path: Path) -> Iterator[TextIO]:
    """Send standard error, which native libraries and workers chat on, to the end of a file.

    Yields
    ------
    file
        What standard error was, for those who have something to say to people.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        log = path.open("ab")
    except OSError as error:
        raise StoreError(
            f"The log {path} cannot be written ({error.strerror}): choose another --cache folder."
        ) from error
    with log, os.fdopen(os.dup(2), "w") as screen:
        os.dup2(log.fileno(), 2)
        try:
            yield screen
        finally:
            os.dup2(screen.fileno(), 2)


@contextlib.contextmanager
def reporter(*, quiet: bool, as_json: bool, screen: TextIO) -> Iterator[EventListener]:
    """Give a listener for `edac_core.studies.run.run_study`.

    Parameters
    ----------
    quiet
        Show nothing.
    as_json
        Print every event as a line of JSON on standard output.
    screen
        Where bars and lines are drawn.
    """
    if as_json:
        yield _print_json
    elif quiet:
        yield _ignore
    else:
        with _bars(screen) as bars:
            yield _Display(bars)


def _ignore(_event: Any) -> None:
    """Show nothing."""


def _print_json(event: Any) -> None:
    sys.stdout.write(json.dumps(dataclasses.asdict(event)) + "\n")
    sys.stdout.flush()


def _bars(screen: TextIO) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(file=screen),
    )


class _Display:
    """One bar for the stage and one for each job that trains."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}
        self._ended: set[str] = set()

    def __call__(self, event: Any) -> None:
        getattr(self, f"_on_{event.kind}")(event)

    def _on_preparing(self, event: Any) -> None:
        self._set(event.text, event.done, event.total or None)

    def _on_planned(self, event: Any) -> None:
        self._bars.console.print(f"{event.total} jobs, {event.done} of them known already")
        self._set("jobs", event.done, event.total)

    def _on_started(self, event: Any) -> None:
        self._on_epoch(event)

    def _on_epoch(self, event: Any) -> None:
        # What a worker says of its last epoch may arrive after its result.
        if event.text not in self._ended:
            self._set(f"  {event.text}", event.detail.get("number", 0), event.detail["epochs"])

    def _on_finished(self, event: Any) -> None:
        self._bars.console.print(f"{event.text}: {event.detail['seconds']:.0f} s")
        self._remove(f"  {event.text}")
        self._set("jobs", event.done, event.total)

    def _on_retrying(self, event: Any) -> None:
        self._bars.console.print(f"{event.text}: tried again, as {event.detail['reason']}")

    def _on_failed(self, event: Any) -> None:
        self._bars.console.print(f"{event.text}: failed, {event.detail['reason']}")
        self._remove(f"  {event.text}")

    def _on_measuring(self, event: Any) -> None:
        self._set("latency, measured alone", event.done, event.total)

    def _on_done(self, event: Any) -> None:
        self._bars.console.print(f"{event.done} of {event.total} jobs finished")

    def _set(self, name: str, done: int, total: int | None) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total)
        self._bars.update(self._tasks[name], completed=done, total=total)

    def _remove(self, name: str) -> None:
        self._ended.add(name.strip())
        if name in self._tasks:
            self._bars.remove_task(self._tasks.pop(name))
