"""The command line: ``edac run | search | sensitivity | status | table | export | ...``.

It is also ``python -m edac_core``. Each module has the commands of one thing and adds them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from edac_core import __version__
from edac_core.cli import data, exploring, studies, upkeep, variants
from edac_core.errors import EdacError
from edac_core.locations import caching_in

USAGE_ERROR = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0 is success, 1 a study some of whose jobs failed, 2 a mistake that one sentence on standard
    error explains, 130 an interruption.
    """
    options = make_parser().parse_args(arguments)
    try:
        with caching_in(options.cache):
            status = int(options.command(options))
        # What is still to be printed may meet a reader that has gone.
        sys.stdout.flush()
    except EdacError as error:
        print(f"edac: {error}", file=sys.stderr)  # noqa: T201 - a command line prints
        return USAGE_ERROR
    except BrokenPipeError:
        # As of `edac table cnn | head`; Python would complain again when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(  # noqa: T201 - a command line prints
            "edac: interrupted; finished jobs are kept, run the same command again to go on.",
            file=sys.stderr,
        )
        return INTERRUPTED
    return status


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the command line, which the reference in the documentation is made of."""
    parser = argparse.ArgumentParser(
        prog="edac", description="Find the smallest cough classifier you can still trust."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (studies, exploring, variants, data, upkeep):
        group.add_commands(commands)
    return parser
