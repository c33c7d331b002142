import io
import zipfile

import numpy as np
import pytest
import tiny
from ai_edge_litert.interpreter import Interpreter

from edac_core.compress.quantization import PRECISIONS, convert, drop_negative_zeros
from edac_core.errors import ModelError, PlanError
from edac_core.measure.size import count_weights
from edac_core.models.backend import keras, tf
from edac_core.models.training import seed_everything
from edac_core.runtime import Variant

TOLERANCE = {"float32": 1e-6, "float16": 2e-3, "int8": 3e-2}


@pytest.fixture(scope="module")
def network():
    seed_everything(11)
    return tiny.network()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_scores_as_keras_does(network, precision):
    features = tiny.examples().features
    expected = network.predict(features, verbose=0)[:, 0]
    scores = Variant(convert(network, precision)).score(features)
    np.testing.assert_allclose(scores, expected, atol=TOLERANCE[precision])


def test_precisions_differ_in_what_they_store(network):
    sizes = [len(convert(network, precision)) for precision in PRECISIONS]
    assert sizes == sorted(sizes, reverse=True)


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
