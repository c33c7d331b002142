import io

import pytest
from rich.console import Console

from benchmarks import made_up, page
from edac_core.studies.select import summarise
from edac_core.studies.store import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    assert made_up.build(folder, variants=100, runs=4) == 4 * (2 * 4 + 1) * 3
    store = Store(folder, readonly=True)
    yield store
    store.close()


def test_a_made_up_study_is_complete_and_of_the_stores_own_form(store):
    variants = store.variants(made_up.NAME)
    assert len(variants) == 108
    assert variants.notna().all(axis=None)
    assert variants["auc"].between(variants["auc_low"], variants["auc_high"]).all()
    summary = summarise(store.figures(made_up.NAME))
    assert (summary["runs"] == 4).all()
    assert len(summary) == 27
    assert store.groups(made_up.NAME).groupby("variant")["n"].sum().eq(192).all()


def test_its_aucs_are_those_of_its_scores(store):
    variants = store.variants(made_up.NAME).iloc[::17]
    for key, answers in store.test_scores(variants["key"]).items():
        positive, negative = answers.scores[answers.labels], answers.scores[~answers.labels]
        wins = (positive[:, None] > negative).mean()
        assert variants.set_index("key").loc[key, "auc"] == pytest.approx(wins, abs=1e-4)


def test_more_pruning_hears_less_and_is_smaller(store):
    summary = summarise(store.figures(made_up.NAME)).query("method == 'constant'")
    least, most = summary.iloc[0], summary.iloc[-1]
    assert most["sparsity"] > least["sparsity"]
    assert most["auc"] < least["auc"]
    assert most["zip_bytes"] < least["zip_bytes"]


def test_the_table_has_medians_and_the_largest_server():
    timed = {"seconds": 2.0, "script_seconds": 1.0, "cpu_seconds": 0.9, "moves": [0.1, 0.2, 0.4],
             "megabytes": 190.0, "tensorflow": False}  # fmt: skip
    found = {"pages": {"100000": [timed, {**timed, "megabytes": 210.0}]}}
    shown = io.StringIO()
    Console(file=shown, width=200).print(page.table(found))
    row = next(line for line in shown.getvalue().splitlines() if "100,000" in line and "│" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "100,000 variants", "2.00", "1.00", "0.90", "200", "210", "not imported"
    ]  # fmt: skip
