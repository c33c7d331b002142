"""Where the project keeps what it knows."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SHIPPED = PROJECT / "cache" / "shipped"
CACHE_VARIABLE = "EDAC_CACHE_DIR"
READ_ONLY_VARIABLE = "EDAC_READ_ONLY"


def local_cache() -> Path:
    """Name the folder of this machine's studies and features: `EDAC_CACHE_DIR` or cache/local."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser().resolve() if chosen else PROJECT / "cache" / "local"


def read_only() -> bool:
    """Say whether visitors may only look: `EDAC_READ_ONLY` is set, to anything but 0."""
    return os.environ.get(READ_ONLY_VARIABLE, "") not in {"", "0"}
