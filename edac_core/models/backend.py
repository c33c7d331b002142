"""The one place where TensorFlow is imported and set up.

oneDNN is off by default on processors without AVX-512, where it still halves a training
step of the CNN. Its own allocator never gives memory back, so that a job would hold what training
took at its worst while it converts; the system's does. tfmot needs Keras 2. All of this is decided
by the environment before the import.
"""

import contextlib
import os
from collections.abc import Iterator

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@contextlib.contextmanager
def _standard_error_closed() -> Iterator[None]:
    """Drop what TensorFlow's C++ says while it starts, whatever the log level."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with _standard_error_closed():
    import tensorflow as tf
    import tf_keras as keras

    # Looking for accelerators now has its complaints fall into the same hole.
    tf.config.list_physical_devices()

__all__ = ["keras", "tf", "use_threads"]


def use_threads(count: int) -> None:
    """Limit TensorFlow to so many threads, if it has not started computing yet."""
    if tf.config.threading.get_intra_op_parallelism_threads() != count:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1)
