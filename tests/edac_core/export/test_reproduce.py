import itertools
import shlex
import tomllib
from dataclasses import replace

import pytest

from edac_core.cli import make_parser
from edac_core.export.reproduce import export_command, name_again, narrowed, to_toml
from edac_core.locations import PROJECT
from edac_core.studies.jobs import expand
from edac_core.studies.plan import load_plan

PLANS = sorted((PROJECT / "plans").glob("*.toml"))


def again(plan, job, folder):
    """Write a job's plan as a bundle does, and read it as `edac run` does."""
    path = folder / "plan.toml"
    path.write_text(to_toml(narrowed(plan.to_dict(), job.to_dict())), encoding="utf-8")
    return load_plan(path)


def chain_of(family, job):
    """The jobs that a job starts from, one from the other, and itself."""
    if job is family.baseline:
        return [job]
    (chain,) = [chain for chain in family.chains if job in chain]
    return [family.baseline, *chain[: chain.index(job) + 1]]


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_the_plan_has_just_the_jobs_that_the_variant_takes(path, tmp_path):
    """Nothing of a job's configuration, and so of its key, is another than in its study."""
    plan = load_plan(path)
    for family in expand(plan):
        for job in itertools.islice(family.jobs, 0, None, 7):
            (found,) = expand(again(plan, job, tmp_path))
            assert list(found.jobs) == chain_of(family, job)


def test_it_is_a_study_of_its_own_and_knows_no_folder_of_ours(tmp_path):
    plan = load_plan(PROJECT / "plans" / "quick.toml")
    job = expand(plan)[0].baseline
    config = {**plan.to_dict(), "data": {**plan.to_dict()["data"], "path": "/home/me"}}
    text = to_toml(narrowed(config, job.to_dict()))
    assert "/home/me" not in text
    assert tomllib.loads(text)["name"] == "quick-again"
    assert tomllib.loads(text)["data"]["options"] == {"n": 240, "seed": 0}


def test_the_longest_name_still_makes_a_plan_that_runs(tmp_path):
    plan = replace(load_plan(PROJECT / "plans" / "quick.toml"), name=60 * "x")
    assert again(plan, expand(plan)[0].baseline, tmp_path).name == 54 * "x" + "-again"
    assert name_again(60 * "x") == 54 * "x" + "-again"


def test_options_of_any_name_come_back(tmp_path):
    quick = load_plan(PROJECT / "plans" / "quick.toml")
    plan = replace(quick, data=replace(quick.data, options={"a b": "\x7f", "é": [{"": 1}]}))
    found = again(plan, expand(plan)[0].baseline, tmp_path)
    assert found.data.options == plan.data.options


def test_a_users_own_network_is_a_file_beside_the_plan():
    config = {"model": "mine", "definition": "MODEL = 1", "protocol": "clean", "split_seed": 0,
              "training_seed": 1, "method": "none", "sparsity": 0.0}  # fmt: skip
    plan = {"name": "x", "training": {"models": ["/home/me/mine.py"]}}
    assert narrowed(plan, config)["training"]["models"] == ["network.py"]


@pytest.mark.parametrize(
    "value", ['a "b" \\ \n\t', "coughs é \N{SNOWMAN} \U0001f600", 1e-05, 0.999, True, [1, 2], []]
)
def test_toml_comes_back(value):
    plan = {"name": value, "data": {"options": {"x": value}, "path": None}}
    assert tomllib.loads(to_toml(plan)) == {"name": value, "data": {"options": {"x": value}}}


@pytest.mark.parametrize(("method", "sparsity"), [("polynomial", 0.999), ("none", 0)])
def test_the_command_line_takes_the_command(method, sparsity):
    row = {"model": "my net", "method": method, "sparsity": sparsity, "precision": "int8",
           "split_seed": 3, "training_seed": 1234}  # fmt: skip
    _, *words = shlex.split(export_command("cnn", row, output="x.zip"))
    options = make_parser().parse_args(words)
    assert (options.study, options.model, options.method) == ("cnn", "my net", method)
    assert (options.sparsity, options.split_seed, options.training_seed) == (sparsity, 3, 1234)
    assert options.output.name == "x.zip"
