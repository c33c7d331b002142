import math

import numpy as np
import pytest

from dashboard.comparing import verdicts
from dashboard.comparing.contestants import Contestant
from dashboard.comparing.verdicts import Question
from edac_core.verdicts import Hearing, ModelFile, Verdict


def contestant(precision, method="none", sparsity=0.0, threshold=0.5):
    code = f"{precision}-{method}-{sparsity}"
    file = ModelFile("", live=False, sha256=code)
    return Contestant(code, precision, method, sparsity, threshold, 1, file)


BASELINE = contestant("float32", threshold=0.4)
INT8 = contestant("int8", threshold=0.7)
PRUNED = contestant("int8", "constant", 0.9, threshold=0.2)


def answers(chosen, asked, *said):
    question = Question(np.zeros(1, np.float32), "0", "mfcc", tuple(chosen), tuple(asked))
    return verdicts.answers(question, Hearing(np.zeros(1, np.float32), said))


def test_each_variant_decides_at_its_own_operating_point():
    table = answers(
        [BASELINE, INT8, PRUNED], [BASELINE, INT8, PRUNED],
        Verdict(0.6, 1.0), Verdict(0.6, 0.5), Verdict(0.2, 0.5),
    )  # fmt: skip
    assert table["positive"].tolist() == [True, False, True]
    np.testing.assert_allclose(table["difference"], [0, 0, -0.4])


def test_differences_are_taken_from_a_baseline_that_is_not_shown():
    table = answers([INT8], [BASELINE, INT8], Verdict(0.25), Verdict(0.5))
    assert table.query("chosen")["difference"].tolist() == [0.25]


def test_without_a_baseline_there_is_no_difference():
    table = answers([INT8], [INT8], Verdict(0.5))
    assert math.isnan(table["difference"].item())


def test_what_cannot_be_asked_is_neither_positive_nor_negative():
    table = answers(
        [BASELINE, INT8], [BASELINE, INT8], Verdict(problem="It is gone."), Verdict(0.9)
    )
    assert table["problem"].tolist() == ["It is gone.", ""]
    assert not table.loc[0, "positive"]
    assert table["difference"].isna().all()


def test_nobody_asked_is_an_empty_table():
    assert answers([], []).empty


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ((0.6, 0.8, 0.1), "**2 of 3** variants call this recording positive. The furthest from "
         "the float32 baseline is int8, constant 90 %: \N{MINUS SIGN}0.500."),
        ((0.6, 0.8, 0.3), "**All 3 variants call this recording positive.** The furthest from "
         "the float32 baseline is int8, constant 90 %: \N{MINUS SIGN}0.300."),
        ((0.1, 0.6, 0.1), "**All 3 variants call this recording negative.** The furthest from "
         "the float32 baseline is int8, not pruned: +0.500."),
    ],
)  # fmt: skip
def test_the_answers_in_words(said, sentence):
    asked = [BASELINE, INT8, PRUNED]
    assert verdicts.describe_answers(answers(asked, asked, *map(Verdict, said))) == sentence


def test_one_answer_in_words():
    table = answers([BASELINE], [BASELINE], Verdict(0.1))
    assert verdicts.describe_answers(table) == "**The variant calls this recording negative.**"
