import contextlib
import dataclasses

import pandas as pd
import pytest

from dashboard.papers.beyond import Best, beyond_table, find_best
from dashboard.papers.claims import read_studies
from dashboard.studies import find_studies
from edac_core.locations import SHIPPED
from edac_core.measure.noninferiority import OverSplits
from edac_core.studies.select import CONFIGURATION
from edac_core.studies.store import Store
from edac_core.studies.targets import TARGETS, Reached, furthest


@dataclasses.dataclass(frozen=True)
class Study:
    name: str = "smaller"


@pytest.fixture
def best():
    row = pd.Series({"method": "width", "sparsity": 0.99, "precision": "int8",
                     "zip_ratio": 673.4, "raw_ratio": 371.1, "speedup": 37.3})  # fmt: skip
    difference = OverSplits(-0.009, -0.108, 0.091, 3)
    return Best(TARGETS[0], Study(), row, Reached(7, 0.93, difference))


def test_a_network_that_was_measured_stands_beside_target_and_paper(best):
    row = beyond_table([(TARGETS[0], best)]).iloc[0]
    assert row["variant"] == "int8, width 99 %"
    assert row["zip"] == "673x / 600x / 106x"
    assert row["latency"] == "37.3x / 25x / 1.37x"
    assert row["auc"] == "−0.009 (−0.108 to +0.091)"  # noqa: RUF001 - minus signs, as shown
    assert row["verdict"] == "unsettled"


def test_a_network_that_was_not_says_so():
    row = beyond_table([(TARGETS[2], None)]).iloc[0]
    assert (row["variant"], row["file"]) == ("not measured here yet", "– / 300x / 4x")  # noqa: RUF001 - as shown
    assert row["latency"] == "– / 40x / –"  # noqa: RUF001 - as shown


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.model)
def test_the_page_finds_what_the_core_finds(stores, target):
    """The page reads studies through its caches, the benchmark and the tables of results do not."""
    stores(shipped=SHIPPED)
    studies, _ = read_studies(find_studies()[0], [target.model])
    with contextlib.closing(Store(SHIPPED, readonly=True)) as store:
        found = furthest([store], target)
    best = find_best(target, studies)
    assert (best.study.name, best.reached) == (found.study, found.reached)
    shown = [*CONFIGURATION, "zip_ratio", "raw_ratio", "speedup"]
    pd.testing.assert_series_equal(best.row[shown], found.row[shown])
