"""How long a variant takes for one recording, measured alone on one thread."""

import importlib.metadata
import os
import platform
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edac_core.errors import DataError
from edac_core.runtime import Variant

_BLOCK = 10
_CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Latency:
    """Milliseconds a call over so many calls."""

    median_ms: float
    p95_ms: float
    mean_ms: float
    calls: int


def measure_latency(
    models: Mapping[str, bytes],
    inputs: npt.ArrayLike,
    *,
    calls: int = 200,
    warmup: int = 20,
) -> dict[str, Latency]:
    """Time single-recording calls of several variants, side by side.

    A call is what a device does for a recording: set the input tensor, invoke, get the output
    tensor. The front-end is not in it. One thread runs everything, pinned to one processor
    where the system allows it. Variants take turns in blocks of 10 calls, so that whatever
    else the machine does falls on all alike and ratios between them mean something.

    Parameters
    ----------
    models : mapping of str to bytes
        .tflite files by name; put the baseline among them.
    inputs : array_like, shape (n, *input_shape)
        Features of real recordings; call i of each variant uses row i modulo n.
    calls : int
        Timed calls of each variant.
    warmup : int
        Untimed calls of each variant before.

    Returns
    -------
    dict of str to Latency
        In the order of `models`.

    Raises
    ------
    DataError
        If there are no inputs or no calls to make.
    ModelError
        If a model cannot be loaded or takes other inputs.
    """
    features = np.asarray(inputs, dtype=np.float32)
    if not len(features) or calls < 1:
        raise DataError(
            f"Latency cannot be measured with {len(features)} inputs and {calls} calls: "
            "give at least one of each."
        )
    variants = {name: Variant(model) for name, model in models.items()}
    return time_variants(variants, features, calls=calls, warmup=warmup)


def time_variants(
    variants: Mapping[str, Variant],
    inputs: npt.NDArray[np.float32],
    *,
    calls: int,
    warmup: int,
    block: int = _BLOCK,
) -> dict[str, Latency]:
    """Time variants that are loaded already; see `measure_latency`.

    Parameters
    ----------
    variants : mapping of str to Variant
        By name.
    inputs : np.ndarray, shape (n, *input_shape), float32
        At least one row.
    calls, warmup : int
        As in `measure_latency`.
    block : int
        Calls of one variant before the next has its turn.

    Returns
    -------
    dict of str to Latency
        In the order of `variants`.

    Raises
    ------
    ModelError
        If a variant takes other inputs.
    """
    with pinned():
        timers = {name: _Timer(variant, inputs) for name, variant in variants.items()}
        for timer in timers.values():
            timer.time(range(warmup))
        return _interleaved(timers, calls, block=block)


def machine() -> dict[str, str | int]:
    """Describe what latency depends on besides the model.

    Returns
    -------
    dict
        `cpu` (model name), `cores`, `platform`, `python` and the versions of the libraries.
    """
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "ai-edge-litert": importlib.metadata.version("ai-edge-litert"),
        "numpy": importlib.metadata.version("numpy"),
    }


class _Timer:
    """Calls one variant on encoded rows in turn, one row a call."""

    def __init__(self, variant: Variant, features: npt.NDArray[np.float32]) -> None:
        self._variant = variant
        self._rows = np.split(variant.encode(features), len(features))

    def time(self, calls: range) -> list[int]:
        """Nanoseconds of each of the numbered calls."""
        return [self._nanoseconds(call) for call in calls]

    def _nanoseconds(self, call: int) -> int:
        row = self._rows[call % len(self._rows)]
        start = time.perf_counter_ns()
        self._variant.run(row)
        return time.perf_counter_ns() - start


def _interleaved(timers: Mapping[str, _Timer], calls: int, *, block: int) -> dict[str, Latency]:
    nanoseconds: dict[str, list[int]] = {name: [] for name in timers}
    for first in range(0, calls, block):
        for name, timer in timers.items():
            nanoseconds[name] += timer.time(range(first, min(first + block, calls)))
    return {name: _summary(times) for name, times in nanoseconds.items()}


def _summary(nanoseconds: list[int]) -> Latency:
    milliseconds = np.array(nanoseconds) / 1e6
    median, p95 = np.percentile(milliseconds, [50, 95])
    return Latency(float(median), float(p95), float(milliseconds.mean()), len(milliseconds))


@contextmanager
def pinned() -> Iterator[None]:
    """Keep this thread on one processor, where the system can (Linux)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    # Interrupts go to the first processor by default.
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _cpu_model() -> str:
    if _CPU_INFO.exists():
        match = re.search(r"^model name\s*:\s*(.+)$", _CPU_INFO.read_text(), re.MULTILINE)
        if match:
            return match[1]
    return platform.processor() or platform.machine()
