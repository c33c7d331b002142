import pytest

from edac_core.export.bundle import make_bundle
from edac_core.locations import SHIPPED
from edac_core.studies.store import Store


@pytest.fixture(scope="session")
def shipped_store():
    store = Store(SHIPPED, readonly=True)
    yield store
    store.close()


@pytest.fixture(scope="session")
def shipped_variant(shipped_store):
    """An int8 variant of the shipped study whose file is here."""
    variants = shipped_store.variants("cnn")
    (row,) = variants.query(
        "has_model and precision == 'int8' and method == 'polynomial' and sparsity == 0.95"
    ).to_dict("records")
    return row


@pytest.fixture(scope="session")
def bundle(shipped_store, shipped_variant):
    return make_bundle(shipped_store, study="cnn", variant=shipped_variant["key"])


@pytest.fixture(scope="session")
def small_model(keras, convert):
    """A network of the CNN's input, of a few thousand weights."""
    last = keras.layers.Dense(1, activation="sigmoid")
    return convert(
        keras.Sequential([keras.Input((302, 15, 1)), keras.layers.Flatten(), last]), "float32"
    )
