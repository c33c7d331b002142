# ruff: noqa: E501 - a table of mistakes reads best with a mistake a line
import csv
import hashlib
import io
import itertools
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import soundfile
import stored

from edac_core import __version__, cli, locations
from edac_core.cli import common, main, studies, upkeep
from edac_core.locations import PROJECT, SHIPPED
from edac_core.measure.latency import Latency
from edac_core.studies import eviction
from edac_core.studies import search as searching
from edac_core.studies import sensitivity as measuring
from edac_core.studies.run import Summary
from edac_core.studies.search import Candidate, Found
from edac_core.studies.select import Limits
from edac_core.studies.store import LayerChange, Store

PLAN = """
name = "study"
title = "Study"
[data]
dataset = "synthetic"
[training]
models = ["cnn"]
"""


@pytest.fixture(autouse=True)
def no_shipped_studies(monkeypatch, tmp_path):
    ship_from(tmp_path / "nothing shipped", monkeypatch)


def ship_from(folder, monkeypatch):
    for module in (common, upkeep):
        monkeypatch.setattr(module, "SHIPPED", folder)


@pytest.fixture
def cache(filled):
    return ["--cache", str(filled.folder)]


def fails(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("edac: ")
    assert output.err.count("\n") == 1
    return status, output.err


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.strip() == __version__


def candidate(recipe, size):
    return Candidate(
        recipe=recipe, precision="int8", validation_auc=0.75, auc_drop=0.01, zip_bytes=size,
        raw_bytes=3 * size, latency_ms=0.5,
    )  # fmt: skip


@pytest.fixture
def searched(monkeypatch, tmp_path):
    """A search that finds what a test says; it returns what it was asked."""
    (tmp_path / "plan.toml").write_text(PLAN)
    asked = {"front": (candidate("width:0.99", 9000.0), candidate("qat", 20000.0))}

    def search(plan, **options):
        asked.update(options, plan=plan.name)
        return Found(
            study="study-search", storage="sqlite:///x.sqlite", candidates=6, front=asked["front"],
            refused={("qat", "float32"): "no"},
        )  # fmt: skip

    monkeypatch.setattr(searching, "search", search)
    return asked


def search_with(tmp_path, *arguments):
    arguments = ["--trials", "4", *arguments, "--cache", str(tmp_path)]
    return main(["search", str(tmp_path / "plan.toml"), *arguments])


def test_search_hands_limits_and_sizes_on(searched, tmp_path):
    limits = ["--max-zip-kb", "50", "--max-latency-ms", "2.5", "--max-auc-drop", "0.02"]
    assert search_with(tmp_path, *limits, "--minimise", "raw", "--seed", "7") == 0
    assert searched["limits"] == Limits(zip_bytes=50_000, latency_ms=2.5, auc_drop=0.02)
    assert (searched["minimise"], searched["seed"], searched["trials"]) == ("raw_bytes", 7, 4)


def test_search_prints_the_front(searched, tmp_path, capsys):
    assert search_with(tmp_path) == 0
    heading, first, second, sentence = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        "recipe", "precision", "validation_auc", "auc_drop", "zip_kb", "raw_kb", "latency_ms"
    ]  # fmt: skip
    assert first.split() == ["width:0.99", "int8", "0.75", "0.01", "9", "27", "0.5"]
    assert second.split()[0] == "qat"
    assert "6 variants measured, 1 refused" in sentence
    assert "edac table study-search" in sentence
    assert "optuna-dashboard sqlite:///x.sqlite" in sentence


def test_search_prints_data_alone_when_asked_for_data(searched, tmp_path, capsys):
    assert search_with(tmp_path, "--json") == 0
    assert [row["recipe"] for row in json.loads(capsys.readouterr().out)] == ["width:0.99", "qat"]


def test_search_says_that_nothing_is_within_the_limits(searched, tmp_path, capsys):
    searched["front"] = ()
    assert search_with(tmp_path) == 0
    (sentence,) = capsys.readouterr().out.splitlines()
    assert "none is within the limits" in sentence


@pytest.mark.parametrize(
    "option",
    [("--max-zip-kb", "-1"), ("--max-auc-drop", "nan"), ("--trials", "0"), ("--seed", "-1")],
)
def test_search_refuses_impossible_options(searched, tmp_path, capsys, option):
    with pytest.raises(SystemExit):
        search_with(tmp_path, *option)
    assert option[1] in capsys.readouterr().err.splitlines()[-1]


def test_search_of_a_plan_that_is_not_there_is_one_sentence(tmp_path, capsys):
    status, error = fails(capsys, "search", tmp_path / "no.toml", "--trials", 1)
    assert status == 2
    assert "no.toml cannot be read" in error


def layer_change(layer, sparsity, auc, precision="float32"):
    return LayerChange(layer, 12, sparsity, precision, auc, 0.75, 0.6, 0.5, 6)


@pytest.fixture
def layers_measured(filled, monkeypatch):
    """Layers that are measured as soon as somebody asks; it returns what was asked."""
    asked = {}

    def measure(study, **options):
        asked.update(options, study=study)
        changes = [layer_change("dense", 0.0, 0.75), layer_change("dense", 0.9, 0.5),
                   layer_change("conv", 0.0, 0.75), layer_change("conv", 0.9, 0.76)]  # fmt: skip
        filled.put_sensitivities("job", changes)

    monkeypatch.setattr(measuring, "measure_sensitivities", measure)
    return asked


def test_sensitivity_prints_changes_of_auc_by_layer_and_sparsity(layers_measured, cache, capsys):
    assert main(["sensitivity", "study", "--model", "cnn", *cache]) == 0
    heading, dense, conv = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        "model", "split", "seed", "precision", "layer", "weights", "0", "90"
    ]  # fmt: skip
    assert dense.split() == ["cnn", "1", "1234", "float32", "dense", "12", "+0.000", "-0.250"]
    assert conv.split()[-3:] == ["12", "+0.000", "+0.010"]
    assert (layers_measured["study"], layers_measured["model"]) == ("study", "cnn")


def test_sensitivity_as_data_has_every_column(layers_measured, cache, capsys):
    assert main(["sensitivity", "study", "--json", *cache]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 4
    wanted = {"model", "split_seed", "training_seed", "layer", "weights", "sparsity", "precision",
              "auc", "auc_before", "loss", "loss_before", "recordings"}  # fmt: skip
    assert wanted <= set(rows[0])
    assert main(["sensitivity", "study", "--csv", *cache]) == 0
    assert len(list(csv.DictReader(capsys.readouterr().out.splitlines()))) == 4


def test_sensitivity_of_a_study_that_is_not_there_is_one_sentence(cache, capsys):
    status, error = fails(capsys, "sensitivity", "stduy", *cache)
    assert status == 2
    assert "There is no study 'stduy'" in error


def test_status_counts_jobs(cache, capsys):
    assert main(["status", *cache, "--json"]) == 0
    expected = {"study": "study", "where": "store", "finished": 1, "jobs": 1, "failed": 0}
    assert json.loads(capsys.readouterr().out) == [expected]


def test_status_without_any_study(tmp_path, capsys):
    assert main(["status", "--cache", str(tmp_path)]) == 0
    assert "No studies yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("style", "mark"), [("--json", '"auc"'), ("--csv", "auc,"), (None, " auc ")]
)
def test_table_prints_every_variant(cache, capsys, style, mark):
    assert main(["table", "study", *cache, *([style] if style else [])]) == 0
    output = capsys.readouterr().out
    assert mark in output
    assert output.count("constant") == 2


def test_table_as_data_has_every_column(cache, capsys):
    assert main(["table", "study", *cache, "--csv"]) == 0
    (first, _) = csv.DictReader(capsys.readouterr().out.splitlines())
    wanted = {"model", "protocol", "method", "sparsity", "precision", "split_seed", "uar",
              "training_seed", "auc", "auc_low", "auc_high", "sensitivity", "specificity",
              "zip_bytes", "raw_bytes", "xz_bytes", "nonzero_weights", "zero_weights",
              "zero_percent", "zip_mib", "raw_mib", "latency_ms", "mcnemar_p"}  # fmt: skip
    assert wanted <= set(first)
    assert (first["zero_weights"], first["zero_percent"]) == ("50", "50.0")
    assert first["mcnemar_p"] == first["only_baseline_right"] == ""


def test_table_fits_a_terminal(filled, split, cache, capsys):
    """Of a study of 5 models x 7 levels x 3 precisions."""
    models = ("cnn", "cnn_lstm", "dense_a", "dense_b", "dense_c")
    levels = [
        ("none", 0.0),
        *(("polynomial", level) for level in (0.5, 0.7, 0.8, 0.9, 0.95, 0.999)),
    ]
    keys = []
    for model, (method, sparsity) in itertools.product(models, levels):
        keys.append(f"{model}-{sparsity}")
        config = {**stored.CONFIG, "model": model, "method": method, "sparsity": sparsity}
        result = stored.make_result(split, "float32", "float16", "int8")
        filled.put_job(keys[-1], config, split.key, result)
    filled.claim("study", keys)
    assert main(["table", "study", *cache]) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 105
    assert max(len(line) for line in (heading, *lines)) <= 120
    assert heading.split() == [
        "model", "protocol", "method", "sparsity", "precision", "split", "seed", "auc", "±",
        "diff", "±diff", "uar", "zip_MiB", "zero_%", "ms", "mcnemar_p",
    ]  # fmt: skip
    assert all(len(line.split()) == 16 for line in lines)
    assert lines[0].split()[:7] == ["cnn", "clean", "none", "0", "float16", "1", "1234"]


def test_a_reader_that_has_gone_is_no_error(cache):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "edac_core", "table", "study", "--csv", *cache]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_of_the_table_says_where_all_columns_are(capsys):
    with pytest.raises(SystemExit):
        main(["table", "--help"])
    assert "--csv and --json print all columns" in " ".join(capsys.readouterr().out.split())


def test_table_of_an_unknown_study_names_the_known(cache, capsys):
    status, error = fails(capsys, "table", "stduy", *cache)
    assert status == 2
    assert "no study 'stduy'; choose from: study." in error


def test_export_writes_the_file_of_the_variant(cache, tmp_path, capsys):
    target = tmp_path / "model.tflite"
    arguments = ["--sparsity", "0.5", "--method", "constant", "--precision", "int8"]
    assert main(["export", "study", *arguments, "--output", str(target), *cache]) == 0
    assert target.read_bytes() == b"int8"
    assert "4 bytes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (["--sparsity", "0.7", "--precision", "int8"], "no sparsity 0.7; choose from: 0.5."),
        (["--sparsity", "0.5", "--precision", "int4"], "no precision int4; choose from: float32, int8."),
        (["--sparsity", "0.5", "--precision", "int8", "--method", "cubic"], "no method cubic; choose from: constant."),
        (["--sparsity", "0.5", "--precision", "int8", "--model", "cmm"], "no model cmm; choose from: cnn."),
        (["--sparsity", "0.5", "--precision", "int8", "--method", "constant", "--split-seed", "9"], "no split_seed 9; choose from: 1."),
    ],
)  # fmt: skip
def test_export_names_the_choice_that_is_not_there(cache, tmp_path, capsys, choice, sentence):
    status, error = fails(capsys, "export", "study", *choice, "--output", tmp_path / "x", *cache)
    assert status == 2
    assert sentence in error


SHIPPED_INT8 = ["export", "cnn", "--sparsity", "0.95", "--precision", "int8"]


@pytest.fixture
def shipped(monkeypatch):
    ship_from(SHIPPED, monkeypatch)


@pytest.mark.parametrize(
    ("name", "options"), [("variant.zip", []), ("variant.bin", ["--bundle"])]
)  # fmt: skip
def test_export_writes_a_bundle(shipped, tmp_path, capsys, name, options):
    target = tmp_path / name
    arguments = [*SHIPPED_INT8, *options, "--output", str(target), "--cache", str(tmp_path)]
    assert main([*arguments, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["bytes"] == target.stat().st_size
    assert facts["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    with zipfile.ZipFile(target) as archive:
        sizes = {item.filename: item.file_size for item in archive.infolist()}
        model = archive.read(f"{facts['folder']}/model.tflite")
    assert sizes == {f"{facts['folder']}/{file}": n for file, n in facts["files"].items()}
    assert hashlib.sha256(model).hexdigest() == facts["model_sha256"]


def test_export_tells_how_to_check_a_bundle(shipped, tmp_path, capsys):
    target = tmp_path / "variant.zip"
    assert main([*SHIPPED_INT8, "--output", str(target), "--cache", str(tmp_path)]) == 0
    folder = "cnn-polynomial-95-int8-split1-seed1234"
    assert f"unpack it and run python {folder}/check.py" in capsys.readouterr().out


def test_export_of_a_bundle_of_what_is_no_model(cache, tmp_path, capsys):
    arguments = ["--sparsity", 0.5, "--method", "constant", "--precision", "int8", "--bundle"]
    status, error = fails(
        capsys, "export", "study", *arguments, "--output", tmp_path / "x", *cache
    )  # fmt: skip
    assert status == 2
    assert "LiteRT cannot load these 4 bytes as a model" in error
    assert not (tmp_path / "x").exists()


def test_export_to_a_folder_that_is_not_there(cache, tmp_path, capsys):
    arguments = ["--sparsity", 0.5, "--method", "constant", "--precision", "int8"]
    target = tmp_path / "nowhere" / "model.tflite"
    status, error = fails(capsys, "export", "study", *arguments, "--output", target, *cache)
    assert status == 2
    assert f"{target} cannot be written: No such file or directory" in error


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (PLAN + "epocs = 3", "[training] has no setting 'epocs'; did you mean 'epochs'."),
        (PLAN.replace("synthetic", "sintetic"), "no data set 'sintetic'"),
        (PLAN.replace('"cnn"', '"cnm"'), "no model 'cnm'"),
        (PLAN + "[compression]\nsparsities = [1.5]", "Sparsity 1.5 is not a fraction"),
        ("name", "is not valid TOML"),
    ],
)
def test_a_plan_with_a_mistake_is_one_sentence(tmp_path, capsys, content, sentence):
    path = tmp_path / "plan.toml"
    path.write_text(content)
    status, error = fails(capsys, "run", path, "--cache", tmp_path / "cache")
    assert status == 2
    assert sentence in error


def test_missing_recordings_are_one_sentence(tmp_path, capsys):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.replace('"synthetic"', '"covid19-cough"\npath = "nowhere"'))
    status, error = fails(capsys, "run", path, "--cache", tmp_path / "cache", "--quiet")
    assert status == 2
    assert "edac data download covid19-cough" in error


def test_a_csv_without_its_columns_is_one_sentence(tmp_path, capsys):
    table = tmp_path / "mine.csv"
    table.write_text("file,label\nx.wav,1\n")
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.replace('"synthetic"', f'"folder"\npath = "{table}"'))
    status, error = fails(capsys, "run", path, "--cache", tmp_path / "cache", "--quiet")
    assert status == 2
    assert "path" in error


def test_a_damaged_store_is_one_sentence(filled, cache, capsys):
    filled.close()
    filled.path.write_bytes(b"junk" * 1000)
    status, error = fails(capsys, "status", *cache)
    assert status == 2
    assert "cannot be used: file is not a database" in error


def contents_of(folder):
    """Return the files of a folder; when a model was last used may be told by its time."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_readers_leave_a_store_as_it_is(filled, cache, tmp_path, capsys):
    filled.finish()
    filled.close()
    before = contents_of(filled.folder)
    output = str(tmp_path / "model.tflite")
    choice = ["--method", "constant", "--precision", "int8", "--output", output]
    for command in (["status"], ["table", "study"], ["export", "study", *choice]):
        assert main([*command, *cache]) == 0
    assert contents_of(filled.folder) == before
    capsys.readouterr()


def test_the_shipped_store_is_listed_once_however_it_is_named(filled, monkeypatch, capsys):
    ship_from(filled.folder, monkeypatch)
    filled.finish()
    filled.close()
    roundabout = filled.folder / ".." / filled.folder.name
    assert main(["status", "--json", "--cache", str(roundabout)]) == 0
    assert [row["study"] for row in json.loads(capsys.readouterr().out)] == ["study"]


def test_status_is_of_one_moment_of_a_run_that_goes_on(filled, split, cache, monkeypatch, capsys):
    """A job that is finished between two questions is in neither answer."""
    filled.claim("study", ["job", "later"])
    plain = Store.planned

    def planned_after_a_job(store, study):
        if store is not filled and filled.finished(["later"]) == set():
            filled.claim("study", ["job", "later", "last"])
            filled.put_job("later", stored.CONFIG, split.key, stored.make_result(split, "int8"))
        return plain(store, study)

    monkeypatch.setattr(Store, "planned", planned_after_a_job)
    assert main(["status", "--json", *cache]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["finished"], row["jobs"]) == (1, 2)


def test_an_interruption_says_how_to_go_on(monkeypatch, cache, capsys):
    def interrupt(_folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(studies, "open_stores", interrupt)
    status, error = fails(capsys, "status", *cache)
    assert status == 130
    assert "run the same command again to go on" in error


def test_data_list_names_the_data_sets(capsys):
    assert main(["data", "list", "--json"]) == 0
    assert {"covid19-cough", "folder", "synthetic"} <= set(
        json.loads(capsys.readouterr().out)["datasets"]
    )


def test_generated_recordings_are_written_to_the_cache_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("EDAC_CACHE_DIR", str(tmp_path / "other"))
    assert main(["data", "audit", "synthetic", "--cache", str(tmp_path / "named"), "--quiet"]) == 0
    assert list((tmp_path / "named" / "synthetic").rglob("*.flac"))
    assert not (tmp_path / "other").exists()
    assert locations.local_cache() == (tmp_path / "other").resolve()


def test_data_audit_counts_verdicts(tmp_path, capsys):
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 22_050))
    soundfile.write(tmp_path / "a.wav", noise[0], 22_050)
    soundfile.write(tmp_path / "b.wav", noise[1], 22_050)
    soundfile.write(tmp_path / "c.wav", noise[1] * 0, 22_050)
    (tmp_path / "mine.csv").write_text("path,label\na.wav,1\nb.wav,0\nc.wav,0\n")
    arguments = ["--path", str(tmp_path / "mine.csv"), "--cache", str(tmp_path), "--json"]
    assert main(["data", "audit", "folder", *arguments]) == 0
    verdicts = json.loads(capsys.readouterr().out.splitlines()[0])
    assert {row["verdict"]: row["recordings"] for row in verdicts} == {"usable": 2, "silent": 1}


def test_data_audit_takes_the_options_of_a_data_set(tmp_path, capsys):
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 22_050))
    soundfile.write(tmp_path / "a.wav", noise[0], 22_050)
    soundfile.write(tmp_path / "b.wav", noise[1], 22_050)
    (tmp_path / "mine.csv").write_text("path,label\na.wav,wet\nb.wav,dry\n")
    arguments = ["data", "audit", "folder", "--path", str(tmp_path / "mine.csv")]
    arguments += ["--cache", str(tmp_path), "--csv"]
    assert main([*arguments, "--option", "positive=wet"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out)).set_index("recording")
    assert table["label"].to_dict() == {"a.wav": 1, "b.wav": 0}
    assert main([*arguments, "--option", "negative=dry"]) == 2
    assert "no option 'negative': use positive" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("positive", "'positive' is not like positive=wet"),
        ("path=x", "an option of its own: --path"),
    ],
)
def test_an_option_of_a_data_set_that_is_none_is_refused(text, said, capsys):
    with pytest.raises(SystemExit):
        main(["data", "audit", "folder", "--option", text])
    assert said in capsys.readouterr().err


def test_data_audit_reads_numbers_as_numbers(tmp_path, capsys):
    arguments = ["--option", "n=12", "--cache", str(tmp_path), "--json"]
    assert main(["data", "audit", "synthetic", *arguments]) == 0
    verdicts = json.loads(capsys.readouterr().out.splitlines()[0])
    assert sum(row["recordings"] for row in verdicts) == 12


def test_resources_that_jobs_ask_for_reach_the_run(tmp_path, monkeypatch):
    asked = {}

    def run_study(_plan, **options):
        asked.update(options)
        return Summary("quick", 1, 1, 0)

    monkeypatch.setattr("edac_core.studies.run.run_study", run_study)
    plan = str(PROJECT / "plans" / "quick.toml")
    resources = ["--resource", "GPU=1", "--resource", "BIGMEM=0.5"]
    assert main(["run", plan, "--cache", str(tmp_path), "--quiet", *resources]) == 0
    assert asked["resources"] == {"GPU": 1, "BIGMEM": 0.5}


@pytest.mark.parametrize("text", ["GPU", "GPU=", "GPU=0", "=1", "GPU=inf", "GPU=one"])
def test_a_resource_that_is_none_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        main(["run", "plan.toml", "--resource", text])
    assert f"{text!r} is not like GPU=1" in capsys.readouterr().err


def test_a_cache_is_checked_and_mended(filled, cache, capsys):
    orphan = filled.folder / "models" / f"{'0' * 64}.tflite.xz"
    orphan.write_bytes(b"x")
    assert main(["cache", "check", *cache, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found if row["kind"] == "orphan"] == [f"models/{orphan.name}"]
    assert orphan.exists()
    assert main(["cache", "check", "--repair", *cache]) == 0
    assert f"orphan models/{orphan.name}: no variant has" in capsys.readouterr().out
    assert not orphan.exists()
    assert main(["cache", "check", *cache]) == 0
    assert capsys.readouterr().out.startswith("Nothing is amiss in ")


def test_a_cache_is_made_small_and_what_went_is_forgotten(filled, cache, capsys):
    int8 = filled.variants("study").set_index("precision").loc["int8"]
    took = {int8["key"]: Latency(1.0, 1.0, 1.0, 1)}
    filled.put_latencies(took, baseline=int8["key"], machine={})
    assert main(["cache", "evict", "--keep-gb", "0", *cache, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == 1
    assert not filled.model_path(int8["sha256"]).exists()
    assert main(["cache", "forget", "study", *cache]) == 0
    assert capsys.readouterr().out.startswith("1 jobs of study have lost a model file")
    assert filled.finished(["job"]) == set()


def test_a_limit_that_is_no_number_is_refused_before_a_run(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("EDAC_CACHE_BYTES", "20 GB")
    (tmp_path / "plan.toml").write_text(PLAN)
    status, error = fails(capsys, "run", tmp_path / "plan.toml", "--cache", tmp_path)
    assert status == cli.USAGE_ERROR
    assert "EDAC_CACHE_BYTES is '20 GB'" in error


def test_a_search_ends_within_the_limit(searched, tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setenv("EDAC_CACHE_BYTES", "1000")
    monkeypatch.setattr(eviction, "evict", lambda _cache, **options: asked.append(options))
    assert search_with(tmp_path) == 0
    assert asked == [{"keep_bytes": 1000}]
