import re
from contextlib import closing

import numpy as np
import pytest
import tiny

from edac_core.compress import PRECISIONS
from edac_core.compress.agreement import LIMITS, _disagreement, require_agreement
from edac_core.compress.quantization import convert
from edac_core.errors import ModelError
from edac_core.locations import SHIPPED
from edac_core.models.backend import keras
from edac_core.models.training import Trainer, seed_everything
from edac_core.studies.store import Store


@pytest.fixture(scope="module")
def network():
    seed_everything(11)
    model = tiny.network()
    trainer = Trainer(model, tiny.spec(), tiny.examples(), batch_size=32, seed=1)
    for _ in range(4):
        trainer.run_epoch()
    return model


@pytest.fixture(scope="module")
def features():
    return tiny.examples(seed=3).features


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_file_agrees_with_its_network_and_with_no_other(network, features, precision):
    converted = convert(network, precision, representative=tiny.examples().features)
    require_agreement(network, converted, precision, features)
    seed_everything(12)
    with pytest.raises(
        ModelError,
        match=rf"The {precision} file of 'tiny' is not the network that was converted: .*\d",
    ):
        require_agreement(tiny.network(), converted, precision, features)


@pytest.mark.parametrize("precision", ["float32", "int8_full"])
def test_a_constant_network_agrees_with_its_file(features, precision):
    model = tiny.network()
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    converted = convert(model, precision, representative=features)
    require_agreement(model, converted, precision, features)


def test_a_normalisation_folded_into_a_dense_layer_leaves_int8_dead():
    """As it was with the dense networks before their normalisation was kept apart."""
    seed_everything(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32,)),
            layers.BatchNormalization(),
            layers.Dense(64, activation="sigmoid"),
            layers.Dense(1, activation="sigmoid"),
        ],
        name="squeezed",
    )
    scales = np.logspace(-4, 6, 32).astype(np.float32)
    weights = model.get_weights()
    weights[3] = np.square(scales)
    model.set_weights(weights)
    features = np.random.default_rng(0).normal(size=(60, 32)).astype(np.float32) * scales
    with pytest.raises(ModelError, match="'squeezed' is not the network"):
        require_agreement(model, convert(model, "int8"), "int8", features)
    require_agreement(model, convert(model, "float16"), "float16", features)


def test_each_precision_has_its_limits():
    assert set(LIMITS) == set(PRECISIONS)


def test_the_shipped_int8_variants_agree_with_their_float32_ones():
    with closing(Store(SHIPPED, readonly=True)) as store:
        variants = store.variants("cnn").drop_duplicates(["job", "precision"])
        scores = store.test_scores(variants["key"])
        pairs = variants.pivot(index="job", columns="precision", values="key").dropna()
    assert len(pairs) > 50
    for pair in pairs.itertuples():
        expected = scores[pair.float32].scores
        for precision in ("float16", "int8"):
            found = scores[getattr(pair, precision)].scores
            assert not _disagreement(expected, found, LIMITS[precision])


SPREAD = np.linspace(0.2, 0.8, 101, dtype=np.float32)


@pytest.mark.parametrize(
    ("precision", "scores", "reason"),
    [
        ("float32", SPREAD + 2e-4, "differ by up to 0.0002 and by 0.0002 on average"),
        ("int8", SPREAD * np.nan, "differ by up to nan"),
        ("int8", 0.4985 + 0 * SPREAD, "differ by up to 0.3 and by 0.15 on average"),
        ("int4_weights", 0.5 + 0 * SPREAD, r"alike, up to 0.3 off, .* span 0.6 and 0.001"),
        (
            "int4_weights",
            0.5 - (SPREAD - 0.5) / 8,
            r"rank recordings otherwise \(correlation -1.00, at least",
        ),
    ],
)
def test_what_is_wrong_is_said(precision, scores, reason):
    found = _disagreement(SPREAD, scores.astype(np.float32), LIMITS[precision])
    assert re.search(reason, found)


def test_what_rounding_does_to_nearly_constant_networks_is_allowed():
    rng = np.random.default_rng(0)
    narrow = (0.5 + 1e-4 * rng.normal(size=100)).astype(np.float32)
    noise = (2e-4 * rng.normal(size=100)).astype(np.float32)
    assert not _disagreement(narrow, narrow + noise, LIMITS["int8"])
    levels = np.round(narrow * 256) / 256
    assert np.ptp(levels) == 0
    assert not _disagreement(narrow, levels.astype(np.float32), LIMITS["int8_full"])


def test_a_dead_file_is_told_from_rounding_however_little_scores_span():
    """The narrowest dead file seen: a span of 0.0016, off by 0.0006 on average."""
    expected = np.linspace(0.499, 0.5006, 50, dtype=np.float32)
    dead = np.full(50, 0.5, np.float32)
    assert "alike" in _disagreement(expected, dead, LIMITS["int8"])
