import numpy as np
import pytest

from edac_core.errors import ModelError
from edac_core.measure.operators import Chain, time_operators
from edac_core.runtime import open_interpreter

PRECISIONS = ("float32", "float16", "int8")


def _whole(model, features):
    interpreter = open_interpreter(model)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], features)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_operators_one_after_another_give_what_the_cnn_gives(cnn_models, precision):
    chain = Chain(cnn_models[precision])
    for features in (chain.example(), np.ones((1, 302, 15, 1), np.float32)):
        np.testing.assert_array_equal(chain.run(features), _whole(cnn_models[precision], features))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_unrolled_lstm_shares_the_operators_of_its_steps(recurrent_models, precision):
    model = recurrent_models[precision]
    chain = Chain(model)
    features = chain.example()
    np.testing.assert_allclose(chain.run(features), _whole(model, features), rtol=1e-6)
    kinds = {(one.layer, one.kind): one.times for one in time_operators(model, seconds=0).operators}
    assert kinds["memory", "TANH"] == 2 * 3
    assert kinds["answer", "FULLY_CONNECTED"] == 1
    assert len(chain.pieces) < 40


def test_a_fully_int8_model_is_taken_to_pieces(fully_int8_model):
    chain = Chain(fully_int8_model)
    features = chain.example()
    assert features.dtype == np.int8
    assert np.unique(features).size > 10
    np.testing.assert_array_equal(chain.run(features), _whole(fully_int8_model, features))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_operator_is_timed_in_the_order_of_the_graph(tiny_models, tiny_network, precision):
    found = time_operators(tiny_models[precision], seconds=0)
    assert [one.kind for one in found.operators] == [
        "CONV_2D", "MAX_POOL_2D", "CONV_2D", "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED",
        "LOGISTIC",
    ]  # fmt: skip
    named = [layer.name for layer in tiny_network.layers if layer.count_params()]
    assert [one.layer for one in found.operators if one.kind == "CONV_2D"] == named[:2]
    # What the converter named goes with what comes before it.
    assert [one.layer for one in found.operators[-2:]] == named[-1:] * 2
    assert [one.output_shape for one in found.operators[:2]] == [(1, 10, 6, 8), (1, 5, 3, 8)]
    assert found.rounds == 5
    assert found.whole_ms > 0
    assert found.sum_ms == pytest.approx(sum(one.total_ms for one in found.operators))
    assert all(one.milliseconds > 0 for one in found.operators)


def test_a_model_with_a_loop_is_refused(keras):
    with pytest.raises(ModelError, match="operator WHILE, which calls another graph"):
        time_operators(_looping())


def _looping():
    import tensorflow as tf  # noqa: PLC0415 - costs seconds, and few tests need it

    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32)])
    def halved(values):
        return tf.while_loop(lambda x: tf.reduce_sum(x) > 1, lambda x: (x / 2,), (values,))[0]

    concrete = halved.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], halved).convert()


def test_bytes_that_are_no_model_are_refused():
    with pytest.raises(ModelError, match="cannot load"):
        Chain(b"TFL3" * 100)
