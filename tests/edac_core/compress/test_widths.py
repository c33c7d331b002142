import numpy as np
import pytest
import tiny

from edac_core.compress.pruning import count_of, prunable_weights
from edac_core.compress.widths import TAUGHT, narrow, softened, taught
from edac_core.errors import PlanError
from edac_core.models import get_model


def weights_of(model, spec):
    return count_of(prunable_weights(model, never=spec.never_pruned))


@pytest.mark.parametrize(("model", "sparsity"), [("cnn", 0.9), ("cnn", 0.995), ("cnn_lstm", 0.99)])
def test_a_smaller_network_is_the_widest_that_is_small_enough(model, sparsity):
    spec = get_model(model)
    full, small = spec.build(), narrow(spec, sparsity=sparsity)
    left = weights_of(small, spec) / weights_of(full, spec)
    assert 0.8 * (1 - sparsity) < left <= 1 - sparsity
    assert [layer.name for layer in small.layers] == [layer.name for layer in full.layers]
    assert small.output_shape == full.output_shape


def test_units_are_scaled_alike():
    small = get_model("cnn").build(width=1 / 8)
    assert [small.get_layer(name).filters for name in ("conv1", "conv2")] == [8, 4]
    assert [small.get_layer(name).units for name in ("dense1", "dense2", "output")] == [32, 16, 1]


def test_more_than_all_but_one_unit_a_layer_is_refused():
    with pytest.raises(PlanError, match=r"No CNN is 99\.9999% smaller: with one unit a layer"):
        narrow(get_model("cnn"), sparsity=0.999999)


def test_a_temperature_divides_logits():
    logits = np.array([-4.0, -1.0, 0.0, 2.0])
    probabilities = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(softened(probabilities), 1 / (1 + np.exp(-logits / 2)), rtol=1e-5)
    assert np.isfinite(softened(np.array([0.0, 1.0], np.float32))).all()


def test_targets_lie_between_labels_and_the_teachers_answers():
    data, teacher = tiny.examples(), tiny.network()
    answers = softened(teacher.predict(data.features, verbose=0)[:, 0])
    expected = (1 - TAUGHT) * data.labels + TAUGHT * answers
    np.testing.assert_allclose(taught(data, teacher).targets, expected, rtol=1e-5)
