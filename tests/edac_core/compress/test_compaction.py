import numpy as np
import pytest
from chains import LAYERS, NETWORKS, convolutional, dense, recurrent, with_random_weights

from edac_core.compress import compaction
from edac_core.compress.compaction import Features
from edac_core.errors import ModelError
from edac_core.models.backend import keras


def thinned(weight, rng, *, share):
    thin = weight * (rng.random(weight.shape) > share)
    thin[..., rng.random(weight.shape[-1]) < 0.3] = 0
    if weight.shape[-2] > 1:
        thin[..., rng.random(weight.shape[-2]) < 0.3, :] = 0
    return thin


def silence(model, rng, *, share):
    """Set random weights of every kernel, and some whole units' weights, to zero."""
    for layer in model.layers:
        if not hasattr(layer, "kernel") and not hasattr(layer, "cell"):
            continue
        weights = layer.get_weights()
        for index, weight in enumerate(weights):
            if weight.ndim > 1:
                weights[index] = thinned(weight, rng, share=share)
        layer.set_weights(weights)


def outputs(model, rng):
    inputs = rng.normal(size=(32, *model.input_shape[1:])).astype(np.float32)
    return model(inputs, training=False).numpy(), inputs


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("seed", range(8))
def test_compaction_leaves_the_outputs_as_they_are(network, seed):
    rng = np.random.default_rng(seed)
    model = with_random_weights(network(), rng)
    silence(model, rng, share=0.5 + 0.06 * seed)
    before, inputs = outputs(model, rng)
    smaller = compaction.compact(model)
    np.testing.assert_allclose(smaller(inputs, training=False), before, atol=2e-6)
    assert smaller.count_params() < model.count_params()


@pytest.mark.parametrize("network", NETWORKS)
def test_nothing_dead_nothing_changed(network):
    model = with_random_weights(network(), np.random.default_rng(0))
    smaller = compaction.compact(model)
    for before, after in zip(model.get_weights(), smaller.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_all_that_is_dead_is_found():
    rng = np.random.default_rng(0)
    model = with_random_weights(dense(), rng)
    kernel1, bias1 = model.get_layer("dense1").get_weights()
    kernel2, bias2 = model.get_layer("dense2").get_weights()
    kernel1[:, 3] = 0  # nothing comes in
    kernel2[5, :] = 0  # nothing goes out
    kernel2[[0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11], 6] = 0  # only the constant unit 3 comes in
    model.get_layer("dense1").set_weights([kernel1, bias1])
    model.get_layer("dense2").set_weights([kernel2, bias2])
    fates = compaction.dead_units(model)
    assert np.flatnonzero(~fates["dense1"].kept).tolist() == [3, 5]
    assert np.flatnonzero(~fates["dense2"].kept).tolist() == [6]


def test_an_lstm_unit_that_feeds_only_itself_and_the_dead_is_dead():
    model = with_random_weights(recurrent(), np.random.default_rng(0))
    lstm, attention, first = (model.get_layer(n) for n in ("lstm", "attention", "dense"))
    kernel, inner, bias = lstm.get_weights()
    by_gate = inner.reshape(12, 4, 12)
    for unit in (2, 3):  # they feed each other, and nobody else
        others = [index for index in range(12) if index not in (2, 3)]
        by_gate[unit][:, others] = 0
    lstm.set_weights([kernel, by_gate.reshape(12, 48), bias])
    for layer in (attention, first):
        weights = layer.get_weights()
        weights[0][[2, 3]] = 0
        layer.set_weights(weights)
    fate = compaction.dead_units(model)["lstm"]
    assert np.flatnonzero(~fate.kept).tolist() == [2, 3]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_removed_unit_stands_for_its_constant(network):
    """The oracle is the whole network with the unit's output replaced by hand."""
    rng = np.random.default_rng(4)
    model = with_random_weights(network(), rng)
    for layer in compaction.unit_layers(model):
        count = compaction.unit_count(layer)
        kept = rng.random(count) > 0.4
        kept[0] = True
        fate = Features(kept, rng.normal(size=count).astype(np.float32))
        smaller = compaction.remove_units(model, {layer.name: fate})
        if isinstance(layer, LAYERS.LSTM):
            continue  # its units are constants to each other as well
        inputs = rng.normal(size=(8, *model.input_shape[1:])).astype(np.float32)
        values = inputs
        for step in model.layers:
            values = step(values, training=False)
            if step is layer:
                values = np.where(kept, values, fate.constants).astype(np.float32)
        np.testing.assert_allclose(smaller(inputs, training=False), values, atol=2e-6)


def test_the_papers_lstm_is_cut_as_the_hoisted_one():
    rng = np.random.default_rng(4)
    hoisted = with_random_weights(recurrent(), rng)
    plain = recurrent(LAYERS.LSTM)
    plain.set_weights(hoisted.get_weights())
    fate = {"lstm": Features(rng.random(12) > 0.5, rng.normal(size=12).astype(np.float32))}
    inputs = rng.normal(size=(8, 9, 10, 3)).astype(np.float32)
    first, second = (compaction.remove_units(model, fate) for model in (hoisted, plain))
    np.testing.assert_allclose(first(inputs), second(inputs), atol=2e-6)


def test_a_padded_convolution_keeps_what_it_cannot_fold():
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            LAYERS.Conv2D(4, 3, name="first"),
            LAYERS.Conv2D(3, 3, padding="same", name="padded"),
            LAYERS.Flatten(),
            LAYERS.Dense(1, name="output"),
        ]
    )
    rng = np.random.default_rng(0)
    with_random_weights(model, rng)
    kernel, bias = model.get_layer("first").get_weights()
    kernel[..., [1, 2]] = 0
    bias[2] = 0
    model.get_layer("first").set_weights([kernel, bias])
    before, inputs = outputs(model, rng)
    smaller = compaction.compact(model)
    assert smaller.get_layer("first").filters == 3
    np.testing.assert_allclose(smaller(inputs), before, atol=2e-6)


def test_a_layer_keeps_one_unit():
    model = dense()
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    smaller = compaction.compact(model)
    assert [smaller.get_layer(name).units for name in ("dense1", "dense2", "output")] == [1, 1, 2]


@pytest.mark.parametrize(
    ("units", "sentence"),
    [
        ({"output": Features.all_of(2)}, "Layer 'output' cannot lose units"),
        ({"dense1": Features(np.zeros(12, bool), np.zeros(12))}, "would lose all of its units"),
    ],
)
def test_what_cannot_be_removed_is_refused(units, sentence):
    with pytest.raises(ModelError, match=sentence):
        compaction.remove_units(dense(), units)


def test_a_network_that_branches_is_refused():
    inputs = keras.Input((4,))
    first = LAYERS.Dense(3)(inputs)
    model = keras.Model(inputs, LAYERS.Dense(1)(LAYERS.Concatenate()([first, inputs])))
    with pytest.raises(ModelError, match=r"chains of layers only"):
        compaction.compact(model)


def test_means_keep_what_the_next_layer_gets_on_average():
    """Its mean weighted sum: its bias takes in means of the flattened positions, each its own."""
    rng = np.random.default_rng(5)
    model = with_random_weights(convolutional(), rng)
    inputs = rng.normal(size=(50, 14, 8, 1)).astype(np.float32)
    reached = reaching(model, "dense1", inputs)
    fate = {"conv2": Features(np.array([True, False, True, False, False]), np.zeros(5))}
    means = {"dense1": reached.mean(axis=0)}
    smaller = compaction.remove_units(model, fate, means=means)
    expected = weighted_sums(model, "dense1", reached).mean(axis=0)
    found = weighted_sums(smaller, "dense1", reaching(smaller, "dense1", inputs)).mean(axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def reaching(model, name, inputs):
    return keras.Model(model.inputs, model.get_layer(name).input)(inputs, training=False).numpy()


def weighted_sums(model, name, inputs):
    kernel, bias = model.get_layer(name).get_weights()
    return inputs @ kernel + bias


@pytest.mark.parametrize("behind", [LAYERS.Flatten(), LAYERS.LSTM(3, use_bias=False)])
def test_a_layer_without_bias_gets_one_for_what_is_removed(behind):
    model = keras.Sequential(
        [
            keras.Input((5, 6)),
            LAYERS.Dense(4, activation="sigmoid", use_bias=False, name="first"),
            behind,
            LAYERS.Dense(1, use_bias=False, name="output"),
        ]
    )
    rng = np.random.default_rng(0)
    with_random_weights(model, rng)
    kernel = model.get_layer("first").get_weights()[0]
    kernel[:, [1, 2]] = 0  # they give out 0.5, always
    model.get_layer("first").set_weights([kernel])
    before, inputs = outputs(model, rng)
    smaller = compaction.compact(model)
    assert smaller.get_layer("first").units == 2
    assert not smaller.get_layer("first").use_bias
    np.testing.assert_allclose(smaller(inputs), before, atol=2e-6)
