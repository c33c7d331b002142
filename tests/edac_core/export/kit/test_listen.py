"""docs/examples/listen.py judges a recording as the program itself does."""

import importlib.util

import numpy as np
import pytest
import soundfile

from edac_core.locations import PROJECT
from edac_core.runtime import Variant


@pytest.fixture(scope="module")
def listen():
    spec = importlib.util.spec_from_file_location("listen", PROJECT / "docs/examples/listen.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_says_the_golden_score_of_a_golden_recording(listen, folder, tmp_path, capsys):
    with np.load(folder / "golden.npz", allow_pickle=False) as golden:
        samples = golden["waveforms"][0][: golden["lengths"][0]]
        expected = golden["scores"][0]
    soundfile.write(tmp_path / "cough.wav", samples, 22_050, subtype="PCM_16")
    listen.main(folder, tmp_path / "cough.wav")
    assert capsys.readouterr().out.startswith(f"cough.wav: {expected:.3f}, ")


def test_another_sample_rate_is_refused_with_what_to_do(listen, folder, tmp_path):
    soundfile.write(tmp_path / "cough.wav", np.zeros(48_000), 48_000)
    with pytest.raises(SystemExit, match="has 48000 Hz: resample it to 22050"):
        listen.main(folder, tmp_path / "cough.wav")


def test_a_bundle_without_a_front_end_is_refused_with_what_to_do(listen, tmp_path):
    with pytest.raises(SystemExit, match=r"has no frontend\.py: compute the features"):
        listen.frontend(tmp_path)


@pytest.mark.parametrize("precision", ["float32", "int8", "int8_full", "int16x8"])
def test_inputs_of_every_type_are_scored(listen, tmp_path, precision):
    keras = pytest.importorskip("tf_keras")
    from edac_core.compress.quantization import convert  # noqa: PLC0415 - TensorFlow takes seconds

    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1, activation="sigmoid")])
    features = np.random.default_rng(0).normal(0, 3, (32, 8)).astype(np.float32)
    model = convert(network, precision, representative=features)
    (tmp_path / "model.tflite").write_bytes(model)
    found = [listen.run(tmp_path / "model.tflite", row[np.newaxis]) for row in features[:5]]
    np.testing.assert_allclose(found, Variant(model).score(features[:5]), atol=1e-6)
