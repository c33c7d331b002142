import sys

import numpy as np
import pytest

from edac_core.measure.memory import PeakMemory

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux tells a process its peak"
)


def test_sees_what_was_held_and_let_go():
    before = PeakMemory()
    low = before.megabytes()
    block = np.ones(25_000_000)
    del block
    assert before.megabytes() >= low + 190


def test_begins_anew():
    held = PeakMemory()
    block = np.ones(25_000_000)
    del block
    high = held.megabytes()
    assert PeakMemory().megabytes() < high - 150
