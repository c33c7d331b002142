import itertools

import chains
import numpy as np
import pytest
import tiny
from chains import NETWORKS, with_random_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from edac_core.compress import structured
from edac_core.compress.compaction import Features, remove_units, unit_count, unit_layers
from edac_core.compress.pruning import prunable_weights
from edac_core.compress.quantization import convert
from edac_core.compress.structured import by_norm, by_taylor, shrink
from edac_core.errors import ModelError, PlanError
from edac_core.models import get_model
from edac_core.models.backend import keras, tf
from edac_core.models.examples import Examples
from edac_core.models.training import seed_everything
from edac_core.runtime import Variant

SPEC = tiny.spec()


def random_examples(model, n, *, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, *model.input_shape[1:])).astype(np.float32)
    return Examples(features, np.arange(n) % 2)


def weight_count(model, *, never=()):
    return sum(weight.shape.num_elements() for weight in prunable_weights(model, never=never))


def unit_counts(model):
    return {layer.name: unit_count(layer) for layer in unit_layers(model)}


def with_units(model, counts):
    fates = {
        layer.name: Features(np.arange(unit_count(layer)) < count, np.zeros(unit_count(layer)))
        for layer, count in zip(unit_layers(model), counts, strict=True)
    }
    return remove_units(model, fates)


# -- the number of weights -------------------------------------------------------------------

TINY = [network() for network in NETWORKS]


@pytest.mark.parametrize("model", TINY)
@settings(max_examples=6, deadline=None)
@given(st.data())
def test_the_weights_left_are_counted_without_rebuilding(model, data):
    layers = unit_layers(model)
    never = data.draw(st.sampled_from([(), (layers[0].name,), (layers[-1].name,)]))
    counts = [data.draw(st.integers(1, unit_count(layer))) for layer in layers]
    widths = structured._Widths.of(model, never=never)
    units = np.array([*counts, unit_count(model.layers[-1])])
    assert widths.weights(units) == weight_count(with_units(model, counts), never=never)


@pytest.mark.parametrize("name", ["cnn", "dense_a"])
def test_the_papers_networks_are_counted_right(name):
    spec = get_model(name)
    model = spec.build()
    widths = structured._Widths.of(model, never=spec.never_pruned)
    assert widths.weights(widths.units) == weight_count(model, never=spec.never_pruned)


# -- importance ------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
def test_norms_are_those_of_each_units_weights(network):
    model = with_random_weights(network(), np.random.default_rng(1))
    for name, found in by_norm(model).items():
        layer = model.get_layer(name)
        units = unit_count(layer)
        gates = 4 if isinstance(layer, keras.layers.LSTM) else 1
        norms = np.zeros(units)
        for unit, gate in itertools.product(range(units), range(gates)):
            for kernel in layer.get_weights()[: 2 if gates == 4 else 1]:
                norms[unit] += (kernel[..., gate * units + unit].astype(float) ** 2).sum()
        norms = np.sqrt(norms)
        np.testing.assert_allclose(found, norms / np.sqrt((norms**2).mean()), rtol=1e-5)


def losses(model, examples, gated, gate):
    """Loss of each recording with one unit's output times `gate` wherever it goes."""
    name, unit = gated
    values = tf.constant(examples.features)
    for layer in model.layers:
        scale = np.ones(layer.output_shape[-1], np.float32)
        if layer.name == name:
            scale[unit] = gate
        kept = layer.get_weights()
        if layer.name == name and isinstance(layer, keras.layers.LSTM):
            layer.set_weights([kept[0], kept[1] * scale[:, np.newaxis], kept[2]])
        values = layer(values, training=False) * scale
        layer.set_weights(kept)
    output = values.numpy().astype(float)
    positive = output[:, -1]
    return -np.log(np.where(examples.labels == 1, positive, 1 - positive))


@pytest.mark.parametrize("network", [*NETWORKS, lambda: chains.recurrent(keras.layers.LSTM)])
def test_taylor_importance_is_that_of_finite_differences(network):
    model = with_random_weights(network(), np.random.default_rng(2))
    examples = random_examples(model, 37)  # more than one batch
    for name, found in by_taylor(model, examples).items():
        for unit in range(0, len(found), 5):
            up, down = (losses(model, examples, (name, unit), gate) for gate in (1.01, 0.99))
            expected = (((up - down) / 0.02) ** 2).sum()
            assert found[unit] == pytest.approx(expected, rel=0.02, abs=1e-6)


def test_taylor_importance_follows_targets_where_there_are_any():
    model = with_random_weights(chains.dense(), np.random.default_rng(2))
    hard = random_examples(model, 8)
    soft = Examples(hard.features, 1 - hard.labels, hard.labels.astype(np.float32))
    np.testing.assert_allclose(
        by_taylor(model, soft)["dense1"], by_taylor(model, hard)["dense1"], rtol=1e-6
    )


# -- shrinking -------------------------------------------------------------------------------


def shrunk(model, spec, examples, **options):
    settled = {"sparsity": 0.5, "rank_by": "norm", "epochs": 0, "batch_size": 32, "seed": 1}
    return shrink(model, spec, examples, **(settled | options))


@pytest.mark.parametrize("rank_by", ["norm", "taylor"])
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.8])
def test_no_unit_more_would_fit(network, rank_by, sparsity):
    model = with_random_weights(network(), np.random.default_rng(3))
    smaller, _ = shrunk(model, SPEC, random_examples(model, 8), sparsity=sparsity, rank_by=rank_by)
    allowed = (1 - sparsity) * weight_count(model)
    assert weight_count(smaller) <= allowed
    counts = list(unit_counts(smaller).values())
    for index, most in enumerate(unit_counts(model).values()):
        if counts[index] < most:
            more = [count + (index == at) for at, count in enumerate(counts)]
            assert weight_count(with_units(model, more)) > allowed


@pytest.mark.parametrize("network", NETWORKS)
def test_units_that_matter_least_are_gone(network):
    """What stays in a layer ranks above what went, but for the room that was left at the end."""
    model = with_random_weights(network(), np.random.default_rng(3))
    importance = by_norm(model)
    widths = structured._Widths.of(model, never=())
    most = widths.weights_left(0.5)
    for name, kept in structured._kept(widths, importance, most_weights=most).items():
        ranked = importance[name]
        if not kept.all():
            assert ranked[kept].min() > ranked[~kept].max()


def test_units_that_nothing_takes_in_go_first_and_change_nothing():
    model = with_random_weights(chains.dense(), np.random.default_rng(4))
    dead = {"dense1": [2, 5, 11], "dense2": [0, 6]}
    for behind, units in (("dense2", dead["dense1"]), ("output", dead["dense2"])):
        kernel, bias = model.get_layer(behind).get_weights()
        kernel[units] = 0
        model.get_layer(behind).set_weights([kernel, bias])
    examples = random_examples(model, 16)
    without = weight_count(with_units(model, [9, 5]))
    smaller, _ = shrunk(
        model, SPEC, examples, rank_by="taylor", sparsity=1 - without / weight_count(model)
    )
    assert unit_counts(smaller) == {"dense1": 9, "dense2": 5}
    np.testing.assert_allclose(smaller(examples.features), model(examples.features), atol=2e-6)


def test_no_layer_falls_far_below_its_share():
    model = with_random_weights(chains.dense(), np.random.default_rng(3))
    importance = {"dense1": np.full(12, 1e-6), "dense2": np.ones(7)}
    widths = structured._Widths.of(model, never=())
    narrowed = widths.scaled(0.5)
    kept = structured._kept(widths, importance, most_weights=widths.weights(narrowed))
    assert kept["dense1"].sum() >= narrowed[0] // 4
    assert narrowed[0] // 4 > 0


def test_a_layer_that_is_never_pruned_keeps_its_units():
    model = with_random_weights(chains.dense(), np.random.default_rng(3))
    spec = tiny.spec(never_pruned=("dense1",))
    smaller, _ = shrunk(model, spec, random_examples(model, 8), sparsity=0.5)
    assert smaller.get_layer("dense1").units == 12
    assert smaller.get_layer("dense2").units < 7


def test_layers_keep_names_regularisers_and_rates():
    model = tiny.network(dropout=0.25)
    smaller, _ = shrunk(model, SPEC, tiny.examples(8))
    for before, after in zip(model.layers, smaller.layers, strict=True):
        widths = {"units": None, "filters": None}
        assert before.get_config() | widths == after.get_config() | widths
    assert smaller.losses


def test_the_network_that_was_given_is_left_as_it_is():
    model = tiny.network()
    before = model.get_weights()
    shrunk(model, SPEC, tiny.examples(40), sparsity=0.0, epochs=1)
    for old, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)


def run(seed):
    seed_everything(0)
    model, history = shrunk(
        tiny.network(dropout=0.5), SPEC, tiny.examples(40), sparsity=0.6, rank_by="taylor",
        epochs=1, seed=seed,
    )  # fmt: skip
    return model.get_weights(), history


def test_the_same_seed_gives_the_same_network():
    (first, losses_1), (second, losses_2), (other, _) = (run(seed) for seed in (5, 5, 6))
    assert losses_1 == losses_2
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_fine_tuning_mends_what_shrinking_broke():
    data = tiny.examples()
    seed_everything(0)
    model, _ = shrunk(tiny.network(), SPEC, data, sparsity=0.0, epochs=6)
    _, history = shrunk(model, SPEC, data, sparsity=0.9, epochs=6)
    assert history[-1].loss < 0.7 * history[0].loss


def test_epochs_are_told_as_they_pass():
    told = []
    _, history = shrunk(
        tiny.network(), SPEC, tiny.examples(), sparsity=0.8, epochs=3, on_epoch=told.append
    )
    assert [epoch.number for epoch in history] == [1, 2, 3]
    assert tuple(told) == history


@pytest.fixture(scope="module", params=["cnn", "cnn_lstm"])
def shrunk_paper_network(request):
    spec = get_model(request.param)
    seed_everything(7)
    model = spec.build()
    examples = random_examples(model, 3)
    before = weight_count(model, never=spec.never_pruned)
    smaller, _ = shrunk(model, spec, examples, sparsity=0.99, rank_by="taylor")
    return spec, before, smaller


def test_the_papers_networks_get_as_small_as_wanted(shrunk_paper_network):
    spec, before, smaller = shrunk_paper_network
    left = weight_count(smaller, never=spec.never_pruned)
    assert 0.0095 < left / before <= 0.01
    assert set(spec.never_pruned) <= {layer.name for layer in smaller.layers}


def test_shrunk_networks_run_in_litert_as_in_keras(shrunk_paper_network):
    _, _, smaller = shrunk_paper_network
    features = random_examples(smaller, 5, seed=1).features
    expected = smaller(features, training=False).numpy()[:, 0]
    scores = Variant(convert(smaller, "float32")).score(features)
    np.testing.assert_allclose(scores, expected, atol=2e-6)


# -- what cannot be done ---------------------------------------------------------------------


def test_a_sparsity_beyond_one_unit_a_layer_is_refused_with_the_highest():
    model = chains.dense()
    highest = 1 - (20 + 1 + 2) / (20 * 12 + 12 * 7 + 7 * 2)
    with pytest.raises(ModelError, match=rf"'.+' cannot lose 0\.95 of its weights.+ {highest:.5f}"):
        shrunk(model, SPEC, random_examples(model, 4), sparsity=0.95)
    smaller, _ = shrunk(model, SPEC, random_examples(model, 4), sparsity=0.931952)
    assert unit_counts(smaller) == {"dense1": 1, "dense2": 1}


def test_an_unknown_ranking_names_the_known():
    model = chains.dense()
    with pytest.raises(PlanError, match=r"no ranking 'luck' of units; choose one of: norm, taylor"):
        shrunk(model, SPEC, random_examples(model, 4), rank_by="luck")
