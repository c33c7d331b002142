"""The CNN of Mahanta et al. (2022), as EDAC compresses it (EDAC, Figure 3 and Appendix B)."""

from __future__ import annotations

from typing import Any

from edac_core.models.spec import ModelSpec, scaled

INPUT_SHAPE = (302, 15, 1)


def build(*, width: float = 1.0) -> Any:
    """Build the CNN: 302 x 15 x 1 MFCC in, probability of the positive class out.

    Batch normalisation stands before the ReLU of the second convolution, as in EDAC's
    pruning script; its baseline notebook has them the other way round, which is another function
    of the same weights. The activity regularisers of the original are left out, as in EDAC's
    pruning run.

    Parameters
    ----------
    width
        Share of the filters and units that each layer has.

    Returns
    -------
    tf_keras.Sequential
        Untrained network, of 6,145,313 parameters at full width.
    """
    from edac_core.models.backend import keras  # noqa: PLC0415 - a spec must not import TensorFlow

    layers, regularizers = keras.layers, keras.regularizers
    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            layers.Conv2D(scaled(64, width), 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Conv2D(scaled(32, width), 2, name="conv2"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Flatten(name="flatten"),
            layers.Dense(
                scaled(256, width),
                activation="relu",
                kernel_regularizer=regularizers.L1L2(3e-4, 4e-3),
                bias_regularizer=regularizers.L2(3e-3),
                name="dense1",
            ),
            layers.Dropout(0.5, name="dropout1"),
            layers.Dense(
                scaled(128, width),
                activation="relu",
                kernel_regularizer=regularizers.L1L2(1e-3, 1e-2),
                bias_regularizer=regularizers.L2(1e-2),
                name="dense2",
            ),
            layers.Dropout(0.3, name="dropout2"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ],
        name="cnn",
    )


def optimizer() -> Any:
    """Return Adam with the rate of the paper, 1e-4."""
    from edac_core.models.backend import keras  # noqa: PLC0415 - a spec must not import TensorFlow

    return keras.optimizers.Adam(1e-4)


CNN = ModelSpec(
    name="cnn",
    title="CNN",
    frontend="mfcc",
    recipe="edac-coswara",
    build=build,
    optimizer=optimizer,
    batch_size=32,
    epochs=200,
    patience=10,
    fine_tuning_epochs=10,
    fine_tuning_batch_size=32,
)
