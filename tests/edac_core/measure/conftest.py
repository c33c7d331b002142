import numpy as np
import pytest


@pytest.fixture(scope="session")
def recurrent_network(keras):
    """Convolution, an unrolled LSTM and a softmax, none of whose parameters is zero.

    The converter leaves out biases that are all zero, as they are before training.
    """
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((4, 5, 2)),
            layers.Conv2D(4, 2, name="before"),
            layers.Reshape((3, 16)),
            layers.LSTM(7, unroll=True, return_sequences=True, name="memory"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax", name="answer"),
        ]
    )
    rng = np.random.default_rng(3)
    network.set_weights([rng.normal(size=array.shape) for array in network.get_weights()])
    return network


@pytest.fixture(scope="session")
def recurrent_models(recurrent_network, convert):
    return {name: convert(recurrent_network, name) for name in ("float32", "float16", "int8")}
