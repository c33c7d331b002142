"""What every front-end offers."""

from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt


class Frontend(Protocol):
    """A frozen dataclass whose fields are its configuration, callable on a waveform.

    `revision` rises when the computation changes, so that nothing computed before is served.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    name: ClassVar[str]
    revision: ClassVar[int]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one recording's features."""

    def __call__(self, waveform: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute the features of one waveform, float32 of `shape`."""
