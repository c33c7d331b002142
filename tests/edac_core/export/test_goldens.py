import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from edac_core.datasets.synthetic import synthesize
from edac_core.export.goldens import as_float, golden_waveform, make_golden
from edac_core.frontends import get_frontend
from edac_core.runtime import Variant


@pytest.mark.parametrize(("seed", "source"), [(0, "studio"), (3, "telephone"), (5, "studio")])
def test_waveforms_are_the_generated_coughs_in_16_bits(seed, source):
    expected = synthesize(seed % 2, seed=seed, source=source)
    samples = golden_waveform(seed)
    assert samples.dtype == np.int16
    np.testing.assert_allclose(as_float(samples), expected, atol=0.5001 / 32_768)


def test_scores_are_what_the_model_answers_to_the_features_of_the_samples(small_model):
    golden = make_golden(small_model, get_frontend("mfcc"))
    assert golden.features.shape == (10, 302, 15, 1)
    with threadpool_limits(1):
        features = get_frontend("mfcc")(as_float(golden.waveforms[4]))
    np.testing.assert_array_equal(golden.features[4], features)
    score = Variant(small_model).score_one(features)
    assert golden.scores[4] == np.float32(score)


def test_arrays_hold_each_waveform_padded_and_its_length(small_model):
    golden = make_golden(small_model, get_frontend("mfcc"))
    arrays = golden.arrays()
    assert list(arrays["seeds"]) == list(range(10))
    assert len(set(arrays["lengths"])) > 1
    for samples, row, length in zip(
        golden.waveforms, arrays["waveforms"], arrays["lengths"], strict=True
    ):
        np.testing.assert_array_equal(row[:length], samples)
        assert not row[length:].any()
