import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from dashboard.inspecting.decisions import BROKEN, MENDED, Decisions, compare, flips
from dashboard.inspecting.flips import describe, shown
from edac_core.measure.significance import McNemar


def decisions(scores, *, labels, threshold, copy=""):
    examples = pd.DataFrame({
        "recording": [f"r{at}" for at in range(len(labels))], "label": labels,
        "group": ["phone", "bot"] * (len(labels) // 2), "copy": copy, "score": scores,
    })  # fmt: skip
    return Decisions(examples.assign(set="test"), threshold)


@pytest.fixture
def pair():
    labels = [1, 1, 1, 0, 0, 0]
    own = decisions([0.9, 0.8, 0.2, 0.1, 0.6, 0.3], labels=labels, threshold=0.5)
    baseline = decisions([0.9, 0.4, 0.7, 0.2, 0.3, 0.8], labels=labels, threshold=0.45)
    return own, baseline


def test_flips_are_the_examples_decided_differently(pair):
    own, baseline = pair
    found = flips(own, baseline)
    assert found[["recording", "direction"]].to_numpy().tolist() == [
        ["r2", BROKEN], ["r4", BROKEN], ["r5", MENDED], ["r1", MENDED]
    ]  # fmt: skip
    assert found[["before", "after"]].iloc[0].tolist() == [0.7, 0.2]


def test_flips_are_what_mcnemar_counts():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 200)
    own = decisions(rng.random(200), labels=labels, threshold=0.3)
    baseline = decisions(rng.random(200), labels=labels, threshold=0.6)
    counts = flips(own, baseline)["direction"].value_counts()
    test = compare(own, baseline)
    assert (test.only_first_right, test.only_second_right) == (counts[BROKEN], counts[MENDED])


def test_a_file_is_not_flipped_against_itself(pair):
    own, _ = pair
    assert flips(own, own).empty
    assert "none is decided differently" in describe(compare(own, own), examples=6)


def test_the_baselines_threshold_can_be_tried(pair):
    own, baseline = pair
    swapped = own.confusion(threshold=baseline.threshold)
    expected = confusion_matrix(own.labels, own.scores >= 0.45).ravel().tolist()
    assert [swapped.true_negatives, swapped.false_positives, swapped.false_negatives,
            swapped.true_positives] == expected  # fmt: skip


def test_a_source_of_one_class_has_no_auc():
    one = decisions([0.1, 0.6, 0.2, 0.7], labels=[1, 0, 1, 1], threshold=0.5)
    groups = one.within_sources().set_index("group")
    assert np.isnan(groups.loc["phone", "auc"])
    assert groups.loc["bot", ["n", "auc"]].tolist() == [2, 1.0]


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (McNemar(1, 0, 1.0), "**1 was broken**"),
        (McNemar(7, 3, 0.34), "p = 0.34, n.s."),
        (McNemar(30, 3, 1.4e-6), "p = 1.4e-06, more than chance alone"),
    ],
)
def test_what_changed_is_said_with_its_p(test, said):
    assert said in describe(test, examples=192)


def test_augmentations_have_a_column_only_where_there_are_any(pair):
    own, baseline = pair
    assert "copy" not in shown(flips(own, baseline))
    copied = Decisions(own.examples.assign(copy="aug1"), own.threshold)
    assert set(shown(flips(copied, baseline))["copy"]) == {"aug1"}
    assert set(shown(flips(own, baseline))["label"]) == {"positive", "negative"}
