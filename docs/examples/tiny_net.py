"""A network of one's own: 15 MFCC over 7 s in, a probability out."""

import tf_keras as keras

from edac_core.models import ModelSpec


def build() -> keras.Model:
    """Return the untrained network."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((302, 15, 1)),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


MODEL = ModelSpec(
    name="tiny_net",
    title="Tiny net",
    frontend="mfcc",
    recipe="edac-coswara",
    build=build,
    optimizer=lambda: keras.optimizers.Adam(1e-3),
    batch_size=32,
    epochs=40,
    patience=8,
    fine_tuning_epochs=5,
    fine_tuning_batch_size=32,
)
