import dataclasses

from edac_core.studies import jobs
from edac_core.studies.jobs import expand, job_keys, training_key
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


def test_changed_code_gives_other_keys_but_comments_do_not():
    code = 'def f():\n    """Doc."""\n    return 1\n'
    assert jobs._code(code) == jobs._code('def f():\n    """Other."""\n    # why\n    return 1\n')
    assert jobs._code(code) != jobs._code(code.replace("1", "2"))


def test_the_fingerprint_covers_what_computes():
    names = jobs.computing_files()
    assert {
        "audio.py", "operations.py", "compress/pruning.py", "models/cnn.py", "studies/work.py"
    } <= set(names)  # fmt: skip
    assert not {"cli.py", "studies/store.py", "studies/run.py"} & set(names)


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
