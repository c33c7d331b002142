import os

import numpy as np
import pytest

PRECISIONS = ("float32", "float16", "int8")


@pytest.fixture(scope="session")
def keras():
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    tf_keras = pytest.importorskip("tf_keras")
    tf_keras.utils.set_random_seed(1234)
    return tf_keras


def _network(keras, shape, *, filters, units, last):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(filters[0], 3, activation="relu"),
            layers.MaxPool2D(2),
            layers.Conv2D(filters[1], 2),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            *[layers.Dense(count, activation="relu") for count in units],
            last,
        ]
    )


@pytest.fixture(scope="session")
def tiny_network(keras):
    """A conv-dense network of 12 x 8 x 1 features; 72 + 512 + 2,560 + 16 weights."""
    sigmoid = keras.layers.Dense(1, activation="sigmoid")
    return _network(keras, (12, 8, 1), filters=(8, 16), units=(16,), last=sigmoid)


@pytest.fixture(scope="session")
def convert():
    """Convert a Keras network to .tflite bytes in one of the three precisions."""

    def _convert(network, precision):
        import tensorflow as tf  # noqa: PLC0415 - costs seconds, and few tests need it

        converter = tf.lite.TFLiteConverter.from_keras_model(network)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()

    return _convert


@pytest.fixture(scope="session")
def tiny_models(tiny_network, convert):
    return {precision: convert(tiny_network, precision) for precision in PRECISIONS}


@pytest.fixture(scope="session")
def cnn_models(keras, convert):
    """The CNN of EDAC's figure 3, untrained."""
    sigmoid = keras.layers.Dense(1, activation="sigmoid")
    network = _network(keras, (302, 15, 1), filters=(64, 32), units=(256, 128), last=sigmoid)
    return {precision: convert(network, precision) for precision in PRECISIONS}


@pytest.fixture(scope="session")
def fully_int8_model(tiny_network, tiny_features):
    """The tiny network with int8 weights, activations, input and output."""
    import tensorflow as tf  # noqa: PLC0415 - costs seconds, and few tests need it

    converter = tf.lite.TFLiteConverter.from_keras_model(tiny_network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[np.newaxis]] for row in tiny_features)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with pytest.warns(UserWarning, match="Statistics for quantized inputs"):
        return converter.convert()


@pytest.fixture(scope="session")
def tiny_features():
    return np.random.default_rng(7).normal(0, 3, (70, 12, 8, 1)).astype(np.float32)


@pytest.fixture(scope="session")
def cnn_features():
    return np.random.default_rng(8).normal(0, 5, (40, 302, 15, 1)).astype(np.float32)
