import numpy as np
import pytest

from edac_core.errors import ModelError

keras = pytest.importorskip("tf_keras")

from edac_core.compress import compaction  # noqa: E402
from edac_core.compress.compaction import Features  # noqa: E402
from edac_core.models.layers import Apart, Attention, HoistedLSTM  # noqa: E402

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
