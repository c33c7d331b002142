import subprocess
import sys
from dataclasses import replace

import audiomentations
import numpy as np
import pytest

from edac_core.augment import Step, perform, specaugment
from edac_core.operations import (
    RECIPES,
    Gain,
    PitchShift,
    PolarityInversion,
    Shift,
    TimeStretch,
    Trim,
)

RATE = 22_050
METHOD = "librosa_phase_vocoder"
ALONE = Step(0, "alone", 1)


@pytest.fixture(scope="module")
def waveform():
    samples = np.zeros(RATE, np.float32)
    samples[5_000:15_000] = np.random.default_rng(0).normal(0, 0.2, 10_000)
    return samples


@pytest.mark.parametrize(
    ("operation", "directly"),
    [
        (TimeStretch(0.8, 0.8, 1), audiomentations.TimeStretch(0.8, 0.8, method=METHOD, p=1)),
        (PitchShift(3, 3, 1), audiomentations.PitchShift(3, 3, method=METHOD, p=1)),
        (Shift(0.25, 0.25, 1), audiomentations.Shift(0.25, 0.25, fade_duration=0.0, p=1)),
        (Trim(40, 1), audiomentations.Trim(40, p=1)),
        (Gain(-6, -6, 1), audiomentations.Gain(-6, -6, p=1)),
        (PolarityInversion(1), audiomentations.PolarityInversion(p=1)),
    ],
)
def test_an_operation_is_what_audiomentations_does(waveform, operation, directly):
    got, (outcome,) = perform(waveform, [operation], step=ALONE, seed=4)
    np.testing.assert_array_equal(got, directly(waveform, RATE))
    assert not np.array_equal(got, waveform)
    assert outcome.samples == len(got)
    assert outcome.applied
    if outcome.amount is not None:
        assert outcome.amount == pytest.approx(operation.low)


def test_what_was_drawn_is_told(waveform):
    """Redone with the amounts that were told, whatever the seed, the result is the same."""
    recipe = RECIPES["aug1"]
    for seed in range(4):
        drawn, outcomes = perform(waveform, recipe, step=Step(0, "aug1", 1), seed=seed)
        fixed = [
            outcome.operation if outcome.amount is None
            else replace(outcome.operation, low=outcome.amount, high=outcome.amount)
            for outcome in outcomes
        ]  # fmt: skip
        again = [
            replace(operation, probability=float(outcome.applied))
            for operation, outcome in zip(fixed, outcomes, strict=True)
        ]
        redone, _ = perform(waveform, again, step=ALONE, seed=99)
        np.testing.assert_allclose(redone, drawn, atol=1e-6)


def test_what_is_not_applied_draws_nothing(waveform):
    got, (outcome,) = perform(waveform, [Gain(6, 6, 0)], step=ALONE, seed=0)
    np.testing.assert_array_equal(got, waveform)
    assert (outcome.applied, outcome.amount) == (False, None)


def test_reading_the_recipes_does_not_import_what_performs_them():
    code = (
        "import sys, edac_core.augment, edac_core.operations;"
        "print({'audiomentations', 'librosa'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_import_of_what_performs_them_draws_nothing():
    """It happens between a seed and what is drawn with it."""
    code = (
        "import random; random.seed(3); before = random.getstate(); import audiomentations;"
        "print(before == random.getstate())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_masks_are_no_wider_than_asked():
    spectrogram = np.random.default_rng(0).normal(-40, 10, (128, 302)).astype(np.float32)
    for seed in range(20):
        masked = specaugment(spectrogram, np.random.default_rng(seed), most_bands=5, most_frames=0)
        changed = (masked != spectrogram).any(axis=1)
        assert changed.sum() <= 5
