import math
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.margin import read_margin
from dashboard.tradeoffs.standing import Standing, describe_standing, verdict
from edac_core.measure.noninferiority import difference_over_splits
from edac_core.studies.select import beside_baseline
from edac_core.studies.store import Store
from edac_core.studies.trust import trust

APP = Path(__file__).parents[3] / "app.py"
MINUS = "\N{MINUS SIGN}"
LEVELS = (("none", 0.0), ("polynomial", 0.95))
CHOSEN = {"precision": "int8", "method": "polynomial", "sparsity": "95"}


def open_page(**query):
    test = AppTest.from_file(APP, default_timeout=120)
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def words(test):
    return " ".join(item.value for item in test.markdown).replace("\\", "")


def change_of_auc(test):
    (found,) = [item.delta for item in test.metric if item.label == "AUC"]
    return found


def standing(difference=-0.004, low=-0.015, high=0.007, splits=3):
    return Standing(difference, low, high, splits)


@pytest.mark.parametrize(
    ("low", "high", "said", "word"),
    [
        (-0.019, 0.01, "Shown to lose no more than 0.02 AUC.", "yes"),
        (-0.05, -0.021, "Shown to lose more than 0.02 AUC.", "no"),
        (-0.05, 0.01, "Unsettled whether it loses more than 0.02 AUC.", "unsettled"),
        (math.nan, math.nan, "Unsettled whether it loses more than 0.02 AUC.", "unsettled"),
    ],
)
def test_the_verdict_in_plain_words(low, high, said, word):
    one = standing(low=low, high=high)
    assert f"**{said}**" in describe_standing(one, margin=0.02)
    assert verdict(one, margin=0.02) == word


def test_the_interval_says_what_it_rests_on():
    said = describe_standing(standing(), margin=0.02)
    assert f"AUC {MINUS}0.004 (95 % interval {MINUS}0.015 to +0.007 over 3 splits)" in said
    assert "to +0.007 of one split)" in describe_standing(standing(splits=1), margin=0.02)
    unknown = describe_standing(standing(low=math.nan, high=math.nan), margin=0.02)
    assert "nan" not in unknown
    assert "not known" in unknown


def test_without_a_baseline_there_is_no_verdict():
    nothing = standing(*[math.nan] * 3, splits=0)
    assert "no float32 baseline yet" in describe_standing(nothing, margin=0.02)
    assert verdict(nothing, margin=0.02) is None


@pytest.mark.parametrize("text", ["0", "-0.02", "nan", "0.5", "much"])
def test_not_every_number_is_a_margin(text):
    with pytest.raises(ValueError, match=text):
        read_margin(text)


@pytest.fixture
def study(tmp_path, build, stores):
    """Write a study of some runs; give its store's folder."""

    def write(runs):
        folder = tmp_path / "study"
        build(folder, runs=runs, levels=LEVELS, precisions=("float32", "int8"))
        stores(shipped=folder)
        return folder

    return write


def written(value):
    return f"{'+' if value > 0 else MINUS}{abs(value):.3f}"


def test_over_splits_the_page_has_the_interval_of_the_papers_page(study):
    folder = study(((0, 1234), (0, 1235), (1, 1234), (2, 1234)))
    with closing(Store(folder, readonly=True)) as store:
        differences = beside_baseline(store.figures("made-up"))
    own = differences.query("method == 'polynomial' and precision == 'int8'")
    by_split = own.groupby("split_seed")["auc_difference"].mean().tolist()
    oracle = difference_over_splits(by_split, training=1100, test=190)
    test = open_page(**CHOSEN)
    assert not test.exception
    interval = f"{written(oracle.low)} to {written(oracle.high)}"
    assert f"(95 % interval {interval} over 3 splits)" in words(test)
    (table,) = [item.value for item in test.dataframe if "within" in item.value]
    row = table[(table["method"] == "polynomial") & (table["precision"] == "int8")].iloc[0]
    assert row["interval"] == interval
    assert (oracle.low <= 0 <= oracle.high) == change_of_auc(test).endswith("n.s.")


def test_of_one_split_the_page_has_the_interval_of_inspect(study):
    folder = study(((0, 1234),))
    with closing(Store(folder, readonly=True)) as store:
        keys = store.variants("made-up").set_index(["method", "precision"])["key"]
        found = trust(*(store.scores(keys[kind]) for kind in (("polynomial", "int8"),
                                                              ("none", "float32"))))  # fmt: skip
    test = open_page(**CHOSEN)
    assert not test.exception
    interval = f"{written(found.difference.low)} to {written(found.difference.high)}"
    assert f"(95 % interval {interval} of one split)" in words(test)
    (table,) = [item.value for item in test.dataframe if "within" in item.value]
    assert interval in table["interval"].tolist()


def test_a_margin_is_set_kept_in_the_address_and_judges_all(study):
    study(((0, 1234), (1, 1234)))
    test = open_page(**CHOSEN)
    assert "margin" not in test.query_params
    assert "0.02 AUC.**" in words(test)
    test.number_input(key="margin").set_value(0.2).run()
    assert test.query_params["margin"] in ("0.2", ["0.2"])
    assert "0.2 AUC.**" in words(test)
    again = open_page(**CHOSEN, margin="0.2")
    assert again.number_input(key="margin").value == 0.2
    assert "0.2 AUC.**" in words(again)


def test_a_margin_that_is_none_is_said_and_replaced(study):
    study(((0, 1234), (1, 1234)))
    test = open_page(**CHOSEN, margin="-1")
    said = " ".join(item.value for item in test.warning).replace("\\", "")
    assert "asks for margin of AUC “-1”, which is not a number from 0.005 to 0.2" in said
    assert test.number_input(key="margin").value == 0.02


def test_the_baseline_is_judged_by_nothing(study):
    study(((0, 1234), (1, 1234)))
    test = open_page(precision="float32", sparsity="0")
    assert "the float32 baseline itself, which all others" in words(test)
