import numpy as np
import pytest
import tiny
from ai_edge_litert.interpreter import Interpreter

from edac_core.compress.pruning import prunable_weights
from edac_core.compress.quantization import convert
from edac_core.compress.rounding import round_to_zero
from edac_core.models.backend import keras
from edac_core.models.layers import Apart, HoistedLSTM

LAYERS = keras.layers


def convolutional():
    return keras.Sequential(
        [
            keras.Input((16, 12, 1)),
            LAYERS.Conv2D(24, 3, activation="relu", name="small"),
            LAYERS.MaxPooling2D(2),
            LAYERS.Conv2D(16, 2),
            LAYERS.BatchNormalization(),
            LAYERS.ReLU(),
            LAYERS.Flatten(),
            LAYERS.Dense(48, activation="relu"),
            LAYERS.Dense(1, activation="sigmoid"),
        ]
    )


def recurrent(lstm):
    return keras.Sequential(
        [
            keras.Input((5, 20)),
            lstm,
            LAYERS.Dense(1, activation="sigmoid"),
        ]
    )


def dense():
    return keras.Sequential(
        [
            keras.Input((70,)),
            LAYERS.BatchNormalization(),
            Apart(),
            LAYERS.Dense(60, activation="sigmoid"),
            LAYERS.Dense(2, activation="softmax"),
        ]
    )


NETWORKS = {
    "convolutional": convolutional,
    "hoisted": lambda: recurrent(HoistedLSTM(24)),
    "lstm": lambda: recurrent(LAYERS.LSTM(24, unroll=True)),
    "dense": dense,
}


def with_heavy_tails(model, seed):
    """Most weights small, as regularisers leave them, and channels of unlike size."""
    rng = np.random.default_rng(seed)
    model.set_weights([
        np.abs(rng.normal(size=weight.shape)) + 0.1 if "variance" in variable.name
        else rng.laplace(size=weight.shape) ** 3 * np.geomspace(0.01, 1, weight.shape[-1])
        for variable, weight in zip(model.weights, model.get_weights(), strict=True)
    ])  # fmt: skip
    return model


def int8_tensors(converted):
    interpreter = Interpreter(model_content=converted)
    return [
        interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_tensor_details()
        if detail["dtype"] == np.int8
    ]


def zeros_in(arrays):
    return sum(np.count_nonzero(array == 0) for array in arrays)


@pytest.mark.parametrize("network", NETWORKS)
def test_removes_what_int8_has_no_step_for_and_leaves_the_int8_file_as_it_is(network):
    model = with_heavy_tails(NETWORKS[network](), seed=1)
    before = convert(model, "int8")
    rounded = round_to_zero(model, tiny.spec())
    large = [
        weight.numpy()
        for weight in prunable_weights(rounded)
        if weight.shape.num_elements() >= 1024
    ]
    assert tiny.sparsity_of(large) > 0.3
    assert zeros_in(int8_tensors(before)) == zeros_in(large)
    assert convert(rounded, "int8") == before


def test_leaves_small_tensors_and_layers_that_are_never_pruned_alone():
    model = with_heavy_tails(convolutional(), 0)
    small, _, large, _ = (weight.numpy() for weight in prunable_weights(model))
    never = model.layers[-2].name
    round_to_zero(model, tiny.spec(never_pruned=(never,)))
    np.testing.assert_array_equal(model.get_layer("small").kernel.numpy(), small)
    np.testing.assert_array_equal(model.get_layer(never).kernel.numpy(), large)


def test_a_tensor_of_zeros_stays_one():
    model = dense()
    model.set_weights([np.zeros(weight.shape) for weight in model.get_weights()])
    assert tiny.sparsity_of(prunable_weights(round_to_zero(model, tiny.spec()))) == 1
