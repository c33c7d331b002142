import ast
import dataclasses
import importlib.metadata
import shutil
import sys

import pytest

from edac_core.frontends import FRONTENDS
from edac_core.studies import jobs
from edac_core.studies.jobs import Job, expand, job_keys, training_key
from edac_core.studies.plan import parse_plan


def plan(*, training=None, **compression):
    return parse_plan(
        {
            "name": "tiny",
            "title": "Tiny",
            "data": {"dataset": "synthetic", "split_seeds": [1, 2]},
            "training": {"models": ["cnn"], "seeds": [5, 6, 7], **(training or {})},
            "compression": {"sparsities": [0.5, 0.9], **compression},
        }
    )


def all_keys(some_plan, fingerprint="data"):
    return [key for family in expand(some_plan) for key in job_keys(family, fingerprint).values()]


def levels(family):
    return [job for job in family.jobs if not job.is_baseline]


def test_a_family_for_each_split_and_training_seed():
    families = expand(plan())
    assert len(families) == 6
    assert all(len(family.jobs) == 5 for family in families)
    assert all(family.baseline.is_baseline for family in families)


def test_keys_are_unique_and_repeatable():
    keys = all_keys(plan())
    assert len(set(keys)) == len(keys) == 30
    assert all_keys(plan()) == keys


def test_the_papers_recipe_fills_what_the_plan_leaves_open():
    family = expand(plan())[0]
    assert (family.baseline.epochs, family.baseline.patience) == (200, 10)
    assert {level.epochs for level in levels(family)} == {10}
    assert {level.frequency for level in levels(family)} == {1, 100}


def test_a_plans_batch_size_is_that_of_training_from_scratch():
    family = expand(plan(training={"batch_size": 8}, methods=["width"]))[0]
    assert family.baseline.batch_size == 8
    assert {job.training_batch_size for job in family.jobs} == {8}
    assert {level.batch_size for level in levels(family)} == {32}
    assert family.baseline != expand(plan())[0].baseline


def test_smaller_networks_may_be_trained_longer():
    methods = ["width", "structured-norm"]
    first = expand(plan(methods=methods))[0]
    second = expand(plan(methods=methods, training_epochs=600))[0]
    epochs = {job.method: job.training_epochs for job in second.jobs}
    assert epochs.pop("width") == 600
    assert set(epochs.values()) == {200}
    known = set(first.jobs)
    assert {job.method for job in second.jobs if job not in known} == {"width"}


def test_other_data_gives_other_keys():
    assert not set(all_keys(plan())) & set(all_keys(plan(), "other data"))


def test_other_fine_tuning_leaves_the_baselines_known():
    first, second = expand(plan())[0], expand(plan(epochs=3))[0]
    one, other = job_keys(first, "data"), job_keys(second, "data")
    assert one[first.baseline] == other[second.baseline]
    assert not {one[level] for level in levels(first)} & {other[level] for level in levels(second)}


def test_the_schedules_frequency_counts_only_where_it_is_used():
    first, second = expand(plan())[0], expand(plan(frequency=10))[0]
    one, other = job_keys(first, "data"), job_keys(second, "data")
    same = {one[level] for level in levels(first)} & {other[level] for level in levels(second)}
    assert {level.method for level in levels(first) if one[level] in same} == {"constant"}


def test_another_baseline_gives_other_levels():
    family = expand(plan())[0]
    other = dataclasses.replace(family, baseline=dataclasses.replace(family.baseline, epochs=9))
    one, two = job_keys(family, "data"), job_keys(other, "data")
    assert not set(one.values()) & set(two.values())


def test_levels_that_go_on_from_each_other_depend_on_each_other():
    family = expand(plan(start="previous"))[0]
    assert [[job.sparsity for job in chain] for chain in family.chains] == [[0.5, 0.9], [0.5, 0.9]]
    other = expand(plan(start="previous", sparsities=[0.6, 0.9]))[0]
    one, two = job_keys(family, "data"), job_keys(other, "data")
    same_last = [
        (chain[-1], again[-1]) for chain, again in zip(family.chains, other.chains, strict=True)
    ]
    assert all(first == second and one[first] != two[second] for first, second in same_last)


def test_levels_from_the_baseline_do_not_depend_on_each_other():
    family, other = (expand(plan(sparsities=list(s)))[0] for s in ((0.5, 0.9), (0.6, 0.9)))
    assert all(len(chain) == 1 for chain in family.chains)
    one, two = job_keys(family, "data"), job_keys(other, "data")
    shared = [level for level in levels(family) if level.sparsity == 0.9]
    assert len(shared) == 2
    assert all(one[level] == two[level] for level in shared)


def test_another_library_version_gives_other_keys(monkeypatch):
    before = all_keys(plan())
    monkeypatch.setattr(jobs, "versions", lambda: {"tensorflow": "0"})
    assert not set(before) & set(all_keys(plan()))


def changed(value):
    """Return another value of the same type."""
    if isinstance(value, str):
        return f"{value} changed"
    return (*value, "more") if isinstance(value, tuple) else (value or 0) + 1


@pytest.mark.parametrize("name", [item.name for item in dataclasses.fields(Job)])
def test_each_field_of_a_level_is_in_its_key(name):
    family = expand(plan())[0]
    (level,) = family.chains[0]
    other = dataclasses.replace(level, **{name: changed(getattr(level, name))})
    chains = ((other,), *family.chains[1:])
    keys = job_keys(family, "data")
    assert job_keys(dataclasses.replace(family, chains=chains), "data")[other] != keys[level]


@pytest.mark.parametrize(
    "name", [item.name for item in dataclasses.fields(Job) if item.name != "definition"]
)
def test_each_field_of_a_baseline_is_in_the_keys_of_all_that_comes_of_it(name):
    """But for the text of a network of one's own, which has to be one; see the level."""
    family = expand(plan())[0]
    value = "cnn_lstm" if name == "model" else changed(getattr(family.baseline, name))
    other = dataclasses.replace(family.baseline, **{name: value})
    again = dataclasses.replace(family, baseline=other)
    assert not set(job_keys(family, "data").values()) & set(job_keys(again, "data").values())
    trained_alike = training_key(other, "data") == training_key(family.baseline, "data")
    assert trained_alike == (name == "precisions")


@pytest.fixture
def installed(monkeypatch):
    """Returns a function that makes a library be of another version; nothing is remembered."""

    def install(library, version):
        plain = importlib.metadata.version
        monkeypatch.setattr(
            importlib.metadata,
            "version",
            lambda name: version if name == library else plain(name),
        )
        forget()

    def forget():
        jobs.versions.cache_clear()
        jobs._version.cache_clear()

    forget()
    yield install
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize("library", jobs._LIBRARIES)
def test_each_librarys_version_is_in_every_key(installed, library):
    before = set(all_keys(plan()))
    installed(library, "0.0.changed")
    assert not before & set(all_keys(plan()))


@pytest.mark.parametrize(
    ("model", "library"),
    [("cnn", name) for name in FRONTENDS["mfcc"].libraries]
    + [("cnn_lstm", name) for name in FRONTENDS["mel_image"].libraries]
    + [("dense_a", name) for name in FRONTENDS["compare"].libraries],
)
def test_the_versions_of_a_front_ends_libraries_are_in_the_keys(installed, model, library):
    some_plan = plan(training={"models": [model]})
    before = set(all_keys(some_plan))
    installed(library, "0.0.changed")
    assert not before & set(all_keys(some_plan))


# What is imported by code in the fingerprint, but decides no result.
UNVERSIONED = {
    "av": "what it decodes is hashed, sample by sample, with the data",
    "flatbuffers": "lays out bytes as the format says",
    "pandas": "hands tables about",
    "sklearn": "judges layers for `edac sensitivity`, which is not a job",
    "threadpoolctl": "keeps threads out of each other's way",
}
_DISTRIBUTIONS = {"cv2": "opencv-python-headless"}


def third_party_imports():
    trees = [ast.parse((jobs._PACKAGE / name).read_text()) for name in jobs.computing_files()]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    tops = {name.split(".")[0] for name in names}
    return tops - set(sys.stdlib_module_names) - {"edac_core"}


def test_the_version_of_every_library_that_computes_is_in_the_keys():
    versioned = {
        *jobs._LIBRARIES,
        *(name for each in FRONTENDS.values() for name in each.libraries),
    }
    imported = third_party_imports()
    missing = {
        name
        for name in imported
        if _DISTRIBUTIONS.get(name, name.replace("_", "-")) not in versioned
    }
    assert missing == set(UNVERSIONED)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the program's code."""
    folder = tmp_path_factory.mktemp("copy") / "edac_core"
    shutil.copytree(jobs._PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("name", jobs.computing_files())
def test_the_code_of_each_module_that_computes_is_in_the_fingerprint(monkeypatch, package, name):
    monkeypatch.setattr(jobs, "_PACKAGE", package)
    monkeypatch.setattr(jobs, "_code", str)  # What it leaves out is tested below.
    fingerprint = jobs._fingerprint_of.__wrapped__
    before = fingerprint(jobs._COMPUTING)
    source = (package / name).read_text()
    (package / name).write_text(source + "CHANGED = 1\n")
    assert fingerprint(jobs._COMPUTING) != before
    (package / name).write_text(source)
    assert fingerprint(jobs._COMPUTING) == before


@pytest.mark.parametrize("name", jobs.computing_files())
def test_comments_and_layout_of_a_module_are_not_in_the_fingerprint(name):
    source = (jobs._PACKAGE / name).read_text()
    rewritten = ast.unparse(ast.parse(source))
    assert jobs._code(rewritten) == jobs._code(source)
    assert jobs._code(rewritten + "\nCHANGED = 1") != jobs._code(source)


# Modules that a worker imports for a job, but that decide no result.
NOT_FINGERPRINTED = {
    "__init__.py": "the program's version, which rises with what computes nothing as well",
    "errors.py": "exceptions",
    "locations.py": "names of folders",
    "datasets/": "the recordings it finds are in the data's fingerprint, row by row",
    "measure/__init__.py": "nothing",
    "measure/latency.py": "latency is measured by the run, not by a job",
    "measure/memory.py": "what a job costs, not what comes of it",
    "studies/__init__.py": "a name",
    "studies/inputs.py": "its sets, front-end and seed are in the data's fingerprint",
    "studies/jobs.py": "a job's fields are in its key one by one",
    "studies/plan.py": "becomes the fields of jobs",
    "studies/protocols.py": "the sets it makes are in the data's fingerprint, row by row",
    "studies/schema.py": "keeps results as they are",
    "studies/store.py": "keeps results as they are",
}


def imported_by(name):
    """Return the program's modules that one of them imports, at its top or within functions."""
    found = set()
    for node in ast.walk(ast.parse((jobs._PACKAGE / name).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {file for module in found for file in files_of(module)}


def files_of(module):
    """Yield the files that importing a module runs: its packages' and its own."""
    top, *names = module.split(".")
    if top != jobs._PACKAGE.name:
        return
    for depth in range(len(names) + 1):
        base = "/".join(names[:depth])
        for file in (f"{base}.py", f"{base}/__init__.py".removeprefix("/")):
            if (jobs._PACKAGE / file).is_file():
                yield file


def reached_from(start):
    reached, left = set(), {start}
    while left:
        name = left.pop()
        reached.add(name)
        left |= imported_by(name) - reached
    return reached


def test_every_module_that_a_job_imports_is_in_the_fingerprint_or_has_a_reason():
    reached = reached_from("studies/work.py")
    assert {"compress/pruning.py", "models/backend.py", "datasets/audit.py"} <= reached
    left_out = reached - set(jobs.computing_files())
    assert {name for name in left_out if not name.startswith(tuple(NOT_FINGERPRINTED))} == set()
    for reasoned in NOT_FINGERPRINTED:
        assert any(name.startswith(reasoned) for name in left_out), reasoned


def test_changed_code_gives_other_keys_but_comments_do_not():
    code = 'def f():\n    """Doc."""\n    return 1\n'
    assert jobs._code(code) == jobs._code('def f():\n    """Other."""\n    # why\n    return 1\n')
    assert jobs._code(code) != jobs._code(code.replace("1", "2"))


def test_a_string_below_a_constant_is_a_remark_and_one_in_it_is_not():
    code = 'RATE = 0.5\n"""Of dropout."""\nNAME = "cnn"\n'
    assert jobs._code(code) == jobs._code('RATE = 0.5\nNAME = "cnn"\n')
    assert jobs._code(code) != jobs._code(code.replace("cnn", "lstm"))


def test_all_versions_of_python_read_the_same():
    """The digest is that of Python 3.11, 3.12 and 3.13, whose ast.dump are three."""
    code = 'class A(B):\n    def f(self, x: int = 1) -> str:\n        return f"{x!r:>{x}}" "and"\n'
    assert jobs._hash(jobs._code(code)) == "2a12018ece56c35d51f4b191ba1aa335"


def test_the_fingerprint_covers_what_computes():
    names = jobs.computing_files()
    assert {
        "audio.py", "operations.py", "compress/pruning.py", "models/cnn.py", "studies/work.py"
    } <= set(names)  # fmt: skip
    assert not {"cli/studies.py", "studies/store.py", "studies/run.py"} & set(names)


def others(some_plan):
    return [
        job for job in levels(expand(some_plan)[0]) if job.method not in ("constant", "polynomial")
    ]


def test_methods_give_a_level_for_each_sparsity_they_take():
    methods = ["structured-taylor", "qat", "movement:0.7", "polynomial+cluster-16"]
    jobs_of = others(plan(methods=methods, recipes={"tiny": "width:0.9+polynomial:0.5"}))
    assert [(job.method, job.sparsity, job.recipe) for job in jobs_of] == [
        ("structured-taylor", 0.5, "structured-taylor:0.5"),
        ("structured-taylor", 0.9, "structured-taylor:0.9"),
        ("qat", 0.0, "qat"),
        ("movement", 0.7, "movement:0.7"),
        ("polynomial+cluster-16", 0.5, "polynomial:0.5+cluster-16"),
        ("polynomial+cluster-16", 0.9, "polynomial:0.9+cluster-16"),
        ("tiny", 0.95, "width:0.9+polynomial:0.5"),
    ]


def test_only_magnitude_pruning_goes_on_from_the_level_before():
    family = expand(plan(methods=["movement"], start="previous"))[0]
    assert [[job.method for job in chain] for chain in family.chains] == [
        ["constant"] * 2, ["polynomial"] * 2, ["movement"], ["movement"],
    ]  # fmt: skip
    assert [job.goes_on for job in family.jobs] == [True] * 5 + [False] * 2


def test_baselines_are_the_papers_graph_and_the_rest_is_rewritten():
    family = expand(plan())[0]
    assert family.baseline.graph == "published"
    assert {job.graph for job in levels(family)} == {"rewritten"}


def test_how_a_baseline_is_stored_does_not_change_its_training():
    one, other = (expand(plan(precisions=names))[0].baseline
                  for names in (["float32"], ["float32", "int8"]))  # fmt: skip
    assert training_key(one, "data") == training_key(other, "data")
    assert training_key(one, "data") != training_key(one, "other data")
    longer = dataclasses.replace(one, epochs=9, training_epochs=9)
    assert training_key(one, "data") != training_key(longer, "data")
