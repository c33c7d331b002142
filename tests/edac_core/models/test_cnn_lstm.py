import numpy as np
import pytest

from edac_core.compress.pruning import prunable_weights
from edac_core.compress.quantization import convert
from edac_core.models import get_model
from edac_core.models.backend import keras, tf
from edac_core.models.training import seed_everything
from edac_core.runtime import Variant

PARAMETERS = {
    "conv1": 208, "norm1": 64, "conv2": 2_080, "norm2": 128, "conv3": 8_256, "norm3": 256,
    "conv4": 32_896, "norm4": 512, "lstm": 10_748_928, "norm_lstm": 1_024, "attention": 287,
    "dense": 25_700, "output": 101,
}  # fmt: skip
SHAPES = {
    "conv1": (38, 87, 16), "pool1": (37, 86, 16), "pool4": (31, 80, 128), "sequence": (31, 10_240),
    "lstm": (31, 256), "attention": (256,), "dense": (100,), "output": (1,),
}  # fmt: skip
BLOCK = ["Conv2D", "AveragePooling2D", "BatchNormalization", "ReLU", "Dropout"]


@pytest.fixture(scope="module")
def spec():
    return get_model("cnn_lstm")


@pytest.fixture(scope="module")
def trained(spec):
    """The network with weights that no layer starts with, so that none can be mixed up."""
    seed_everything(3)
    model = spec.build()
    rng = np.random.default_rng(3)
    model.set_weights([w * rng.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def exported(spec, trained):
    return spec.exported(trained)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(4).normal(0, 3, (6, 39, 88, 3)).astype(np.float32)


@pytest.mark.parametrize("which", ["trained", "exported"])
def test_has_the_published_parameters_layer_by_layer(which, request):
    model = request.getfixturevalue(which)
    found = {layer.name: layer.count_params() for layer in model.layers if layer.count_params()}
    assert found == PARAMETERS
    assert model.count_params() == 10_820_440
    trainable = sum(weight.shape.num_elements() for weight in model.trainable_weights)
    assert trainable == 10_819_448


def test_has_the_published_shapes_and_order(trained):
    assert {name: trained.get_layer(name).output_shape[1:] for name in SHAPES} == SHAPES
    kinds = [type(layer).__name__ for layer in trained.layers]
    assert kinds[:20] == BLOCK * 4
    assert kinds[20:] == [
        "Reshape", "HoistedLSTM", "Activation", "BatchNormalization", "Dropout", "Attention",
        "Dense", "Dropout", "Dense",
    ]  # fmt: skip


@pytest.mark.parametrize("which", ["trained", "exported"])
def test_prunes_the_lstm_but_not_the_attention(which, spec, request):
    weights = prunable_weights(request.getfixturevalue(which), never=spec.never_pruned)
    assert sum(weight.shape.num_elements() for weight in weights) == 10_816_804
    assert (10_240, 1_024) in [tuple(weight.shape) for weight in weights]
    assert (256, 1_024) in [tuple(weight.shape) for weight in weights]


def test_exports_the_papers_graph_of_the_same_function(trained, exported, images):
    assert type(exported.get_layer("lstm")) is keras.layers.LSTM
    ours, theirs = trained(images).numpy(), exported(images).numpy()
    assert ours.std() > 1e-4
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_learns_with_the_gradients_of_the_papers_graph(trained, exported, images):
    target = tf.constant([[0.0], [1.0]] * 3)

    def gradients(model):
        with tf.GradientTape() as tape:
            loss = keras.losses.BinaryCrossentropy()(target, model(images, training=False))
        return tape.gradient(loss, model.trainable_weights)

    for mine, theirs in zip(gradients(trained), gradients(exported), strict=True):
        scale = float(tf.reduce_max(tf.abs(theirs))) or 1.0
        np.testing.assert_allclose(mine / scale, theirs / scale, atol=1e-4)


def test_scores_as_keras_does_once_converted(exported, images):
    variant = Variant(convert(exported, "float32"))
    expected = exported(images).numpy()[:, 0]
    np.testing.assert_allclose(variant.score(images), expected, atol=1e-5)
    # The state of one call must not leak into the next.
    np.testing.assert_allclose(variant.score(images[::-1]), expected[::-1], atol=1e-5)


def test_trains_as_published(spec):
    assert "adamax" in type(spec.optimizer()).__name__.lower()
    assert float(spec.optimizer().learning_rate) == pytest.approx(1e-3)
    assert (spec.batch_size, spec.epochs, spec.keep) == (256, 100, "highest accuracy")
    assert (spec.fine_tuning_epochs, spec.fine_tuning_batch_size) == (10, 32)
