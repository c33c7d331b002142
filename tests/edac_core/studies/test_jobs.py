import dataclasses

from edac_core.studies import jobs
from edac_core.studies.jobs import expand, job_keys
from edac_core.studies.plan import parse_plan


def plan(**compression):
    return parse_plan(
        {
            "name": "tiny",
            "title": "Tiny",
            "data": {"dataset": "synthetic", "split_seeds": [1, 2]},
            "training": {"models": ["cnn"], "seeds": [5, 6, 7]},
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
    assert {level.schedule for level in levels(first) if one[level] in same} == {"constant"}


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
