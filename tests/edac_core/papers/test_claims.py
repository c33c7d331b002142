import math

import pandas as pd
import pytest

from edac_core.papers import published_curve, squeeze_tables
from edac_core.papers.claims import (
    CLAIMS,
    LOSS_TOLERANCE,
    TOLERANCE,
    WORKS_NO_MORE,
    Finding,
    Quantity,
    Verdict,
    find,
    judge,
)

BY_KEY = {claim.key: claim for claim in CLAIMS}
EVERY = [(claim, model) for claim in CLAIMS for model in claim.published]


def at(curve, sparsity):
    return curve[(curve["sparsity"] - sparsity).abs() < 1e-9].iloc[0]


def published(claim, model):
    """The figure as the published tables give it."""
    row = at(published_curve(model, claim.schedule, claim.precision), claim.sparsity)
    unpruned = at(published_curve(model, claim.schedule, "float32"), 0)
    return {
        Quantity.TIMES_SMALLER: row["zip_ratio"],
        Quantity.TIMES_FASTER: row["speedup"],
        Quantity.SIZE_SAVED: 1 - 1 / row["zip_ratio"],
        Quantity.AUC_LOST: unpruned["auc"] - row["auc"],
    }[claim.quantity]


# The tables do not have the weights that are left; see below.
IN_TABLES = [pair for pair in EVERY if pair[0].quantity is not Quantity.WEIGHTS_REMOVED]


@pytest.mark.parametrize(("claim", "model"), IN_TABLES, ids=lambda part: getattr(part, "key", part))
def test_claims_agree_with_the_published_tables(claim, model):
    # Sizes of the dense networks have one decimal, which leaves as much open.
    open_to_rounding = 0.0011 if claim.quantity is Quantity.SIZE_SAVED else 0.005
    assert claim.published[model] == pytest.approx(published(claim, model), abs=open_to_rounding)


@pytest.mark.parametrize(("model", "left"), [("A", 3_978_664), ("B", 4_870_754), ("C", 6_624_302)])
def test_weights_removed_follow_from_those_that_section_4_says_are_left(model, left):
    total = squeeze_tables().groupby("model")["trainable_parameters"].first()[model]
    claimed = BY_KEY["dense-weights"].published[f"dense_{model.lower()}"]
    assert round(1 - left / total, 3) == claimed


def test_1_71_is_table_6_at_90_per_cent_and_not_at_95():
    curve = published_curve("cnn_lstm", "polynomial", "int8")
    assert [round(at(curve, level)["speedup"], 2) for level in (0.9, 0.95)] == [1.71, 1.69]


def test_claims_have_keys_of_their_own():
    assert len(BY_KEY) == len(CLAIMS)


def finding(value, *, unpruned=math.nan, difference=0.0, low=-0.005, high=0.005):
    return Finding(value, unpruned, 3, 0.8, difference, low, high)


def with_left(claim, model, share):
    """The value at which this share of what the paper left is left."""
    left = share * claim.quantity.left(claim.published[model])
    ratio = claim.quantity in {Quantity.TIMES_SMALLER, Quantity.TIMES_FASTER}
    return 1 / left if ratio else 1 - left


RATIOS = [pair for pair in EVERY if pair[0].quantity is not Quantity.AUC_LOST]


@pytest.mark.parametrize(("claim", "model"), RATIOS, ids=lambda part: getattr(part, "key", part))
@pytest.mark.parametrize(
    ("share", "verdict"),
    [
        (1, Verdict.REPRODUCED),
        (1 + TOLERANCE - 0.001, Verdict.REPRODUCED),
        (1 + TOLERANCE + 0.001, Verdict.NOT_REPRODUCED),
        (1 - TOLERANCE + 0.001, Verdict.REPRODUCED),
        (1 - TOLERANCE - 0.001, Verdict.EXCEEDED),
    ],
)
def test_what_is_left_decides(claim, model, share, verdict):
    assert judge(claim, model, finding(with_left(claim, model, share))) is verdict


def test_what_int8_reaches_alone_is_no_work_of_pruning():
    claim = BY_KEY["cnn-speed"]
    assert judge(claim, "cnn", finding(3.3, unpruned=3.4)) is Verdict.WITHOUT_PRUNING
    assert judge(claim, "cnn", finding(3.3, unpruned=1.1)) is Verdict.EXCEEDED
    assert judge(claim, "cnn", finding(1.1, unpruned=3.4)) is Verdict.NOT_REPRODUCED
    broken = finding(3.3, unpruned=3.4, difference=-0.3)
    assert judge(claim, "cnn", broken) is Verdict.WITHOUT_PRUNING


def test_a_network_that_guesses_has_not_been_compressed():
    claim = BY_KEY["dense-both"]
    just_works = finding(0.949, difference=-WORKS_NO_MORE + 0.001)
    broken = finding(0.949, difference=-WORKS_NO_MORE - 0.001)
    assert judge(claim, "dense_a", just_works) is Verdict.REPRODUCED
    assert judge(claim, "dense_a", broken) is Verdict.BROKEN


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.018 - LOSS_TOLERANCE + 0.001, 0.05, Verdict.REPRODUCED),
        (-0.018 - LOSS_TOLERANCE - 0.001, 0.05, Verdict.UNDECIDED),
        (-0.2, -0.018 - LOSS_TOLERANCE - 0.001, Verdict.NOT_REPRODUCED),
        (-0.2, -0.018 - LOSS_TOLERANCE + 0.001, Verdict.UNDECIDED),
        (math.nan, math.nan, Verdict.UNDECIDED),
    ],
)
def test_a_loss_is_judged_by_its_interval(low, high, verdict):
    assert judge(BY_KEY["cnn-auc"], "cnn", finding(0.0, low=low, high=high)) is verdict


@pytest.mark.parametrize(("claim", "model"), EVERY, ids=lambda part: getattr(part, "key", part))
def test_nothing_measured_is_no_verdict_on_the_paper(claim, model):
    assert judge(claim, model, None) is Verdict.NOT_MEASURED


def row(method, sparsity, precision, **figures):
    known = {"zip_ratio": 1.0, "speedup": 1.0, "weights": 1000, "nonzero_weights": 1000,
             "auc_difference": 0.0}  # fmt: skip
    return {"model": "cnn", "method": method, "sparsity": sparsity, "precision": precision,
            "runs": 3, "auc": 0.8, "auc_difference_low": -0.01, "auc_difference_high": 0.01,
            **known, **figures}  # fmt: skip


SUMMARY = pd.DataFrame(
    [
        row("none", 0.0, "float32"),
        row("none", 0.0, "int8", zip_ratio=50.0, speedup=3.0),
        row("constant", 0.95, "int8", zip_ratio=90.0),
        row("polynomial", 0.95, "int8", zip_ratio=100.0, speedup=2.5, nonzero_weights=50,
            auc_difference=-0.02),
        row("polynomial", 0.9, "int8", zip_ratio=80.0),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "unpruned"),
    [("cnn-size", 100, 50), ("cnn-speed", 2.5, 3), ("cnn-auc", 0.02, 0)],
)
def test_a_finding_is_the_claims_variant_and_its_unpruned_twin(key, value, unpruned):
    found = find(BY_KEY[key], "cnn", SUMMARY)
    assert (found.value, found.unpruned, found.runs) == (value, unpruned, 3)


def test_what_is_missing_is_not_found():
    claim = BY_KEY["cnn-size"]
    assert find(claim, "dense_a", SUMMARY) is None
    assert find(claim, "cnn", SUMMARY[SUMMARY["sparsity"] < 0.95]) is None
    assert find(claim, "cnn", SUMMARY.assign(zip_ratio=math.nan)) is None
    lonely = find(claim, "cnn", SUMMARY[SUMMARY["method"] != "none"])
    assert math.isnan(lonely.unpruned)
