import itertools

import numpy as np
import pytest

from edac_core.compress.pruning import prunable_weights
from edac_core.models import get_model

FEATURES = 6_373
HIDDEN = {
    "dense_a": (4248, 2832),
    "dense_b": (4248, 2832, 1888, 1258, 839),
    "dense_c": (4248, 4248, 2832, 2832),
}
TRAINABLE = {"dense_a": 39_128_332, "dense_b": 47_905_713, "dense_c": 65_201_140}


@pytest.fixture(scope="module", params=HIDDEN)
def named(request):
    return request.param, get_model(request.param).build()


def test_has_the_published_parameters_layer_by_layer(named):
    name, model = named
    widths = (FEATURES, *HIDDEN[name], 2)
    dense = [layer for layer in model.layers if layer.name.startswith(("dense", "output"))]
    expected = [(before + 1) * after for before, after in itertools.pairwise(widths)]
    assert [layer.count_params() for layer in dense] == expected
    assert model.get_layer("norm").count_params() == 4 * FEATURES
    trainable = sum(weight.shape.num_elements() for weight in model.trainable_weights)
    assert trainable == TRAINABLE[name]


def test_normalises_first_and_drops_out_after_every_hidden_layer(named):
    name, model = named
    kinds = [type(layer).__name__ for layer in model.layers]
    hidden = ["Dense", "Dropout"] * len(HIDDEN[name])
    assert kinds == ["BatchNormalization", *hidden, "Dense"]
    activations = [
        layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")
    ]
    assert activations == ["sigmoid"] * len(HIDDEN[name]) + ["softmax"]


def test_prunes_its_kernels_only(named):
    name, model = named
    shapes = [tuple(weight.shape) for weight in prunable_weights(model)]
    widths = (FEATURES, *HIDDEN[name], 2)
    assert shapes == list(itertools.pairwise(widths))


def test_the_rate_is_divided_by_the_epoch():
    spec = get_model("dense_a")
    assert float(spec.optimizer().learning_rate) == pytest.approx(1e-4)
    rates = [spec.learning_rate(epoch) for epoch in (1, 2, 40)]
    np.testing.assert_allclose(rates, [1e-4, 5e-5, 2.5e-6])


def test_trains_for_forty_epochs_and_prunes_for_five():
    spec = get_model("dense_b")
    assert (spec.epochs, spec.fine_tuning_epochs, spec.batch_size) == (40, 5, 32)
    assert (spec.patience, spec.keep) == (None, "last")
