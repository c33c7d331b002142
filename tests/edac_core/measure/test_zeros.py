import io
import zipfile

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edac_core.errors import ModelError
from edac_core.measure.size import count_weights
from edac_core.measure.zeros import (
    INPUTS,
    compare_zero_signs,
    pruned,
    with_positive_zeros,
    with_random_zeros,
)
from edac_core.runtime import Variant

LEVEL = 0.9


def kernels(model):
    """All constants of rank 2 and more, decoded without the code under test."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
    (graph,) = tree.subgraphs
    return [
        np.frombuffer(bytes(tree.buffers[tensor.buffer].data), np.float32)
        for tensor in graph.tensors
        if tensor.shape is not None and len(tensor.shape) >= 2
        and tree.buffers[tensor.buffer].data is not None
    ]  # fmt: skip


def negative_zeros(model):
    return sum(int(((array == 0) & np.signbit(array)).sum()) for array in kernels(model))


def zip_bytes(model):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.tflite", model)
    return len(buffer.getvalue())


@pytest.fixture(scope="module")
def model(tiny_models):
    return tiny_models["float32"]


def test_pruning_keeps_the_largest_of_each_layer(model):
    before, after = kernels(model), kernels(pruned(model, LEVEL))
    assert len(before) == 4
    for old, new in zip(before, after, strict=True):
        gone = new == 0
        assert gone.sum() == int(LEVEL * old.size)
        np.testing.assert_array_equal(new[~gone], old[~gone])
        assert np.abs(old[gone]).max() <= np.abs(old[~gone]).min()


@pytest.mark.parametrize(("level", "left"), [(0.0, 1.0), (1.0, 0.0)])
def test_pruning_nothing_and_everything(model, level, left):
    weights, nonzero = count_weights(pruned(model, level))
    assert nonzero == left * weights


def test_signs_change_nothing_but_zeros_and_no_output(model, tiny_features):
    positive = with_positive_zeros(pruned(model, LEVEL))
    signed = with_random_zeros(positive, seed=1)
    assert len(signed) == len(positive)
    for one, other in zip(kernels(positive), kernels(signed), strict=True):
        np.testing.assert_array_equal(one, other)
    scores = [Variant(file).score(tiny_features) for file in (positive, signed)]
    np.testing.assert_array_equal(*scores)


def test_about_half_of_the_zeros_become_negative_and_all_become_positive_again(model):
    positive = pruned(model, LEVEL)
    assert negative_zeros(positive) == 0
    signed = with_random_zeros(positive, seed=1)
    zeros = sum(int((array == 0).sum()) for array in kernels(signed))
    assert negative_zeros(signed) == pytest.approx(zeros / 2, abs=4 * np.sqrt(zeros / 4))
    assert with_positive_zeros(signed) == positive


def test_the_seed_decides_the_signs(model):
    positive = pruned(model, LEVEL)
    assert with_random_zeros(positive, seed=1) == with_random_zeros(positive, seed=1)
    assert with_random_zeros(positive, seed=1) != with_random_zeros(positive, seed=2)


def test_the_comparison_says_what_an_archiver_and_a_count_say(model):
    found = compare_zero_signs(model, sparsity=LEVEL, seed=5)
    positive = pruned(model, LEVEL)
    signed = with_random_zeros(positive, seed=5)
    assert found.zip_bytes_positive == zip_bytes(positive)
    assert found.zip_bytes_random == zip_bytes(signed) > zip_bytes(positive)
    assert found.negative_zeros == negative_zeros(signed)
    weights, nonzero = count_weights(signed)
    assert (found.weights, found.zeros) == (weights, weights - nonzero)
    assert found.agreeing == found.inputs == INPUTS


def test_a_pruned_file_is_taken_with_the_zeros_it_has(model):
    signed = with_random_zeros(pruned(model, LEVEL), seed=9)
    assert compare_zero_signs(signed, sparsity=None, seed=5) == compare_zero_signs(
        model, sparsity=LEVEL, seed=5
    )


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_other_precisions_are_refused(tiny_models, precision):
    with pytest.raises(ModelError, match="float32 file"):
        compare_zero_signs(tiny_models[precision], sparsity=None, seed=0)


def test_what_is_no_model_is_refused():
    with pytest.raises(ModelError, match="cannot load"):
        compare_zero_signs(b"nothing", sparsity=LEVEL, seed=0)
