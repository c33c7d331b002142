"""What every front-end offers."""

from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from edac_core.errors import PlanError

_LICENCES = {"opensmile": " (its licence is for research and other non-commercial use)"}


class Frontend(Protocol):
    """A frozen dataclass whose fields are its configuration, callable on a waveform.

    `revision` rises when the computation changes, so that nothing computed before is served.
    `libraries` are the distributions whose versions decide the values.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    name: ClassVar[str]
    revision: ClassVar[int]
    libraries: ClassVar[tuple[str, ...]]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one recording's features."""

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute the features of one waveform, float32 of `shape`."""


@runtime_checkable
class SpectrogramFrontend(Frontend, Protocol):
    """A front-end that goes by way of a spectrogram, which can be augmented on the way.

    Calling it is `features(spectrogram(waveform))`.
    """

    def spectrogram(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute the spectrogram of one waveform, shape (bands, frames), in dB."""

    def features(self, spectrogram: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute the features of one spectrogram, float32 of `shape`."""


def not_installed(library: str) -> PlanError:
    """Make the error that says which library to install.

    Parameters
    ----------
    library : str
        Name of its distribution.

    Returns
    -------
    PlanError
        To be raised.
    """
    return PlanError(
        f"The features asked for need {library}, which is not installed: "
        f"run `pip install {library}`{_LICENCES.get(library, '')}."
    )
