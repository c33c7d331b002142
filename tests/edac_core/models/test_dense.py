import itertools

import numpy as np
import pytest

from edac_core.compress.pruning import prunable_weights
from edac_core.compress.quantization import convert
from edac_core.models import get_model
from edac_core.models.training import seed_everything
from edac_core.runtime import Variant

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


@pytest.fixture(scope="module")
def heard():
    """Functionals as openSMILE gives them: each of a magnitude of its own, from 1e-6 to 1e9."""
    rng = np.random.default_rng(5)
    scales = 10.0 ** rng.uniform(-6, 9, FEATURES)
    return (rng.normal(1, 1, (40, FEATURES)) * scales).astype(np.float32)


@pytest.fixture(scope="module")
def sharpened(heard):
    """Dense A, normalising what was heard and of other scores from recording to recording."""
    seed_everything(5)
    model = get_model("dense_a").build()
    gamma, beta, *rest = model.get_weights()
    mean, variance = heard.mean(axis=0), heard.var(axis=0)
    model.set_weights([gamma, beta, mean, variance, 6 * rest[2], *rest[3:]])
    return model, model.predict(heard, verbose=0)[:, 1]


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("int8", 0.02)])
def test_scores_as_keras_does_once_converted(sharpened, heard, precision, tolerance):
    model, expected = sharpened
    assert expected.std() > 0.01
    scores = Variant(convert(get_model("dense_a").exported(model), precision)).score(heard)
    np.testing.assert_allclose(scores, expected, atol=tolerance)


def test_the_rate_is_divided_by_the_epoch():
    spec = get_model("dense_a")
    assert float(spec.optimizer().learning_rate) == pytest.approx(1e-4)
    rates = [spec.learning_rate(epoch) for epoch in (1, 2, 40)]
    np.testing.assert_allclose(rates, [1e-4, 5e-5, 2.5e-6])


def test_trains_for_forty_epochs_and_prunes_for_five():
    spec = get_model("dense_b")
    assert (spec.epochs, spec.fine_tuning_epochs, spec.batch_size) == (40, 5, 32)
    assert (spec.patience, spec.keep) == (None, "last")
