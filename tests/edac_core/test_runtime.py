from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edac_core.errors import ModelError
from edac_core.runtime import Variant

PRECISIONS = ("float32", "float16", "int8")


def test_scores_equal_keras(tiny_network, tiny_models, tiny_features):
    expected = tiny_network.predict(tiny_features, verbose=0)[:, 0]
    assert np.ptp(expected) > 0.1
    scores = Variant(tiny_models["float32"]).score(tiny_features)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize(("precision", "tolerance"), [("float16", 1e-3), ("int8", 0.05)])
def test_quantised_scores_stay_near_keras(
    tiny_network, tiny_models, tiny_features, precision, tolerance
):
    expected = tiny_network.predict(tiny_features, verbose=0)[:, 0]
    scores = Variant(tiny_models[precision]).score(tiny_features)
    np.testing.assert_allclose(scores, expected, atol=tolerance)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("network", ["tiny", "cnn"])
def test_batch_scores_equal_scores_one_by_one(request, network, precision):
    model = request.getfixturevalue(f"{network}_models")[precision]
    features = request.getfixturevalue(f"{network}_features")
    one_by_one = [Variant(model).score_one(row) for row in features[:3]]
    variant = Variant(model)
    one_by_one += [variant.score_one(row) for row in features[3:]]
    assert np.ptp(one_by_one) > 0.01
    np.testing.assert_allclose(variant.score(features), one_by_one, rtol=0, atol=1e-6)


def test_batches_of_changing_size_do_not_disturb_each_other(tiny_models, tiny_features):
    variant = Variant(tiny_models["int8"])
    expected = variant.score(tiny_features)
    for size in (1, 33, 2, 32, 70, 1):
        np.testing.assert_allclose(variant.score(tiny_features[:size]), expected[:size], atol=1e-6)


def test_no_recordings_give_no_scores(tiny_models, tiny_features):
    assert Variant(tiny_models["float32"]).score(tiny_features[:0]).shape == (0,)


def test_threads_share_a_variant(tiny_models, tiny_features):
    variant = Variant(tiny_models["float32"])
    expected = variant.score(tiny_features)
    starts = list(range(60)) * 4
    with ThreadPoolExecutor(8) as pool:
        scores = list(
            pool.map(lambda at: variant.score(tiny_features[at : at + 1 + at % 9]), starts)
        )
    for at, got in zip(starts, scores, strict=True):
        np.testing.assert_allclose(got, expected[at : at + 1 + at % 9], atol=1e-6)


def test_fully_int8_model_takes_and_gives_floats(tiny_network, fully_int8_model, tiny_features):
    expected = tiny_network.predict(tiny_features, verbose=0)[:, 0]
    scores = Variant(fully_int8_model).score(tiny_features)
    np.testing.assert_allclose(scores, expected, atol=0.05)


def test_features_beyond_the_quantised_range_saturate(fully_int8_model, tiny_features):
    variant = Variant(fully_int8_model)
    limits = np.iinfo(np.int8)
    encoded = variant.encode(np.sign(tiny_features) * 1e6)
    assert set(np.unique(encoded)) == {limits.min, limits.max}


def test_softmax_scores_are_the_second_column(keras, convert):
    layers = keras.layers
    network = keras.Sequential([keras.Input((5,)), layers.Dense(2, activation="softmax")])
    features = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    scores = Variant(convert(network, "float32")).score(features)
    np.testing.assert_allclose(scores, network.predict(features, verbose=0)[:, 1], atol=1e-6)


def test_model_with_a_fixed_batch_is_scored_one_by_one(keras, convert):
    layers = keras.layers
    network = keras.Sequential(
        [keras.Input((4,), batch_size=1), layers.Dense(1, activation="sigmoid")]
    )
    features = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    scores = Variant(convert(network, "float32")).score(features)
    expected = [network.predict(row[np.newaxis], verbose=0)[0, 0] for row in features]
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_wrong_shape_names_both_shapes(tiny_models):
    with pytest.raises(ModelError, match=r"\(3, 8, 12, 1\).*\(n, 12, 8, 1\)"):
        Variant(tiny_models["float32"]).score(np.zeros((3, 8, 12, 1)))


@pytest.mark.parametrize("model", [b"", b"no" * 99, b"\x1c\0\0\0TFL3" + b"\xff" * 999])
def test_bytes_that_are_no_model_are_refused(model):
    with pytest.raises(ModelError, match=f"these {len(model)} bytes"):
        Variant(model)


def test_truncated_model_is_refused(tiny_models):
    model = tiny_models["int8"]
    with pytest.raises(ModelError, match="cannot load"):
        Variant(model[: len(model) // 2])


def test_model_with_three_classes_is_refused(keras, convert):
    layers = keras.layers
    network = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="softmax")])
    with pytest.raises(ModelError, match=r"\(1, 3\)"):
        Variant(convert(network, "float32"))
