import numpy as np
import pytest
import tiny
from ai_edge_litert.interpreter import Interpreter

from edac_core.compress.pruning import magnitude_mask, prunable_weights
from edac_core.compress.qat import convert_quantized, train_quantized
from edac_core.errors import ModelError
from edac_core.models.backend import keras, tf
from edac_core.models.examples import Examples
from edac_core.models.layers import HoistedLSTM
from edac_core.models.training import Trainer, seed_everything
from edac_core.runtime import Variant

LAYERS = keras.layers


def convolutional():
    layers, l1l2 = LAYERS, keras.regularizers.L1L2
    return keras.Sequential(
        [
            keras.Input(tiny.SHAPE),
            layers.Conv2D(4, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Conv2D(6, 2, name="conv2"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Flatten(name="flatten"),
            layers.Dense(8, activation="relu", kernel_regularizer=l1l2(3e-4, 4e-3), name="dense"),
            layers.Dropout(0.1, name="dropout"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ],
        name="convolutional",
    )


def dense():
    return keras.Sequential(
        [
            keras.Input((72,)),
            LAYERS.BatchNormalization(name="norm"),
            LAYERS.Dense(12, activation="sigmoid", name="dense1"),
            LAYERS.Dropout(0.1, name="dropout1"),
            LAYERS.Dense(8, activation="sigmoid", name="dense2"),
            LAYERS.Dense(2, activation="softmax", name="output"),
        ],
        name="dense",
    )


def examples(shape=tiny.SHAPE, *, scale=60.0):
    """Features of MFCC's size, far outside the range that tfmot begins with."""
    made = tiny.examples(128)
    return Examples((scale * made.features).reshape(-1, *shape), made.labels)


@pytest.fixture(
    scope="module", params=[(convolutional, tiny.SHAPE, 0.7), (dense, (72,), 0.0)],
    ids=["convolutional", "dense"],
)  # fmt: skip
def trained(request):
    """A pruned convolutional network or a dense one, its spec and the data that it has learnt."""
    network, shape, sparsity = request.param
    data = examples(shape)
    seed_everything(2)
    model, spec = network(), tiny.spec(compile_step=network is dense)
    trainer = Trainer(model, spec, data, batch_size=32, seed=1)
    for _ in range(10):
        trainer.run_epoch()
    for weight in prunable_weights(model) if sparsity else []:
        values = weight.numpy()
        weight.assign(values * magnitude_mask(values, sparsity))
    return model, spec, data


def quantized(model, spec, data, **options):
    return train_quantized(model, spec, data, batch_size=32, seed=3, **options)


def positive(outputs):
    return outputs.numpy()[:, -1]


def int8_tensors(converted):
    interpreter = Interpreter(model_content=converted)
    return [
        interpreter.get_tensor(detail["index"])
        for detail in interpreter.get_tensor_details()
        if detail["dtype"] == np.int8 and "/LastValueQuant/" in detail["name"]
    ]


def test_the_file_scores_as_the_rounded_network_does_and_keeps_its_zeros(trained):
    model, spec, data = trained
    before, kernels = model.get_weights(), [weight.numpy() for weight in prunable_weights(model)]
    keep_zeros = tiny.sparsity_of(kernels) > 0
    reported = []
    rounded, history = quantized(
        model, spec, data, epochs=2, keep_zeros=keep_zeros, on_epoch=reported.append
    )
    assert tuple(reported) == history
    converted = convert_quantized(rounded)
    scores = Variant(converted).score(data.features)
    assert np.abs(scores - positive(rounded(data.features))).mean() < 0.01
    stored = {tensor.size: tensor for tensor in int8_tensors(converted)}
    assert len(stored) == len(kernels)
    for kernel in kernels:
        tensor = np.moveaxis(stored[kernel.size].reshape(-1, *kernel.shape[:-1]), 0, -1)
        assert tensor.any()
        assert not tensor[kernel == 0].any()
    for weight, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_ranges_start_where_the_float_network_has_them(trained):
    model, spec, data = trained
    rounded, history = quantized(model, spec, data, epochs=0)
    assert history == ()
    assert np.abs(positive(rounded(data.features)) - positive(model(data.features))).mean() < 0.03


def test_a_kernel_that_tfmot_does_not_know_is_refused_by_name():
    model = keras.Sequential([keras.Input((5, 4)), HoistedLSTM(3, name="lstm"), LAYERS.Dense(1)])
    with pytest.raises(ModelError, match=r"cannot round the layer 'lstm', .* kind, HoistedLSTM"):
        quantized(model, tiny.spec(), tiny.examples(), epochs=1)


def test_an_activation_that_tfmot_does_not_know_is_refused():
    model = keras.Sequential([keras.Input((5,)), LAYERS.Dense(1, activation="elu")], name="odd")
    with pytest.raises(ModelError, match="cannot round 'odd'"):
        quantized(model, tiny.spec(), tiny.examples(), epochs=1)


def test_a_network_that_is_no_chain_is_refused():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, LAYERS.Dense(1)(inputs), name="graph")
    with pytest.raises(ModelError, match="'graph' is a Functional; build it as a Sequential"):
        quantized(model, tiny.spec(), tiny.examples(), epochs=1)


def test_what_does_not_convert_is_one_sentence():
    layer = LAYERS.Lambda(lambda x: tf.py_function(lambda y: y, [x], tf.float32))
    model = keras.Sequential([keras.Input((3,)), layer], name="odd")
    with pytest.raises(ModelError, match=r"cannot convert 'odd', trained for int8"):
        convert_quantized(model)
