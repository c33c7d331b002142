import numpy as np
import pytest

from edac_core.compress.folding import fold_normalisation
from edac_core.models import get_model
from edac_core.models.backend import keras
from edac_core.models.layers import Attention, HoistedLSTM
from edac_core.models.training import seed_everything

layers = keras.layers


def normalisations(model):
    return [
        layer.name for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]


def unsettled(model):
    """Give every weight, and every statistic, a value that matters; return the model."""
    rng = np.random.default_rng(5)
    for layer in model.layers:
        weights = layer.get_weights()
        if isinstance(layer, keras.layers.BatchNormalization):
            # A variance is positive; one feature's factor is negative and one is zero.
            weights = [rng.normal(0, 1, weight.shape) for weight in weights]
            weights[-1] = rng.uniform(0.2, 3, weights[-1].shape)
            weights[0][:1] = 0
        elif weights:
            weights = [w + rng.normal(0, 0.1, w.shape) * (w.ndim == 1) for w in weights]
        layer.set_weights(weights)
    return model


def chain(shape, *stack):
    seed_everything(3)
    return unsettled(keras.Sequential([keras.Input(shape), *stack], name="chain"))


def check(model, features, *, left):
    folded = fold_normalisation(model)
    assert normalisations(folded) == left
    gone = set(normalisations(model)) - set(left)
    assert [one.name for one in folded.layers] == [
        one.name for one in model.layers if one.name not in gone
    ]
    expected = model.predict(features, verbose=0)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(folded.predict(features, verbose=0), expected, atol=2e-5)


def features_for(model, n=6):
    return np.random.default_rng(1).normal(size=(n, *model.input_shape[1:])).astype(np.float32)


@pytest.mark.parametrize("name", ["cnn", "cnn_lstm"])
def test_papers_networks_lose_all_normalisation_and_compute_the_same(name):
    seed_everything(2)
    model = unsettled(get_model(name).build())
    check(model, features_for(model, 3), left=[])


def test_normalisation_of_the_input_stays():
    model = chain((12,), layers.BatchNormalization(name="norm"), layers.Dense(4), layers.Dense(1))
    assert fold_normalisation(model) is model


def test_rearranged_input_is_input():
    model = chain(
        (3, 4), layers.Flatten(), layers.BatchNormalization(), layers.Dense(4), layers.Dense(1)
    )
    assert fold_normalisation(model) is model


def test_layers_without_bias_get_one():
    model = chain(
        (8, 6, 2),
        layers.Conv2D(3, 2, use_bias=False, padding="same"),
        layers.AveragePooling2D(2, padding="same"),
        layers.BatchNormalization(name="first"),
        layers.ReLU(),
        layers.BatchNormalization(name="second"),
        layers.Conv2D(4, 2, use_bias=False, activation="tanh"),
        layers.GlobalAveragePooling2D(),
        layers.BatchNormalization(name="third"),
        layers.Dense(1, use_bias=False),
    )
    check(model, features_for(model), left=[])


def test_recurrent_layers_take_in_what_is_before_them():
    model = chain(
        (5, 3),
        HoistedLSTM(4, return_sequences=True),
        layers.BatchNormalization(name="first"),
        layers.LSTM(6, return_sequences=True, use_bias=False),
        layers.BatchNormalization(name="second"),
        layers.Dropout(0.5),
        Attention(),
        layers.Dense(2, activation="softmax"),
    )
    check(model, features_for(model), left=[])


@pytest.mark.parametrize(
    "between",
    [
        [layers.MaxPooling2D(2)],
        [layers.ReLU()],
        [layers.Conv2D(2, 2, padding="same")],
    ],
)
def test_what_no_neighbour_can_take_in_stays(between):
    model = chain(
        (8, 6, 2),
        layers.Conv2D(3, 2, activation="relu"),
        layers.BatchNormalization(name="norm"),
        *[layer.__class__.from_config(layer.get_config()) for layer in between],
        layers.Flatten(),
        layers.Dense(1),
    )
    assert fold_normalisation(model) is model


def test_a_network_that_is_no_chain_is_left_as_it_is():
    given = keras.Input((4,))
    hidden = layers.BatchNormalization()(layers.Dense(4)(given))
    model = keras.Model(given, layers.Dense(1)(layers.Add()([hidden, given])))
    assert fold_normalisation(model) is model


def test_the_original_keeps_its_weights():
    model = chain((4,), layers.Dense(3), layers.BatchNormalization(), layers.Dense(1))
    before = model.get_weights()
    fold_normalisation(model)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
