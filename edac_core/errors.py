"""The exceptions that users of the core can meet.

Every message is one sentence that names the offending thing and the remedy; the
command line prints it as it stands and the dashboard shows it on the page.
"""


class EdacError(Exception):
    """Base of all errors that a user can cause and mend."""


class AudioError(EdacError):
    """A recording cannot be decoded, or is outside the accepted limits."""


class DataError(EdacError):
    """A data set is missing, empty or malformed."""


class PlanError(EdacError):
    """A study plan names something unknown or asks for something impossible."""


class ModelError(EdacError):
    """A model cannot be built, converted, loaded or run."""


class StoreError(EdacError):
    """A study store cannot be read or written."""


class ApartError(EdacError):
    """Work in a process apart took too long or too much, or ended the process."""


class ClusterError(EdacError):
    """A Dask cluster cannot be reached, or cannot do a run's jobs."""


def one_sentence(error: Exception) -> str:
    """Return what a library complains of on one line that ends with a full stop."""
    return f"{' '.join(str(error).split()).rstrip('. ')}."
