import math
import random

import numpy as np
import pytest
from scipy import signal

from edac_core.audio import SAMPLE_RATE
from edac_core.datasets.synthetic import synthesize
from edac_core.disturb import DISTURBANCES, GAIN, LOW_PASS, NOISE, disturb
from edac_core.errors import PlanError


@pytest.fixture(scope="module")
def quiet():
    """A cough with room for what is added to it."""
    return 0.05 * synthesize(1, seed=1)


def power(wave):
    return np.square(wave, dtype=np.float64).mean()


@pytest.mark.parametrize("decibels", [30, 10, 0, -5])
def test_noise_has_the_power_asked_for(quiet, decibels):
    added = disturb(quiet, "noise", decibels, 3) - quiet
    assert 10 * np.log10(power(quiet) / power(added)) == pytest.approx(decibels, abs=0.1)


def test_more_noise_is_the_same_noise_louder(quiet):
    soft, loud = (disturb(quiet, "noise", decibels, 3) - quiet for decibels in (20, 0))
    np.testing.assert_allclose(loud, 10 * soft, atol=1e-6)


@pytest.mark.parametrize("decibels", [-30, -6, 12])
def test_gain_multiplies(quiet, decibels):
    np.testing.assert_allclose(
        disturb(quiet, "gain", decibels, 0), quiet * 10 ** (decibels / 20), rtol=1e-5, atol=1e-9
    )


def test_what_is_beyond_full_scale_is_clipped(quiet):
    loud = disturb(synthesize(1, seed=1), "gain", 30, 0)
    assert (loud.min(), loud.max()) == (-1, 1)


@pytest.mark.parametrize("cutoff", [4_000, 1_000, 300])
def test_the_low_pass_is_a_butterworth_of_24_db_an_octave(quiet, cutoff):
    fourth_order = signal.butter(4, cutoff, fs=SAMPLE_RATE, output="sos")
    # Audiomentations starts the filter as if the first sample had always been there.
    expected = signal.sosfilt(fourth_order, quiet)
    np.testing.assert_allclose(disturb(quiet, "low-pass", cutoff, 0), expected, atol=1e-5)


@pytest.mark.parametrize("kind", DISTURBANCES.values(), ids=DISTURBANCES)
def test_one_strength_leaves_the_recording_as_it_is(quiet, kind):
    assert kind.untouched in kind.strengths
    np.testing.assert_array_equal(disturb(quiet, kind.name, kind.untouched, 0), quiet)


@pytest.mark.parametrize("kind", DISTURBANCES.values(), ids=DISTURBANCES)
def test_every_strength_gives_a_waveform_that_only_the_seed_decides(kind):
    wave = synthesize(0, seed=2)
    random.seed(1)
    first = [disturb(wave, kind.name, strength, 5) for strength in kind.strengths]
    random.seed(2)
    again = [disturb(wave, kind.name, strength, 5) for strength in kind.strengths]
    for strength, one, two in zip(kind.strengths, first, again, strict=True):
        np.testing.assert_array_equal(one, two)
        assert one.dtype == np.float32
        assert one.shape == wave.shape
        assert np.isfinite(one).all()
        assert np.array_equal(one, wave) == (strength == kind.untouched)


def test_another_seed_is_other_noise(quiet):
    assert not np.array_equal(disturb(quiet, "noise", 10, 1), disturb(quiet, "noise", 10, 2))


def test_the_global_generators_are_left_as_they_were(quiet):
    def _states():
        return random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - audiomentations'

    random.seed(7)
    before = _states()
    disturb(quiet, "noise", 10, 1)
    assert _states() == before


def test_strengths_grow_from_nothing():
    for kind in (NOISE, LOW_PASS):
        assert kind.strengths[0] == math.inf
        assert list(kind.strengths) == sorted(kind.strengths, reverse=True)
    assert list(GAIN.strengths) == sorted(GAIN.strengths)


def test_an_unknown_disturbance_is_a_sentence(quiet):
    with pytest.raises(PlanError, match="Disturbance 'echo' is unknown: choose from noise, gain"):
        disturb(quiet, "echo", 1, 0)
