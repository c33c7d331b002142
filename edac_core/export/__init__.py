"""Handing a variant out as a bundle that explains, checks and reproduces itself."""

from contextlib import closing
from pathlib import Path

from edac_core.studies.store import Store

__all__ = ["export_bundle"]


def export_bundle(folder: str, study: str, variant: str) -> bytes:
    """Return a variant of a store as a zipped bundle.

    It may be called while another process writes to the store. Who has it called in a process
    apart imports this module only, and with it neither front-ends nor LiteRT.

    Parameters
    ----------
    folder
        The store's.
    study, variant
        Name of the study, key of one of its variants.

    Raises
    ------
    EdacError
        As for `edac_core.export.bundle.make_bundle`.
    """
    from edac_core.export.bundle import make_bundle  # noqa: PLC0415 - see above

    with closing(Store(Path(folder), readonly=True, live=True)) as store:
        return make_bundle(store, study=study, variant=variant).zipped()
