"""The one place where TensorFlow is imported and set up.

oneDNN is off by default on processors without AVX-512, where it still halves a training
step of the CNN. Its own allocator never gives memory back, so that a job would hold what training
took at its worst while it converts; the system's does. tfmot needs Keras 2. All of this is decided
by the environment before the import.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator, Mapping

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

__all__ = ["freed_memory_kept", "give_back_memory", "keras", "tf", "use_threads"]

# glibc's <malloc.h>: the numbers of its options, and what training and all else set them to. Any
# other allocation of 32 MiB and more, the most that glibc allows here, is one of the system's.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -3, -4, -8
_KEEPING = {_M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: 2**28, _M_MMAP_MAX: 0}
_RETURNING = {
    _M_TRIM_THRESHOLD: 2**26,
    _M_TOP_PAD: 2**17,
    _M_MMAP_THRESHOLD: 2**25,
    _M_MMAP_MAX: 2**16,
}


def use_threads(count: int) -> None:
    """Limit TensorFlow to so many threads, if it has not started computing yet."""
    if tf.config.threading.get_intra_op_parallelism_threads() != count:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1)


@contextlib.contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Have freed memory stay with the process, until `give_back_memory`, where there is glibc.

    It gives every large tensor back at once otherwise, and in the next step the kernel clears the
    same pages again, which takes an eighth of a training step of the CNN and more of the others.
    """
    _set_allocator(_KEEPING)
    try:
        yield
    finally:
        _set_allocator(_RETURNING)


def give_back_memory() -> None:
    """Hand free memory back to the system, where there is glibc."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _set_allocator(options: Mapping[int, int]) -> None:
    with contextlib.suppress(AttributeError):
        set_option = ctypes.CDLL(None).mallopt
        for option, value in options.items():
            set_option(option, value)


# One heap: what a thread frees, any other takes.
_set_allocator({_M_ARENA_MAX: 1})
