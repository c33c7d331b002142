"""openSMILE's ComParE 2016 functionals, as the dense networks take them."""

import functools
import math
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from edac_core.errors import AudioError
from edac_core.frontends.base import not_installed

# openSMILE's longest window (that of pitch); it gives nothing for less.
_SHORTEST_SECONDS = 0.06

# openSMILE takes 16-bit samples, and lets what does not fit wrap round to the other sign.
_HIGHEST_SAMPLE = 1 - 2**-15


@dataclass(frozen=True)
class Compare:
    """ComParE 2016 functionals of a whole recording.

    Samples beyond full scale are clipped. openSMILE's few values that are not finite (the linear
    prediction of a descriptor that hardly ever changes) become 0, which is what silence has there.

    Parameters
    ----------
    sample_rate : int
        Of the waveform, in Hz.

    References
    ----------
    Squeeze (2020), section 3; Schuller et al. (2016), "The INTERSPEECH 2016 Computational
    Paralinguistics Challenge"; openSMILE's ComParE_2016.conf.

    Examples
    --------
    >>> Compare()(np.zeros(22_050, np.float32)).shape
    (6373,)
    """

    name: ClassVar[str] = "compare"
    revision: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("opensmile", "numpy")

    sample_rate: int = 22_050

    @property
    def shape(self) -> tuple[int]:
        """Number of functionals."""
        return (6_373,)

    def feature_names(self) -> tuple[str, ...]:
        """Return openSMILE's names of the functionals, in order.

        Raises
        ------
        PlanError
            If openSMILE is not installed.
        """
        names: tuple[str, ...] = _run(_feature_names)
        return names

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute the functionals of one waveform.

        Parameters
        ----------
        waveform : np.ndarray, shape (n,), float32
            Mono samples at `sample_rate`, full scale at 1.

        Returns
        -------
        np.ndarray, shape (6373,), float32
            All finite.

        Raises
        ------
        AudioError
            If the waveform is shorter than 0.06 s, or openSMILE's process ends.
        PlanError
            If openSMILE is not installed.
        """
        self._refuse_short(waveform)
        clipped = waveform.clip(-1, _HIGHEST_SAMPLE)
        functionals = _run(_functionals, clipped, self.sample_rate)
        return np.where(np.isfinite(functionals), functionals, np.float32(0))

    def _refuse_short(self, waveform: npt.NDArray[np.float32]) -> None:
        shortest = math.ceil(_SHORTEST_SECONDS * self.sample_rate)
        if len(waveform) < shortest:
            raise AudioError(
                f"A waveform of {len(waveform)} samples is shorter than the {shortest} samples "
                f"({_SHORTEST_SECONDS:g} s) that openSMILE needs: leave the recording out."
            )


def _run(compute: Callable[..., Any], *arguments: Any) -> Any:
    """Compute with openSMILE, apart from TensorFlow: in one process they corrupt their memory."""
    if "tensorflow" not in sys.modules:
        return compute(*arguments)
    try:
        return _apart().submit(compute, *arguments).result()
    except BrokenProcessPool as error:
        _apart.cache_clear()
        raise AudioError(
            "The process in which openSMILE computes has ended, as one that crashes or that takes "
            "too much memory: leave the recording out, or run again with fewer workers."
        ) from error


@functools.cache
def _apart() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def _functionals(waveform: npt.NDArray[np.float32], sample_rate: int) -> npt.NDArray[np.float32]:
    return np.asarray(_smile()(waveform, sample_rate), np.float32).ravel()


def _feature_names() -> tuple[str, ...]:
    return tuple(_smile().feature_names)


@functools.cache
def _smile() -> Any:
    """Load openSMILE once a process: reading its configuration takes longer than a recording."""
    try:
        import opensmile  # noqa: PLC0415 - optional, and slow to import
    except ImportError as error:
        raise not_installed("opensmile") from error
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.ComParE_2016,
        feature_level=opensmile.FeatureLevel.Functionals,
    )
