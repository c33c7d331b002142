"""How much memory a piece of work takes at its worst."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

_RESET = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_RESET_PEAK = "5"


class PeakMemory:
    """The most memory this process has held since this object was made.

    Linux keeps the peak of a process and can be told to begin anew; elsewhere it is not known.
    """

    def __init__(self) -> None:
        with contextlib.suppress(OSError):
            _RESET.write_text(_RESET_PEAK)

    def megabytes(self) -> float | None:
        """Return the peak in 10^6 bytes of resident memory, or None where it is not known."""
        if not _STATUS.exists():
            return None
        found = re.search(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
        return int(found[1]) * 1024 / 1e6 if found else None
