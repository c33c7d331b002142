"""Memory that training frees stays for its next step, and goes back when asked."""

import platform
import re
from pathlib import Path

import numpy as np
import pytest

from edac_core.models.backend import freed_memory_kept, give_back_memory

_MEGABYTES = 256

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc's allocator can be told"
)


def _resident_megabytes() -> float:
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / 1024


def _use_and_free() -> None:
    np.ones(_MEGABYTES * 2**20, np.uint8)


def test_what_is_freed_goes_back_at_once_outside_training() -> None:
    give_back_memory()
    before = _resident_megabytes()

    _use_and_free()

    assert _resident_megabytes() < before + _MEGABYTES / 4


def test_what_training_frees_stays_until_it_is_given_back() -> None:
    give_back_memory()
    before = _resident_megabytes()

    with freed_memory_kept():
        _use_and_free()
        kept = _resident_megabytes()
    give_back_memory()

    assert kept > before + _MEGABYTES / 2
    assert _resident_megabytes() < before + _MEGABYTES / 4
