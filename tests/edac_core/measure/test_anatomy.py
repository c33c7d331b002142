import io
import zipfile
from contextlib import closing

import numpy as np
import pytest

from edac_core.errors import ModelError
from edac_core.locations import SHIPPED
from edac_core.measure.anatomy import dissect, layer_of, spreads
from edac_core.measure.size import count_weights
from edac_core.runtime import open_interpreter
from edac_core.studies.store import Store

PRECISIONS = ("float32", "float16", "int8")
BATCH_NORM_FOLDS_AWAY = 4 * 32


def _sum(tensors, what, role=None):
    return sum(getattr(tensor, what) for tensor in tensors if role in {None, tensor.role})


def test_the_shipped_cnns_layers_have_its_parameters():
    with closing(Store(SHIPPED, readonly=True)) as store:
        variants = store.variants("cnn").query("precision == 'int8' and has_model")
        tensors = dissect(store.model(variants["sha256"].iloc[-1]))
    assert _sum(tensors, "elements", "weights") == 6_144_704
    # As Keras counts them, but for what normalisation leaves in its neighbour.
    parameters = _sum(tensors, "elements", "weights") + _sum(tensors, "elements", "biases")
    assert parameters == 6_145_313 - BATCH_NORM_FOLDS_AWAY


@pytest.mark.parametrize("precision", PRECISIONS)
def test_weights_are_those_that_size_counts(tiny_models, precision):
    tensors = dissect(tiny_models[precision])
    left = _sum(tensors, "elements", "weights") - _sum(tensors, "zeros", "weights")
    assert (_sum(tensors, "elements", "weights"), left) == count_weights(tiny_models[precision])


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_bytes_are_those_of_the_file(cnn_models, precision):
    model = cnn_models[precision]
    tensors = dissect(model)
    # What is left is the graph: some kB whatever the weights.
    assert 0 < len(model) - _sum(tensors, "raw_bytes") < 10_000
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.tflite", model)
    packed = _sum(tensors, "packed_bytes")
    assert packed == pytest.approx(len(archive.getvalue()), rel=0.01, abs=10_000)


def test_biases_of_32_bits_are_parameters(fully_int8_model):
    found = [tensor for tensor in dissect(fully_int8_model) if tensor.role == "biases"]
    assert {(tensor.precision, tensor.shape) for tensor in found} == {
        ("int32", (8,)),
        ("int32", (16,)),
    }


@pytest.mark.parametrize("precision", PRECISIONS)
def test_layers_have_their_names_order_and_parameters(
    recurrent_network, recurrent_models, precision
):
    tensors = dissect(recurrent_models[precision])
    named = [layer.name for layer in recurrent_network.layers if layer.count_params()]
    weights = [tensor.layer for tensor in tensors if tensor.role == "weights"]
    assert list(dict.fromkeys(weights)) == named
    for layer in recurrent_network.layers:
        parts = [tensor for tensor in tensors if tensor.layer == layer.name]
        parameters = _sum(parts, "elements", "weights") + _sum(parts, "elements", "biases")
        assert parameters == layer.count_params()


@pytest.mark.parametrize(
    ("names", "layer"),
    [
        (["cnn/dense1/MatMul"], "dense1"),
        (["cnn/relu/Relu;cnn/norm/FusedBatchNormV3;cnn/conv2/Conv2D1"], "conv2"),
        (["net/norm/batchnorm/mul_1;net/dense1/MatMul;net/dense1/BiasAdd"], "dense1"),
        (["cnn_lstm/relu1/Relu;cnn_lstm/norm1/FusedBatchNormV3"], "norm1"),
        (["arith.constant1", "net/lstm/lstm_cell/MatMul_1"], "lstm"),
        (["tfl.pseudo_qconst", "StatefulPartitionedCall:0"], ""),
        (["weights"], "weights"),
        ([""], ""),
    ],
)
def test_layers_are_read_from_names(names, layer):
    assert layer_of(names) == layer


def test_spreads_count_what_numpy_counts(tiny_network, tiny_models):
    kernels = [layer.kernel.numpy() for layer in tiny_network.layers if hasattr(layer, "kernel")]
    found = spreads(tiny_models["float32"], baseline=tiny_models["float32"])
    # The second kernel is scaled by the normalisation that was folded into it.
    for number in (0, 2, 3):
        counts, _ = np.histogram(kernels[number], found[number].edges)
        assert found[number].after == tuple(counts)
    for spread in found:
        assert spread.before == spread.after
        assert spread.zeros_before == spread.zeros_after == 0


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_rounded_weights_stay_where_they_were(tiny_models, precision):
    pairs = spreads(tiny_models[precision], baseline=tiny_models["float32"])
    weights = [tensor for tensor in dissect(tiny_models[precision]) if tensor.role == "weights"]
    assert [spread.shape for spread in pairs] == [tensor.shape for tensor in weights]
    for spread, tensor in zip(pairs, weights, strict=True):
        assert (spread.elements, spread.zeros_after) == (tensor.elements, tensor.zeros)
        assert sum(spread.before) + spread.zeros_before == tensor.elements
        middles = np.convolve(spread.edges, [0.5, 0.5], "valid")
        width = spread.edges[1] - spread.edges[0]
        moved = np.average(middles, weights=spread.after) - np.average(
            middles, weights=spread.before
        )
        assert abs(moved) < width


def test_int8_stands_for_the_numbers_that_litert_takes_it_for(fully_int8_model):
    """The widest bin that holds a weight is that of the largest one LiteRT reports."""
    interpreter = open_interpreter(fully_int8_model)
    largest = {}
    for details in interpreter.get_tensor_details():
        parameters = details["quantization_parameters"]
        if details["dtype"] == np.int8 and len(details["shape"]) > 1:
            try:
                stored = interpreter.get_tensor(details["index"]).astype(np.float32)
            except ValueError:
                continue
            scales, axis = parameters["scales"], parameters["quantized_dimension"]
            along = [-1 if at == axis and len(scales) > 1 else 1 for at in range(stored.ndim)]
            values = (stored - parameters["zero_points"].reshape(along)) * scales.reshape(along)
            largest.setdefault(tuple(details["shape"].tolist()), np.abs(values).max())
    for spread in spreads(fully_int8_model, baseline=None):
        filled = np.flatnonzero(spread.after)
        reach = max(-spread.edges[filled[0]], spread.edges[filled[-1] + 1])
        width = spread.edges[1] - spread.edges[0]
        assert reach - width <= largest[spread.shape] <= reach


def test_no_step_of_int8_falls_between_two_bins(tiny_models):
    for spread in spreads(tiny_models["int8"], baseline=None):
        middle = len(spread.after) // 2
        assert spread.edges[middle] < 0 < spread.edges[middle + 1]
        assert spread.before == ()


def test_a_baseline_of_other_shapes_is_not_compared_with(tiny_models, cnn_models):
    found = spreads(tiny_models["float32"], baseline=cnn_models["float32"])
    assert all(spread.before == () for spread in found)


@pytest.mark.parametrize("take", [dissect, lambda model: spreads(model, baseline=None)])
def test_bytes_that_are_no_model_are_refused(take):
    with pytest.raises(ModelError, match="cannot load"):
        take(b"TFL3" * 100)
