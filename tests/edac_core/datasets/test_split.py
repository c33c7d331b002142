import warnings

import numpy as np
import pandas as pd
import pytest

from edac_core.datasets.split import split
from edac_core.errors import DataError


def table(n=200, *, seed=0, people=None, **columns):
    rng = np.random.default_rng(seed)
    person = rng.integers(people, size=n).astype(str) if people else np.full(n, None)
    return pd.DataFrame(
        {
            "recording": [f"r{index:04d}" for index in range(n)],
            "path": [f"/x/{index}.wav" for index in range(n)],
            "label": np.arange(n) % 2,
            "participant": pd.Series(person, dtype="str"),
            "group": np.where(np.arange(n) % 4 < 2, "telegram", "call-center"),
            "split": pd.Series([None] * n, dtype="str"),
            **columns,
        }
    )


def test_fractions_are_met_in_every_stratum():
    done = split(table(), seed=0)
    shares = done.groupby(["label", "group"])["set"].value_counts(normalize=True)
    for name, share in {"test": 0.2, "validation": 0.2, "train": 0.6}.items():
        np.testing.assert_allclose(shares.xs(name, level="set"), share)


def test_other_fractions_are_the_nearest_whole_folds():
    counts = split(table(210), seed=0, test=0.15, validation=0.1)["set"].value_counts()
    assert counts["test"] == pytest.approx(210 / 7, abs=2)
    assert counts["validation"] == pytest.approx(210 * 6 / 7 / 8, abs=3)


@pytest.mark.parametrize("seed", range(5))
def test_nobody_is_on_two_sides(seed):
    done = split(table(people=80, seed=seed), seed=seed)
    assert done.groupby("participant")["set"].nunique().max() == 1
    assert done["set"].value_counts(normalize=True)["test"] == pytest.approx(0.2, abs=0.06)


@pytest.mark.parametrize("seed", range(5))
def test_recordings_of_the_same_content_stay_together(seed):
    content = [f"c{index // 5}" for index in range(200)]
    done = split(table(content=content), seed=seed)
    assert done.groupby("content")["set"].nunique().max() == 1


def test_chains_of_participants_and_contents_stay_together():
    rows = table()
    # r0 - r1 share a participant, r1 - r2 a content, r2 - r3 a participant.
    rows.loc[[0, 1], "participant"] = "anna"
    rows.loc[[2, 3], "participant"] = "ben"
    rows["content"] = rows["recording"]
    rows.loc[[1, 2], "content"] = "same"
    for seed in range(10):
        assert len(set(split(rows, seed=seed)["set"].iloc[:4])) == 1


def test_the_seed_alone_decides():
    rows = table(people=90)
    first = split(rows, seed=3).set_index("recording")["set"]
    shuffled = split(rows.sample(frac=1, random_state=1), seed=3).set_index("recording")["set"]
    pd.testing.assert_series_equal(first, shuffled.loc[first.index])
    assert (split(rows, seed=4)["set"].to_numpy() != first.to_numpy()).any()


def test_rows_come_back_as_they_went_in():
    rows = table().sample(frac=1, random_state=0)
    done = split(rows, seed=0)
    pd.testing.assert_frame_equal(done.drop(columns="set"), rows)


def test_a_given_split_is_kept():
    given = np.resize(["train", "train", "validation", "validation", "test", "test"], 200)
    assert split(table(split=given), seed=0)["set"].tolist() == given.tolist()


def test_a_given_split_without_validation_gets_one_from_training():
    given = np.where(np.arange(200) % 10 < 2, "test", "train")
    done = split(table(split=given), seed=0)
    assert done.loc[given == "test", "set"].eq("test").all()
    assert done["set"].value_counts().to_dict() == {"train": 120, "validation": 40, "test": 40}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (["train"] * 200, "no test set"),
        (["test"] * 200, "no train set"),
        (["train"] * 150 + [None] * 50, "50 of 200 recordings have no split"),
        (["train", "validation", "test", "test"] * 50, "train set would have no .* label 1"),
    ],
)
def test_an_impossible_given_split_is_refused(given, complaint):
    with pytest.raises(DataError, match=complaint):
        split(table(split=given), seed=0)


def test_a_small_stratum_is_named():
    rows = table()
    rows.loc[[0, 2, 4], "group"] = "studio"
    with pytest.raises(DataError, match=r"Label 0 in group 'studio' has only 3 .* needs 5"):
        split(rows, seed=0)


def test_a_stratum_of_few_people_is_small_however_many_recordings_it_has():
    rows = table()
    positive = rows["label"] == 1
    rows.loc[positive, "participant"] = "anna"
    with pytest.raises(DataError, match=r"Label 1 .* has only 1 participants"):
        split(rows, seed=0)


def test_one_label_is_refused():
    with pytest.raises(DataError, match="no recording with label 1"):
        split(table(label=0), seed=0)


@pytest.mark.parametrize(("test", "validation"), [(0, 0.2), (0.2, 0), (0.5, 0.5), (-0.1, 0.2)])
def test_impossible_fractions_are_refused(test, validation):
    with pytest.raises(DataError, match="leave no three sets"):
        split(table(), seed=0, test=test, validation=validation)


@pytest.mark.parametrize("seed", range(30))
def test_small_tables_are_split_or_refused_in_words(seed):
    rows = table(40, people=30, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            done = split(rows, seed=seed)
        except DataError:
            return
    assert done.groupby("set")["label"].nunique().eq(2).all()
    assert done.groupby("participant")["set"].nunique().max() == 1
