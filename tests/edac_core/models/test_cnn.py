import pytest

from edac_core.compress.pruning import prunable_weights
from edac_core.models import get_model

PARAMETERS = {
    "conv1": 640,
    "pool": 0,
    "conv2": 8_224,
    "norm": 128,
    "relu": 0,
    "flatten": 0,
    "dense1": 6_103_296,
    "dropout1": 0,
    "dense2": 32_896,
    "dropout2": 0,
    "output": 129,
}
SHAPES = {
    "conv1": (300, 13, 64),
    "pool": (150, 6, 64),
    "conv2": (149, 5, 32),
    "flatten": (23_840,),
    "dense1": (256,),
    "dense2": (128,),
    "output": (1,),
}


@pytest.fixture(scope="module")
def cnn():
    return get_model("cnn").build()


def test_has_the_published_parameters_layer_by_layer(cnn):
    assert {layer.name: layer.count_params() for layer in cnn.layers} == PARAMETERS
    assert cnn.count_params() == 6_145_313


def test_has_the_published_shapes(cnn):
    assert cnn.input_shape == (None, 302, 15, 1)
    assert {name: cnn.get_layer(name).output_shape[1:] for name in SHAPES} == SHAPES


def test_has_the_published_trainable_and_prunable_weights(cnn):
    trainable = sum(weight.shape.num_elements() for weight in cnn.trainable_weights)
    prunable = sum(weight.shape.num_elements() for weight in prunable_weights(cnn))
    assert (trainable, prunable) == (6_145_249, 6_144_704)


def test_normalises_before_the_relu(cnn):
    names = [layer.name for layer in cnn.layers]
    assert names.index("conv2") < names.index("norm") < names.index("relu")


@pytest.mark.parametrize(
    ("layer", "l1", "l2", "bias_l2"),
    [("dense1", 3e-4, 4e-3, 3e-3), ("dense2", 1e-3, 1e-2, 1e-2)],
)
def test_regularises_as_published(cnn, layer, l1, l2, bias_l2):
    dense = cnn.get_layer(layer)
    assert float(dense.kernel_regularizer.l1) == pytest.approx(l1)
    assert float(dense.kernel_regularizer.l2) == pytest.approx(l2)
    assert float(dense.bias_regularizer.l2) == pytest.approx(bias_l2)


def test_trains_with_the_published_optimiser():
    optimizer = get_model("cnn").optimizer()
    assert optimizer.name.lower().startswith("adam")
    assert float(optimizer.learning_rate) == pytest.approx(1e-4)
