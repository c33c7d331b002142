import math

import pandas as pd

from dashboard.studies import Shelf, Study
from dashboard.worth import describe_protocol, worth_of

GROUPS = pd.DataFrame(
    {
        "group": ["call-center", "telegram"],
        "n": [94.0, 96.3],
        "auc": [0.701, math.nan],
        "auc_half_width": [0.0811, math.nan],
    }
)


def study(*, protocol="clean", **data):
    plan = {"data": {"protocol": protocol}}
    shelf = Shelf("nowhere", live=False, version="1")
    return Study(shelf, "s", "s", "S", plan, {"sets": {"test": 190}, **data})


def test_says_how_many_which_protocol_and_within_each_source():
    text = worth_of(study(), GROUPS).replace("\\", "")
    assert "190 test recordings, clean protocol." in text
    assert "call-center 0.701 ± 0.081 (n = 94)" in text
    assert "telegram unknown (one class only) (n = 96)" in text
    assert text.endswith("**Research, not a diagnosis.**")


def test_augmented_copies_are_examples_but_no_recordings():
    assert worth_of(study(protocol="paper"), GROUPS).startswith(
        "190 test examples, paper protocol."
    )


def test_without_sources_nothing_is_said_of_them():
    assert "within" not in worth_of(study(), GROUPS.iloc[:0])


def test_every_protocol_is_explained_but_an_unknown_one_only_named():
    assert "optimistic" in describe_protocol(study(protocol="paper"))
    assert "no known participant" in describe_protocol(study())
    assert describe_protocol(study(protocol="new")) == "Protocol new."
