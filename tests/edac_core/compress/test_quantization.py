import io
import zipfile

import numpy as np
import pytest
import tiny
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edac_core.compress import DEFAULT_PRECISIONS, PRECISIONS, quantization
from edac_core.compress.pruning import BLOCK_SIZE, magnitude_mask
from edac_core.compress.quantization import convert, drop_negative_zeros
from edac_core.errors import ModelError, PlanError
from edac_core.measure.anatomy import dissect, spreads
from edac_core.measure.operators import Chain
from edac_core.measure.size import count_weights
from edac_core.models.backend import keras, tf
from edac_core.models.training import seed_everything
from edac_core.runtime import Variant

TOLERANCE = {
    "float32": 1e-6, "float16": 2e-3, "int8": 3e-2, "int8_full": 3e-2, "int16x8": 1e-2,
    "int4_weights": 0.2,
}  # fmt: skip
# Of a network whose matrices all have more than the 1,024 weights that int8 begins with.
WIDE = (96, 64, 32)


@pytest.fixture(scope="module")
def network():
    seed_everything(11)
    return tiny.network()


@pytest.fixture(scope="module")
def files(network):
    features = tiny.examples().features
    return {
        precision: convert(network, precision, representative=features) for precision in PRECISIONS
    }


@pytest.mark.parametrize("precision", PRECISIONS)
def test_scores_as_keras_does(network, files, precision):
    features = tiny.examples().features
    expected = network.predict(features, verbose=0)[:, 0]
    scores = Variant(files[precision]).score(features)
    np.testing.assert_allclose(scores, expected, atol=TOLERANCE[precision])


def test_precisions_differ_in_what_they_store(files):
    sizes = [len(files[precision]) for precision in DEFAULT_PRECISIONS]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(("precision", "stored"), [("int8_full", np.int8), ("int16x8", np.int16)])
def test_input_and_output_are_integers_where_activations_are(files, precision, stored):
    interpreter = Interpreter(model_content=files[precision])
    ends = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    assert [end["dtype"] for end in ends] == [stored, stored]
    assert not [one for one in interpreter.get_tensor_details() if one["dtype"] == np.float32]


def test_int4_takes_half_a_byte_a_weight(files):
    weights = [tensor for tensor in dissect(files["int4_weights"]) if tensor.role == "weights"]
    assert {tensor.precision for tensor in weights} == {"int4"}
    for tensor in weights:
        assert tensor.raw_bytes == (tensor.elements + 1) // 2


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_file_can_be_taken_to_pieces(network, files, precision):
    model = files[precision]
    kernels = [layer.kernel.numpy() for layer in network.layers if hasattr(layer, "kernel")]
    elements, nonzero = count_weights(model)
    assert elements == sum(kernel.size for kernel in kernels)
    found = spreads(model, baseline=files["float32"])
    assert sum(spread.elements for spread in found) == elements
    assert sum(spread.zeros_after for spread in found) == elements - nonzero
    chain = Chain(model)
    features = chain.example()
    np.testing.assert_allclose(chain.run(features), outputs(model, features), atol=1e-6)


def test_int4_stands_for_the_numbers_that_litert_takes_it_for():
    """An identity's outputs are the weights themselves."""
    model = keras.Sequential([keras.Input((32,)), keras.layers.Dense(7)])
    kernel = np.random.default_rng(0).integers(-7, 8, (32, 7)).astype(np.float32)
    kernel[0] = 7
    model.set_weights([kernel, np.zeros(7, np.float32)])
    converted = convert(model, "int4_weights")
    np.testing.assert_allclose(outputs(converted, np.eye(32, dtype=np.float32)), kernel, atol=0.05)
    assert count_weights(converted) == (kernel.size, np.count_nonzero(kernel))
    (spread,) = spreads(converted, baseline=None)
    assert spread.after == tuple(np.histogram(kernel[kernel != 0], spread.edges)[0])


def wide(inputs=WIDE[0]):
    """Return a dense network with nine tenths of its blocks zero, and features for it."""
    seed_everything(4)
    layers = [keras.layers.Dense(units, activation="relu") for units in WIDE[1:]]
    last = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((inputs,)), *layers, last], name="wide")
    model.set_weights([
        weight * magnitude_mask(weight, 0.9, block_size=BLOCK_SIZE) if weight.size > 64 else weight
        for weight in model.get_weights()
    ])  # fmt: skip
    return model, np.random.default_rng(1).normal(size=(40, inputs)).astype(np.float32)


@pytest.mark.parametrize("inputs", [96, 97, 98, 99])
def test_a_sparse_file_is_smaller_and_scores_as_keras_does(inputs):
    model, features = wide(inputs)
    sparse = convert(model, "float32", sparse=True)
    assert len(sparse) < 0.4 * len(convert(model, "float32"))
    expected = model.predict(features, verbose=0)[:, 0]
    assert np.ptp(expected) > 1e-2
    np.testing.assert_allclose(Variant(sparse).score(features), expected, atol=1e-6)
    one_by_one = [Variant(sparse).score_one(row) for row in features]
    np.testing.assert_allclose(one_by_one, expected, atol=1e-6)


def test_blocks_are_computed_sparse_and_not_unpacked():
    model, _ = wide()
    kinds = {one["op_name"] for one in operators_of(convert(model, "float32", sparse=True))}
    assert "DENSIFY" not in kinds


def test_a_sparse_file_can_be_taken_to_pieces():
    model, _ = wide()
    sparse, dense = (convert(model, "float32", sparse=is_sparse) for is_sparse in (True, False))
    assert count_weights(sparse) == count_weights(dense)
    assert [one.zeros for one in dissect(sparse) if one.role == "weights"] == [
        one.zeros for one in dissect(dense) if one.role == "weights"
    ]
    for spread in spreads(sparse, baseline=dense):
        assert (spread.before, spread.zeros_before) == (spread.after, spread.zeros_after)
    chain = Chain(sparse)
    np.testing.assert_array_equal(chain.run(chain.example()), outputs(sparse, chain.example()))


def test_a_sparse_matrix_that_litert_would_misread_is_refused():
    seed_everything(4)
    stack = [keras.layers.LSTM(64, unroll=True), keras.layers.Dense(1, activation="sigmoid")]
    model = keras.Sequential([keras.Input((2, 90)), *stack], name="recurrent")
    model.set_weights([
        weight * magnitude_mask(weight, 0.9, block_size=BLOCK_SIZE) if weight.size > 256 else weight
        for weight in model.get_weights()
    ])  # fmt: skip
    with pytest.raises(ModelError, match="has 90 inputs, for which LiteRT computes wrong results"):
        convert(model, "float32", sparse=True)


@pytest.mark.parametrize("precision", sorted({*PRECISIONS} - {"float32", "int16x8"}))
def test_what_nobody_reads_right_cannot_be_sparse(network, precision):
    with pytest.raises(PlanError, match=f"sparse file cannot be {precision}: .*; choose float32"):
        convert(network, precision, representative=tiny.examples().features, sparse=True)


def test_a_sparse_int16x8_file_is_smaller_and_scores_as_the_dense_one():
    model, features = wide()
    sparse, dense = (
        convert(model, "int16x8", representative=features, sparse=is_sparse)
        for is_sparse in (True, False)
    )
    assert len(sparse) < 0.6 * len(dense)
    found, expected = (Variant(file).score(features) for file in (sparse, dense))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_litert_still_does_not_read_other_sparse_files_right(monkeypatch, precision):
    """Once it does, they need not be refused any more."""
    model, features = wide()
    monkeypatch.setattr(quantization, "_NEVER_SPARSE", {})
    try:
        scores = Variant(convert(model, precision, sparse=True)).score(features)
    except ModelError:
        return
    expected = model.predict(features, verbose=0)[:, 0]
    assert not np.allclose(scores, expected, atol=0.02)


@pytest.mark.parametrize("precision", ["int8_full", "int16x8"])
def test_precisions_of_activations_need_features(network, precision):
    with pytest.raises(PlanError, match=f"{precision} needs to see features of the training set"):
        convert(network, precision)


def test_int8_has_one_scale_a_dense_matrix():
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64)])
    kernel = np.random.default_rng(0).uniform(-1, 1, (64, 64)).astype(np.float32)
    kernel[:, :32] *= 1e-4
    model.set_weights([kernel, np.zeros(64, np.float32)])
    assert count_weights(convert(model, "int8")) == (64 * 64, pytest.approx(64 * 32, rel=0.01))


def test_negative_zeros_cost_nothing_in_a_zip():
    model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(200, name="dense")])
    kernel = np.random.default_rng(0).normal(size=(100, 200)).astype(np.float32)
    signed = np.where(np.abs(kernel) > 1.6, kernel, kernel * 0)
    assert np.signbit(signed[signed == 0]).any()
    model.set_weights([signed, np.zeros(200, np.float32)])
    with_sign = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    without = convert(model, "float32")
    assert deflated(without) < 0.8 * deflated(with_sign)
    features = np.ones((3, 100), np.float32)
    np.testing.assert_array_equal(outputs(without, features), outputs(with_sign, features))


def test_dropping_negative_zeros_changes_no_value(network):
    before = network.get_weights()
    drop_negative_zeros(network)
    after = network.get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert not any(np.signbit(weights[weights == 0]).any() for weights in after)


def test_an_unknown_precision_names_the_known(network):
    with pytest.raises(PlanError, match=r"no precision 'int3'; choose one of: float32, float16"):
        convert(network, "int3")


def test_a_model_that_does_not_convert_is_one_sentence():
    layer = keras.layers.Lambda(lambda x: tf.py_function(lambda y: y, [x], tf.float32))
    model = keras.Sequential([keras.Input((3,)), layer], name="odd")
    with pytest.raises(ModelError, match=r"cannot convert 'odd' to float32"):
        convert(model, "float32")


def deflated(model):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.tflite", model)
    return len(buffer.getvalue())


def outputs(model, features):
    interpreter = Interpreter(model_content=model)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], features.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], features)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def operators_of(model):
    return Interpreter(model_content=model)._get_ops_details()


def test_all_that_a_file_of_int4_weights_holds_is_in_its_flatbuffer():
    """The quantiser puts large constants behind it, where few look."""
    layers = [keras.Input((64,)), keras.layers.Dense(128), keras.layers.Dense(1)]
    converted = convert(keras.Sequential(layers), "int4_weights")
    root = schema.Model.GetRootAs(converted)
    buffers = [root.Buffers(at) for at in range(root.BuffersLength())]
    assert max(buffer.Offset() for buffer in buffers) == 0
    assert count_weights(converted)[0] == 64 * 128 + 128
