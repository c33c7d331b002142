import numpy as np
import pytest
from scipy.stats import entropy

from benchmarks.packing import entropy_bytes, weights_of
from edac_core.locations import SHIPPED
from edac_core.measure.size import count_weights
from edac_core.studies.store import Store


def test_the_bound_is_scipys_entropy():
    values = np.random.default_rng(0).integers(-3, 4, 1000).astype(np.int8)
    counts = np.unique(values, return_counts=True)[1]
    assert entropy_bytes(values) == pytest.approx(1000 * entropy(counts, base=2) / 8)
    assert entropy_bytes(np.zeros(50, np.int8)) == 0


def test_weights_are_those_that_are_counted():
    store = Store(SHIPPED, readonly=True)
    rows = store.variants("cnn").query("has_model and precision == 'int8' and sparsity == 0.99")
    model = store.model(rows["sha256"].iloc[0])
    weights = weights_of(model)
    found = sum(map(np.size, weights)), sum(map(np.count_nonzero, weights))
    assert found == count_weights(model)
