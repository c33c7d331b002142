"""A tiny network of the CNN's kind, and data it can learn, for tests of training and pruning."""

import dataclasses

import numpy as np

from edac_core.compress.pruning import count_of, nonzero_of
from edac_core.models import ModelSpec
from edac_core.models.backend import keras
from edac_core.models.examples import Examples
from edac_core.models.training import seed_everything, train

SHAPE = (12, 6, 1)


def network(*, dropout=0.0):
    layers, l1l2 = keras.layers, keras.regularizers.L1L2
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(16, activation="relu", kernel_regularizer=l1l2(3e-4, 4e-3)),
            layers.Dropout(dropout),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="tiny",
    )


def spec(*, rate=1e-2, **options):
    made = ModelSpec(
        name="tiny", title="Tiny", frontend="mfcc", recipe="edac-coswara", build=network,
        optimizer=lambda: keras.optimizers.Adam(rate), batch_size=32, epochs=6, patience=3,
        fine_tuning_epochs=3, fine_tuning_batch_size=32,
    )  # fmt: skip
    return dataclasses.replace(made, **options)


def sparsity_of(weights):
    """Return the fraction of exact zeros in weight variables or arrays."""
    return 1 - nonzero_of(weights) / count_of(weights)


def examples(n=96, *, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    features = rng.normal(size=(n, *SHAPE)).astype(np.float32)
    features[labels == 1, :6] += 0.7
    return Examples(features, labels)


def trained():
    """Return a network that has learnt the data."""
    seed_everything(3)
    model = network()
    train(model, spec(), examples(), examples(64, seed=1), batch_size=32, epochs=4, patience=None,
          seed=3)  # fmt: skip
    return model
