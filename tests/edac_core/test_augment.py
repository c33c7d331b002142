import random
import subprocess
import sys

import librosa
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edac_core.augment import (
    AUGMENTATIONS,
    COUGHVID_NEGATIVE,
    COUGHVID_POSITIVE,
    EDAC_COPIES,
    WIDEST_MASK,
    apply,
    apply_each,
    apply_to_spectrogram,
    parse,
    specaugment,
)
from edac_core.errors import AudioError, PlanError

RATE = 22_050


@pytest.fixture(scope="module")
def waveform():
    """Half a second of noise between two silences."""
    samples = np.zeros(RATE, np.float32)
    noise = np.random.default_rng(0).normal(0, 0.2, RATE // 2)
    samples[RATE // 4 : RATE // 4 + len(noise)] = noise
    return samples


@pytest.mark.parametrize("pipeline", ["aug1", "aug2", "aug1+aug2"])
def test_result_depends_on_waveform_pipeline_and_seed_alone(waveform, pipeline):
    random.seed(1)
    first = apply(waveform, pipeline, seed=5)
    random.seed(2)
    np.testing.assert_array_equal(apply(waveform, pipeline, seed=5), first)
    assert first.dtype == np.float32
    assert first.ndim == 1
    other = apply(waveform, pipeline, seed=6)
    assert not np.array_equal(other[:100], first[:100])


def test_global_generator_is_left_as_it_was(waveform):
    random.seed(3)
    expected = random.random()
    random.seed(3)
    apply(waveform, "aug1", seed=0)
    assert random.random() == expected


def test_first_call_of_a_process_gives_what_later_calls_give(waveform, tmp_path):
    """What is imported on the first call must not disturb the draws."""
    np.save(tmp_path / "waveform.npy", waveform)
    code = (
        "import sys, numpy, edac_core.augment as a;"
        "w = numpy.load(sys.argv[1] + '/waveform.npy');"
        "numpy.save(sys.argv[1] + '/first.npy', a.apply(w, 'aug1+aug2', seed=5))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    first = np.load(tmp_path / "first.npy")
    np.testing.assert_array_equal(first, apply(waveform, "aug1+aug2", seed=5))


def test_chain_starts_with_what_its_first_name_gives(waveform):
    alone, chained = apply_each(waveform, EDAC_COPIES, seed=9)
    np.testing.assert_array_equal(alone, apply(waveform, "aug1", seed=9))
    np.testing.assert_array_equal(chained, apply(waveform, "aug1+aug2", seed=9))
    assert not np.array_equal(alone, chained)


def test_empty_pipeline_leaves_the_waveform(waveform):
    plain, _ = apply_each(waveform, ["", "aug1"], seed=1)
    np.testing.assert_array_equal(plain, waveform)


def test_aug1_does_as_the_paper_says(waveform):
    """The recipe again, from librosa and numpy, with the parameters that were drawn."""
    transforms = AUGMENTATIONS["aug1"]()
    random.seed(12)
    got = waveform
    for transform in transforms:
        got = transform(got, RATE)
    stretch, pitch, shift, _, gain, polarity = (step.parameters for step in transforms)

    expected = waveform
    if stretch["should_apply"]:
        stretched = librosa.effects.time_stretch(expected, rate=stretch["rate"])
        expected = librosa.util.fix_length(stretched, size=len(waveform))
    expected = librosa.effects.pitch_shift(expected, sr=RATE, n_steps=pitch["num_semitones"])
    if shift["should_apply"]:
        expected = np.roll(expected, round(shift["shift_amount"] * len(expected)))
    expected, _ = librosa.effects.trim(expected, top_db=30)
    expected = expected * gain["amplitude_ratio"]
    if polarity["should_apply"]:
        expected = -expected
    np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "rates", "stretched"), [("aug1", (0.7, 1.4), 0.9), ("aug2", (0.8, 1.25), 0.5)]
)
def test_parameters_are_those_of_the_paper(name, rates, stretched):
    stretch, pitch, shift, trim, gain, polarity = AUGMENTATIONS[name]()
    assert (stretch.min_rate, stretch.max_rate, stretch.p) == (*rates, stretched)
    assert (pitch.min_semitones, pitch.max_semitones, pitch.p) == (-2, 4, 1)
    assert (shift.min_shift, shift.max_shift, shift.rollover, shift.p) == (-0.5, 0.5, True, 0.8)
    assert not shift.fade
    assert (trim.top_db, trim.p) == (30, 1)
    assert (gain.min_gain_db, gain.max_gain_db, gain.p) == (-12, 12, 1)
    assert polarity.p == 0.8
    assert stretch.method == pitch.method == "librosa_phase_vocoder"


def test_pitch_down_is_four_semitones(waveform):
    expected = librosa.effects.pitch_shift(waveform, sr=RATE, n_steps=-4)
    for seed in range(3):
        np.testing.assert_array_equal(apply(waveform, "pitch_down", seed=seed), expected)


def test_pitch_down_lowers_a_tone():
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    lowered = apply(tone, "pitch_down", seed=0)
    assert len(lowered) == len(tone)
    peak = np.abs(np.fft.rfft(lowered * np.hanning(RATE))).argmax()
    assert peak == pytest.approx(1000 * 2 ** (-4 / 12), abs=3)


def test_further_draws_are_independent(waveform):
    first, again, second, third = apply_each(
        waveform, ["aug1", "aug1:1", "aug1:2", "aug1:3"], seed=5
    )
    np.testing.assert_array_equal(first, again)
    drawn = [each[:100].tobytes() for each in (first, second, third)]
    assert len(set(drawn)) == 3


def _spectrogram(bands, frames, seed=0):
    return np.random.default_rng(seed).normal(-40, 10, (bands, frames)).astype(np.float32)


@given(bands=st.integers(1, 140), frames=st.integers(1, 320), seed=st.integers(0, 2**64 - 1))
@example(bands=128, frames=302, seed=0)
def test_masks_are_a_run_of_bands_and_a_run_of_frames(bands, frames, seed):
    spectrogram = _spectrogram(bands, frames)
    before = spectrogram.copy()
    masked = specaugment(spectrogram, np.random.default_rng(seed))
    np.testing.assert_array_equal(spectrogram, before)
    assert (masked.shape, masked.dtype) == (spectrogram.shape, np.float32)

    covered = masked == spectrogram.mean()
    rows, columns = covered.all(axis=1), covered.all(axis=0)
    np.testing.assert_array_equal(covered, rows[:, None] | columns[None, :])
    np.testing.assert_array_equal(masked[~covered], spectrogram[~covered])
    # When one mask covers everything nothing can be told of the other.
    if not covered.all():
        for line in (rows, columns):
            assert line.sum() <= WIDEST_MASK
            assert len(np.flatnonzero(np.diff(line.astype(int), prepend=0, append=0))) <= 2


def test_widths_and_places_of_masks_are_uniform():
    """128 bands, 302 frames: chi-squared of the widths, and every cell is reached."""
    spectrogram = _spectrogram(128, 302)
    generator = np.random.default_rng(11)
    widths = np.zeros((2, 31))
    reached = [np.zeros(128), np.zeros(302)]
    for _ in range(3100):
        covered = specaugment(spectrogram, generator) == spectrogram.mean()
        for axis in (0, 1):
            line = covered.all(axis=1 - axis)
            widths[axis, line.sum()] += 1
            reached[axis] += line
    # 99.9 % of chi-squared with 30 degrees of freedom.
    assert (((widths - 100) ** 2 / 100).sum(axis=1) < 59.7).all()
    assert all((each > 0).all() for each in reached)


def test_spectrogram_masks_depend_on_seed_draw_and_place():
    spectrogram = _spectrogram(128, 302)

    def _masked(pipeline, seed=7):
        return apply_to_spectrogram(spectrogram, pipeline, seed=seed).tobytes()

    assert _masked("specaugment") == _masked("specaugment:1") == _masked("specaugment")
    distinct = ["specaugment:1", "specaugment:2", "aug1+specaugment:1", "aug1+specaugment:2"]
    assert len({_masked(pipeline) for pipeline in distinct} | {_masked("specaugment", 8)}) == 5
    assert _masked("aug1") == _masked("") == spectrogram.tobytes()


def test_two_masks_are_laid_over_each_other():
    spectrogram = _spectrogram(128, 302)
    once = apply_to_spectrogram(spectrogram, "specaugment", seed=7)
    twice = apply_to_spectrogram(spectrogram, "specaugment+specaugment", seed=7)
    kept_once, kept_twice = once == spectrogram, twice == spectrogram
    assert (kept_once | ~kept_twice).all()
    assert kept_twice.sum() < kept_once.sum()


def test_pipelines_of_the_papers_can_be_read():
    for pipeline in (*EDAC_COPIES, *COUGHVID_NEGATIVE, *COUGHVID_POSITIVE):
        assert parse(str(parse(pipeline))) == parse(pipeline)
    assert str(parse("pitch_down+specaugment:1")) == "pitch_down+specaugment"
    assert parse("pitch_down:2+specaugment:2").waveform_part == "pitch_down:2"


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ("aug1+aug3", r"'aug3' of 'aug1\+aug3'.*aug1, aug2, pitch_down, specaugment"),
        ("aug1+", r"'' of 'aug1\+' is unknown"),
        ("specaugment:0", "'specaugment:0' of 'specaugment:0' has no draw of that number"),
        ("aug1:one", "count draws from 1"),
        ("aug1:", "count draws from 1"),
        ("specaugment:2+aug1", r"'specaugment:2\+aug1' .* put 'specaugment:2' last"),
        ("aug1+specaugment+aug2", "put 'specaugment' last"),
    ],
)
def test_pipelines_that_cannot_be_read_are_refused(pipeline, message):
    with pytest.raises(PlanError, match=message):
        parse(pipeline)


def test_a_waveform_cannot_be_masked(waveform):
    with pytest.raises(PlanError, match=r"'specaugment:2' of .* is not of a waveform"):
        apply(waveform, "aug1+specaugment:2", seed=0)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [(np.zeros(0, np.float32), "is empty"), (np.full(4000, np.nan, np.float32), "not all finite")],
)
def test_unusable_result_is_refused(samples, reason):
    with pytest.raises(AudioError, match=reason):
        apply(samples, "aug1", seed=0)
