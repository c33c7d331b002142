import shutil
import subprocess
import sys

import numpy as np
import pytest

from edac_core import locations
from edac_core.apart import Workers
from edac_core.datasets.synthetic import synthesize
from edac_core.disturb import DISTURBANCES, disturb
from edac_core.frontends import get_frontend
from edac_core.runtime import Variant
from edac_core.studies.store import Store
from edac_core.verdicts import Loaded, ModelFile, Verdict, drift, hear_out, prepare


def at(folder, sha256):
    return ModelFile(str(folder), live=folder != locations.SHIPPED, sha256=sha256)


@pytest.fixture(scope="module")
def store():
    store = Store(locations.SHIPPED, readonly=True)
    yield store
    store.close()


@pytest.fixture(scope="module")
def files(store):
    """Three int8 variants of the shipped CNN."""
    here = store.variants("cnn").query("has_model and precision == 'int8'")
    return [at(locations.SHIPPED, sha256) for sha256 in here["sha256"][:3]]


@pytest.fixture(scope="module")
def cough():
    return synthesize(1, seed=1)


def test_a_verdict_is_the_variants_own_score(store, files, cough):
    hearing = hear_out(cough, "mfcc", files)
    features = get_frontend("mfcc")(cough)
    np.testing.assert_array_equal(hearing.features, features)
    for file, verdict in zip(files, hearing.verdicts, strict=True):
        assert verdict.probability == Variant(store.model(file.sha256)).score_one(features)
        assert verdict.latency_ms > 0
        assert not verdict.problem


def test_drift_is_the_variants_own_score_of_the_disturbed_recording(store, files, cough):
    scores = drift(cough, "mfcc", files, "noise", 4)
    strengths = DISTURBANCES["noise"].strengths
    assert scores.shape == (3, len(strengths))
    disturbed = [disturb(cough, "noise", strength, 4) for strength in strengths]
    features = np.stack([get_frontend("mfcc")(wave) for wave in disturbed])
    for file, row in zip(files, scores, strict=True):
        expected = Variant(store.model(file.sha256)).score(features)
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_a_variant_may_be_asked_for_twice(files, cough):
    first, second = hear_out(cough, "mfcc", [files[0], files[0]]).verdicts
    assert first == second


def test_without_variants_there_are_still_features(cough):
    hearing = hear_out(cough, "mel_image", [])
    assert hearing.features.shape == (39, 88, 3)
    assert hearing.verdicts == ()


def test_what_cannot_be_asked_says_why_and_the_others_are(store, files, cough, tmp_path):
    kept = store.model_path(files[0].sha256)
    (tmp_path / "models").mkdir()
    shutil.copy(store.path, tmp_path)
    shutil.copy(kept, tmp_path / "models")
    damaged = store.model_path(files[1].sha256).read_bytes()[:5_000]
    (tmp_path / "models" / f"{files[1].sha256}.tflite.xz").write_bytes(damaged)
    # Not those of the other tests: what was loaded once is not read again.
    moved = [at(tmp_path, file.sha256) for file in files]
    loaded = Loaded(10**9)
    assert loaded.get(moved[0])
    code = f"""
from edac_core.verdicts import ModelFile, drift, hear_out
from edac_core.datasets.synthetic import synthesize
cough, files = synthesize(1, seed=1), {moved!r}
for verdict in hear_out(cough, "mfcc", files).verdicts:
    print(verdict.problem)
print(drift(cough, "mfcc", files, "gain", 0)[:, 5])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    fine, broken, missing, scores = done.stdout.splitlines()
    assert not fine
    assert broken.endswith(
        "is damaged; delete it by edac cache check --repair and run the study's plan again."
    )
    assert missing.startswith(f"The model file {files[2].sha256[:12]} is not in")
    assert scores.split()[1:] == ["nan", "nan]"]


def test_a_variant_of_another_front_end_is_a_sentence(files, cough):
    (verdict,) = hear_out(cough, "mel_image", files[:1]).verdicts
    assert np.isnan(verdict.probability)
    assert "use the front-end it was trained with" in verdict.problem


def test_no_more_is_kept_loaded_than_there_is_room_for(store, files):
    size = len(store.model(files[0].sha256))
    loaded = Loaded(2 * size)
    first = loaded.get(files[0])
    loaded.get(files[1])
    assert loaded.get(files[0]) is first
    loaded.get(files[2])
    assert len(loaded) == 2
    assert loaded.get(files[0]) is first
    assert len(Loaded(1)) == 0


def test_a_variant_larger_than_the_room_is_kept_alone(files):
    loaded = Loaded(1)
    loaded.get(files[0])
    second = loaded.get(files[1])
    assert len(loaded) == 1
    assert loaded.get(files[1]) is second


def test_preparing_passes_over_what_cannot_be_had(tmp_path):
    prepare("mfcc", [at(tmp_path, "0" * 64)])


def test_all_of_it_can_be_done_apart_without_tensorflow(files, cough):
    workers = Workers(processes=1)
    hearing = workers.call(hear_out, cough, "mfcc", files, seconds=60)
    assert all(isinstance(verdict, Verdict) for verdict in hearing.verdicts)
    workers.call(drift, cough, "mfcc", files, "low-pass", 0, seconds=60)
    assert workers.call(eval, "[n for n in __import__('sys').modules if 'tensorflow' in n]",
                        seconds=20) == []  # fmt: skip
    workers.close()
