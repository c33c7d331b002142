import importlib.util

import numpy as np
import pytest

from edac_core.errors import ModelError
from edac_core.measure import footprint as measured
from edac_core.measure.footprint import Span, count_macs, footprint, plan_arena, spans
from edac_core.measure.graph import read_graph

needs_micro = pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="tflite_micro is not installed"
)


def lowest_free(tensors):
    """Place tensors by falling size on a map of bytes by operator, each as low as it fits."""
    last = max(tensor.last for tensor in tensors) + 1
    taken = np.zeros((last, sum(tensor.size + 16 for tensor in tensors)), bool)
    for tensor in sorted(tensors, key=lambda one: -one.size):
        at, size = 0, -(-tensor.size // 16) * 16
        while taken[tensor.first : tensor.last + 1, at : at + size].any():
            at += 16
        taken[tensor.first : tensor.last + 1, at : at + size] = True
    return int(taken.any(axis=0).nonzero()[0].max()) + 1


def test_tensors_needed_one_after_another_share_their_place():
    chain = [Span(1600, 0, 1), Span(800, 1, 2), Span(1600, 2, 3)]
    assert plan_arena(chain) == 2400


def test_small_tensors_fit_between_large_ones():
    # The second and third stay; the fourth fits where the first was.
    assert plan_arena([Span(64, 0, 1), Span(48, 0, 3), Span(32, 0, 3), Span(60, 2, 3)]) == 144


def test_sizes_are_aligned():
    assert plan_arena([Span(1, 0, 0), Span(17, 0, 0)]) == 48
    assert plan_arena([]) == 0


def test_plans_are_those_of_the_lowest_free_place():
    rng = np.random.default_rng(0)
    for _ in range(60):
        first = rng.integers(0, 12, 15)
        last = first + rng.integers(0, 5, 15)
        sizes = rng.integers(1, 300, 15)
        tensors = [Span(*map(int, row)) for row in zip(sizes, first, last, strict=True)]
        assert plan_arena(tensors) == lowest_free(tensors)


def test_a_graph_needs_its_activations_when_they_pass(cnn_models):
    found = sorted(spans(read_graph(cnn_models["float32"])), key=lambda span: span.first)
    sizes = [(span.size // 4, span.first, span.last) for span in found]
    assert sizes == [
        (302 * 15, 0, 0), (300 * 13 * 64, 0, 1), (150 * 6 * 64, 1, 2), (149 * 5 * 32, 2, 3),
        (149 * 5 * 32, 3, 4), (256, 4, 5), (128, 5, 6), (1, 6, 7), (1, 7, 7)
    ]  # fmt: skip
    assert plan_arena(found) == 4 * (300 * 13 * 64 + 150 * 6 * 64)


def test_what_is_unpacked_stays(cnn_models):
    weights = 9 * 64 + 4 * 64 * 32 + 149 * 5 * 32 * 256 + 256 * 128 + 128
    half, full = (footprint(cnn_models[name]).arena_bytes for name in ("float16", "float32"))
    # Biases too, of which there are 481, and what alignment adds.
    assert 4 * weights < half - full < 4 * (weights + 481) + 1000


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_multiplications_of_the_cnn_as_counted_by_hand(cnn_models, precision):
    by_hand = 300 * 13 * 64 * 9 + 149 * 5 * 32 * (2 * 2 * 64) + 149 * 5 * 32 * 256 + 256 * 128 + 128
    found = footprint(cnn_models[precision])
    assert found.macs == by_hand == 14_485_376
    assert found.flash_bytes == len(cnn_models[precision])


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_multiplications_of_an_unrolled_lstm_as_counted_by_hand(recurrent_models, precision):
    by_hand = 3 * 4 * 4 * (2 * 2 * 2) + 3 * 4 * 7 * (16 + 7) + 21 * 2
    assert count_macs(read_graph(recurrent_models[precision])) == by_hand


def test_multiplications_of_a_fused_lstm_are_those_of_its_steps(keras):
    inputs = keras.Input((5, 6), batch_size=1)
    network = keras.Model(inputs, keras.layers.LSTM(3, return_sequences=True)(inputs))
    graph = read_graph(_converted(network))
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in {operator.kind for operator in graph.operators}
    assert count_macs(graph) == 5 * 4 * 3 * (6 + 3)


def test_multiplications_of_other_operators_as_counted_by_hand(keras):
    layers = keras.layers
    depthwise = [keras.Input((6, 5, 4), batch_size=1), layers.DepthwiseConv2D(3)]
    transposed = [keras.Input((6, 5, 4), batch_size=1), layers.Conv2DTranspose(7, 2, strides=2)]
    assert count_macs(_graph(keras, depthwise)) == 4 * 3 * 4 * 9
    assert count_macs(_graph(keras, transposed)) == 6 * 5 * 4 * 7 * 2 * 2


@pytest.mark.parametrize("adjoint", [False, True])
def test_multiplications_of_two_matrices_as_counted_by_hand(keras, adjoint):
    import tensorflow as tf  # noqa: PLC0415 - costs seconds, and few tests need it

    first = keras.Input((5, 4) if adjoint else (4, 5), batch_size=2)
    second = keras.Input((5, 6), batch_size=2)
    product = tf.matmul(first, second, transpose_a=adjoint)
    graph = read_graph(_converted(keras.Model([first, second], product)))
    assert "BATCH_MATMUL" in {operator.kind for operator in graph.operators}
    assert count_macs(graph) == 2 * 4 * 5 * 6


def test_a_model_with_a_loop_has_no_estimate(keras):
    inputs = keras.Input((5, 6), batch_size=1)
    looping = keras.layers.GRU(3, reset_after=False)(inputs)
    found = footprint(_converted(keras.Model(inputs, looping)))
    assert (found.arena_bytes, found.macs) == (None, None)


@needs_micro
def test_estimates_are_what_tflite_micro_takes_but_for_its_book_keeping(
    cnn_models, tiny_models, fully_int8_model
):
    for model in (cnn_models["float32"], tiny_models["float32"], fully_int8_model):
        found = footprint(model)
        # Some 24 bytes a tensor, 64 an operator, and what operators prepare.
        assert 0 < found.micro_arena_bytes - found.arena_bytes < 6000


def test_a_runtime_that_was_not_loaded_has_no_measurement(tiny_models, monkeypatch):
    monkeypatch.setattr(measured, "check_runtimes", lambda *_: ((), None))
    found = footprint(tiny_models["float32"])
    assert (found.runtimes, found.micro_arena_bytes) == ((), None)


def test_bytes_that_are_no_model_are_refused():
    with pytest.raises(ModelError, match="cannot load"):
        footprint(b"no model")


def _graph(keras, chain):
    inputs, layer = chain
    return read_graph(_converted(keras.Model(inputs, layer(inputs))))


def _converted(network):
    import tensorflow as tf  # noqa: PLC0415 - costs seconds, and few tests need it

    return tf.lite.TFLiteConverter.from_keras_model(network).convert()
