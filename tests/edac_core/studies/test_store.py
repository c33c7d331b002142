import contextlib
import dataclasses
import errno
import itertools
import os
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import stored

from edac_core.errors import StoreError
from edac_core.measure.latency import Latency
from edac_core.studies import store as store_module
from edac_core.studies.store import LayerChange, Store

SLOW, FAST = Latency(2.0, 3.0, 2.1, 200), Latency(1.0, 1.5, 1.1, 200)


def test_a_variant_comes_back_as_it_was_put(filled, split):
    row = filled.variants("study").set_index("precision").loc["int8"]
    put = stored.make_variant(split, "int8", b"int8")
    assert (row["model"], row["method"], row["sparsity"]) == ("cnn", "constant", 0.5)
    assert (row["raw_bytes"], row["zip_bytes"], row["xz_bytes"]) == (4, 11, 12)
    assert (row["weights"], row["nonzero_weights"]) == (100, 50)
    assert (row["auc"], row["auc_low"], row["auc_high"]) == (
        put.auc.estimate, put.auc.low, put.auc.high,
    )  # fmt: skip
    assert (row["threshold"], row["uar"]) == (0.5, put.decision.uar)
    assert row["has_model"]
    assert filled.model(row["sha256"]) == b"int8"
    assert filled.model_of(row["key"]) == b"int8"


def test_scores_come_back_beside_their_recordings(filled, split):
    key = filled.variants("study")["key"].iloc[0]
    scores = filled.scores(key)
    expected = split.recordings[split.recordings["set"] != "train"]
    assert sorted(scores["recording"]) == sorted(expected["recording"])
    put = stored.make_variant(split, "float32", b"float32").scores
    np.testing.assert_array_equal(scores.loc[scores["set"] == "test", "score"], put.test)
    merged = scores.merge(expected, on="recording", suffixes=("", "_put"))
    assert (merged["label"] == merged["label_put"]).all()


def test_scores_that_are_not_those_of_the_split_are_refused(filled):
    with filled._database:
        filled._database.execute("UPDATE variants SET test_scores = substr(test_scores, 5)")
    key = filled.variants("study")["key"].iloc[0]
    for read in (lambda: filled.scores(key), lambda: filled.test_scores([key])):
        with pytest.raises(StoreError, match=f"scores of {key} .* are not those of its recordings"):
            read()


def test_test_scores_are_the_test_part_of_all_scores(filled):
    keys = list(filled.variants("study")["key"])
    answers = filled.test_scores(keys)
    assert list(answers) == keys
    for key in keys:
        test = filled.scores(key).query("set == 'test'")
        np.testing.assert_array_equal(answers[key].scores, test["score"])
        np.testing.assert_array_equal(answers[key].labels, test["label"].astype(bool))


def test_figures_are_columns_of_the_variants(filled, split):
    """Of two jobs, one measured on two machines and one on none."""
    filled.put_job(
        "earlier", {**stored.CONFIG, "method": "none", "sparsity": 0}, split.key,
        stored.make_result(split, "int8", "float32"),
    )  # fmt: skip
    filled.claim("study", ["earlier", "job"])
    slow, fast = filled.variants("study", jobs=["job"])["key"]
    for machine in "xy":
        measured = {slow: SLOW, fast: FAST}
        filled.put_latencies(measured, baseline=slow, machine={"cpu": machine})
    figures, variants = filled.figures("study"), filled.variants("study")
    assert len(figures) == 4
    identity = ["job", "precision"]
    pd.testing.assert_frame_equal(
        figures.sort_values(identity, ignore_index=True),
        variants.sort_values(identity, ignore_index=True)[list(figures)],
        check_dtype=False,
    )


def test_figures_of_what_has_no_latency_are_numbers(filled):
    assert filled.figures("study")["latency_ms"].dtype == float


@pytest.mark.parametrize("study", ["study", "unknown"])
def test_a_study_without_results_has_no_figures(store, study):
    store.put_study("study", title="Study", plan={}, data={})
    assert store.figures(study).empty
    assert {"model", "method", "precision", "auc", "latency_ms"} <= set(store.figures(study))


def test_variants_and_groups_of_some_jobs(filled, split):
    filled.put_job("two", stored.CONFIG, split.key, stored.make_result(split, "int8"))
    filled.claim("study", ["job", "two"])
    assert filled.variants("study", jobs=["two"])["key"].tolist() == ["two-int8"]
    assert set(filled.groups("study", jobs=["two"])["variant"]) == {"two-int8"}
    assert filled.variants("study", jobs=["other"]).empty
    assert len(filled.variants("study")) == 3


def test_an_older_store_is_read_without_its_index(filled):
    """As the shipped one, that nothing may be written to."""
    filled._database.execute("DROP INDEX variants_at_a_glance")
    filled.finish()
    filled.close()
    older = Store(filled.folder, readonly=True)
    assert len(older.figures("study")) == 2
    older.close()


def test_groups_come_back(filled, split):
    groups = filled.groups("study")
    assert set(groups["group"]) == {"phone", "bot"}
    assert groups.groupby("variant")["n"].sum().eq(8).all()


def test_latencies_are_paired_with_the_baseline_of_their_run(filled):
    slow, fast = filled.variants("study")["key"]
    filled.put_latencies({slow: SLOW, fast: FAST}, baseline=slow, machine={"cpu": "x"})
    rows = filled.variants("study").set_index("key")
    assert rows.loc[fast, "latency_ms"] == 1.0
    assert rows.loc[fast, "baseline_latency_ms"] == 2.0
    assert filled.measured_on({"cpu": "x"}) == {slow, fast}
    assert filled.measured_on({"cpu": "y"}) == set()
    assert filled.latencies("study")["machine"].tolist() == [{"cpu": "x"}] * 2


def test_the_newest_latency_counts(filled):
    slow, fast = filled.variants("study")["key"]
    filled.put_latencies({slow: SLOW, fast: FAST}, baseline=slow, machine={"cpu": "x"})
    filled.put_latencies({slow: FAST, fast: SLOW}, baseline=slow, machine={"cpu": "y"})
    assert filled.variants("study").set_index("key").loc[fast, "latency_ms"] == 2.0


def test_without_measurement_latency_is_missing(filled):
    for jobs in (None, ["two"]):
        latencies = filled.variants("study", jobs=jobs).filter(like="latency")
        assert latencies.isna().all(axis=None)
        assert {kind.kind for kind in latencies.dtypes} == {"f"}


def test_groups_of_one_class_have_numbers_that_are_missing(filled):
    filled._database.execute("UPDATE groups SET auc = NULL, auc_low = NULL, auc_high = NULL")
    assert filled.groups("study")["auc"].dtype == float


def test_a_study_counts_its_jobs(filled):
    filled.claim("study", ["job", "later"])
    assert filled.planned("study") == 2
    assert filled.finished(["job", "later"]) == {"job"}
    assert filled.weights("job") == b"npz"
    assert filled.jobs("study")["config"].tolist() == [stored.CONFIG]


def test_jobs_are_shared_between_studies(filled):
    filled.put_study("other", title="Other", plan={}, data={})
    filled.claim("other", ["job"])
    assert len(filled.variants("other")) == 2


def test_a_failure_is_kept_until_the_job_succeeds(filled, split):
    filled.claim("study", ["job", "bad"])
    filled.put_failure("bad", stored.CONFIG, "it broke")
    assert filled.failures("study")["reason"].tolist() == ["it broke"]
    filled.put_job("bad", stored.CONFIG, split.key, stored.make_result(split, "int8"))
    assert filled.failures("study").empty


def test_a_job_is_written_whole_or_not_at_all(filled, split):
    with pytest.raises(StoreError):
        filled.put_job("two", stored.CONFIG, split.key, stored.make_result(split, "int8", "int8"))
    assert filled.finished(["two"]) == set()


@pytest.mark.parametrize("damage", [b"", b"junk", b"\xfd7zXZ\x00"])
def test_a_damaged_model_file_is_refused_by_name(filled, damage):
    sha = filled.variants("study")["sha256"].iloc[0]
    (filled.folder / "models" / f"{sha}.tflite.xz").write_bytes(damage)
    with pytest.raises(StoreError, match=rf"{sha}.tflite.xz is damaged; delete it"):
        filled.model(sha)


def test_a_model_file_with_other_content_is_refused(filled):
    first, second = filled.variants("study")["sha256"]
    models = filled.folder / "models"
    (models / f"{first}.tflite.xz").write_bytes((models / f"{second}.tflite.xz").read_bytes())
    with pytest.raises(StoreError, match="is damaged"):
        filled.model(first)


def test_a_missing_model_file_says_what_to_do(filled):
    sha = filled.variants("study")["sha256"].iloc[0]
    (filled.folder / "models" / f"{sha}.tflite.xz").unlink()
    assert filled.variants("study")["has_model"].tolist().count(False) == 1
    with pytest.raises(StoreError, match=r"run the study's plan to make it"):
        filled.model(sha)


def test_an_unknown_variant_is_named(filled):
    with pytest.raises(StoreError, match="has no variant 'x'"):
        filled.scores("x")


def test_a_damaged_database_is_one_sentence(filled):
    filled.close()
    filled.path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"cannot be used: file is not a database"):
        Store(filled.folder)


def test_another_schema_version_is_refused(filled):
    filled.close()
    with sqlite3.connect(filled.path) as database:
        database.execute("UPDATE meta SET value = '99'")
    database.close()
    with pytest.raises(StoreError, match=r"schema version 99, this program reads 2 and earlier"):
        Store(filled.folder)


def test_a_read_only_store_must_exist(tmp_path):
    with pytest.raises(StoreError, match="no study store in"):
        Store(tmp_path, readonly=True)
    assert list(tmp_path.iterdir()) == []


def test_reading_a_finished_store_leaves_no_files_behind(filled):
    filled.finish()
    filled.close()
    before = sorted(filled.folder.rglob("*"))
    readonly = Store(filled.folder, readonly=True)
    assert len(readonly.variants("study")) == 2
    assert sorted(filled.folder.rglob("*")) == before
    readonly.close()


def test_a_reader_sees_what_a_writer_adds(filled, split):
    reader = Store(filled.folder)
    filled.claim("study", ["job", "two"])
    filled.put_job("two", stored.CONFIG, split.key, stored.make_result(split, "float16"))
    assert len(reader.variants("study")) == 3
    reader.close()


def test_a_snapshot_stays_as_it_was_while_a_writer_goes_on(filled, split):
    with contextlib.closing(Store(filled.folder, readonly=True, live=True)) as reader:
        with reader.snapshot(), reader.snapshot():
            assert reader.planned("study") == 1
            filled.claim("study", ["job", "two"])
            filled.put_job("two", stored.CONFIG, split.key, stored.make_result(split, "float16"))
            assert len(reader.variants("study")) == 2
            assert reader.planned("study") == 1
        assert len(reader.variants("study")) == 3


def test_a_snapshot_ends_with_an_error(filled, split):
    with contextlib.closing(Store(filled.folder, readonly=True, live=True)) as reader:
        with pytest.raises(StoreError, match="has no variant 'x'"), reader.snapshot():
            reader.scores("x")
        filled.put_job("two", stored.CONFIG, split.key, stored.make_result(split, "float16"))
        assert reader.finished(["two"]) == {"two"}


ASKS_TWICE = {
    "figures": lambda store: store.figures("study"),
    "refusals": lambda store: store.refusals("study"),
    "sensitivities": lambda store: store.sensitivities("study"),
}


@pytest.mark.parametrize("ask", ASKS_TWICE.values(), ids=ASKS_TWICE)
def test_what_asks_two_questions_is_answered_from_one_state(filled, split, ask):
    """A job is written, and one forgotten, between any two queries of a reader."""
    first = dataclasses.replace(
        stored.make_result(split, "float32"), refusals={"int8": "wrong results"}
    )
    filled.put_job("first", stored.CONFIG, split.key, first)
    filled.put_sensitivities("first", changes("dense"))
    filled.claim("study", ["first", "job"])
    with contextlib.closing(Store(filled.folder, readonly=True, live=True)) as reader:
        before = ask(reader)
        reader._database.set_trace_callback(_writes_between(filled, split, first))
        pd.testing.assert_frame_equal(ask(reader), before)
        reader._database.set_trace_callback(None)
        assert not ask(reader).equals(before)


def _writes_between(store, split, result):
    numbers = itertools.count()

    def write(statement):
        if statement.strip().startswith("SELECT") and (number := next(numbers)):
            other = dataclasses.replace(split, key=f"split {number}")
            key = f"later {number}"
            store.put_split(other)
            store.put_job(key, stored.CONFIG, other.key, result)
            store.put_sensitivities(key, changes("dense"))
            # Forgetting one that was there moves all that come after it.
            store.claim("study", ["job", *(f"later {at}" for at in range(number + 1))])

    return write


def test_the_parts_that_killed_writers_left_are_removed_by_the_next(filled):
    part = filled.folder / "models" / ".part-left"
    part.write_bytes(b"half a")
    before = set(filled.variants("study")["sha256"])
    with contextlib.closing(Store(filled.folder, readonly=True, live=True)):
        assert part.exists()
    with contextlib.closing(Store(filled.folder)):
        assert not part.exists()
    files = {path.name.split(".")[0] for path in (filled.folder / "models").iterdir()}
    assert files == before


def test_the_part_that_somebody_is_writing_stays(filled, split, monkeypatch):
    plain = os.fsync

    def open_another_meanwhile(descriptor):
        Store(filled.folder).close()
        plain(descriptor)

    monkeypatch.setattr(store_module.os, "fsync", open_another_meanwhile)
    filled.put_job("two", stored.CONFIG, split.key, stored.make_result(split, "float16"))
    assert filled.model_of("two-float16") == b"float16"


def test_a_full_disk_is_one_sentence_and_leaves_no_litter(filled, split, monkeypatch):
    def no_space(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module.os, "fsync", no_space)
    before = sorted((filled.folder / "models").iterdir())
    with pytest.raises(StoreError, match=r"No space left on device; free space"):
        filled.put_job("two", stored.CONFIG, split.key, stored.make_result(split, "float16"))
    assert sorted((filled.folder / "models").iterdir()) == before
    assert len(filled.variants("study")) == 2


@pytest.fixture
def unprivileged():
    """Returns a folder of somebody who is not root, as whom the test goes on."""
    folder = Path(tempfile.mkdtemp())
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o700)
    shutil.rmtree(folder)


@pytest.mark.parametrize("denied", ["models", ".", "studies.sqlite"])
def test_permission_denied_is_one_sentence_and_keeps_what_was_there(unprivileged, split, denied):
    with contextlib.closing(Store(unprivileged / "store")) as store:
        store.put_study("study", title="Study", plan={}, data={})
        store.put_split(split)
        store.claim("study", ["job", "two"])
        store.put_job("job", stored.CONFIG, split.key, stored.make_result(split, "int8"))
        store.finish()
    path = store.folder / denied
    allowed = path.stat().st_mode
    path.chmod(0o500 if path.is_dir() else 0o400)
    result = stored.make_result(split, "float16")
    with (
        pytest.raises(StoreError, match=r"cannot be used: .+; free space, or mend") as refusal,
        contextlib.closing(Store(store.folder)) as again,
    ):
        again.put_job("two", stored.CONFIG, split.key, result)
    assert "\n" not in str(refusal.value)
    path.chmod(allowed)
    with contextlib.closing(Store(store.folder)) as mended:
        assert mended.model_of("job-int8") == b"int8"
        mended.put_job("two", stored.CONFIG, split.key, result)
        assert len(mended.variants("study")) == len(list(mended._models.iterdir())) == 2


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if (
        not shutil.which("mount")
        or subprocess.run(mount, check=False, capture_output=True).returncode
    ):
        pytest.skip("only who may mount can try a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def put_large_jobs(store, split, keys):
    for key in keys:
        noise = np.random.default_rng(int(key[-2:])).bytes(20_000)
        variant = stored.make_variant(split, "int8", noise)
        result = stored.make_result(split, variants=[variant], weights=noise)
        store.put_job(key, stored.CONFIG, split.key, result)


def test_a_disk_that_fills_up_costs_nothing_that_was_there(small_disk, split):
    with contextlib.closing(Store(small_disk)) as store:
        store.put_study("study", title="Study", plan={}, data={})
        store.put_split(split)
        keys = [f"job {number:02}" for number in range(100)]
        store.claim("study", keys)
        with pytest.raises(StoreError, match=r"; free space, or mend or remove it") as refusal:
            put_large_jobs(store, split, keys)
        assert "\n" not in str(refusal.value)
        done = keys[: len(store.jobs("study"))]
        assert 2 < len(done) < 100
        assert list(store.variants("study")["job"]) == done
        assert not list(small_disk.rglob(".part-*"))
        for sha in store.variants("study")["sha256"]:
            store.model(sha)
        subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
        put_large_jobs(store, split, keys[len(done) : len(done) + 1])
        assert len(store.variants("study")) == len(done) + 1
    with contextlib.closing(sqlite3.connect(store.path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_what_could_not_be_made_comes_back_with_its_reason(filled, split):
    result = dataclasses.replace(
        stored.make_result(split, "float32"), refusals={"int8": "wrong results"}
    )
    config = {**stored.CONFIG, "method": "block"}
    filled.put_job("blocks", config, split.key, result)
    filled.claim("study", ["blocks", "job"])
    (row,) = filled.refusals("study").to_dict("records")
    assert (row["method"], row["sparsity"], row["precision"]) == ("block", 0.5, "int8")
    assert row["reason"] == "wrong results"


def test_a_store_of_before_there_were_refusals_has_none(filled):
    with sqlite3.connect(filled.path) as database:
        database.execute("DROP TABLE refusals")
    database.close()
    assert filled.refusals("study").empty


def changes(*layers, sparsity=0.9):
    return [LayerChange(layer, 12, sparsity, "int8", 0.7, 0.75, 0.6, 0.5, 6) for layer in layers]


def test_changes_of_layers_come_back_in_their_order(filled):
    filled.put_sensitivities("job", changes("conv2", "conv1", "dense"))
    filled.put_sensitivities("job", changes("conv2", "conv1", "dense", sparsity=0.5))
    filled.put_sensitivities("elsewhere", changes("dense"))
    found = filled.sensitivities("study")
    assert found["layer"].tolist() == ["conv2", "conv1", "dense"] * 2
    (row, *_) = found.to_dict("records")
    assert (row["job"], row["model"], row["split_seed"]) == ("job", "cnn", 1)
    assert (row["sparsity"], row["sparsity_of_job"]) == (0.9, 0.5)
    assert (row["weights"], row["auc"], row["auc_before"]) == (12, 0.7, 0.75)
    assert (row["loss"], row["loss_before"], row["recordings"]) == (0.6, 0.5, 6)


def test_what_is_measured_again_replaces_what_was(filled):
    filled.put_sensitivities("job", changes("dense"))
    again = dataclasses.replace(changes("dense")[0], auc=0.6)
    filled.put_sensitivities("job", [again])
    assert filled.sensitivities("study")["auc"].tolist() == [0.6]


def test_a_store_of_before_layers_were_measured_has_none(filled):
    with sqlite3.connect(filled.path) as database:
        database.execute("DROP TABLE sensitivities")
    database.close()
    assert filled.sensitivities("study").empty
    assert {"layer", "sparsity", "job"} <= set(filled.sensitivities("study").columns)


def test_a_job_of_before_there_were_methods_has_its_schedule(filled, split):
    config = {**stored.CONFIG, "schedule": "polynomial"}
    del config["method"]
    filled.put_job("old", config, split.key, stored.make_result(split, "float32"))
    filled.claim("study", ["old"])
    assert filled.variants("study")["method"].tolist() == ["polynomial"]
    assert filled.figures("study")["method"].tolist() == ["polynomial"]


def test_weights_are_found_by_what_they_depend_on(filled, split):
    assert filled.trained("training") is None
    result = stored.make_result(split, "float32", weights=b"weights")
    filled.put_job("base", stored.CONFIG, split.key, result, training="training")
    filled.put_job("again", stored.CONFIG, split.key, result, training="training")
    assert filled.trained("training") == "base"
    assert filled.trained("another training") is None


def test_progress_counts_what_is_finished_planned_and_failed(filled):
    filled.claim("study", ["job", "failing", "to do"])
    filled.put_failure("failing", {}, "no luck")
    filled.put_study("empty", title="Empty", plan={}, data={})
    assert filled.progress().to_dict("records") == [
        {"study": "empty", "finished": 0, "jobs": 0, "failed": 0},
        {"study": "study", "finished": 1, "jobs": 3, "failed": 1},
    ]
