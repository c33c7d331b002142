import io
import lzma
import zipfile

import numpy as np
import pytest

from edac_core.errors import ModelError
from edac_core.measure.size import count_weights, pack, size_of, unpack

PRECISIONS = ("float32", "float16", "int8")
TINY_WEIGHTS = 72 + 8 * 16 * 4 + 4 * 2 * 16 * 16 + 16


def _kernels(network):
    return [layer for layer in network.layers if hasattr(layer, "kernel")]


def _half_zero(network, keras):
    """A copy with every other weight zero, half of those negative zero."""
    copy = keras.models.clone_model(network)
    for source, target in zip(_kernels(network), _kernels(copy), strict=True):
        kernel = np.abs(source.kernel.numpy()) + 0.1
        kernel.reshape(-1)[::4] = 0.0
        kernel.reshape(-1)[2::4] = -0.0
        target.set_weights([kernel, *source.get_weights()[1:]])
    return copy


@pytest.mark.parametrize("precision", PRECISIONS)
def test_weights_of_the_cnn_equal_the_published_count(cnn_models, precision):
    assert count_weights(cnn_models[precision])[0] == 6_144_704


@pytest.mark.parametrize("precision", PRECISIONS)
def test_zeros_of_either_sign_are_not_counted(keras, tiny_network, convert, precision):
    model = convert(_half_zero(tiny_network, keras), precision)
    assert count_weights(model) == (TINY_WEIGHTS, TINY_WEIGHTS // 2)


def test_fully_int8_weights_are_counted(fully_int8_model):
    weights, nonzero = count_weights(fully_int8_model)
    assert weights == TINY_WEIGHTS
    assert 0 < nonzero <= TINY_WEIGHTS


def test_unrolled_lstm_counts_its_kernels_once(keras, convert):
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((6, 5)),
            layers.LSTM(7, unroll=True),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    assert count_weights(convert(network, "float32"))[0] == 5 * 28 + 7 * 28 + 7


def test_bytes_are_those_of_the_file_and_its_archives(tiny_models, tmp_path):
    model = tiny_models["float32"]
    size = size_of(model)
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.tflite", model)
    assert size.raw_bytes == len(model)
    assert size.zip_bytes == path.stat().st_size
    assert size.xz_bytes == len(pack(model)) == size_of(model, packed=pack(model)).xz_bytes
    assert (size.weights, size.nonzero_weights) == count_weights(model)
    assert zipfile.ZipFile(io.BytesIO(path.read_bytes())).read("model.tflite") == model


def test_any_reader_of_xz_unpacks_what_was_packed(tiny_models):
    model = tiny_models["float32"]
    assert lzma.decompress(pack(model)) == unpack(pack(model)) == model


@pytest.mark.parametrize("damage", [slice(0, -20), slice(3, None), slice(0, 0)])
def test_a_damaged_archive_is_refused(tiny_models, damage):
    with pytest.raises(ModelError, match=r"not a whole .xz archive"):
        unpack(pack(tiny_models["int8"])[damage])


def test_size_is_reproducible(tiny_models):
    assert size_of(tiny_models["int8"]) == size_of(tiny_models["int8"])


def test_bytes_that_are_no_model_are_refused():
    with pytest.raises(ModelError, match="cannot load"):
        size_of(b"TFL3" * 100)
