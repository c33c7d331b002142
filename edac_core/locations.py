"""Where the project keeps what it knows."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SHIPPED = PROJECT / "cache" / "shipped"
CACHE_VARIABLE = "EDAC_CACHE_DIR"
READ_ONLY_VARIABLE = "EDAC_READ_ONLY"


def local_cache() -> Path:
    """Name the folder of this machine's studies and features: `EDAC_CACHE_DIR` or cache/local."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser().resolve() if chosen else PROJECT / "cache" / "local"


@contextlib.contextmanager
def caching_in(folder: Path) -> Iterator[None]:
    """Let `local_cache` name another folder, here and in processes that are started meanwhile."""
    before = os.environ.get(CACHE_VARIABLE)
    os.environ[CACHE_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[CACHE_VARIABLE]
        else:
            os.environ[CACHE_VARIABLE] = before


def read_only() -> bool:
    """Say whether visitors may only look: `EDAC_READ_ONLY` is set, to anything but 0."""
    return os.environ.get(READ_ONLY_VARIABLE, "") not in {"", "0"}
