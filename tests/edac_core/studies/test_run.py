import dataclasses

import numpy as np
import pandas as pd
import pytest
import stored
from distributed import LocalCluster

from edac_core.errors import StoreError
from edac_core.models.examples import Examples
from edac_core.studies import run as run_module
from edac_core.studies.inputs import SplitInputs
from edac_core.studies.plan import parse_plan
from edac_core.studies.run import run_study
from edac_core.studies.store import SplitRecord, Store

PLAN = parse_plan(
    {
        "name": "tiny",
        "title": "Tiny",
        "data": {"dataset": "synthetic", "split_seeds": [1, 2]},
        "training": {"models": ["cnn"]},
        "compression": {"sparsities": [0.5, 0.9], "precisions": ["float32", "int8"]},
        "latency_calls": 3,
    }
)
JOBS = 10


class Data:
    """Stands for an audited data set."""

    class audit:  # noqa: N801 - an attribute of the real thing
        usable = None

    def facts(self):
        return {"dataset": "synthetic", "synthetic": True}


def inputs_of(seed):
    sets = ["train"] * 4 + ["validation"] * 6 + ["test"] * 8
    table = pd.DataFrame(
        {
            "recording": [f"r{index}" for index in range(18)],
            "label": [0, 1] * 9,
            "group": "all",
            "participant": None,
            "set": sets,
        }
    )

    def examples(name):
        labels = table.loc[table["set"] == name, "label"].to_numpy()
        return Examples(np.zeros((len(labels), 12, 8, 1), np.float32), labels)

    return SplitInputs(
        SplitRecord(f"split{seed}", seed, table), f"split{seed}",
        examples("train"), examples("validation"), examples("test"), ("all",) * 8,
    )  # fmt: skip


@pytest.fixture(scope="module")
def scheduler():
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def performed(monkeypatch, tiny_models):
    """Replace data and work by quick ones; return options of the work."""

    def perform(job, inputs, baseline, _threads):
        if job.sparsity in options.get("fail", ()):
            raise ValueError("no luck")
        assert (baseline is None) == job.is_baseline
        variants = []
        for precision in job.precisions:
            made = stored.make_variant(inputs.record, precision, tiny_models[precision])
            variants.append(made)
        return stored.make_result(
            inputs.record, weights=b"npz" if job.is_baseline else None, variants=variants
        )

    options = {}
    monkeypatch.setattr(run_module, "perform", perform)
    monkeypatch.setattr(run_module, "open_data", lambda *_a, **_k: Data())
    monkeypatch.setattr(run_module, "prepare_clean", lambda _usable, *, seed, **_k: inputs_of(seed))
    return options


def run(tmp_path, scheduler, plan=PLAN):
    events = []
    summary = run_study(plan, cache=tmp_path, scheduler=scheduler, listener=events.append)
    return summary, events


def done(events):
    return [event.text for event in events if event.kind == "finished"]


def table(folder):
    store = Store(folder)
    frame = store.variants("tiny")
    store.close()
    return frame


def test_every_job_is_done_once_and_stored(tmp_path, scheduler, performed):
    summary, events = run(tmp_path, scheduler)
    assert (summary.jobs, summary.computed, summary.failed) == (JOBS, JOBS, 0)
    assert len(done(events)) == len(set(done(events))) == JOBS
    variants = table(tmp_path)
    assert len(variants) == 2 * JOBS
    assert variants["key"].is_unique
    assert variants["has_model"].all()
    assert [event.kind for event in events][-1] == "done"


def test_latency_is_measured_for_every_variant_beside_its_baseline(tmp_path, scheduler, performed):
    run(tmp_path, scheduler)
    variants = table(tmp_path)
    assert (variants["latency_ms"] > 0).all()
    assert (variants["baseline_latency_ms"] > 0).all()
    baseline = variants.query("schedule == 'none' and precision == 'float32'")
    assert (baseline["latency_ms"] == baseline["baseline_latency_ms"]).all()


def test_a_second_run_computes_nothing(tmp_path, scheduler, performed):
    run(tmp_path, scheduler)
    before = table(tmp_path)
    summary, events = run(tmp_path, scheduler)
    assert (summary.computed, done(events)) == (0, [])
    pd.testing.assert_frame_equal(table(tmp_path), before)


def test_a_larger_plan_computes_only_what_is_new(tmp_path, scheduler, performed):
    run(tmp_path, scheduler)
    compression = dataclasses.replace(PLAN.compression, sparsities=(0.5, 0.9, 0.95))
    _, events = run(tmp_path, scheduler, dataclasses.replace(PLAN, compression=compression))
    assert len(done(events)) == 4
    assert all("95.0%" in text for text in done(events))


def test_an_interrupted_run_goes_on(tmp_path, scheduler, performed):
    def interrupt(event):
        if event.kind == "finished" and event.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(PLAN, cache=tmp_path, scheduler=scheduler, listener=interrupt)
    known = len(table(tmp_path)) // 2
    assert known >= 3
    summary, _ = run(tmp_path, scheduler)
    assert summary.computed == JOBS - known
    assert len(table(tmp_path)) == 2 * JOBS


def test_a_failed_level_is_recorded_and_the_others_go_on(tmp_path, scheduler, performed):
    performed["fail"] = [0.9]
    summary, _ = run(tmp_path, scheduler)
    assert (summary.computed, summary.failed) == (6, 4)
    store = Store(tmp_path)
    assert set(store.failures("tiny")["reason"]) == {"ValueError: no luck"}
    store.close()
    performed.clear()
    summary, _ = run(tmp_path, scheduler)
    assert (summary.computed, summary.failed) == (4, 0)


def test_a_failed_baseline_takes_its_levels_along(tmp_path, scheduler, performed):
    performed["fail"] = [0.0]
    summary, _ = run(tmp_path, scheduler)
    assert (summary.computed, summary.failed) == (0, JOBS)
    store = Store(tmp_path)
    assert store.failures("tiny")["reason"].value_counts().to_dict() == {
        "its baseline failed": 8,
        "ValueError: no luck": 2,
    }
    store.close()


def test_two_runs_do_not_write_to_one_store(tmp_path, scheduler, performed):
    def start_another(event):
        if event.kind == "planned":
            with pytest.raises(StoreError, match=r"Another run \(process \d+\) is writing to"):
                run_study(PLAN, cache=tmp_path, scheduler=scheduler, listener=print)

    run_study(PLAN, cache=tmp_path, scheduler=scheduler, listener=start_another)


def test_the_study_says_what_its_data_are(tmp_path, scheduler, performed):
    run(tmp_path, scheduler)
    store = Store(tmp_path)
    study = store.studies().iloc[0]
    store.close()
    assert study["data"]["sets"] == {"train": 4, "validation": 6, "test": 8}
    assert study["data"]["synthetic"]
    assert parse_plan(study["plan"]) == PLAN
