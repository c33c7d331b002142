"""What variants say of one recording, as it is and as it is disturbed more and more.

Made to be called apart (`edac_core.apart`): a process that did it once keeps the models it loaded.
Who calls it imports this module too, and need not have what computes features and runs models for
that: it is imported where it is needed.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edac_core.audio import SAMPLE_RATE, Waveform
from edac_core.disturb import DISTURBANCES, disturb
from edac_core.errors import EdacError
from edac_core.studies.store import Store

if TYPE_CHECKING:
    from edac_core.frontends import Frontend
    from edac_core.runtime import Variant

FloatArray = npt.NDArray[np.float32]

KEPT_BYTES = 256 * 2**20
"""Model files that a process keeps loaded, in bytes: two sets of six variants of the CNN."""

_MOST_CALLS, _FEWEST_CALLS = 21, 3
_SECONDS_OF_CALLS = 0.2
_CALLS_IN_TURN = 3


@dataclass(frozen=True)
class ModelFile:
    """Where a variant's file is.

    Parameters
    ----------
    store
        Folder of its store.
    live
        Whether another process may be writing to the store.
    sha256
        Digest of the file.
    """

    store: str
    live: bool
    sha256: str

    def read(self) -> bytes:
        """Return the file; StoreError if it is missing or damaged."""
        with closing(Store(Path(self.store), readonly=True, live=self.live)) as store:
            return store.model(self.sha256)


@dataclass(frozen=True)
class Verdict:
    """What a variant says of a recording; NaN where it cannot be asked.

    Parameters
    ----------
    probability
        Of the positive class.
    latency_ms
        Median of a few calls on this recording, measured here and now, in turns with the others.
    problem
        Why it cannot be asked, in a sentence; empty if it can.
    """

    probability: float = math.nan
    latency_ms: float = math.nan
    problem: str = ""


@dataclass(frozen=True)
class Hearing:
    """A recording as networks get it, and what each says of it.

    `features` has the front-end's shape; `verdicts` are in the order of the files.
    """

    features: FloatArray
    verdicts: tuple[Verdict, ...]


class Loaded:
    """The variants used last, as many as the bytes of their files leave room for.

    Parameters
    ----------
    capacity
        In bytes; the variant used last is kept whatever its size.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._variants: OrderedDict[str, tuple[Variant, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._variants)

    def get(self, file: ModelFile) -> Variant:
        """Return a variant, loading it if it is not kept.

        Raises
        ------
        StoreError
            If its file is missing or damaged.
        ModelError
            If it is not a classifier that LiteRT can run.
        """
        if file.sha256 not in self._variants:
            model = file.read()
            self._variants[file.sha256] = _loaded(model), len(model)
        self._variants.move_to_end(file.sha256)
        self._forget_oldest()
        return self._variants[file.sha256][0]

    def _forget_oldest(self) -> None:
        while len(self) > 1 and sum(size for _, size in self._variants.values()) > self._capacity:
            self._variants.popitem(last=False)


_LOADED = Loaded(KEPT_BYTES)


def prepare(frontend: str, files: Sequence[ModelFile]) -> None:
    """Load what a recording will need, so that whoever brings one need not wait for it.

    What cannot be had is passed over: whoever asks for it will be told.
    """
    hear_out(np.zeros(SAMPLE_RATE, np.float32), frontend, files)
    disturb(np.ones(SAMPLE_RATE, np.float32), next(iter(DISTURBANCES)), 0.0, 0)


def hear_out(waveform: Waveform, frontend: str, files: Sequence[ModelFile]) -> Hearing:
    """Ask variants about a recording.

    Parameters
    ----------
    waveform
        Shape (n,), float32, mono at 22,050 Hz.
    frontend
        The name of the front-end that the variants take.
    files
        Of the variants.

    Returns
    -------
    Hearing
        With a problem for each variant that cannot be asked; the others are.

    Raises
    ------
    EdacError
        If the front-end is not installed or cannot take the recording.
    """
    features = _frontend(frontend)(waveform)
    asked = [_asked(file, features) for file in files]
    latencies = _latencies([found for found in asked if not isinstance(found, str)], features)
    return Hearing(features, tuple(_verdict(found, features, latencies) for found in asked))


def drift(
    waveform: Waveform, frontend: str, files: Sequence[ModelFile], disturbance: str, seed: int
) -> FloatArray:
    """Ask variants about a recording at every strength of a disturbance.

    Parameters
    ----------
    waveform, frontend, files
        As in `hear_out`.
    disturbance
        One of `edac_core.disturb.DISTURBANCES`.
    seed
        Of the disturbance.

    Returns
    -------
    numpy.ndarray
        Shape (files, strengths), float32: probabilities of the positive class, NaN for a variant
        that cannot be asked.

    Raises
    ------
    EdacError
        As in `hear_out`.
    """
    strengths = DISTURBANCES[disturbance].strengths
    compute = _frontend(frontend)
    features = np.stack([compute(disturb(waveform, disturbance, s, seed)) for s in strengths])
    scores = np.full((len(files), len(strengths)), np.nan, np.float32)
    for row, file in enumerate(files):
        found = _asked(file, features[0])
        if not isinstance(found, str):
            scores[row] = found.score(features)
    return scores


def _frontend(name: str) -> Frontend:
    from edac_core.frontends import get_frontend  # noqa: PLC0415 - see above

    return get_frontend(name)


def _loaded(model: bytes) -> Variant:
    from edac_core.runtime import Variant  # noqa: PLC0415 - see above

    return Variant(model)


def _asked(file: ModelFile, features: FloatArray) -> Variant | str:
    """Return a variant that takes these features, or why there is none."""
    try:
        variant = _LOADED.get(file)
        variant.encode(features[np.newaxis])
    except EdacError as error:
        return str(error)
    return variant


def _verdict(found: Variant | str, features: FloatArray, latencies: dict[int, float]) -> Verdict:
    if isinstance(found, str):
        return Verdict(problem=found)
    return Verdict(found.score_one(features), latencies[id(found)])


def _latencies(variants: Sequence[Variant], features: FloatArray) -> dict[int, float]:
    """Return milliseconds a call, by identity: a variant may have been asked for twice."""
    from edac_core.measure.latency import time_variants  # noqa: PLC0415 - see above

    if not variants:
        return {}
    named = {str(id(variant)): variant for variant in variants}
    inputs = features[np.newaxis]
    first = time_variants(named, inputs, calls=1, warmup=1)
    a_round = sum(latency.median_ms for latency in first.values()) / 1e3
    calls = min(max(int(_SECONDS_OF_CALLS / a_round), _FEWEST_CALLS), _MOST_CALLS)
    timed = time_variants(named, inputs, calls=calls, warmup=0, block=_CALLS_IN_TURN)
    return {int(name): latency.median_ms for name, latency in timed.items()}
