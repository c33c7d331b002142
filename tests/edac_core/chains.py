"""Tiny chains of layers of the three kinds of networks, for tests of what rebuilds networks."""

import numpy as np

from edac_core.models.backend import keras
from edac_core.models.layers import Apart, Attention, HoistedLSTM

LAYERS = keras.layers


def convolutional():
    return keras.Sequential(
        [
            keras.Input((14, 8, 1)),
            LAYERS.Conv2D(6, 3, activation="relu", name="conv1"),
            LAYERS.MaxPooling2D(2),
            LAYERS.Conv2D(5, 2, name="conv2"),
            LAYERS.BatchNormalization(name="norm"),
            LAYERS.ReLU(),
            LAYERS.Flatten(),
            LAYERS.Dense(16, activation="relu", name="dense1"),
            LAYERS.Dropout(0.5),
            LAYERS.Dense(8, activation="sigmoid", name="dense2"),
            LAYERS.Dense(1, activation="sigmoid", name="output"),
        ]
    )


def recurrent(lstm=HoistedLSTM):
    return keras.Sequential(
        [
            keras.Input((9, 10, 3)),
            LAYERS.Conv2D(4, 2, name="conv1"),
            LAYERS.AveragePooling2D(2, strides=1),
            LAYERS.BatchNormalization(name="norm1"),
            LAYERS.ReLU(),
            LAYERS.Reshape((7, -1)),
            lstm(12, return_sequences=True, name="lstm"),
            LAYERS.Activation("tanh"),
            LAYERS.BatchNormalization(name="norm2"),
            Attention(name="attention"),
            LAYERS.Dense(6, activation="relu", name="dense"),
            LAYERS.Dense(1, activation="sigmoid", name="output"),
        ]
    )


def dense():
    return keras.Sequential(
        [
            keras.Input((20,)),
            LAYERS.BatchNormalization(name="norm"),
            Apart(),
            LAYERS.Dense(12, activation="sigmoid", name="dense1"),
            LAYERS.Dropout(0.5),
            LAYERS.Dense(7, activation="sigmoid", name="dense2"),
            LAYERS.Dense(2, activation="softmax", name="output"),
        ]
    )


NETWORKS = [convolutional, recurrent, dense]


def with_random_weights(model, rng):
    """As after training: no bias is 0, and variances are positive."""
    model.set_weights([
        np.abs(rng.normal(size=weight.shape)) + 0.1 if "variance" in variable.name
        else rng.normal(scale=0.4, size=weight.shape)
        for variable, weight in zip(model.weights, model.get_weights(), strict=True)
    ])  # fmt: skip
    return model
