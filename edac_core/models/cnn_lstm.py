"""The CNN-LSTM with attention of Hamdi et al. (2022), as EDAC compresses it (EDAC, Figure 4)."""

from __future__ import annotations

from typing import Any

from edac_core.models.spec import ModelSpec, scaled

INPUT_SHAPE = (39, 88, 3)
FILTERS = (16, 32, 64, 128)
STEPS = 31
CELLS = 256


def build(*, width: float = 1.0) -> Any:
    """Build the network as it is trained: 39 x 88 x 3 mel images in, a probability out.

    The LSTM's input projection is hoisted out of its recurrence, which is the same function of
    the same weights as `export` gives and trains about twice as fast.

    Parameters
    ----------
    width
        Share of the filters, cells and units that each layer has.

    Returns
    -------
    tf_keras.Sequential
        Untrained network, of 10,820,440 parameters at full width.
    """
    from edac_core.models.backend import keras  # noqa: PLC0415 - a spec must not import TensorFlow
    from edac_core.models.layers import Attention, HoistedLSTM  # noqa: PLC0415 - imports TensorFlow

    layers = keras.layers
    stack = [keras.Input(INPUT_SHAPE)]
    for number, filters in enumerate(FILTERS, start=1):
        stack += _convolution(layers, number, scaled(filters, width))
    stack += [
        layers.Reshape((STEPS, -1), name="sequence"),
        HoistedLSTM(scaled(CELLS, width), return_sequences=True, name="lstm"),
        layers.Activation("tanh", name="tanh"),
        layers.BatchNormalization(name="norm_lstm"),
        layers.Dropout(0.2, name="dropout_lstm"),
        Attention(name="attention"),
        layers.Dense(scaled(100, width), activation="relu", name="dense"),
        layers.Dropout(0.5, name="dropout_dense"),
        layers.Dense(1, activation="sigmoid", name="output"),
    ]
    return keras.Sequential(stack, name="cnn_lstm")


def export(model: Any) -> Any:
    """Return the paper's graph, whose LSTM projects its input step by step, with the same weights.

    It is unrolled: LiteRT's fused LSTM keeps its state from call to call and takes no batches.
    """
    from edac_core.models.backend import keras  # noqa: PLC0415 - a spec must not import TensorFlow
    from edac_core.models.layers import HoistedLSTM, rebuilt  # noqa: PLC0415 - imports TensorFlow

    def as_published(layer: Any) -> list[Any]:
        if not isinstance(layer, HoistedLSTM):
            return [layer]
        return [keras.layers.LSTM.from_config(layer.get_config() | {"unroll": True})]

    return rebuilt(model, as_published)


def rewrite(model: Any) -> Any:
    """Return the graph as it is trained: the input projection is one product for all steps."""
    return model


def optimizer() -> Any:
    """Return Adamax with the rate of the paper, 1e-3."""
    from edac_core.models.backend import keras  # noqa: PLC0415 - a spec must not import TensorFlow

    return keras.optimizers.Adamax(1e-3)


def _convolution(layers: Any, number: int, filters: int) -> list[Any]:
    return [
        layers.Conv2D(filters, 2, name=f"conv{number}"),
        layers.AveragePooling2D(2, strides=1, name=f"pool{number}"),
        layers.BatchNormalization(name=f"norm{number}"),
        layers.ReLU(name=f"relu{number}"),
        layers.Dropout(0.2, name=f"dropout{number}"),
    ]


CNN_LSTM = ModelSpec(
    name="cnn_lstm",
    title="CNN-LSTM",
    frontend="mel_image",
    recipe="edac-coughvid",
    build=build,
    optimizer=optimizer,
    batch_size=256,
    epochs=100,
    patience=None,
    keep="highest accuracy",
    fine_tuning_epochs=10,
    fine_tuning_batch_size=32,
    never_pruned=("attention",),
    export=export,
    rewrite=rewrite,
)
