# ruff: noqa: E501 - a table of mistakes reads best with a mistake a line
from datetime import date
from pathlib import Path

import pytest

from edac_core.errors import PlanError
from edac_core.locations import PROJECT
from edac_core.studies import protocols
from edac_core.studies.plan import PROTOCOLS, load_plan, parse_plan

MINIMAL = {
    "name": "tiny",
    "title": "Tiny",
    "data": {"dataset": "synthetic"},
    "training": {"models": ["cnn"]},
}


def changed(**tables):
    return MINIMAL | tables


def test_a_minimal_plan_has_defaults():
    plan = parse_plan(MINIMAL)
    assert plan.data.protocol == "clean"
    assert plan.training.seeds == (1234,)
    assert plan.compression.precisions == ("float32", "float16", "int8")


@pytest.mark.parametrize("path", sorted((PROJECT / "plans").glob("*.toml")), ids=lambda p: p.stem)
def test_plans_that_come_along_are_valid(path):
    assert load_plan(path).name == path.stem


def test_the_papers_study_has_all_its_levels():
    plan = load_plan(PROJECT / "plans" / "cnn.toml")
    assert len(plan.compression.sparsities) == 16
    assert len(plan.data.split_seeds) * len(plan.training.seeds) >= 3


def test_a_plan_survives_its_own_dict():
    plan = load_plan(PROJECT / "plans" / "cnn.toml")
    assert parse_plan(plan.to_dict()) == plan


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (changed(training={"modles": ["cnn"]}), r"\[training\] has no setting 'modles'; did you mean 'models'"),
        (changed(compresion={}), r"the plan has no setting 'compresion'; did you mean 'compression'"),
        (changed(training={}), r"\[training\] lacks the setting 'models'"),
        (changed(training=3), r"\[training\] must be a table of settings, not 3"),
        (changed(training={"models": ["cmm"]}), r"no model 'cmm'; choose from: cnn"),
        (changed(training={"models": []}), r"models is empty; list at least one"),
        (changed(training={"models": "cnn"}), r"models in \[training\] must be a list, not 'cnn'"),
        (changed(training={"models": ["cnn"], "epochs": 0}), r"epochs in \[training\] must be at least 1, not 0"),
        (changed(training={"models": ["cnn"], "epochs": "9"}), r"epochs in \[training\] must be a whole number, not '9'"),
        (changed(training={"models": ["cnn"], "epochs": True}), r"must be a whole number, not True"),
        (changed(data={"dataset": "coswarra"}), r"no data set 'coswarra'; choose from: .*synthetic"),
        (changed(name="x" * 61), r"The name 'x{20}'... has 61 characters; use at most 60"),
        (changed(data={"dataset": "synthetic", "protocol": "dirty"}), r"no protocol 'dirty'; choose from: clean, paper"),
        (changed(compression={"sparsities": [90]}), r"Sparsity 90 is not a fraction between 0 and 1"),
        (changed(compression={"sparsities": [0.0]}), r"leave 0 out"),
        (changed(compression={"sparsities": [float("nan")]}), r"Sparsity nan is not a fraction"),
        (changed(compression={"sparsities": [0.5, 0.5]}), r"sparsities lists 0.5 twice"),
        (changed(compression={"schedules": ["cubic"]}), r"no schedule 'cubic'"),
        (changed(compression={"methods": ["magic"]}), r"no method 'magic'"),
        (changed(compression={"methods": ["constant"]}), r"'constant' is a schedule of magnitude pruning; list it in schedules"),
        (changed(compression={"methods": ["movement"]}), r"'movement' needs sparsities; list at least one"),
        (changed(compression={"methods": ["movement", "movement:0.5"], "sparsities": [0.5]}), r"'movement' is there twice at sparsity 0.5"),
        (changed(compression={"methods": ["qat", "qat"]}), r"methods lists 'qat' twice"),
        (changed(compression={"recipes": {"tiny": 3}}), r"recipe 'tiny' must be a text such as 'width:0.9', not 3"),
        (changed(compression={"recipes": {"qat": "width:0.9"}}), r"cannot be called 'qat', which is a method"),
        (changed(compression={"recipes": {"tiny": "width"}}), r"does not say how much 'width' removes"),
        (changed(compression={"graph": "drawn"}), r"no graph 'drawn'; choose from: rewritten, published"),
        (changed(compression={"precisions": ["int4"]}), r"no precision 'int4'"),
        (changed(compression={"precisions": ["int8"]}), r"precisions lacks 'float32'; add it"),
        (changed(compression={"precisions": []}), r"precisions is empty"),
        (changed(compression={"start": "last"}), r"no start 'last'; choose from: baseline, previous"),
        (changed(compression={"decay_end": "never"}), r"no decay_end 'never'; choose from: last update, last step"),
        (changed(compression={"sparsities": [0.5], "initial_sparsity": 0.5}), r"initial_sparsity 0.5 is not at least 0 and below the lowest of the sparsities, 0.5"),
        (changed(training={"models": ["nowhere.py"]}), r"model file .*nowhere.py cannot be read"),
        (changed(name="../x"), r"name '../x' may hold letters, digits"),
        (changed(name=7), r"name in the plan must be a text, not 7"),
        (changed(name="a\0b"), r"name in the plan has a null character in 'a.x00b'"),
        (changed(data={"dataset": "synthetic", "options": 3}), r"options in \[data\] must be a table of settings, not 3"),
        (changed(data={"dataset": "synthetic", "options": {"since": date(2020, 1, 1)}}), r"options in \[data\] holds 2020-01-01; write it as a text"),
        (changed(data={"dataset": "synthetic", "options": {"a": [{"b": float("nan")}]}}), r"options in \[data\] holds nan, which is no number"),
        (changed(data={"dataset": "synthetic", "split_seeds": [0, -1]}), r"split_seeds lists -1, and a seed cannot be below 0"),
        (changed(training={"models": ["cnn"], "seeds": [2**32]}), r"seeds in \[training\] holds a number beyond 4,294,967,295"),
        (changed(compression={"sparsities": [10**400]}), r"sparsities in \[compression\] holds a number beyond"),
        (changed(compression={"recipes": ["width:0.9"]}), r"recipes in \[compression\] must be a table"),
        (changed(compression={"recipes": {"none": "width:1e-17"}}), "A recipe cannot be called 'none'"),
        (changed(compression={"recipes": {"nothing": "width:1e-17"}}), r"Sparsity 1e-17 is not a fraction"),
        (changed(compression={"recipes": {"all": "width:0.9999999+polynomial:0.9999999"}}), "leaves no weights; let it remove less"),
        (changed(compression={"methods": ["width:0.9999999+polynomial:0.9999999"]}), "leaves no weights; let it remove less"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_that_names_it(content, sentence):
    with pytest.raises(PlanError, match=sentence):
        parse_plan(content)


def test_protocols_are_those_that_can_be_followed():
    assert tuple(protocols.PROTOCOLS) == PROTOCOLS


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PlanError, match=r"nowhere.toml cannot be read: No such file"):
        load_plan(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    "content",
    [
        b"name = ",
        b"\xff\xfe",
        b"name = " + b"9" * 5_000,
        b"a = " + b"[" * 5_000,
        b"a = " + b"{a=" * 3_000,
    ],
    ids=["cut off", "not UTF-8", "5,000 digits", "5,000 lists", "3,000 tables"],
)
def test_a_file_that_is_not_toml_is_named(tmp_path, content):
    path = Path(tmp_path / "broken.toml")
    path.write_bytes(content)
    with pytest.raises(PlanError, match=r"broken.toml is not valid TOML"):
        load_plan(path)


@pytest.mark.parametrize("path", sorted((PROJECT / "plans").glob("*.toml")), ids=lambda p: p.stem)
def test_a_plan_survives_its_own_toml(path, tmp_path):
    plan = load_plan(path)
    (tmp_path / "plan.toml").write_text(plan.to_toml(), "utf-8")
    assert load_plan(tmp_path / "plan.toml") == plan


@pytest.mark.parametrize(
    "text", ['a "b" \\ c', "tab\t, new\nline", "\x7f\x01", "é 猫 \U0001f600", "'"]
)
def test_any_text_survives_in_toml(text, tmp_path):
    options = {"some key": text, "flag": True, "small": 1e-7, "list": [1, 2.5]}
    plan = parse_plan(changed(title=text, data={"dataset": "synthetic", "options": options}))
    (tmp_path / "plan.toml").write_text(plan.to_toml(), "utf-8", newline="")
    assert load_plan(tmp_path / "plan.toml") == plan


def test_methods_and_recipes_survive_toml(tmp_path):
    compression = {
        "methods": ["structured-taylor", "movement:0.9", "qat"], "sparsities": [0.5, 0.9],
        "recipes": {"tiny": "width-distilled:0.99+polynomial:0.5"},
    }  # fmt: skip
    plan = parse_plan(changed(compression=compression))
    (tmp_path / "plan.toml").write_text(plan.to_toml(), encoding="utf-8")
    assert load_plan(tmp_path / "plan.toml") == plan


@pytest.mark.parametrize("recipe", ["width:0.9", " width:0.9+qat", "width-distilled:0.9"])
def test_a_network_without_widths_cannot_be_built_smaller(tmp_path, recipe):
    own = (PROJECT / "docs" / "examples" / "tiny_net.py").read_text(encoding="utf-8")
    (tmp_path / "own.py").write_text(own, encoding="utf-8")
    content = changed(training={"models": ["own.py"]}, compression={"methods": [recipe]})
    with pytest.raises(PlanError, match=r"'\S+' cannot be built smaller; give its build function"):
        parse_plan(content, folder=tmp_path)
