"""Features of all usable recordings, in two processes: with an empty cache, and with a full one.

Decoding counts. The operating system may still hold the files of the recordings in memory, as
their audit has just read them; reading them takes seconds on a disk and nothing of this project.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from benchmarks.contest import Say, answer, run_alone
from edac_core.frontends import FRONTENDS, get_frontend
from edac_core.frontends.extract import extract

WORKERS = 2
_ASKED = {"mel_image": "40", "compare": "120 (of 1,193)"}


def time_extraction(recordings: pd.DataFrame, *, frontend: str, cache: Path) -> dict[str, float]:
    """Extract features; return the seconds, and how many recordings were not in the cache."""
    computed = [0]
    start = time.perf_counter()
    extract(
        recordings, frontend=get_frontend(frontend), cache=cache, workers=WORKERS,
        progress=lambda done, _: computed.append(done),
    )  # fmt: skip
    return {"seconds": time.perf_counter() - start, "computed": computed[-1]}


def measure(
    usable: pd.DataFrame, *, runs: int, say: Say, frontends: Iterable[str] = tuple(FRONTENDS)
) -> dict[str, Any]:
    """Time each front-end on recordings, first with a cache that is not there yet.

    Parameters
    ----------
    usable
        Columns `recording` and `path`.
    runs
        Each with a new cache.
    say
        Takes lines for people.
    frontends
        Names.
    """
    found: dict[str, Any] = {}
    for name in frontends:
        say(f"Features {name} of {len(usable)} recordings ...")
        found[name] = {"cold": [], "warm": []}
        for _ in range(runs):
            for state, timed in _cold_and_warm(usable, name).items():
                found[name][state].append(timed)
                say(f"  {state}: {timed['seconds']:.2f} s, {timed['computed']} computed")
    return {"recordings": len(usable), "processes": WORKERS, "frontends": found}


def table(found: dict[str, Any]) -> Table:
    """Show medians."""
    shown = Table(
        "front-end", "cold (s)", "warm (s)", "asked, cold",
        title=f"Features of {found['recordings']} recordings, {found['processes']} processes "
        "(medians)",
    )  # fmt: skip
    for name, states in found["frontends"].items():
        cold, warm = (
            statistics.median(timed["seconds"] for timed in states[state])
            for state in ("cold", "warm")
        )
        shown.add_row(name, f"{cold:.2f}", f"{warm:.2f}", _ASKED.get(name, ""))
    return shown


def main() -> int:
    """Extract features and answer with the seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("frontend", choices=FRONTENDS)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("cache", type=Path)
    options = parser.parse_args()
    recordings = pd.read_csv(options.recordings, dtype="str", keep_default_na=False)
    answer(time_extraction(recordings, frontend=options.frontend, cache=options.cache))
    return 0


def _cold_and_warm(usable: pd.DataFrame, frontend: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        recordings, cache = Path(folder) / "recordings.csv", Path(folder) / "features.sqlite"
        usable[["recording", "path"]].to_csv(recordings, index=False)
        return {
            state: run_alone(__name__, frontend, recordings, cache) for state in ("cold", "warm")
        }


if __name__ == "__main__":
    sys.exit(main())
