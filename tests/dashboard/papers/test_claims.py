import dataclasses

import pandas as pd
import pytest

from dashboard.papers.claims import (
    Shown,
    card,
    judge_all,
    judged,
    plans_for,
    read_studies,
    rests_on,
)
from dashboard.studies import Shelf, Study
from edac_core.papers import PUBLISHED_MODELS
from edac_core.papers.claims import CLAIMS, Verdict

CLAIM = {claim.key: claim for claim in CLAIMS}
SHELF = Shelf("nowhere", live=False, version="1")


def study(name="a", *, dataset="covid19-cough", protocol="clean", epochs=None, synthetic=False):
    plan = {"data": {"dataset": dataset, "protocol": protocol}, "training": {"epochs": epochs}}
    return Study(
        SHELF, name, name, name.title(), plan, {"dataset": dataset, "synthetic": synthetic}
    )


def figures(model="cnn", *, runs=3, ratio=100.0, level=0.95):
    common = {"model": model, "runs": runs, "auc": 0.8, "auc_difference": 0.0, "speedup": 3.0,
              "auc_difference_low": -0.01, "auc_difference_high": 0.01, "weights": 100,
              "nonzero_weights": 10}  # fmt: skip
    return pd.DataFrame(
        [
            {**common, "method": method, "sparsity": sparsity, "precision": precision,
             "zip_ratio": ratio if sparsity else 50.0}
            for method, sparsity in (("none", 0.0), ("polynomial", level))
            for precision in ("float32", "int8")
        ]
    )  # fmt: skip


def shown(*, runs=3, ratio=100.0, model="cnn", level=0.95, **about):
    return Shown(study(**about), figures(model, runs=runs, ratio=ratio, level=level))


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"runs": 1}, {"runs": 9, "synthetic": True}),
        ({"runs": 1}, {"runs": 9, "epochs": 6}),
        ({"runs": 1, "dataset": "coswara"}, {"runs": 9}),
        ({"runs": 4, "protocol": "paper"}, {"runs": 3}),
        ({"protocol": "clean"}, {"protocol": "paper"}),
    ],
)
def test_the_study_that_matches_best_is_taken(better, worse):
    for order in ([better, worse], [worse, better]):
        studies = [shown(name=str(number), **about) for number, about in enumerate(order)]
        found = judged(CLAIM["cnn-size"], "cnn", studies)
        assert found.study is studies[order.index(better)].study


def test_of_equals_the_first_is_taken():
    studies = [shown(name="first"), shown(name="second")]
    assert judged(CLAIM["cnn-size"], "cnn", studies).study is studies[0].study


def test_every_claim_is_judged_for_each_of_its_networks():
    found = judge_all([shown()])
    assert len(found) == 6 + 4 * 3
    measured = {one.claim.key for one in found if one.verdict is not Verdict.NOT_MEASURED}
    assert measured == {"cnn-size", "cnn-speed", "cnn-auc"}


def plain(text):
    return text.replace("\\", "")


def test_a_card_has_both_figures_the_verdict_and_what_it_rests_on():
    text = plain(card([judged(CLAIM["cnn-size"], "cnn", [shown(ratio=101.5)])]))
    assert "green-badge[reproduced]" in text
    assert "published 105.76x, found **101.50x** (int8 without pruning: 50.00x; AUC 0.800" in text
    assert "EDAC, abstract, section 5.2, table 4; on Coswara" in text
    assert "“A”, covid19-cough, clean protocol, 3 runs." in text


def test_a_card_says_once_what_all_its_networks_rest_on():
    claim = CLAIM["dense-both"]
    models = list(claim.published)
    frames = [figures(model, ratio=19.5, level=0.9) for model in models]
    one = Shown(study(), pd.concat(frames, ignore_index=True))
    text = card([judged(claim, model, [one]) for model in models])
    assert text.count("clean protocol") == 1
    assert [f"Dense {letter}: published" in text for letter in "ABC"] == [True] * 3
    part = card([judged(claim, model, [shown(model="dense_a", level=0.9)]) for model in models])
    assert part.count("not measured here yet") == 2
    assert part.count("clean protocol") == 1


def test_what_was_not_measured_names_the_plans_that_run_it():
    text = card([judged(CLAIM["cnn-lstm-size"], "cnn_lstm", [shown()])])
    assert "gray-badge[not measured here yet]" in text
    assert "No study here has it with 90 % pruned in int8" in text
    assert "`edac run plans/edac-coughvid.toml`" in text
    assert "found" not in text


@pytest.mark.parametrize("model", PUBLISHED_MODELS)
def test_there_is_a_plan_for_every_published_network(model):
    assert plans_for(model)


def test_plans_can_be_asked_for_by_protocol():
    assert "plans/cnn-paper.toml" in plans_for("cnn", protocol="paper")
    assert "plans/cnn.toml" not in plans_for("cnn", protocol="paper")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.key)
def test_there_is_a_plan_for_every_claims_variant(claim):
    for model in claim.published:
        plans = plans_for(model, claim=claim)
        assert "plans/papers.toml" in plans
        if claim.sparsity:
            assert not {"plans/cnn-lstm-smaller.toml", "plans/dense-smaller.toml"} & set(plans)


def test_a_short_training_and_a_title_from_elsewhere_are_told():
    short = dataclasses.replace(study(epochs=6), title="![x](http://x)")
    text = rests_on(short, 1)
    assert "1 run, trained for 6 epochs only" in text
    assert "![x](" not in text
    assert "synthetic recordings" in rests_on(study(synthetic=True), 2)


def test_studies_are_read_and_those_that_cannot_be_are_told(tmp_path, stores):
    lost = dataclasses.replace(study("lost"), shelf=Shelf(str(tmp_path), live=False, version="1"))
    other = dataclasses.replace(lost, plan={"training": {"models": ["mine"]}})
    found, problems = read_studies([lost, other], PUBLISHED_MODELS)
    assert found == []
    assert len(problems) == 1
    assert tmp_path.name in problems[0]
