"""What model files in a store are made of.

Made to be called apart (`edac_core.apart`). Who calls it imports this module too, and need not have
LiteRT for that: it is imported where it is needed.
"""

from __future__ import annotations

import functools

from edac_core.measure.parts import Footprint, OperatorTimes, Spread, Tensor
from edac_core.verdicts import ModelFile


def tensors_of(file: ModelFile) -> tuple[Tensor, ...]:
    """List the constants of a file, as `edac_core.measure.anatomy.dissect` does.

    Raises
    ------
    StoreError
        If the file is missing or damaged.
    ModelError
        If LiteRT cannot load it.
    """
    from edac_core.measure.anatomy import dissect  # noqa: PLC0415 - see above

    return dissect(_read(file))


def spreads_of(file: ModelFile, baseline: ModelFile | None) -> tuple[Spread, ...]:
    """Count how weights are spread, as `edac_core.measure.anatomy.spreads` does.

    Raises
    ------
    StoreError
        If a file is missing or damaged.
    ModelError
        If LiteRT cannot load one.
    """
    from edac_core.measure.anatomy import spreads  # noqa: PLC0415 - see above

    return spreads(_read(file), baseline=None if baseline is None else _read(baseline))


def operator_times_of(file: ModelFile) -> OperatorTimes:
    """Time a file's operators, as `edac_core.measure.operators.time_operators` does.

    Raises
    ------
    StoreError
        If the file is missing or damaged.
    ModelError
        If LiteRT cannot load it, or its operators cannot be timed one by one.
    """
    from edac_core.measure.operators import time_operators  # noqa: PLC0415 - see above

    return time_operators(_read(file))


def footprint_of(file: ModelFile) -> Footprint:
    """Say what a file asks of a device, as `edac_core.measure.footprint.footprint` does.

    Raises
    ------
    StoreError
        If the file is missing or damaged.
    ModelError
        If LiteRT cannot load it.
    """
    from edac_core.measure.footprint import footprint  # noqa: PLC0415 - see above

    return footprint(_read(file))


# The page asks several things of one file, and unpacking it takes longest.
@functools.lru_cache(maxsize=2)
def _read(file: ModelFile) -> bytes:
    return file.read()
