import shutil

import pytest

from dashboard.choices import (
    SPARSITY,
    Network,
    default_level,
    default_method,
    default_run,
    describe_progress,
    describe_start,
)
from dashboard.studies import find_studies, read_figures
from edac_core.studies.select import smallest_within


@pytest.fixture
def network(stores, made_up):
    stores(shipped=made_up)
    (study,), _ = find_studies()
    return Network(study, read_figures(study), "cnn")


def test_what_can_be_chosen_is_in_the_usual_order(network):
    assert network.precisions == ["float32", "float16", "int8"]
    assert network.methods == ["polynomial", "constant"]
    assert network.levels(method="constant", precision="int8") == [0.0, 0.5, 0.95]
    assert network.runs == [(0, 1234), (0, 1235), (1, 1234)]


def test_only_this_networks_rows(network):
    assert set(network.summary["model"]) == {"cnn"}
    row = network.row(method="constant", sparsity=0.5, precision="int8")
    assert (row["model"], row["method"], row["sparsity"]) == ("cnn", "constant", 0.5)
    assert len(network.files(row)) == 3
    assert set(network.files(row)["method"]) == {"constant"}
    assert network.groups(row)["group"].tolist() == ["call-center", "telegram"]


def test_no_sparsity_is_the_baseline_of_any_schedule(network):
    row = network.row(method="constant", sparsity=0.0, precision="float32")
    assert row.name == network.baseline.name


def test_the_page_opens_at_the_smallest_that_keeps_its_auc(network):
    start = smallest_within(network.summary, loss=0.01).iloc[0]
    levels = network.levels(method=default_method(network), precision=start["precision"])
    assert default_level(network, levels) == start["sparsity"]
    assert start["precision"] in describe_start(network)
    assert "x smaller" in describe_start(network)


def test_the_page_opens_at_the_first_run_whose_file_is_here(stores, made_up, tmp_path):
    shutil.copytree(made_up, tmp_path / "store")
    stores(local=tmp_path / "store")
    (study,), _ = find_studies()

    def network():
        return Network(study, read_figures(study), "cnn")

    row = network().row(method="constant", sparsity=0.5, precision="int8")
    files = network().files(row)["sha256"]
    assert default_run(network(), row) == "1"
    assert network().present_files(row) == dict(zip("123", files, strict=True))
    for sha256 in files[:2]:
        (tmp_path / "store" / "models" / f"{sha256}.tflite.xz").unlink()
    assert network().present_files(row) == {"3": files[2]}
    assert default_run(network(), row) == "3"
    (tmp_path / "store" / "models" / f"{files[2]}.tflite.xz").unlink()
    assert network().present_files(row) == {}
    assert default_run(network(), row) == "1"


def test_files_and_sources_are_of_the_row_alone(network):
    row = network.row(method="polynomial", sparsity=0.95, precision="float16")
    files = network.files(row)
    assert set(files["precision"]) == {"float16"}
    assert set(files["sparsity"]) == {0.95}
    assert files["auc"].mean() == pytest.approx(row["auc"])
    groups = network.groups(row)
    assert set(groups["precision"]) == {"float16"}
    assert groups["n"].sum() == 190


def test_a_network_of_ones_own_has_the_name_it_was_given(stores, tmp_path, build):
    build(tmp_path, models=("my_*net*",), runs=((0, 1),), precisions=("float32",))
    stores(local=tmp_path)
    (study,), _ = find_studies()
    sentence = describe_start(Network(study, read_figures(study), "my_*net*"))
    assert "The smallest my_*net* here" in sentence.replace("\\", "")
    assert r"my\_\*net\*" in sentence


@pytest.mark.parametrize("hidden", ["none", "constant"])
def test_a_study_that_is_still_running_can_be_shown(stores, tmp_path, build, hidden):
    levels = [level for level in (("none", 0.0), ("constant", 0.5)) if level[0] != hidden]
    build(tmp_path, levels=levels, precisions=("float32", "int8"))
    stores(local=tmp_path)
    (study,), _ = find_studies()
    network = Network(study, read_figures(study), "cnn")
    levels = network.levels(method=default_method(network), precision="int8")
    assert default_level(network, levels) in levels
    assert describe_start(network)


@pytest.mark.parametrize("asked", ["99.9", "99.90", "99.9 %", "99.9%"])
def test_sparsity_is_understood_as_people_write_it(asked):
    assert SPARSITY.same("99.9", asked)


@pytest.mark.parametrize("asked", ["99", "", "nan", "ninety", "0.999"])
def test_other_sparsities_are_not(asked):
    assert not SPARSITY.same("99.9", asked)


def test_a_study_whose_runs_are_complete_says_nothing(network):
    assert describe_progress(network) is None


def test_variants_that_lack_runs_are_counted(network):
    network.summary.loc[network.summary.index[:2], "runs"] = 1
    assert describe_progress(network).startswith("2 of 15 variants do not have all 3 runs yet")
