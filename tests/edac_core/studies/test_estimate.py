import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import stored

from edac_core import locations
from edac_core.measure.latency import machine
from edac_core.studies import estimate as estimate_module
from edac_core.studies.estimate import Pace, estimate, read_costs, wall_seconds
from edac_core.studies.jobs import expand, job_keys
from edac_core.studies.plan import parse_plan
from edac_core.studies.store import SplitRecord, Store

CONTENT = {
    "name": "tiny",
    "title": "Tiny",
    "data": {"dataset": "synthetic", "split_seeds": [1, 2], "options": {"n": 40}},
    "training": {"models": ["cnn"], "epochs": 20},
    "compression": {
        "schedules": ["constant"], "sparsities": [0.5, 0.9], "precisions": ["float32"],
        "epochs": 5,
    },
}  # fmt: skip
PLAN = parse_plan(CONTENT)
BASELINE, LEVEL = expand(PLAN)[0].jobs[:2]
HERE = {key: machine()[key] for key in ("cpu", "cores")}


def cost(schedule="none", *, seconds, epochs, examples=100, limit=None, model="cnn", **options):
    config = {"model": model, "schedule": schedule, "split_seed": 1, "epochs": limit or epochs}
    return {
        "study": "earlier", "key": f"{model}{schedule}{seconds}{epochs}", "split": "s",
        "config": config, "seconds": seconds, "epochs": epochs, "training_examples": examples,
        "data": {}, **HERE, **options,
    }  # fmt: skip


def pace(*costs):
    return Pace(pd.DataFrame(costs, columns=list(cost(seconds=1, epochs=1))))


def test_what_was_never_run_here_is_not_guessed():
    elsewhere = cost(seconds=10, epochs=2, cpu="another processor")
    assert pace().expect(BASELINE, examples=100) is None
    assert pace(elsewhere).expect(BASELINE, examples=100) is None
    assert pace(cost(seconds=10, epochs=2)).expect(LEVEL, examples=100) is None
    assert pace(cost(seconds=1, epochs=2, model="dense_a")).expect(BASELINE, examples=9) is None


def test_jobs_that_are_alike_are_scaled_by_epochs_and_examples():
    """12.5 s and 8 s (10 s but for a factor of 1.25) for 10 epochs of 100; wanted are 20 of 50."""
    found = pace(cost(seconds=12.5, epochs=10), cost(seconds=8, epochs=10))
    expected = found.expect(BASELINE, examples=50)
    assert expected.seconds == pytest.approx(10, rel=1e-4)
    assert (expected.epochs, expected.measurements) == (20, 2)


def test_a_few_jobs_on_a_busy_machine_change_little():
    usual = [cost(seconds=80 + 0.01 * number, epochs=10) for number in range(30)]
    busy = [cost(seconds=600 + number, epochs=10) for number in range(3)]
    expected = pace(*usual, *busy).expect(BASELINE, examples=50)
    assert expected.seconds == pytest.approx(80, rel=0.05)


def test_jobs_that_differ_tell_fixed_from_proportional_cost():
    """30 s and 0.01 s an example of an epoch; levels have the same 30 s and 0.02 s."""
    costs = [
        cost(seconds=30 + 0.01 * 2_000, epochs=20),
        cost(seconds=30 + 0.01 * 500, epochs=5),
        cost("constant", seconds=30 + 0.02 * 1_000, epochs=10),
    ]
    assert pace(*costs).expect(BASELINE, examples=400).seconds == pytest.approx(30 + 80, rel=1e-3)
    assert pace(*costs).expect(LEVEL, examples=400).seconds == pytest.approx(30 + 40, rel=1e-3)


def test_where_only_the_kinds_differ_an_example_costs_the_same_in_both():
    costs = [cost(seconds=70, epochs=40), cost("constant", seconds=40, epochs=10)]
    found = pace(*costs)
    assert found.expect(BASELINE, examples=100).seconds == pytest.approx(30 + 20, rel=1e-3)
    assert found.expect(LEVEL, examples=100).seconds == pytest.approx(30 + 5, rel=1e-3)


@pytest.mark.parametrize(
    ("patience", "epochs"), [(None, 20), (3, pytest.approx((12 + 16 + 20) / 3))]
)
def test_a_baseline_that_may_stop_early_is_expected_to(patience, epochs):
    """Those that stopped at 12 and 16 of 50 count; that cut off at 10 of 10 says nothing."""
    found = pace(
        cost(seconds=6, epochs=12, limit=50), cost(seconds=8, epochs=16, limit=50),
        cost(seconds=15, epochs=30, limit=30), cost(seconds=5, epochs=10, limit=10),
    )  # fmt: skip
    job = dataclasses.replace(BASELINE, patience=patience)
    assert found.expect(job, examples=100).epochs == epochs


def test_without_a_number_of_examples_there_is_no_time():
    expected = pace(cost(seconds=10, epochs=10)).expect(BASELINE, examples=None)
    assert (expected.seconds, expected.measurements) == (None, 1)


def test_jobs_of_an_unknown_number_of_examples_say_nothing():
    found = pace(cost(seconds=10, epochs=10), cost(seconds=99, epochs=10, examples=None))
    assert found.expect(BASELINE, examples=100).seconds == pytest.approx(20)
    assert found.expect(BASELINE, examples=100).measurements == 1


def test_a_job_of_several_studies_counts_once():
    found = pace(cost(seconds=10, epochs=10), cost(seconds=10, epochs=10, study="another"))
    assert found.expect(BASELINE, examples=100).measurements == 1


@pytest.mark.parametrize(
    ("work", "workers", "seconds"),
    [
        ({}, 2, 0),
        ({"baseline": [(1, 60)], "level": [(6, 10)]}, 2, 60 + 30),
        ({"baseline": [(3, 60)], "level": [(6, 10)]}, 2, 90 + 30),
        ({"baseline": [(1, 60), (1, 20)], "level": [(3, 10)]}, 4, 40 + 10),
    ],
)
def test_baselines_come_first_and_levels_share_the_workers(work, workers, seconds):
    assert wall_seconds(work, workers=workers) == pytest.approx(seconds)


@pytest.fixture
def split():
    sets = np.repeat(["train", "validation", "test"], [30, 6, 8])
    table = {"recording": [f"r{index}" for index in range(44)], "label": [0, 1] * 22,
             "group": "all", "participant": None, "set": sets, "copy": ""}  # fmt: skip
    return SplitRecord("fingerprint", 1, pd.DataFrame(table))


@pytest.fixture
def cache(tmp_path, monkeypatch, split):
    """A store with the first baseline of the plan, run here in 12 s over 20 epochs."""
    monkeypatch.setattr(locations, "SHIPPED", tmp_path / "nothing shipped")
    store = Store(tmp_path / "cache")
    store.put_study("earlier", title="", plan=PLAN.to_dict() | {"name": "earlier"}, data={})
    store.put_split(split)
    family = expand(PLAN)[0]
    key = job_keys(family, "fingerprint")[family.baseline]
    result = dataclasses.replace(
        stored.make_result(split, "float32"), seconds=12.0,
        history=({"loss": 1.0},) * 20, environment={"machine": machine()},
    )  # fmt: skip
    store.put_job(key, family.baseline.to_dict(), split.key, result)
    store.claim("earlier", [key])
    store.close()
    return tmp_path / "cache"


def test_costs_of_a_store(cache):
    (row,) = read_costs([cache, cache / "nowhere"]).to_dict("records")
    assert (row["seconds"], row["epochs"], row["training_examples"]) == (12.0, 20, 30)
    assert {"cpu": row["cpu"], "cores": row["cores"]} == HERE
    assert row["data"]["options"] == {"n": 40}


def test_a_damaged_store_costs_nothing(tmp_path):
    (tmp_path / Store.DATABASE).write_bytes(b"junk" * 1000)
    assert read_costs([tmp_path]).empty


def test_an_estimate_counts_what_is_finished_and_what_is_not_measured(cache):
    found = estimate(json.loads(json.dumps(PLAN.to_dict())), cache, 2)
    baseline, level = found.parts
    assert (found.jobs, found.known, found.counted_in) == (6, 1, "studies")
    assert (baseline.jobs, baseline.known, baseline.missing) == (2, 1, 1)
    assert (baseline.examples, baseline.measurements) == (30, 1)
    assert baseline.seconds == pytest.approx(12)
    assert (level.jobs, level.known, level.seconds, level.measurements) == (4, 0, None, 0)
    assert found.unmeasured == (level,)
    assert found.seconds == pytest.approx(12)


def test_on_a_machine_that_knows_nothing_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(locations, "SHIPPED", tmp_path / "nothing shipped")
    found = estimate(CONTENT, tmp_path / "nowhere", 2)
    assert (found.jobs, found.known, found.seconds) == (6, 0, 0)
    assert found.unmeasured == found.parts


def test_another_plan_knows_none_of_its_jobs(cache):
    content = CONTENT | {"training": {"models": ["cnn"], "epochs": 10}}
    found = estimate(content, cache, 2)
    assert found.known == 0
    assert found.parts[0].seconds == pytest.approx(6)


def test_examples_of_recordings_that_were_never_divided_are_counted(cache):
    """200 of which 3 in 5 train; of a positive recording come three examples."""
    content = CONTENT | {"data": {"dataset": "synthetic", "options": {"n": 200}}}
    found = estimate(content, cache, 2)
    assert found.counted_in == "recordings"
    assert found.parts[0].examples == pytest.approx(0.6 * (100 + 3 * 100), rel=0.05)


def test_recordings_that_are_not_here_are_not_counted(cache, monkeypatch):
    monkeypatch.setenv("EDAC_DATA_DIR", str(cache / "nowhere"))
    found = estimate(CONTENT | {"data": {"dataset": "urtic"}}, cache, 2)
    assert (found.counted_in, found.parts[0].examples, found.parts[0].seconds) == ("", None, None)
    assert found.parts[0].measurements == 1


def test_the_default_number_of_synthetic_recordings_is_the_loaders():
    assert estimate_module._SYNTHETIC_RECORDINGS == 240
