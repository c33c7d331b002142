import io

import numpy as np
import soundfile

from dashboard.player import encoded


def test_a_waveform_keeps_its_level():
    wave = np.array([0, 0.1, -0.25, 0.5], np.float32)
    samples, rate = soundfile.read(io.BytesIO(encoded(wave)), dtype="float32")
    assert rate == 22_050
    np.testing.assert_allclose(samples, wave, atol=1 / 32_768)


def test_what_is_beyond_full_scale_is_clipped():
    samples, _ = soundfile.read(io.BytesIO(encoded(np.array([3, -3], np.float32))))
    assert samples.tolist() == [32_767 / 32_768, -1]
