"""The dense networks of "Squeeze for Sneeze" (2020), section 3.2 and figure 3.

A probability is asked of the softmax's second output, the positive class. The paper's binary
cross-entropy over both outputs is the same number as the cross-entropy of the softmax.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from edac_core.models.spec import ModelSpec, scaled

INPUT_SHAPE = (6_373,)
INITIAL_RATE = 1e-4

HIDDEN_UNITS = {
    "dense_a": (4248, 2832),
    "dense_b": (4248, 2832, 1888, 1258, 839),
    "dense_c": (4248, 4248, 2832, 2832),
}
"""Widths of the hidden layers, in order. Those of C stand in sequence: figure 3 can be read
otherwise, but only so does the published number of parameters come out."""


def build(
    name: str, *, hidden_units: Sequence[int], dropout: float = 0.5, width: float = 1.0
) -> Any:
    """Build a dense network: 6,373 ComParE functionals in, two probabilities out.

    Parameters
    ----------
    name
        Of the Keras model.
    hidden_units
        Widths of the sigmoid layers.
    dropout
        After every hidden layer. The paper does not give its rate.
    width
        Share of its units that each hidden layer has.

    Returns
    -------
    tf_keras.Sequential
        Untrained network; 39,128,332, 47,905,713 and 65,201,140 trainable parameters for A, B
        and C at full width.
    """
    from edac_core.models.backend import keras  # noqa: PLC0415 - a spec must not import TensorFlow

    layers = keras.layers
    stack = [keras.Input(INPUT_SHAPE), layers.BatchNormalization(name="norm")]
    for number, units in enumerate(hidden_units, start=1):
        stack += [
            layers.Dense(scaled(units, width), activation="sigmoid", name=f"dense{number}"),
            layers.Dropout(dropout, name=f"dropout{number}"),
        ]
    stack.append(layers.Dense(2, activation="softmax", name="output"))
    return keras.Sequential(stack, name=name)


def export(model: Any) -> Any:
    """Return the network to convert: its normalisation kept apart from its first dense layer."""
    from edac_core.models.layers import Apart, rebuilt  # noqa: PLC0415 - imports TensorFlow

    return rebuilt(
        model,
        lambda layer: [layer, Apart(name="apart")] if layer.name == "norm" else [layer],
    )


def optimizer() -> Any:
    """Return Adam with the paper's initial rate."""
    from edac_core.models.backend import keras  # noqa: PLC0415 - a spec must not import TensorFlow

    return keras.optimizers.Adam(INITIAL_RATE)


def learning_rate(epoch: int) -> float:
    """Return the initial rate divided by the number of the epoch (Squeeze, formula 1)."""
    return INITIAL_RATE / epoch


def _spec(name: str) -> ModelSpec:
    return ModelSpec(
        name=name,
        title=f"Dense {name[-1].upper()}",
        frontend="compare",
        recipe="squeeze",
        build=functools.partial(build, name, hidden_units=HIDDEN_UNITS[name]),
        optimizer=optimizer,
        batch_size=32,
        epochs=40,
        patience=None,
        keep="last",
        fine_tuning_epochs=5,
        fine_tuning_batch_size=32,
        learning_rate=learning_rate,
        export=export,
        compile_step=True,
    )


DENSE_A, DENSE_B, DENSE_C = (_spec(name) for name in HIDDEN_UNITS)
