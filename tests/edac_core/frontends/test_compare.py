"""openSMILE and TensorFlow corrupt each other's memory in one process, so its tests run apart."""

import subprocess
import sys
from pathlib import Path

import numpy as np

import edac_core.models.backend  # noqa: F401 - imports TensorFlow
from edac_core.frontends.compare import Compare


def run(*arguments):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_front_end_by_itself():
    tests = Path(__file__).with_name("apart_compare.py")
    done = run("-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", tests)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_beside_tensorflow_the_values_are_the_same(tmp_path):
    assert "tensorflow" in sys.modules
    waveform = np.random.default_rng(0).normal(0, 0.1, 22_050).astype(np.float32)
    np.save(tmp_path / "waveform.npy", waveform)
    code = (
        "import sys, numpy as np; from edac_core.frontends.compare import Compare\n"
        f"waveform = np.load({str(tmp_path / 'waveform.npy')!r})\n"
        f"np.save({str(tmp_path / 'alone.npy')!r}, Compare()(waveform))\n"
        "assert 'tensorflow' not in sys.modules"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    for _ in range(2):
        np.testing.assert_array_equal(Compare()(waveform), np.load(tmp_path / "alone.npy"))
