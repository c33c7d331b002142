import numpy as np
import pandas as pd
import pytest

from edac_core.errors import StoreError
from edac_core.locations import SHIPPED
from edac_core.studies.store import Store
from edac_core.table import Wanted, for_terminal, table_of

STUDY = "cnn-paper"


@pytest.fixture(scope="module")
def store():
    return Store(SHIPPED, readonly=True)


def test_verdicts_depend_on_the_margin(store):
    strict, lax = (table_of(store, STUDY, Wanted(margin=margin)) for margin in (1e-6, 0.9))
    assert set(lax["verdict"]) == {"", "not worse by more than the margin"}
    assert (strict["verdict"] == "cannot tell with so few recordings").any()


def test_means_have_a_row_a_configuration_and_fit_a_terminal(store):
    wanted = Wanted(margin=0.02, means=True)
    table = table_of(store, STUDY, wanted)
    assert table["runs"].tolist() == [3] * 4
    shown = for_terminal(table, wanted)
    assert {"std", "worst", "from", "to"} <= set(shown.columns)
    assert max(map(len, shown.to_string(index=False).splitlines())) <= 120


def test_devices_are_estimated_from_files_that_are_here(store):
    wanted = Wanted(margin=0.02, devices=True, sensitivity=0.9)
    chosen = store.variants("cnn-smaller").query("has_model and raw_bytes < 60_000").head(1)
    table = table_of(_Few(store, chosen), "cnn-smaller", wanted)
    (row,) = table.to_dict("records")
    assert 0 < row["ram_bytes"] < 2e6
    assert 0 < row["macs"] < 1e7
    assert "LiteRT" in row["runtimes"]
    (shown,) = for_terminal(table, wanted).to_dict("records")
    assert shown["RAM_kB"] == f"{row['ram_bytes'] / 1e3:.1f}"
    assert shown["spec@"] == f"{row['point_specificity']:.3f}"


class _Few:
    """A store of some variants of another."""

    def __init__(self, store, variants):
        self.folder, self.live, self.scores = store.folder, store.live, store.scores
        self._variants = variants

    def variants(self, _study):
        return self._variants


def test_means_and_what_files_have_are_not_asked_for_together(store):
    with pytest.raises(StoreError, match="leave out --devices"):
        table_of(store, STUDY, Wanted(margin=0.02, means=True, devices=True))


def test_what_is_missing_is_a_dash():
    wanted = Wanted(margin=0.02, devices=True)
    columns = [
        "model", "protocol", "method", "sparsity", "precision", "split_seed", "training_seed",
        "auc", "auc_low", "auc_high", "auc_difference", "auc_difference_low",
        "auc_difference_high", "uar", "zip_mib", "zero_percent", "latency_ms", "mcnemar_p",
        "ram_bytes", "macs", "runtimes",
    ]  # fmt: skip
    table = pd.DataFrame([dict.fromkeys(columns, np.nan)])
    assert set(for_terminal(table, wanted).iloc[0]) == {"-"}
