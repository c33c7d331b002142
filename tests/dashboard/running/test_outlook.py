# ruff: noqa: E501 - a table of sentences reads best with a sentence a line
import pytest

from dashboard.running.outlook import grounds, headline, never_pruned, table
from edac_core.studies.estimate import Estimate, Part
from edac_core.studies.plan import parse_plan


def part(kind="level", **changes):
    facts = {"model": "cnn", "title": "CNN", "kind": kind, "jobs": 6, "known": 0, "epochs": 3.0,
             "most_epochs": 3, "examples": 288, "seconds": 40.0, "measurements": 96}  # fmt: skip
    return Part(**facts | changes)


BASELINE = part("baseline", jobs=1, epochs=86.8, most_epochs=200, seconds=600.0, measurements=3)
UNMEASURED = part(seconds=None, measurements=0)


def estimate(*parts, counted_in="studies"):
    return Estimate(parts, 2, counted_in)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ([BASELINE, part()], "**7 jobs**, **about 12 min** with 2 workers."),
        ([part(known=2, seconds=10.0)], "**6 jobs**, 2 of them finished already, **under a minute** with 2 workers."),
        ([part(known=6)], "**6 jobs**, 6 of them finished already. There is nothing to train."),
        ([UNMEASURED], "**6 jobs**. How long they take is **not measured yet** on this machine."),
        ([BASELINE, UNMEASURED], "**7 jobs**, of which those measured before take **about 10 min** with 2 workers."),
    ],
)  # fmt: skip
def test_the_headline_says_how_many_and_how_long(parts, sentence):
    assert headline(estimate(*parts)) == sentence


def test_grounds_say_what_an_estimate_rests_on():
    found = estimate(BASELINE, part(), counted_in="recordings")
    assert grounds(found) == (
        "It rests on 99 finished jobs on this machine, scaled by epochs and training examples "
        "(288, counted before the audit). Preparing the recordings and timing the variants come "
        "on top."
    )


def test_grounds_name_what_was_never_measured():
    dense = {"title": "Dense A", "seconds": None, "measurements": 0}
    found = estimate(BASELINE, UNMEASURED, part("baseline", **dense), part(**dense))
    assert "Not measured yet on this machine: CNN (pruned), Dense A." in grounds(found)


def test_grounds_of_nothing_do_not_boast():
    assert "rests on" not in grounds(estimate(UNMEASURED))


def test_grounds_say_that_recordings_are_not_here():
    found = estimate(part(examples=None, seconds=None), counted_in="")
    assert "the recordings, which are not here to be counted" in grounds(found)


def test_the_table_has_a_row_a_network_and_kind():
    rows = table([BASELINE, part(), UNMEASURED, part(examples=None, seconds=None)])
    assert list(rows["Epochs"]) == ["about 87 of 200", "3", "3", "3"]
    assert list(rows["Time a job"]) == ["600 s", "40 s", "not measured yet", "unknown"]
    assert list(rows["Jobs"])[:2] == ["1 baseline", "6 pruned"]


@pytest.mark.parametrize(
    ("schedules", "frequency", "warned"),
    [(["polynomial"], 28, True), (["polynomial"], 27, False), (["constant"], 28, False)],
)
def test_a_schedule_that_never_prunes_is_told_before_it_is_run(schedules, frequency, warned):
    """288 examples are 9 batches of 32; three epochs are 27 steps."""
    plan = parse_plan({
        "name": "tiny", "title": "", "data": {"dataset": "synthetic"},
        "training": {"models": ["cnn"]},
        "compression": {"schedules": schedules, "frequency": frequency},
    })  # fmt: skip
    assert bool(never_pruned(plan, [BASELINE, part()])) == warned
