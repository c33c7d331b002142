import numpy as np
import pytest

from edac_core.models.backend import keras
from edac_core.models.layers import Attention, HoistedLSTM, rebuilt


@pytest.fixture
def sequences():
    return np.random.default_rng(2).normal(size=(5, 7, 12)).astype(np.float32)


def test_attention_is_its_equation(sequences):
    layer = Attention()
    layer.build((None, 7, 12))
    rng = np.random.default_rng(3)
    kernel, bias = rng.normal(size=(12, 1)), rng.normal(size=(7, 1))
    layer.set_weights([kernel, bias])
    expected = []
    for x in sequences:
        energy = np.tanh(
            [float(step @ kernel[:, 0] + b) for step, b in zip(x, bias[:, 0], strict=True)]
        )
        weights = np.exp(energy) / np.exp(energy).sum()
        expected.append(sum(weight * step for weight, step in zip(weights, x, strict=True)))
    np.testing.assert_allclose(layer(sequences), expected, atol=1e-5)


@pytest.mark.parametrize("return_sequences", [True, False])
def test_a_hoisted_lstm_is_an_lstm(sequences, return_sequences):
    ours = HoistedLSTM(4, return_sequences=return_sequences)
    plain = keras.layers.LSTM(4, return_sequences=return_sequences)
    for layer in (ours, plain):
        layer.build((None, 7, 12))
    weights = [np.random.default_rng(5).normal(size=w.shape) for w in plain.get_weights()]
    ours.set_weights(weights)
    plain.set_weights(weights)
    np.testing.assert_allclose(ours(sequences), plain(sequences), atol=1e-5)
    assert ours.compute_output_shape((None, 7, 12)) == plain.compute_output_shape((None, 7, 12))


def test_a_chain_is_rebuilt_with_its_weights(sequences):
    """An LSTM in the place of a hoisted one, and a layer more, give the same outputs."""
    hoisted = keras.Sequential([keras.Input((7, 12)), HoistedLSTM(4, name="lstm")])

    def replaced(layer):
        return [keras.layers.LSTM.from_config(layer.get_config()), keras.layers.Activation(None)]

    graph = rebuilt(hoisted, replaced)
    assert [type(layer) for layer in graph.layers] == [keras.layers.LSTM, keras.layers.Activation]
    np.testing.assert_allclose(
        graph.predict(sequences, verbose=0), hoisted.predict(sequences, verbose=0), atol=1e-6
    )
