import pytest

from edac_core.apart import Workers
from edac_core.dissection import operator_times_of, spreads_of, tensors_of
from edac_core.errors import StoreError
from edac_core.locations import SHIPPED
from edac_core.studies.store import Store
from edac_core.verdicts import ModelFile


@pytest.fixture(scope="module")
def workers():
    found = Workers(processes=1)
    yield found
    found.close()


@pytest.fixture(scope="module")
def row():
    store = Store(SHIPPED, readonly=True)
    rows = store.variants("cnn").query("has_model and precision == 'int8' and sparsity == 0.999")
    store.close()
    return rows.iloc[0]


def test_a_file_of_a_store_is_taken_to_pieces_apart(workers, row):
    file = ModelFile(str(SHIPPED), live=False, sha256=row["sha256"])
    tensors = workers.call(tensors_of, file, seconds=60)
    weights = [tensor for tensor in tensors if tensor.role == "weights"]
    assert sum(tensor.elements for tensor in weights) == row["weights"]
    left = sum(tensor.elements - tensor.zeros for tensor in weights)
    assert left == row["nonzero_weights"]
    spreads = workers.call(spreads_of, file, None, seconds=60)
    assert sum(spread.elements for spread in spreads) == row["weights"]
    assert sum(spread.zeros_after for spread in spreads) == row["weights"] - left
    times = workers.call(operator_times_of, file, seconds=60)
    assert len(times.operators) == 8


def test_a_file_that_is_not_there_is_a_sentence(workers):
    with pytest.raises(StoreError, match="is not in"):
        workers.call(tensors_of, ModelFile(str(SHIPPED), live=False, sha256="0" * 64), seconds=60)
