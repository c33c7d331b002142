import numpy as np
import pytest
import soundfile

from edac_core.audio import SAMPLE_RATE, load
from edac_core.errors import AudioError
from edac_core.listening import hear


def wav(tmp_path, samples, rate=SAMPLE_RATE):
    soundfile.write(tmp_path / "cough.wav", samples, rate, "FLOAT")
    return (tmp_path / "cough.wav").read_bytes()


def test_what_is_heard_is_what_front_ends_take(tmp_path):
    stereo = np.random.default_rng(1).uniform(-0.5, 0.5, (24_000, 2)).astype(np.float32)
    data = wav(tmp_path, stereo, 48_000)
    heard = hear(data, "cough.wav")
    np.testing.assert_array_equal(heard.waveform, load(data))
    assert (heard.stored_sample_rate, heard.channels) == (48_000, 2)
    assert heard.seconds == pytest.approx(0.5)
    assert heard.quality.facts.channels == 2


def test_a_recording_that_resampling_leaves_nothing_of_is_a_sentence(tmp_path):
    with pytest.raises(AudioError, match=r"^cough\.wav holds too few samples to hear anything"):
        hear(wav(tmp_path, np.zeros(1), 192_000), "cough.wav")


def test_a_single_sample_is_heard_and_called_too_short(tmp_path):
    heard = hear(wav(tmp_path, np.ones(1)), "cough.wav")
    assert len(heard.waveform) == 1
    assert [finding.kind for finding in heard.quality.findings] == ["too short"]
