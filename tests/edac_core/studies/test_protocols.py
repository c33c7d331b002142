import numpy as np
import pandas as pd
import pytest

from edac_core.augment import COUGHVID_NEGATIVE, COUGHVID_POSITIVE, EDAC_COPIES
from edac_core.errors import DataError, PlanError
from edac_core.models import MODELS
from edac_core.studies.protocols import ORIGINAL, PROTOCOLS, RECIPES, divide

COUNT = 400


def recordings(n=COUNT, *, share=0.25, split=None, seed=0):
    rng = np.random.default_rng(seed)
    names = [f"r{index:04}" for index in range(n)]
    return pd.DataFrame(
        {
            "recording": names,
            "label": (rng.random(n) < share).astype(int),
            "group": "all",
            "participant": [f"p{index // 2}" for index in range(n)],
            "split": split if split is not None else pd.Series([None] * n, dtype="str"),
            "content": names,
        }
    )


def official(n=COUNT):
    return recordings(n, split=["train", "validation", "test", "train"] * (n // 4))


def counts(table):
    return table.groupby(["set", "label"]).size().to_dict()


def held_out(recipe, *, protocol, seed):
    table = divide(recordings(), recipe=recipe, protocol=protocol, seed=seed)
    return frozenset(originals(table, "test").index)


def originals(table, name):
    rows = table[(table["copy"] == ORIGINAL) & (table["set"] == name)]
    return rows.set_index("recording")


@pytest.fixture(params=RECIPES)
def recipe(request):
    return request.param


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    return request.param


def test_every_network_follows_a_recipe_that_there_is():
    assert {spec.recipe for spec in MODELS.values()} == set(RECIPES)


def test_no_example_is_twice(recipe, protocol):
    table = divide(recordings(), recipe=recipe, protocol=protocol, seed=3)
    assert not table.duplicated(["recording", "copy"]).any()
    assert set(table["set"]) == {"train", "validation", "test"}


def test_the_order_of_the_rows_does_not_matter(recipe, protocol):
    rows = recordings()
    shuffled = rows.sample(frac=1, random_state=5)
    tables = [divide(some, recipe=recipe, protocol=protocol, seed=3) for some in (rows, shuffled)]
    one, other = (set(zip(t["recording"], t["copy"], t["set"], strict=True)) for t in tables)
    assert one == other


def test_another_seed_tests_others(recipe, protocol):
    one, other = (held_out(recipe, protocol=protocol, seed=seed) for seed in (1, 2))
    assert one != other


def test_clean_validates_and_tests_recordings_as_they_are(recipe):
    table = divide(recordings(), recipe=recipe, protocol="clean", seed=3)
    assert (table.loc[table["set"] != "train", "copy"] == ORIGINAL).all()
    assert table.groupby("participant")["set"].nunique().eq(1).all()


def test_clean_tests_the_same_recordings_for_every_network():
    assert len({held_out(name, protocol="clean", seed=3) for name in RECIPES}) == 1


@pytest.mark.parametrize(
    ("name", "copies"),
    [
        ("edac-coswara", {0: (), 1: EDAC_COPIES}),
        ("edac-coughvid", {0: COUGHVID_NEGATIVE, 1: COUGHVID_POSITIVE}),
    ],
)
def test_training_recordings_of_a_label_get_its_copies(name, copies):
    table = divide(recordings(), recipe=name, protocol="clean", seed=3)
    train = table[table["set"] == "train"]
    for label, pipelines in copies.items():
        for _, made in train[train["label"] == label].groupby("recording")["copy"]:
            assert sorted(made) == sorted([ORIGINAL, *pipelines])


def test_edac_augments_its_test_set_class_by_class():
    table = divide(recordings(), recipe="edac-coswara", protocol="paper", seed=3)
    test = table[table["set"] == "test"]
    assert len(originals(table, "test")) == 0.15 * COUNT
    share = test.groupby("label")["copy"].apply(lambda copies: (copies == ORIGINAL).mean())
    assert share[0] == 1
    assert share[1] == pytest.approx(1 / 3)


def test_edac_divides_training_from_validation_after_augmentation():
    table = divide(recordings(), recipe="edac-coswara", protocol="paper", seed=3)
    sets = table[table["set"] != "test"].groupby("recording")["set"].agg(set)
    assert (sets.map(len) == 2).any()
    tested = set(table.loc[table["set"] == "test", "recording"])
    assert not tested & set(table.loc[table["set"] != "test", "recording"])


def test_edacs_fractions_on_coughvid():
    table = divide(recordings(), recipe="edac-coughvid", protocol="paper", seed=3)
    shares = table["set"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.6, abs=0.03)
    assert shares["validation"] == pytest.approx(0.2, abs=0.03)
    positives = recordings()["label"].sum()
    # Table 2 of EDAC: 8,958 and 2,666 recordings become 17,916 and 15,996.
    assert table["label"].value_counts().to_dict() == {0: 2 * (COUNT - positives), 1: 6 * positives}


def test_squeeze_keeps_the_official_test_set_and_balances_the_rest():
    rows = official()
    table = divide(rows, recipe="squeeze", protocol="paper", seed=3)
    assert set(originals(table, "test").index) == set(
        rows.loc[rows["split"] == "test", "recording"]
    )
    found = counts(table)
    assert found["train", 0] == found["train", 1]
    assert found["validation", 0] == found["validation", 1]
    rest = rows[rows["split"] != "test"]
    assert found["train", 1] + found["validation", 1] == rest["label"].sum()
    share = found["validation", 1] / (found["train", 1] + found["validation", 1])
    assert share == pytest.approx(432 / 2301, abs=0.02)


def test_squeeze_on_urtic_as_it_is_published():
    """1,981 cold recordings train and validate, and 505 steps follow, where Squeeze has 585."""
    sizes = {("train", 1): 970, ("train", 0): 8535, ("validation", 1): 1011,
             ("validation", 0): 8585, ("test", 1): 895, ("test", 0): 8656}  # fmt: skip
    names = [part for part, n in sizes.items() for _ in range(n)]
    rows = recordings(len(names), split=[part for part, _ in names])
    rows["label"] = [label for _, label in names]
    found = counts(divide(rows, recipe="squeeze", protocol="paper", seed=0))
    assert (found["train", 1], found["validation", 1]) == (1609, 372)
    assert (found["test", 0], found["test", 1]) == (8656, 895)
    assert 5 * -(-2 * found["train", 1] // 32) == 505


def test_squeeze_clean_balances_the_training_set_only():
    rows = official()
    found = counts(divide(rows, recipe="squeeze", protocol="clean", seed=3))
    assert found["train", 0] == found["train", 1]
    assert found["validation", 0] == ((rows["split"] == "validation") & (rows["label"] == 0)).sum()


def test_too_few_recordings_are_a_sentence():
    few = recordings(3).assign(label=[0, 0, 1])
    with pytest.raises(DataError, match=r"3 recordings \(2 negative, 1 positive\) are too few"):
        divide(few, recipe="edac-coswara", protocol="paper", seed=0)


def test_an_unknown_recipe_names_the_known():
    with pytest.raises(PlanError, match=r"no recipe 'mine'; choose from: edac-coswara"):
        divide(recordings(), recipe="mine", protocol="clean", seed=0)
