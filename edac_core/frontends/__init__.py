"""Front-ends: waveforms to what a network sees, computed once and cached."""

from collections.abc import Mapping

from edac_core.errors import PlanError
from edac_core.frontends.base import Frontend
from edac_core.frontends.compare import Compare
from edac_core.frontends.mel_image import MelImage
from edac_core.frontends.mfcc import Mfcc

__all__ = ["FRONTENDS", "Frontend", "get_frontend"]

FRONTENDS: Mapping[str, type[Frontend]] = {
    frontend.name: frontend for frontend in (Mfcc, MelImage, Compare)
}
"""Front-end classes by name."""


def get_frontend(name: str) -> Frontend:
    """Build a front-end with the papers' configuration.

    Parameters
    ----------
    name : str
        One of `FRONTENDS`.

    Returns
    -------
    Frontend
        Callable on a waveform.

    Raises
    ------
    PlanError
        If there is no such front-end.
    """
    if name not in FRONTENDS:
        raise PlanError(f"Front-end {name!r} is unknown: choose from {', '.join(FRONTENDS)}.")
    return FRONTENDS[name]()
