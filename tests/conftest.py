import pandas as pd
import pytest
import stored

from edac_core.locations import CACHE_VARIABLE
from edac_core.studies.store import SplitRecord, Store


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Neither read nor write the studies and recordings of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path_factory.mktemp("own-cache")))
        yield


@pytest.fixture
def store(tmp_path):
    with_close = Store(tmp_path / "store")
    yield with_close
    with_close.close()


@pytest.fixture
def split():
    sets = ["train"] * 4 + ["validation"] * 6 + ["test"] * 8
    table = {
        "recording": [f"r{index:02}" for index in range(len(sets))],
        "label": [0, 1] * 9,
        "group": (["phone"] * 4 + ["bot"] * 5) * 2,
        "participant": None,
        "set": sets,
    }
    return SplitRecord("split-key", 1, pd.DataFrame(table))


@pytest.fixture
def filled(store, split):
    store.put_study("study", title="Study", plan={"name": "study"}, data={"synthetic": True})
    store.put_split(split)
    store.claim("study", ["job"])
    store.put_job(
        "job",
        stored.CONFIG,
        split.key,
        stored.make_result(split, "float32", "int8", weights=b"npz"),
    )
    return store
