import dataclasses
import hashlib
import lzma
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
import tiny
from distributed import LocalCluster
from sklearn.metrics import roc_auc_score

from edac_core.compress.methods import METHODS, parse_recipe
from edac_core.errors import ModelError, PlanError, StoreError
from edac_core.measure.discrimination import auc_interval, auc_within, decide
from edac_core.measure.latency import Latency
from edac_core.measure.size import Size
from edac_core.models import MODELS
from edac_core.models.examples import Examples
from edac_core.studies import latencies
from edac_core.studies import run as run_module
from edac_core.studies import search as search_module
from edac_core.studies.inputs import SplitInputs
from edac_core.studies.plan import parse_plan
from edac_core.studies.run import run_study
from edac_core.studies.search import Candidate, Space, front_of, search, suggest_recipe
from edac_core.studies.select import Limits
from edac_core.studies.store import JobResult, Scores, SplitRecord, Store, VariantResult

PLAN = parse_plan(
    {
        "name": "tiny",
        "title": "Tiny",
        "data": {"dataset": "synthetic", "split_seeds": [1, 2]},
        "training": {"models": ["cnn"]},
        "compression": {"precisions": ["float32", "int8"], "sparsities": [0.5]},
    }
)
RUNS = 2
BYTES = {"float32": 4, "int8": 1}


def inputs_of(seed, test_labels=None):
    rng = np.random.default_rng(seed)
    sets = ["train"] * 4 + ["validation"] * 40 + ["test"] * 20
    labels = np.concatenate([[0, 1] * 2, rng.permutation([0, 1] * 20), [0, 1] * 10])
    if test_labels is not None:
        labels[-20:] = test_labels
    table = pd.DataFrame(
        {
            "recording": [f"r{index}" for index in range(len(sets))],
            "label": labels, "group": "all", "participant": None, "set": sets, "copy": "",
        }
    )  # fmt: skip

    def examples(name):
        own = table.loc[table["set"] == name, "label"].to_numpy()
        return Examples(np.zeros((len(own), 12, 8, 1), np.float32), own)

    return SplitInputs(
        SplitRecord(f"split{seed}", seed, table), f"split{seed}",
        examples("train"), examples("validation"), examples("test"), ("all",) * 20,
    )  # fmt: skip


def made_up(job, precision, inputs):
    """A variant that is worse the less is left of it."""
    content = f"{job.recipe} {precision}".encode()
    rng = np.random.default_rng([job.split_seed, *content])
    worth = 2 + 0.3 * np.log(1.001 - job.sparsity)
    validation, test = (
        (each.labels * worth + rng.normal(size=len(each.labels))).astype(np.float32)
        for each in (inputs.validation, inputs.test)
    )
    size = int(1e5 * (1.001 - job.sparsity) * BYTES[precision]) + job.split_seed
    return VariantResult(
        precision=precision, packed=lzma.compress(content),
        sha256=hashlib.sha256(content).hexdigest(), size=Size(4 * size, size, size, 100, 50),
        scores=Scores(validation, test), auc=auc_interval(inputs.test.labels, test),
        groups=auc_within(inputs.test.labels, test, inputs.groups),
        decision=decide(inputs.test.labels, test, threshold=0.5),
    )  # fmt: skip


def quick_latencies(models, _inputs, *, calls):
    return {
        key: Latency(int(key[:2], 16) / 10 + 1, 2, 1.5, calls)
        for key in models
    }  # fmt: skip


@pytest.fixture(scope="module")
def scheduler():
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def quick(monkeypatch, scheduler):
    """Replace data and work by quick ones; return what jobs were done, and options of them."""

    def perform(job, inputs, _start, _threads):
        for step in job.steps:
            if step.method in seen.refused:
                raise ModelError(f"{step.method} is not for it.")
        if job.is_baseline and seen.no_baselines:
            raise ModelError("It diverged.")
        only = ("int8",) if "qat" in job.recipe else job.precisions
        variants = tuple(made_up(job, precision, inputs) for precision in only)
        refusals = {name: "It has none." for name in job.precisions if name not in only}
        weights = b"weights" if job.goes_on else None
        return JobResult(variants, job.sparsity, 1.0, (), weights, {}, refusals)

    def run(plan, *, cache, workers, listener):
        def listen(event):
            if event.kind in {"finished", "failed"}:
                seen.jobs.append(event.text)
            listener(event)

        return run_study(plan, cache=cache, scheduler=scheduler, listener=listen)

    seen = SimpleNamespace(jobs=[], refused=(), no_baselines=False, test_labels=None)
    data = SimpleNamespace(audit=SimpleNamespace(usable=None), facts=lambda: {"synthetic": True})
    monkeypatch.setattr(run_module, "perform", perform)
    monkeypatch.setattr(run_module, "open_data", lambda *_a, **_k: data)
    monkeypatch.setattr(
        run_module, "prepare", lambda _usable, *, seed, **_k: inputs_of(seed, seen.test_labels)
    )
    monkeypatch.setattr(latencies, "measure_latency", quick_latencies)
    monkeypatch.setattr(search_module, "run_study", run)
    return seen


def ignore(_event):
    """Listen to nothing."""


def find(cache, trials, plan=PLAN, space=None, **options):
    return search(plan, space, cache=cache, trials=trials, **{"listener": ignore} | options)


def opened(found, minimise="zip_bytes"):
    return optuna.load_study(study_name=f"{found.study}, {minimise}", storage=found.storage)


def recipes(found):
    """Recipes in the order in which they were first tried."""
    told = [trial.user_attrs for trial in opened(found).trials]
    return list(dict.fromkeys(facts["recipe"] for facts in told if facts))


def test_each_recipe_is_in_the_store_with_all_its_variants(tmp_path, quick):
    found = find(tmp_path, 4)
    store = Store(tmp_path)
    assert list(store.studies()["name"]) == ["tiny-search"]
    tried = {config["recipe"] for config in store.jobs("tiny-search")["config"]} - {""}
    store.close()
    assert tried == set(recipes(found))
    assert len(tried) == 4
    assert len(opened(found).trials) == 8
    assert len(set(quick.jobs)) == len(quick.jobs) == RUNS * (1 + 4)


def test_figures_are_means_over_runs_of_the_validation_set(tmp_path, quick):
    found = find(tmp_path, 3, space=Space(last=("none",)))
    store = Store(tmp_path)
    variants = store.variants("tiny-search").merge(
        pd.DataFrame(
            [(row.key, row.config["recipe"])
             for row in store.jobs("tiny-search").itertuples()],
            columns=["job", "recipe"],
        ),
        on="job",
    )  # fmt: skip

    def auc_of(rows):
        tables = (store.scores(key).query("set == 'validation'") for key in rows["key"])
        return np.array([roc_auc_score(table["label"], table["score"]) for table in tables])

    baseline = auc_of(variants.query("recipe == '' and precision == 'float32'"))
    for trial in opened(found).trials:
        told = trial.user_attrs
        rows = variants[(variants["recipe"] == told["recipe"])
                        & (variants["precision"] == told["precision"])]  # fmt: skip
        assert trial.params["precision"] == told["precision"]
        assert len(rows) == RUNS
        assert list(trial.values) == pytest.approx([rows["zip_bytes"].mean(), auc_of(rows).mean()])
        assert told["auc_drop"] == pytest.approx((baseline - auc_of(rows)).mean())
        assert told["latency_ms"] == pytest.approx(rows["latency_ms"].mean())
    store.close()


def test_nothing_is_looked_up_in_the_test_set(tmp_path, quick):
    one = find(tmp_path / "one", 5, limits=Limits(auc_drop=0.1))
    quick.test_labels = np.random.default_rng(5).permutation([0, 1] * 10)
    other = find(tmp_path / "other", 5, limits=Limits(auc_drop=0.1))
    assert recipes(one) == recipes(other)
    assert one.front == other.front
    aucs = []
    for folder in ("one", "other"):
        store = Store(tmp_path / folder)
        aucs.append(store.variants("tiny-search").sort_values(["job", "precision"])["auc"])
        store.close()
    assert not np.array_equal(*aucs)


def test_the_front_is_optunas_own(tmp_path, quick):
    limits = Limits(auc_drop=0.08, zip_bytes=1e5)
    found = find(tmp_path, 8, limits=limits)
    best = {
        (trial.user_attrs["recipe"], trial.user_attrs["precision"])
        for trial in opened(found).best_trials
    }
    assert best == {(one.recipe, one.precision) for one in found.front}
    assert 0 < len(best) < found.candidates
    assert all(one.auc_drop <= 0.08 and one.zip_bytes <= 1e5 for one in found.front)


@pytest.mark.parametrize("minimise", ["zip_bytes", "raw_bytes", "latency_ms"])
def test_the_front_has_what_nothing_beats(minimise):
    rng = np.random.default_rng(1)
    every = [
        Candidate(recipe=f"r{at}", precision="int8", validation_auc=rng.random(), auc_drop=0.0,
                  zip_bytes=rng.random(), raw_bytes=rng.random(), latency_ms=rng.random())
        for at in range(40)
    ]  # fmt: skip
    front = front_of(every, Limits(zip_bytes=0.7), minimise=minimise)
    within = [one for one in every if one.zip_bytes <= 0.7]

    def beats(one, other):
        smaller = getattr(one, minimise) <= getattr(other, minimise)
        return one != other and smaller and one.validation_auc >= other.validation_auc

    expected = [one for one in within if not any(beats(other, one) for other in within)]
    assert list(front) == sorted(expected, key=lambda one: getattr(one, minimise))


@pytest.mark.parametrize("random_recipes", [1, 10])
def test_a_search_goes_on(tmp_path, quick, monkeypatch, random_recipes):
    monkeypatch.setattr(search_module, "_RANDOM_RECIPES", random_recipes)
    quick.refused = ("sensitive",)
    limits = Limits(auc_drop=0.1)
    first = recipes(find(tmp_path / "parts", 2, limits=limits))
    done = list(quick.jobs)
    second = find(tmp_path / "parts", 3, limits=limits)
    assert recipes(second)[:2] == first
    assert len(recipes(second)) == 5
    assert len(set(quick.jobs)) == len(quick.jobs) == len(done) + RUNS * 3
    whole = find(tmp_path / "whole", 5, limits=limits)
    assert recipes(whole) == recipes(second)
    assert whole.front == second.front


def test_an_interrupted_recipe_is_tried_again_first(tmp_path, quick):
    def interrupt(event):
        if event.kind == "finished" and len(quick.jobs) == RUNS * 2 + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find(tmp_path, 5, listener=interrupt)
    found = find(tmp_path, 2)
    states = [trial.state.name for trial in opened(found).trials]
    assert states.count("FAIL") == 1
    assert states.count("RUNNING") == states.count("WAITING") == 0
    interrupted = next(trial for trial in opened(found).trials if trial.state.name == "FAIL")
    again = opened(found).trials[interrupted.number + 1]
    assert again.params == interrupted.params
    assert recipes(found) == recipes(find(tmp_path / "whole", 3))


def test_another_seed_tries_other_recipes(tmp_path, quick):
    one, other = (find(tmp_path / str(seed), 3, seed=seed) for seed in (0, 1))
    assert recipes(one) != recipes(other)


def test_what_is_refused_is_pruned_with_its_reason(tmp_path, quick):
    quick.refused = ("structured-taylor",)
    space = Space(first=("structured-taylor", "width"), then=("none",), last=("none",))
    found = find(tmp_path, 6, space=space)
    pruned = [trial for trial in opened(found).trials if trial.state.name == "PRUNED"]
    assert {trial.user_attrs["reason"] for trial in pruned} == {"structured-taylor is not for it."}
    assert set(found.refused) == {
        (trial.user_attrs["recipe"], trial.user_attrs["precision"]) for trial in pruned
    }
    assert 0 < len(pruned) < 12
    assert len(quick.jobs) == len(set(quick.jobs))


def test_a_precision_that_a_recipe_does_not_have_is_refused_alone(tmp_path, quick):
    space = Space(first=("none",), then=("none",), last=("qat",))
    found = find(tmp_path, 1, space=space)
    assert found.refused == {("qat", "float32"): "It has none."}
    assert [(one.recipe, one.precision) for one in found.front] == [("qat", "int8")]


def test_a_chain_that_is_none_is_refused(tmp_path, quick):
    found = find(tmp_path, 1, space=Space(first=("none",), then=("block",), last=("qat",)))
    assert all("'block' can only be last" in reason for reason in found.refused.values())
    assert (quick.jobs, found.front) == ([], ())


def test_a_recipe_that_comes_twice_is_run_once(tmp_path, quick):
    space = Space(first=("none",), then=("none",), last=("none",))
    found = find(tmp_path, 3, space=space)
    assert recipes(found) == ["rewritten"]
    assert len(quick.jobs) == RUNS * 2
    assert found.candidates == 2


def test_another_size_is_another_search_of_the_same_jobs(tmp_path, quick):
    find(tmp_path, 2)
    done = len(quick.jobs)
    found = find(tmp_path, 2, minimise="latency_ms")
    for trial in opened(found, "latency_ms").trials:
        size, _ = list(trial.values)
        assert size == trial.user_attrs["latency_ms"]
    assert len(quick.jobs) == done
    assert len(opened(found, "zip_bytes").trials) == 4


class Random:
    """Chooses like a trial."""

    def __init__(self, seed):
        self._rng = np.random.default_rng(seed)

    def suggest_categorical(self, _name, choices):
        return choices[self._rng.integers(len(choices))]

    def suggest_float(self, _name, low, high, *, log):
        assert log
        return float(np.exp(self._rng.uniform(np.log(low), np.log(high))))


def test_recipes_are_within_the_space():
    space = Space()
    seen = set()
    for seed in range(300):
        steps = parse_recipe(suggest_recipe(Random(seed), space))
        seen |= {step.method for step in steps}
        for step in steps:
            low, high = space.first_kept if step.method in space.first else space.then_kept
            assert not METHODS[step.method].removes or low <= 1 - step.sparsity + 1e-9
            assert 1 - step.sparsity <= high + 0.005 or not METHODS[step.method].removes
    assert seen == {*space.first, *space.then, *space.last, "rewritten"} - {"none"}


def test_a_network_of_one_width_is_not_made_smaller(tmp_path, quick, monkeypatch):
    monkeypatch.setitem(MODELS, "cnn", tiny.spec(name="cnn"))
    found = find(tmp_path, 6, space=Space(then=("none",)))
    assert not any("width" in recipe for recipe in recipes(found))


def with_(plan=PLAN, **changes):
    return dataclasses.replace(plan, **changes)


def test_what_cannot_be_searched_is_refused(tmp_path, quick):
    both = with_(training=dataclasses.replace(PLAN.training, models=("cnn", "dense_a")))
    with pytest.raises(PlanError, match=r"for one network, and the plan 'tiny' has cnn, dense_a;"):
        find(tmp_path, 1, both)
    with pytest.raises(PlanError, match=r"trials must be at least 1, not 0"):
        find(tmp_path, 0)


def test_a_plan_with_the_longest_name_can_be_searched(tmp_path, quick):
    assert find(tmp_path, 1, with_(name="a" * 60)).study == "a" * 53 + "-search"


def test_a_search_does_not_go_on_with_another_plan(tmp_path, quick):
    find(tmp_path, 1)
    other = with_(compression=dataclasses.replace(PLAN.compression, epochs=3))
    with pytest.raises(StoreError, match=r"begun with another plan or another version"):
        find(tmp_path, 1, other)


def test_what_the_search_ignores_may_change(tmp_path, quick):
    find(tmp_path, 1)
    compression = dataclasses.replace(PLAN.compression, sparsities=(0.7,), schedules=())
    assert len(recipes(find(tmp_path, 1, with_(compression=compression, title="Other")))) == 2


def test_a_baseline_that_fails_ends_the_search(tmp_path, quick):
    quick.no_baselines = True
    with pytest.raises(ModelError, match=r"cannot go on without its baselines: It diverged\."):
        find(tmp_path, 3)
    quick.no_baselines = False
    assert find(tmp_path, 1).candidates == 2


def test_a_damaged_file_is_one_sentence(tmp_path, quick):
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "tiny.sqlite").write_bytes(b"junk" * 1000)
    with pytest.raises(StoreError, match=r"tiny\.sqlite cannot be used \(.*\); mend or remove it"):
        find(tmp_path, 1)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, quick):
    (tmp_path / "search").write_text("")
    with pytest.raises(StoreError, match=r"search cannot be made \(File exists\)"):
        find(tmp_path, 1)


def test_two_searches_do_not_share_a_cache_at_once(tmp_path, quick):
    def search_too(event):
        if event.text == "recipes of the search":
            with pytest.raises(StoreError, match=r"Another run \(process \d+\) is writing to"):
                find(tmp_path, 1)

    find(tmp_path, 1, listener=search_too)


def test_real_jobs_are_searched(tmp_path, quick, monkeypatch):
    from edac_core.studies.work import run_job  # noqa: PLC0415 - imports TensorFlow

    def real_inputs(_usable, *, seed, **_k):
        sets = dict(zip(("train", "validation", "test"),
                        (tiny.examples(n, seed=seed + n) for n in (96, 64, 65)),
                        strict=True))  # fmt: skip
        table = pd.concat([
            pd.DataFrame({"recording": [f"{name}{at}" for at in range(len(each.labels))],
                          "label": each.labels, "group": "all", "participant": None, "set": name,
                          "copy": ""})
            for name, each in sets.items()
        ])  # fmt: skip
        record = SplitRecord(f"split{seed}", seed, table)
        return SplitInputs(record, f"split{seed}", *sets.values(), ("all",) * 65)

    monkeypatch.setitem(MODELS, "tiny", tiny.spec())
    monkeypatch.setattr(run_module, "prepare", real_inputs)
    monkeypatch.setattr(
        run_module, "perform", lambda job, inputs, start, _threads: run_job(job, inputs, start)
    )
    plan = with_(
        data=dataclasses.replace(PLAN.data, split_seeds=(1,)),
        training=dataclasses.replace(PLAN.training, models=("tiny",), epochs=4),
        compression=dataclasses.replace(PLAN.compression, epochs=2, frequency=2),
    )
    space = Space(first=("none",), then=("sensitive",), then_kept=(0.2, 0.4), last=("none",))
    found = find(tmp_path, 1, plan, space)
    assert found.candidates == 2
    assert not found.refused
    (recipe,) = recipes(found)
    store = Store(tmp_path)
    jobs = store.jobs("tiny-search")
    store.close()
    (job,) = [row for row in jobs.itertuples() if row.config["recipe"] == recipe]
    assert job.achieved_sparsity == pytest.approx(job.config["sparsity"], abs=0.005)
