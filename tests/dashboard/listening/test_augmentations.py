import numpy as np
import pytest

from dashboard.listening.augmentations import (
    AUGMENTATIONS,
    WHOLE,
    Selection,
    describe_effect,
    describe_outcome,
    steps_of,
)
from edac_core.augment import apply, apply_to_spectrogram
from edac_core.datasets.synthetic import synthesize
from edac_core.frontends import get_frontend
from edac_core.previews import Change, preview

EVERYTHING = [Selection(name, step) for name in AUGMENTATIONS for step in steps_of(name)]


@pytest.fixture(scope="module")
def waveform():
    return synthesize(0, seed=2)[: 2 * 22_050]


@pytest.fixture(scope="module")
def before(waveform):
    return preview(waveform, Change(), "mel_image")


def changed(waveform, selection, seed=0, amounts=None, frontend="mel_image"):
    amounts = selection.amounts(seed=seed) if amounts is None else amounts
    return preview(waveform, selection.change(amounts, seed=seed), frontend)


@pytest.mark.parametrize("name", ["aug1", "aug1+aug2", "pitch_down"])
def test_untouched_sliders_give_what_trains_a_network(waveform, name):
    for seed in (1, 9_999):
        shown = changed(waveform, Selection(name), seed=seed)
        np.testing.assert_array_equal(shown.waveform, apply(waveform, name, seed=seed))


def test_untouched_masks_are_those_that_train_a_network(waveform):
    frontend = get_frontend("mel_image")
    expected = apply_to_spectrogram(frontend.spectrogram(waveform), "specaugment", seed=3)
    shown = changed(waveform, Selection("specaugment"), seed=3)
    np.testing.assert_array_equal(shown.features, frontend.features(expected))


def test_aug1_and_aug2_have_six_steps_each_that_can_be_seen_alone():
    assert len(steps_of("aug1")) == len(steps_of("aug1+aug2")) == 7
    assert steps_of("aug1")["time-stretch"] == "Time stretch"
    assert list(steps_of("specaugment")) == list(steps_of("pitch_down")) == [WHOLE]


@pytest.mark.parametrize("selection", EVERYTHING, ids=str)
def test_every_choice_does_something_and_says_what(waveform, before, selection):
    shown = changed(waveform, selection, seed=4)
    same = shown.waveform.shape == before.waveform.shape and np.array_equal(
        shown.waveform, before.waveform
    )
    assert same == (selection.augmentation == "specaugment")
    assert describe_outcome(before, shown)
    assert selection.describe().endswith(".")


def test_a_single_step_is_always_applied_by_what_its_slider_says(waveform, before):
    said = {
        "time-stretch": ((1.2,), "1.20 times as fast"),
        "pitch-shift": ((-1.5,), "\N{MINUS SIGN}1.5 semitones"),
        "shift": ((0.5,), f"moved {len(waveform) / 2 / 22_050:.2f} s later"),
        "gain": ((6.0,), "+6.0 dB"),
        "polarity-inversion": ((), "polarity inverted"),
    }
    for step, (amounts, words) in said.items():
        for seed in range(3):
            shown = changed(waveform, Selection("aug1", step), seed=seed, amounts=amounts)
            assert describe_outcome(before, shown) == words


def test_trimming_says_how_much(waveform, before):
    shown = changed(waveform, Selection("aug1", "trim"), amounts=(30.0,))
    seconds = (len(waveform) - len(shown.waveform)) / 22_050
    assert describe_outcome(before, shown) == f"{seconds:.2f} s trimmed off the ends"
    again = preview(shown.waveform, Selection("aug1", "trim").change((60.0,), seed=0), "mfcc")
    assert describe_outcome(shown, again) == "nothing to trim"


def test_steps_that_were_not_drawn_are_said_to_be_left_out(waveform, before):
    words = [describe_outcome(before, changed(waveform, Selection("aug1"), seed=s))
             for s in range(8)]  # fmt: skip
    assert any("no polarity inversion" in each for each in words)
    assert any(", polarity inverted" in each for each in words)
    assert all(each.count(",") == 5 for each in words)


def test_a_seed_moves_the_slider_of_a_step_within_the_papers_range():
    stretch = Selection("aug1+aug2", "time-stretch")
    drawn = [stretch.amounts(seed=seed)[0] for seed in range(300)]
    assert drawn == [stretch.amounts(seed=seed)[0] for seed in range(300)]
    assert 0.8 <= min(drawn) < 0.82
    assert 1.23 < max(drawn) <= 1.25


def test_a_seed_is_offered_where_something_is_drawn():
    assert Selection("aug1").is_drawn
    assert Selection("specaugment").is_drawn
    assert Selection("aug1", "gain").is_drawn
    fixed = [Selection("aug1", "trim"), Selection("aug1", "polarity-inversion"),
             Selection("pitch_down")]  # fmt: skip
    assert not any(selection.is_drawn for selection in fixed)


def test_narrowed_ranges_are_what_is_drawn_from(waveform):
    selection = Selection("aug1")
    amounts = [(1.1, 1.1), (2.0, 2.0), (0.1, 0.1), 30.0, (3.0, 3.0)]
    (outcomes,) = changed(waveform, selection, amounts=amounts).outcomes
    drawn = [round(outcome.amount, 6) for outcome in outcomes if outcome.amount is not None]
    assert set(drawn) <= {1.1, 2.0, 0.1, 3.0}


def test_masks_are_told_in_hertz_and_seconds(waveform, before):
    none = changed(waveform, Selection("specaugment"), amounts=(0.0, 0.0))
    assert describe_outcome(before, none) == "no bands and no frames covered with the mean"
    assert describe_effect(before, none) == "The network gets exactly what it got before."
    some = changed(waveform, Selection("specaugment"), seed=2)
    low, high = some.covered.hertz
    assert f"({low:.0f} to {high:.0f} Hz)" in describe_outcome(before, some)


def test_what_surprises_is_said(waveform, before):
    inverted = changed(waveform, Selection("aug1", "polarity-inversion"))
    assert describe_effect(before, inverted) == "The network gets exactly what it got before."
    loud = changed(waveform, Selection("aug1", "gain"), amounts=(12.0,))
    assert "the player clips it" in describe_effect(before, loud)
    assert describe_effect(before, changed(waveform, Selection("pitch_down"))) == ""


def test_what_the_paper_did_is_told():
    said = Selection("aug1+aug2", "time-stretch").describe()
    assert "In aug2 EDAC applies it to 50 % of the copies" in said
    assert "between 0.8 and 1.25" in said
    assert "EDAC applies it to every copy; here" in Selection("aug1", "trim").describe()
    assert (
        "between \N{MINUS SIGN}50 and 50 per cent of its length"
        in Selection("aug1", "shift").describe()
    )
