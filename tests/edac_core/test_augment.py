import random
import subprocess
import sys

import librosa
import numpy as np
import pytest

from edac_core.augment import AUGMENTATIONS, apply, apply_each, check, copies
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
    alone, chained = copies(waveform, seed=9)
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


def test_unknown_augmentation_names_the_known():
    with pytest.raises(PlanError, match=r"'aug3' of 'aug1\+aug3'.*aug1, aug2"):
        check("aug1+aug3")


@pytest.mark.parametrize(
    ("samples", "reason"),
    [(np.zeros(0, np.float32), "is empty"), (np.full(4000, np.nan, np.float32), "not all finite")],
)
def test_unusable_result_is_refused(samples, reason):
    with pytest.raises(AudioError, match=reason):
        apply(samples, "aug1", seed=0)
