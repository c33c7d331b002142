"""The stages of ``make bench``, where their results are, and how each is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.table import Table

from benchmarks import (
    features,
    growth,
    level,
    memory,
    packing,
    page,
    scoring,
    sweep,
    targets,
    training,
)
from edac_core.locations import PROJECT

RESULTS = PROJECT / "bench-results" / "bench.json"

TABLES: Mapping[str, Callable[[dict[str, Any]], Table]] = {
    "level": level.table,
    "sweep": sweep.table,
    "training": training.table,
    "scoring": scoring.table,
    "features": features.table,
    "memory": memory.table,
    "page": page.table,
    "growth": growth.table,
    "packing": packing.table,
    "targets": targets.table,
}
"""In the order in which they run."""
