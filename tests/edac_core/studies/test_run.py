import dataclasses

import numpy as np
import pandas as pd
import pytest
import stored
from distributed import LocalCluster

from edac_core.errors import StoreError
from edac_core.models.examples import Examples
from edac_core.studies import latencies
from edac_core.studies import run as run_module
from edac_core.studies.inputs import SplitInputs
from edac_core.studies.journal import only_writer
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
            "copy": "",
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

    def perform(job, inputs, start, _threads):
        if job.sparsity in options.get("fail", ()):
            raise ValueError("no luck")
        assert start == options["start"](job)
        variants = []
        for precision in job.precisions:
            made = stored.make_variant(inputs.record, precision, tiny_models[precision])
            variants.append(made)
        return stored.make_result(
            inputs.record,
            weights=f"{job.method} {job.sparsity}".encode() if job.goes_on else None,
            variants=variants,
        )

    options = {"start": lambda job: None if job.is_baseline else b"none 0.0"}
    monkeypatch.setattr(run_module, "perform", perform)
    monkeypatch.setattr(run_module, "open_data", lambda *_a, **_k: Data())
    monkeypatch.setattr(run_module, "prepare", lambda _usable, *, seed, **_k: inputs_of(seed))
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
    baseline = variants.query("method == 'none' and precision == 'float32'")
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
    del performed["fail"]
    summary, _ = run(tmp_path, scheduler)
    assert (summary.computed, summary.failed) == (4, 0)


def test_a_failed_baseline_takes_its_levels_along(tmp_path, scheduler, performed):
    performed["fail"] = [0.0]
    summary, _ = run(tmp_path, scheduler)
    assert (summary.computed, summary.failed) == (0, JOBS)
    store = Store(tmp_path)
    assert store.failures("tiny")["reason"].value_counts().to_dict() == {
        "cnn baseline, split 1, seed 1234, which it starts from, failed": 4,
        "cnn baseline, split 2, seed 1234, which it starts from, failed": 4,
        "ValueError: no luck": 2,
    }
    store.close()


def test_a_run_that_is_refused_leaves_the_store_of_the_other_alone(tmp_path):
    Store(tmp_path).close()
    part = tmp_path / "models" / ".part-of-the-other"
    part.touch()
    with only_writer(tmp_path), pytest.raises(StoreError, match="Another run"):
        run_study(PLAN, cache=tmp_path, listener=lambda _: None)
    assert part.is_file()


def chained(*sparsities):
    compression = dataclasses.replace(PLAN.compression, start="previous", sparsities=sparsities)
    data = dataclasses.replace(PLAN.data, split_seeds=(1,))
    return dataclasses.replace(PLAN, compression=compression, data=data)


def start_of_chain(job):
    before = {0.5: "none 0.0", 0.9: f"{job.method} 0.5", 0.95: f"{job.method} 0.9"}
    return before[job.sparsity].encode() if job.sparsity else None


def test_levels_go_on_from_each_other(tmp_path, scheduler, performed):
    performed["start"] = start_of_chain
    summary, _ = run(tmp_path, scheduler, chained(0.5, 0.9, 0.95))
    assert (summary.computed, summary.failed) == (7, 0)


def test_a_longer_chain_goes_on_from_what_is_known(tmp_path, scheduler, performed):
    performed["start"] = start_of_chain
    run(tmp_path, scheduler, chained(0.5, 0.9))
    _, events = run(tmp_path, scheduler, chained(0.5, 0.9, 0.95))
    assert sorted(done(events)) == [
        f"cnn {method} 95.0%, split 1, seed 1234" for method in ("constant", "polynomial")
    ]


def test_what_would_go_on_from_a_failed_level_fails_too(tmp_path, scheduler, performed):
    performed |= {"start": start_of_chain, "fail": [0.5]}
    summary, _ = run(tmp_path, scheduler, chained(0.5, 0.9, 0.95))
    assert (summary.computed, summary.failed) == (1, 6)
    store = Store(tmp_path)
    reasons = store.failures("tiny")["reason"]
    store.close()
    assert reasons.str.endswith("which it starts from, failed").sum() == 4


def test_large_variants_are_timed_a_few_at_a_time(filled, monkeypatch):
    keys = list(filled.variants("study")["key"])
    monkeypatch.setattr(latencies, "_BYTES", 1)
    assert list(latencies._groups(keys, filled)) == [[key] for key in keys]
    monkeypatch.setattr(latencies, "_BYTES", 1e9)
    assert list(latencies._groups(keys, filled)) == [keys]


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


def test_a_baseline_whose_training_is_known_is_not_trained_again(tmp_path, scheduler, performed):
    """Another precision gives all jobs other keys; the weights are handed on."""
    first = dataclasses.replace(
        PLAN, compression=dataclasses.replace(PLAN.compression, precisions=("float32",))
    )
    run(tmp_path, scheduler, first)
    performed["start"] = lambda _job: b"none 0.0"
    summary, _ = run(tmp_path, scheduler)
    assert (summary.computed, summary.failed) == (summary.jobs, 0)
