"""Commands of the cache: check, evict, forget."""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd

from edac_core.cli.common import add_command, limit, say, show
from edac_core.locations import SHIPPED
from edac_core.studies.store import Store

_CHECK_HELP = (
    "Look over every file of the cache and of what was shipped: digests, checksums, SQLite's own "
    "checks, figures against the scores they come of. Exit status 1 if anything is amiss. --repair "
    "deletes what is damaged and forgets the jobs it belonged to, so that the next run of their "
    "plan makes them again; 1 then means that something is left to be done by hand."
)
_EVICT_HELP = (
    "Delete model files and features, the least recently used first, until the cache is no larger. "
    "Figures, weights, float32 baselines and what was shipped stay. EDAC_CACHE_BYTES does so at "
    "the end of every run."
)
_FORGET_HELP = (
    "Forget the jobs of a study whose model files were evicted or are lost, so that the next run "
    "of its plan makes them again. Baselines are converted anew from their weights."
)


def add_commands(commands: Any) -> None:
    """Add cache check, cache evict and cache forget."""
    cache = commands.add_parser("cache", help="check, mend or shrink what this machine keeps")
    actions = cache.add_subparsers(required=True, metavar="ACTION")
    check = add_command(actions, "check", _check, "look every file of the cache over")
    check.description = _CHECK_HELP
    check.add_argument("--repair", action="store_true", help="mend what can be mended")
    evict = add_command(actions, "evict", _evict, "delete what was used least recently")
    evict.description = _EVICT_HELP
    evict.add_argument("--keep-gb", type=limit, required=True, help="what may stay, in 10^9 bytes")
    forget = add_command(actions, "forget", _forget, "have lost model files made again")
    forget.description = _FORGET_HELP
    forget.add_argument("study")


def _check(options: argparse.Namespace) -> int:
    from edac_core.studies.upkeep import (  # noqa: PLC0415 - SciPy takes a second to import
        check,
        check_shipped,
    )

    found = check(options.cache, repair=options.repair)
    if Store.exists(SHIPPED):
        found += check_shipped(SHIPPED)
    columns = ["kind", "name", "text", "done", "remedy"]
    table = pd.DataFrame([vars(finding) for finding in found], columns=columns)
    if options.json or options.csv:
        show(table, options)
    elif found:
        for finding in found:
            outcome = finding.done or finding.remedy or "edac cache check --repair mends it"
            say({}, f"{finding.kind} {finding.name}: {finding.text}: {outcome}.", options)
    else:
        say({}, f"Nothing is amiss in {options.cache} and in what was shipped.", options)
    return 0 if all(finding.done for finding in found) else 1


def _evict(options: argparse.Namespace) -> int:
    from edac_core.studies.eviction import evict  # noqa: PLC0415 - as above

    done = evict(options.cache, keep_bytes=round(options.keep_gb * 1e9))
    say(
        vars(done),
        f"{done.files} files with {done.bytes_freed / 1e9:.3f} GB were deleted; "
        f"{done.bytes_left / 1e9:.3f} GB are left.",
        options,
    )
    return 0


def _forget(options: argparse.Namespace) -> int:
    from edac_core.studies.upkeep import forget_missing  # noqa: PLC0415 - as above

    jobs = forget_missing(options.cache, options.study)
    say(
        {"study": options.study, "forgotten": jobs},
        f"{jobs} jobs of {options.study} have lost a model file and are forgotten; its plan's next "
        "run makes them again.",
        options,
    )
    return 0
