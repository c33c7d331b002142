import io
import zipfile

import numpy as np
import pytest
import tensorflow_model_optimization as tfmot
import tiny
from ai_edge_litert.interpreter import Interpreter
from tensorflow_model_optimization.python.core.clustering.keras.experimental import (
    cluster as tfmot_experimental,
)

from edac_core.compress.clustering import _Kernel, cluster, initial_centroids
from edac_core.compress.pruning import magnitude_mask, prunable_weights
from edac_core.compress.quantization import convert
from edac_core.errors import PlanError
from edac_core.models.backend import keras, tf
from edac_core.models.layers import Attention, HoistedLSTM
from edac_core.models.training import Trainer, seed_everything

LINEAR = tfmot.clustering.keras.CentroidInitialization.LINEAR
CLUSTERED = ("conv", "hidden", "output")


def network(*, units=16):
    layers, l1l2 = keras.layers, keras.regularizers.L1L2(3e-4, 4e-3)
    return keras.Sequential(
        [
            keras.Input(tiny.SHAPE),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(units, activation="relu", kernel_regularizer=l1l2, name="hidden"),
            layers.Dense(1, activation="sigmoid", name="output"),
        ]
    )  # fmt: skip


def network_of(*, units=16, sparsity=0.0):
    seed_everything(3)
    model = network(units=units)
    for weight in prunable_weights(model) if sparsity else []:
        values = weight.numpy()
        weight.assign(values * magnitude_mask(values, sparsity))
    return model


def tfmot_run(model, spec, *, centroids, epochs, keep_zeros):
    def wrap(layer):
        if layer.name not in CLUSTERED:
            return layer
        return tfmot_experimental.cluster_weights(
            layer, centroids, LINEAR, preserve_sparsity=keep_zeros
        )

    copy = network()
    copy.set_weights(model.get_weights())
    wrapped = keras.models.clone_model(copy, clone_function=wrap)
    trainer = Trainer(wrapped, spec, tiny.examples(), batch_size=32, seed=5)
    history = [trainer.run_epoch() for _ in range(epochs)]
    return tfmot.clustering.keras.strip_clustering(wrapped), history


def our_run(model, spec, *, epochs=1, **options):
    return cluster(model, spec, tiny.examples(), epochs=epochs, batch_size=32, seed=5, **options)


@pytest.mark.parametrize("sparsity", [0.0, 0.6])
def test_a_whole_fine_tuning_equals_that_of_tfmot(sparsity):
    spec = tiny.spec(learning_rate=lambda epoch: 1e-2 / epoch)
    options = {"centroids": 5, "epochs": 4, "keep_zeros": sparsity > 0}
    model = network_of(sparsity=sparsity)
    theirs, their_losses = tfmot_run(model, spec, **options)
    zeros = [weight.numpy() == 0 for weight in prunable_weights(model)]
    ours, history = our_run(model, spec, **options)
    np.testing.assert_allclose([epoch.loss for epoch in history], their_losses, rtol=1e-5)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=2e-6)
    for weight, zero in zip(prunable_weights(ours), zeros, strict=True):
        assert len(np.unique(weight.numpy())) <= 5
        assert not weight.numpy()[zero].any()
        assert weight.numpy()[~zero].any()


def test_a_kernel_of_few_values_stays_so():
    weights = np.array([[1, 2, 0], [2, 1, 0]], np.float32)
    assert initial_centroids(weights, 8, keep_zeros=False).tolist() == [0, 1, 2]
    assert initial_centroids(weights - 3, 8, keep_zeros=True).tolist() == [-3, -2, -1, 0]


def test_centroids_are_spaced_evenly_on_either_side_of_zero():
    weights = np.array([-4, -3.5, -3, -1, 0, 0, 2, 2.5, 3, 6], np.float32)
    assert initial_centroids(weights, 6, keep_zeros=False).tolist() == [-4, -2, 0, 2, 4, 6]
    assert initial_centroids(weights, 5, keep_zeros=True).tolist() == [-4, -1, 0, 2, 6]


def test_clusters_recurrent_layers_of_our_own_and_leaves_those_never_pruned_alone():
    seed_everything(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(tiny.SHAPE),
            layers.Reshape((3, 24)),
            HoistedLSTM(8, return_sequences=True, name="lstm"),
            Attention(name="attention"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    our_run(model, tiny.spec(never_pruned=("attention",)), centroids=4)
    cell = model.get_layer("lstm").cell
    assert len(np.unique(cell.kernel.numpy())) <= 4
    assert len(np.unique(cell.recurrent_kernel.numpy())) <= 4
    assert len(np.unique(model.get_layer("attention").kernel.numpy())) > 4


def test_int8_keeps_the_few_values_and_the_zip_shrinks():
    model = network_of(units=64)
    before = deflated(convert(model, "int8"))
    clustered, _ = our_run(model, tiny.spec(), centroids=16)
    converted = convert(clustered, "int8")
    assert deflated(converted) < 0.75 * before
    assert 8 < len(np.unique(int8_tensor(converted, (64, 160)))) <= 16


def test_gradients_of_centroids_are_the_same_every_time():
    rng = np.random.default_rng(0)
    shape = (2000, 300)
    kernel = _Kernel(tf.Variable(tf.zeros(shape)), centroids=7, keep_zeros=False)
    codes = rng.integers(0, 7, shape)
    kernel.centroids = tf.Variable(tf.zeros(7))
    kernel._codes.assign(codes)
    gradient = rng.normal(size=shape).astype(np.float32)
    sums = [kernel.sum_by_centroid(tf.constant(gradient)).numpy() for _ in range(20)]
    assert len({found.tobytes() for found in sums}) == 1
    expected = np.bincount(codes.ravel(), weights=gradient.ravel())
    np.testing.assert_allclose(sums[0], expected, atol=0.01)


@pytest.mark.parametrize("centroids", [2, 257])
def test_too_few_or_too_many_centroids_are_refused(centroids):
    with pytest.raises(PlanError, match=f"around {centroids} centroids; choose from 3 to 256"):
        our_run(network(), tiny.spec(), centroids=centroids)


def int8_tensor(converted, shape):
    interpreter = Interpreter(model_content=converted)
    (tensor,) = [
        detail for detail in interpreter.get_tensor_details()
        if detail["dtype"] == np.int8 and tuple(detail["shape"]) == shape
    ]  # fmt: skip
    return interpreter.get_tensor(tensor["index"])


def deflated(model):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.tflite", model)
    return len(buffer.getvalue())
