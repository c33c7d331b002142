"""The one place where TensorFlow is imported and set up.

oneDNN is off by default on processors without AVX-512, where it still halves a training
step of the CNN; tfmot needs Keras 2. Both are decided by the environment before the import.
"""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf
import tf_keras as keras

__all__ = ["keras", "tf", "use_threads"]


def use_threads(count: int) -> None:
    """Limit TensorFlow to so many threads, if it has not started computing yet."""
    if tf.config.threading.get_intra_op_parallelism_threads() != count:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1)
