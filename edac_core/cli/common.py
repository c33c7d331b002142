"""What commands share: their options, what they print, and the stores that they read."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from edac_core.errors import StoreError
from edac_core.locations import SHIPPED, local_cache
from edac_core.progress import EventListener, libraries_write_to, reporter
from edac_core.studies.store import Store


def add_command(commands: Any, name: str, command: Any, text: str) -> argparse.ArgumentParser:
    """Add a command with the options that all have; `command` takes them and returns a status."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=command)
    parser.add_argument("--cache", type=Path, default=local_cache(), help="folder of the studies")
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--csv", action="store_true", help="print tables as CSV")
    return parser


def show(frame: pd.DataFrame, options: argparse.Namespace) -> None:
    """Print a table, as CSV or JSON if so asked."""
    if options.json:
        text = frame.to_json(orient="records", double_precision=15)
    elif options.csv:
        text = frame.to_csv(index=False).rstrip("\n")
    else:
        text = frame.to_string(index=False, float_format=lambda value: f"{value:.4g}")
    print(text)  # noqa: T201 - a command line prints


def say(facts: dict[str, Any], sentence: str, options: argparse.Namespace) -> None:
    """Print a sentence for people, or its facts as JSON; nothing if quiet."""
    if options.json:
        print(json.dumps(facts))  # noqa: T201 - a command line prints
    elif not options.quiet:
        print(sentence)  # noqa: T201 - a command line prints


def open_stores(cache: Path) -> list[Store]:
    """Open the stores there are for reading: this machine's first, then the shipped one."""
    own = Store.exists(cache) and cache.resolve() != SHIPPED.resolve()
    local = [Store(cache, readonly=True, live=True)] if own else []
    shipped = [Store(SHIPPED, readonly=True)] if Store.exists(SHIPPED) else []
    return local + shipped


def store_of(study: str, cache: Path) -> Store:
    """Open the store that has a study; a StoreError names those there are if none has."""
    stores = open_stores(cache)
    for store in stores:
        if study in set(store.studies()["name"]):
            return store
    known = sorted({name for store in stores for name in store.studies()["name"]})
    choice = f"choose from: {', '.join(known)}" if known else "run a plan first"
    raise StoreError(f"There is no study {study!r}; {choice}.")


@contextlib.contextmanager
def termination_interrupts() -> Iterator[None]:
    """End on SIGTERM as on Ctrl-C: workers are ended, and the journal says what happened."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def running(
    options: argparse.Namespace, log: Path, *, silent: bool = False
) -> Iterator[EventListener]:
    """Tell of a run while it goes on, and end it in good order when it is to end.

    Parameters
    ----------
    options
        The command's.
    log
        The file that gets what libraries write.
    silent
        Whether to tell nothing, as where a table is all that is to be printed.
    """
    with (
        termination_interrupts(),
        libraries_write_to(log) as screen,
        reporter(
            quiet=options.quiet or silent, as_json=options.json and not silent, screen=screen
        ) as listener,
    ):
        yield listener


def limit_of_cache() -> int | None:
    """Return the bytes that the environment allows the cache, before anything is run for them."""
    from edac_core.studies.eviction import (  # noqa: PLC0415 - SciPy takes a second to import
        limit_from_environment,
    )

    return limit_from_environment()


def keep_within(most_bytes: int | None, options: argparse.Namespace) -> None:
    """Make the cache small after a run; what the run has found is there in any case."""
    if most_bytes is None:
        return
    from edac_core.studies.eviction import evict  # noqa: PLC0415 - as above

    try:
        evict(options.cache, keep_bytes=most_bytes)
    except StoreError as error:
        print(f"edac: {error}", file=sys.stderr)  # noqa: T201 - a command line prints


def positive(text: str) -> int:
    """Read a number of things, at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def resource(text: str) -> tuple[str, float]:
    """Read what a job asks of a worker, such as GPU=1."""
    name, _, amount = text.partition("=")
    try:
        resource = name, float(amount)
    except ValueError:
        resource = "", 0.0
    if not resource[0] or not 0 < resource[1] < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not like GPU=1")
    return resource


def seed(text: str) -> int:
    """Read a seed, at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is not at least 0")
    return value


def limit(text: str) -> float:
    """Read a limit, at least 0 and finite."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number that is at least 0")
    return value
