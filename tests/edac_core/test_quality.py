import numpy as np
import pytest
import soxr
from scipy import signal

from edac_core.audio import SAMPLE_RATE, Sound
from edac_core.datasets.audit import CLIPPED_SHARE, SHORTEST_SECONDS, SILENT_DBFS
from edac_core.datasets.synthetic import synthesize
from edac_core.quality import (
    NARROW_HZ,
    STANDS_OUT_DB,
    edge_hz,
    judge,
    stands_out_db,
)


def sound(*channels, rate=SAMPLE_RATE):
    return Sound(np.asarray(channels, np.float32), rate)


def noise(seconds=2.0, level=0.1, rate=SAMPLE_RATE):
    return np.random.default_rng(0).normal(0, level, int(seconds * rate))


def kinds(recording):
    return [finding.kind for finding in judge(recording).findings]


@pytest.fixture
def cough():
    return synthesize(1, seed=1, source="studio")


def test_a_sound_cough_has_no_fault(cough):
    quality = judge(sound(cough))
    assert quality.findings == ()
    assert quality.usable
    assert quality.facts.seconds == pytest.approx(len(cough) / SAMPLE_RATE)


@pytest.mark.parametrize(("decibels", "silent"), [(SILENT_DBFS - 0.1, True), (SILENT_DBFS, False)])
def test_silent_is_what_the_audit_calls_silent(decibels, silent):
    wave = np.sin(np.linspace(0, 900, SAMPLE_RATE)) * 10 ** (decibels / 20) * 1.0001
    quality = judge(sound(wave))
    assert ("silent" in kinds(sound(wave))) == silent
    assert quality.usable != silent


def test_zeros_are_silent_and_nothing_else():
    (finding,) = judge(sound(np.zeros(SAMPLE_RATE))).findings
    assert finding.sentence.startswith("It never gets louder than zero:")
    assert finding.fatal


@pytest.mark.parametrize("samples", [1, 2, int(SHORTEST_SECONDS * SAMPLE_RATE) - 1])
def test_too_short_is_what_the_audit_calls_too_short(samples):
    quality = judge(sound(np.full(samples, 0.5)))
    assert [finding.kind for finding in quality.findings] == ["too short"]
    assert not quality.usable


def test_what_lasts_just_long_enough_is_usable():
    assert judge(sound(noise()[: int(SHORTEST_SECONDS * SAMPLE_RATE) + 1])).usable


@pytest.mark.parametrize(("share", "clipped"), [(0.5, False), (2.0, True)])
def test_clipped_is_what_the_audit_calls_clipped(cough, share, clipped):
    wave = cough.copy()
    wave[: int(share * CLIPPED_SHARE * len(wave))] = 1.0
    assert ("clipped" in kinds(sound(wave))) == clipped


def test_a_clipped_recording_is_still_usable(cough):
    quality = judge(sound(np.clip(cough * 20, -1, 1)))
    assert quality.findings[0].kind == "clipped"
    assert quality.usable


@pytest.mark.parametrize(("cutoff", "narrow"), [(2_500, True), (9_000, False)])
def test_narrow_band_is_a_matter_of_the_highest_frequency(cough, cutoff, narrow):
    steep = signal.cheby2(12, 80, cutoff, fs=SAMPLE_RATE, output="sos")
    filtered = sound(signal.sosfilt(steep, cough))
    assert ("narrow-band" in kinds(filtered)) == narrow


def test_the_edge_is_that_of_the_strongest_filter():
    tone = np.sin(2 * np.pi * 1_000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    faint = np.sin(2 * np.pi * 6_000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    assert edge_hz(sound(tone + 10 ** (-50 / 20) * faint)) == pytest.approx(6_000, abs=60)
    assert edge_hz(sound(tone + 10 ** (-70 / 20) * faint)) == pytest.approx(1_000, abs=60)
    assert edge_hz(sound(np.zeros(SAMPLE_RATE))) == 0
    assert NARROW_HZ == 4_500


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_a_telephones_recording_is_narrow_band_whatever_its_sample_rate(cough, rate):
    wave = soxr.resample(soxr.resample(cough, SAMPLE_RATE, 8_000), 8_000, rate)
    assert "narrow-band" in kinds(sound(wave, rate=rate))


def test_steady_noise_is_mostly_noise():
    assert "mostly noise" in kinds(sound(noise()))
    assert stands_out_db(sound(noise())) < 2


def test_loud_moments_stand_out_by_the_difference_of_their_levels():
    frame = int(np.ceil(0.025 * SAMPLE_RATE))
    levels = np.r_[np.full(50 * frame, 0.01), np.full(50 * frame, 0.1)]
    assert stands_out_db(sound(levels)) == pytest.approx(20)
    assert stands_out_db(sound(levels[: frame - 1])) == 0
    assert STANDS_OUT_DB == 10


def test_channels_are_judged_together(cough):
    assert kinds(sound(cough, cough)) == kinds(sound(cough)) == []
