"""A variant is made again from its study's plan, and what came out is told from what was."""

import json
import sqlite3
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from command import edac

from edac_core.cli import main
from edac_core.errors import StoreError
from edac_core.locations import PROJECT
from edac_core.rerun import BIT_EQUAL, DIFFERENT, WITHIN, Rerun, _score_difference, rerun
from edac_core.studies.journal import only_writer
from edac_core.studies.store import Store

PLAN = f"""
name = "once"
title = "Once"
latency_calls = 20
[data]
dataset = "synthetic"
options = {{ n = 80, seed = 3 }}
[training]
models = ["{PROJECT / "docs" / "examples" / "tiny_net.py"}"]
epochs = 2
[compression]
schedules = ["polynomial"]
sparsities = [0.5, 0.9]
precisions = ["float32", "int8"]
epochs = 1
frequency = 2
"""
SELECTED = ["once", "--model", "tiny_net", "--sparsity", "0.9", "--precision", "int8"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rerun")
    (folder / "plan.toml").write_text(PLAN)
    done = edac("run", folder / "plan.toml", "--cache", folder / "cache", "--quiet")
    assert done.returncode == 0, done.stderr
    return folder / "cache"


def variant_of(store):
    rows = store.variants("once").query("sparsity == 0.9 and precision == 'int8'")
    return dict(rows.iloc[0])


def test_a_variant_comes_out_bit_equal_on_the_same_machine(cache):
    done = edac("rerun", *SELECTED, "--cache", cache)
    assert done.returncode == 0, done.stderr
    store = Store(cache, readonly=True, live=True)
    assert f"Bit-equal: SHA-256 {variant_of(store)['sha256']}." in done.stdout
    made = Store(cache / "reruns" / "cache", readonly=True, live=True)
    assert made.jobs("once-again")["config"].map(lambda config: config["sparsity"]).tolist() == [
        0.0, 0.9,
    ]  # fmt: skip


def test_what_came_out_otherwise_is_told(cache, capsys):
    """After the test before, whose rerun is still there: the study's own row is altered."""
    with sqlite3.connect(cache / Store.DATABASE) as database:
        key = variant_of(Store(cache, readonly=True, live=True))["key"]
        database.execute(
            "UPDATE variants SET sha256 = ?, raw_bytes = 1 WHERE key = ?", (64 * "0", key)
        )
    assert main(["rerun", *SELECTED, "--cache", str(cache), "--json"]) == 1
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["verdict"] == DIFFERENT
    assert found["before"]["raw_bytes"] == 1
    assert found["score_difference"] == 0
    assert found["changed"] == {}


ROW = {"auc": 0.8, "raw_bytes": 1000, "zip_bytes": 500, "sha256": "a"}


@pytest.mark.parametrize(
    ("again", "verdict"),
    [
        ({"auc": 0.7}, BIT_EQUAL),
        ({"sha256": "b"}, WITHIN),
        ({"sha256": "b", "auc": 0.781, "zip_bytes": 524, "raw_bytes": 951}, WITHIN),
        ({"sha256": "b", "auc": 0.821}, DIFFERENT),
        ({"sha256": "b", "zip_bytes": 526}, DIFFERENT),
        ({"sha256": "b", "raw_bytes": 949}, DIFFERENT),
    ],
)
def test_the_verdict_is_of_the_file_then_of_auc_and_sizes(again, verdict):
    assert Rerun(ROW, ROW | again, 0.0, {}).verdict == verdict


def test_a_description_names_what_is_not_as_it_was():
    found = Rerun(ROW, ROW | {"sha256": "b", "auc": 0.79}, 0.25, {"processor": ("A", "B")})
    assert "AUC 0.8000, now 0.7900 (-0.0100" in found.describe()
    assert "Not as it was: processor, A then and B now." in found.describe()
    assert "processor" not in replace(found, again=ROW).describe()


def scores(recordings, values):
    return pd.DataFrame({"set": "test", "recording": recordings, "score": values})


def test_scores_of_other_recordings_are_not_compared():
    first = scores(["a", "b"], [0.1, 0.5])
    assert _score_difference(first, scores(["a", "b"], [0.2, 0.1])) == pytest.approx(0.4)
    assert np.isnan(_score_difference(first, scores(["a", "c"], [0.2, 0.1])))


def test_a_precision_that_could_not_be_made_again_says_why(cache):
    store = Store(cache, readonly=True, live=True)
    with pytest.raises(StoreError, match="made no int4_weights file"):
        rerun(store, study="once", variant=variant_of(store) | {"precision": "int4_weights"},
              cache=cache, listener=lambda _: None)  # fmt: skip


def test_a_second_rerun_beside_one_that_goes_on_deletes_nothing(cache):
    store = Store(cache, readonly=True, live=True)
    kept = cache / "reruns" / "cache" / "kept"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.touch()
    with only_writer(cache / "reruns"), pytest.raises(StoreError, match="is writing to"):
        rerun(store, study="once", variant=variant_of(store), cache=cache, anew=True)
    assert kept.is_file()
    kept.unlink()
