import itertools

import numpy as np
import pytest
import tiny
from scipy.optimize import linprog
from sklearn.metrics import log_loss, roc_auc_score

from edac_core.compress.methods import Step
from edac_core.compress.pruning import count_of, prunable_layers, prunable_weights
from edac_core.compress.quantization import convert
from edac_core.compress.sensitivity import (
    LayerSensitivity,
    layer_sensitivity,
    non_uniform,
    rounded_as,
    shares_by_sensitivity,
)
from edac_core.compress.workshop import Bench, do, plain
from edac_core.errors import DataError, PlanError
from edac_core.measure import anatomy
from edac_core.models.backend import keras
from edac_core.models.examples import Examples
from edac_core.models.training import seed_everything

SPARSITIES = (0.0, 0.5, 0.9)
PRECISIONS = ("float32", "int8", "int4_weights")


@pytest.fixture(scope="module")
def network():
    return tiny.trained()


@pytest.fixture(scope="module")
def validation():
    return tiny.examples(64, seed=1)


@pytest.fixture(scope="module")
def measured(network, validation):
    return layer_sensitivity(
        network, tiny.spec(), validation, sparsities=SPARSITIES, precisions=PRECISIONS
    )


def smallest_to_zero(kernel, sparsity):
    """Magnitude pruning, by sorting."""
    order = np.argsort(np.abs(kernel), axis=None)
    pruned = kernel.copy().ravel()
    pruned[order[: kernel.size - round(kernel.size * (1 - sparsity))]] = 0
    return pruned.reshape(kernel.shape)


def test_there_is_a_row_for_each_layer_sparsity_and_precision(network, measured):
    kernels = [layer.name for layer in network.layers if hasattr(layer, "kernel")]
    expected = list(itertools.product(kernels, SPARSITIES, PRECISIONS))
    assert [(row.layer, row.sparsity, row.precision) for row in measured] == expected


def test_figures_are_those_of_a_network_with_this_layer_pruned(network, validation, measured):
    changed = tiny.network()
    for name, sparsity in itertools.product(prunable_layers(network), SPARSITIES):
        changed.set_weights(network.get_weights())
        (row,) = [row for row in measured if (row.layer, row.sparsity, row.precision)
                  == (name, sparsity, "float32")]  # fmt: skip
        at = [layer.name for layer in network.layers].index(name)
        kernel = changed.layers[at].kernel
        kernel.assign(smallest_to_zero(kernel.numpy(), sparsity))
        scores = changed.predict(validation.features, verbose=0)[:, 0]
        assert row.auc == pytest.approx(roc_auc_score(validation.labels, scores))
        assert row.loss == pytest.approx(log_loss(validation.labels, scores), rel=1e-5)


def test_the_drop_is_from_the_unchanged_network(measured):
    whole = [row for row in measured if (row.sparsity, row.precision) == (0.0, "float32")]
    assert len({row.auc for row in whole}) == 1
    assert all(row.auc_drop == whole[0].auc - row.auc for row in measured)


def test_the_weights_are_afterwards_what_they_were(network, validation):
    before = network.get_weights()
    layer_sensitivity(network, tiny.spec(), validation, sparsities=(0.9,), precisions=PRECISIONS)
    for was, is_now in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(was, is_now)


def test_the_weights_are_put_back_when_measuring_fails(network, validation, monkeypatch):
    before = network.get_weights()
    answers = [network.predict(validation.features, verbose=0)]
    monkeypatch.setattr(network, "predict", lambda *_a, **_k: answers.pop())
    with pytest.raises(IndexError):
        layer_sensitivity(network, tiny.spec(), validation, sparsities=(0.9,))
    for was, is_now in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(was, is_now)


def test_layers_that_are_never_pruned_are_not_measured(network, validation):
    never = network.layers[-1].name
    rows = layer_sensitivity(
        network, tiny.spec(never_pruned=(never,)), validation, sparsities=(0.5,)
    )
    assert never not in {row.layer for row in rows}
    assert len(rows) == 2


def test_layers_of_nested_models_are_named_by_both():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="one")], name="inner")
    model = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dense(1, name="two")])
    assert list(prunable_layers(model)) == ["inner/one", "two"]


@pytest.mark.parametrize("precision", ["int8", "int4_weights"])
def test_rounding_is_that_of_the_stored_file(precision):
    seed_everything(4)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 6, 8)),
            layers.Conv2D(24, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    stored = [held.values for held in anatomy._weights(convert(model, precision))]
    kernels = [kernel.numpy() for kernel in prunable_weights(model)]
    assert len(stored) == len(kernels)
    for values, kernel in zip(stored, kernels, strict=True):
        rounded = rounded_as(kernel, precision)
        assert np.array_equal(rounded, kernel) == (precision == "int8" and kernel.size < 1024)
        np.testing.assert_allclose(np.sort(values), np.sort(rounded, axis=None), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sparsities": (1.0,)}, r"Sparsity 1 of a layer is not at least 0 and below 1"),
        ({"sparsities": (0.5,), "precisions": ("float16",)}, r"'float16' does not round a layer's"),
    ],
)
def test_what_cannot_be_measured_is_refused(network, validation, options, sentence):
    with pytest.raises(PlanError, match=sentence):
        layer_sensitivity(network, tiny.spec(), validation, **options)


def test_a_validation_set_of_one_class_is_refused(network, validation):
    alike = Examples(validation.features, np.ones_like(validation.labels))
    with pytest.raises(DataError):
        layer_sensitivity(network, tiny.spec(), alike, sparsities=(0.5,))


GRID = (0.0, 0.2, 0.5, 0.8, 0.9)


def made_up(rng, layers, *, grid=GRID):
    """Losses that mostly rise."""
    rows = [
        LayerSensitivity(layer, sparsity, "float32", 0.8, 0.0, loss)
        for layer in layers
        for sparsity, loss in zip(grid, np.cumsum(rng.normal(0.3, 0.4, len(grid))), strict=True)
    ]
    return rows, {layer: int(rng.integers(10, 1000)) for layer in layers}


def least_loss(rows, counts, sparsity):
    """The same as a linear program: a mixture of measured points of each layer."""
    cost = [row.loss for row in rows]
    removed = [row.sparsity * counts[row.layer] for row in rows]
    one_each = [[float(row.layer == layer) for row in rows] for layer in counts]
    wanted = sparsity * sum(counts.values())
    return linprog(cost, A_eq=[removed, *one_each], b_eq=[wanted, *[1.0] * len(counts)]).fun


def lower_hull(rows, layer, sparsity):
    """The lowest mixture of two points of a layer's measured losses at some sparsity."""
    points = [(row.sparsity, row.loss) for row in rows if row.layer == layer]
    between = [
        first[1] + (sparsity - first[0]) / (second[0] - first[0]) * (second[1] - first[1])
        for first, second in itertools.combinations(points, 2)
        if first[0] - 1e-9 <= sparsity <= second[0] + 1e-9
    ]
    return min(between)


@pytest.mark.parametrize("sparsity", [0.1, 0.45, 0.7, 0.85])
@pytest.mark.parametrize("seed", range(8))
def test_no_other_sparsities_are_predicted_to_cost_less(seed, sparsity):
    rows, counts = made_up(np.random.default_rng(seed), ["one", "two", "three", "four"])
    chosen = non_uniform(rows, counts, sparsity=sparsity)
    removed = sum(counts[layer] * share for layer, share in chosen.items())
    assert removed == pytest.approx(sparsity * sum(counts.values()))
    predicted = sum(lower_hull(rows, layer, share) for layer, share in chosen.items())
    assert predicted == pytest.approx(least_loss(rows, counts, sparsity))


@pytest.mark.parametrize("seed", range(4))
def test_no_choice_of_measured_sparsities_costs_less(seed):
    rows, counts = made_up(np.random.default_rng(seed), ["one", "two", "three"])
    for choice in itertools.product(
        *([row for row in rows if row.layer == name] for name in counts)
    ):
        removed = sum(row.sparsity * counts[row.layer] for row in choice)
        chosen = non_uniform(rows, counts, sparsity=removed / sum(counts.values()))
        predicted = sum(lower_hull(rows, layer, share) for layer, share in chosen.items())
        assert predicted <= sum(row.loss for row in choice) + 1e-9


def test_a_layer_that_minds_nothing_is_pruned_first():
    rows = [
        LayerSensitivity(layer, sparsity, precision, 0.8, 0.0, loss)
        for layer, losses in {"deaf": (0.5, 0.5, 0.5), "keen": (0.5, 0.6, 0.9)}.items()
        for sparsity, loss in zip((0.0, 0.5, 0.9), losses, strict=True)
        for precision in PRECISIONS
    ]
    chosen = non_uniform(rows, {"deaf": 100, "keen": 100}, sparsity=0.5)
    assert chosen == pytest.approx({"deaf": 0.9, "keen": 0.1})


def test_sparsities_that_were_not_measured_are_refused():
    rows, counts = made_up(np.random.default_rng(0), ["one", "two"])
    with pytest.raises(PlanError, match=r"Sparsity 0\.95 is not between 0 and 0\.9"):
        non_uniform(rows, counts, sparsity=0.95)
    with pytest.raises(PlanError, match=r"The layer 'three' was not measured in float32"):
        non_uniform(rows, {**counts, "three": 5}, sparsity=0.5)


@pytest.mark.parametrize("sparsity", [0.3, 0.5, 0.9])
def test_shares_make_the_whole_sparsity(network, validation, sparsity):
    shares = shares_by_sensitivity(network, tiny.spec(), validation, sparsity=sparsity)
    sizes = [count_of([weight]) for weight in prunable_weights(network)]
    own = sparsity * np.array(shares)
    assert np.average(own, weights=sizes) == pytest.approx(sparsity)
    assert (own < 1).all()
    assert len(set(shares)) > 1


def test_pruning_by_sensitivity_removes_more_where_the_network_minds_less(network, validation):
    training = tiny.examples()
    model = tiny.network()
    model.set_weights(network.get_weights())
    shares = shares_by_sensitivity(model, tiny.spec(), validation, sparsity=0.8)
    bench = Bench(
        spec=tiny.spec(), training=training, validation=validation, seed=1, epochs=2,
        batch_size=32, training_epochs=1, patience=None, training_batch_size=32, frequency=2,
        initial_sparsity=0.0, end_on_update=True,
    )  # fmt: skip
    piece = do(plain(model, bench), Step("sensitive", 0.8), bench)
    weights = prunable_weights(piece.model)
    assert tiny.sparsity_of(weights) == pytest.approx(0.8, abs=0.005)
    for weight, share in zip(weights, shares, strict=True):
        kept = max(round(count_of([weight]) * (1 - 0.8 * share)), 1)
        assert abs(np.count_nonzero(weight.numpy()) - kept) <= 1
    assert len(piece.history) == 2
