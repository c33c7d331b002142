import hashlib
import importlib.metadata
import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from edac_core import audio
from edac_core.augment import COUGHVID_POSITIVE, apply, apply_to_spectrogram, parse
from edac_core.errors import AudioError, PlanError
from edac_core.frontends import extract as module
from edac_core.frontends.cache import ArrayCache, CacheWarning
from edac_core.frontends.compare import Compare
from edac_core.frontends.extract import extract, extract_each
from edac_core.frontends.mel_image import MelImage
from edac_core.frontends.mfcc import Mfcc

FRONTEND = Mfcc(samples=8192)


def _write(folder, count):
    paths = []
    for at in range(count):
        samples = np.random.default_rng(at).normal(0, 0.1, 6000 + 400 * at)
        paths.append(folder / f"{at}.wav")
        soundfile.write(paths[-1], samples, 22_050)
    return pd.DataFrame({"recording": [path.stem for path in paths], "path": map(str, paths)})


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("recordings"), 5)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "features.sqlite"


@pytest.fixture(autouse=True)
def _versions_are_looked_up_anew():
    module._versions.cache_clear()
    yield
    module._versions.cache_clear()


@pytest.fixture
def no_decoding(monkeypatch):
    """Whatever is decoded from now on is an error."""

    def _use():
        def _refuse(*args, **kwargs):
            raise AssertionError("decoded again")

        monkeypatch.setattr(audio, "load", _refuse)

    return _use


def _directly(recordings):
    return np.stack([FRONTEND(audio.load(path)) for path in recordings["path"]])


def _assert_close(features, expected):
    """BLAS adds up in another order when it uses another number of threads."""
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-3)


def test_features_are_in_row_order(recordings):
    shuffled = recordings.sample(frac=1, random_state=3)
    features = extract(shuffled, frontend=FRONTEND, cache=None)
    assert features.dtype == np.float32
    _assert_close(features, _directly(shuffled))


def test_processes_give_what_this_process_gives(tmp_path, cache):
    many = _write(tmp_path, 35)
    steps = []
    features = extract_each(
        many,
        frontend=FRONTEND,
        pipelines=["", "aug1"],
        cache=cache,
        workers=2,
        progress=lambda done, total: steps.append((done, total)),
    )
    alone = extract_each(many, frontend=FRONTEND, pipelines=["", "aug1"], cache=None, workers=1)
    np.testing.assert_array_equal(features, alone)
    assert steps[-1] == (35, 35)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_no_recordings_give_no_features():
    none = pd.DataFrame({"recording": [], "path": []})
    assert extract(none, frontend=FRONTEND, cache=None).shape == (0, *FRONTEND.shape)


def test_nothing_is_computed_twice(recordings, cache, no_decoding):
    first = extract(recordings, frontend=FRONTEND, cache=cache)
    no_decoding()
    again = extract(recordings[::-1], frontend=FRONTEND, cache=cache, seed=99)
    np.testing.assert_array_equal(again[::-1], first)


def test_copies_of_a_file_are_computed_once(recordings, tmp_path, monkeypatch):
    twin = tmp_path / "twin.wav"
    twin.write_bytes(Path(recordings["path"][1]).read_bytes())
    row = pd.DataFrame({"recording": ["twin"], "path": [str(twin)]})
    decoded = []
    load = audio.load
    monkeypatch.setattr(
        audio, "load", lambda path, *, name: decoded.append(name) or load(path, name=name)
    )
    both = pd.concat([recordings, row], ignore_index=True)
    features = extract(both, frontend=FRONTEND, pipeline="aug1", cache=None)
    assert len(decoded) == len(recordings)
    np.testing.assert_array_equal(features[-1], features[1])


def test_changed_content_is_computed_again(tmp_path, cache):
    recordings = _write(tmp_path, 2)
    before = extract(recordings, frontend=FRONTEND, cache=cache)
    soundfile.write(recordings["path"][0], np.full(7000, 0.1), 22_050)
    after = extract(recordings, frontend=FRONTEND, cache=cache)
    _assert_close(after, _directly(recordings))
    np.testing.assert_array_equal(after[1], before[1])
    assert not np.array_equal(after[0], before[0])


def test_configuration_is_part_of_the_key(recordings, cache):
    extract(recordings, frontend=FRONTEND, cache=cache)
    other = Mfcc(samples=8192, n_fft=1024)
    cached = extract(recordings, frontend=other, cache=cache)
    np.testing.assert_array_equal(cached, extract(recordings, frontend=other, cache=None))


@pytest.mark.parametrize("place", ["module", "frontend", "library"])
def test_a_new_revision_is_computed_again(recordings, cache, monkeypatch, place):
    extract(recordings, frontend=FRONTEND, cache=cache)
    if place == "module":
        monkeypatch.setattr(module, "REVISION", 2)
    elif place == "frontend":
        monkeypatch.setattr(Mfcc, "revision", 2)
    else:
        monkeypatch.setattr(module, "_versions", dict.fromkeys)
    steps = []
    extract(recordings, frontend=FRONTEND, cache=cache, progress=lambda *step: steps.append(step))
    assert steps == [(5, 5)]


def test_augmented_features_are_those_of_the_augmented_waveform(recordings, monkeypatch):
    monkeypatch.setattr(module, "_seed_of", lambda _, seed: seed)
    features = extract(recordings, frontend=FRONTEND, pipeline="aug1+aug2", seed=4, cache=None)
    waveforms = [apply(audio.load(path), "aug1+aug2", seed=4) for path in recordings["path"]]
    _assert_close(features, np.stack([FRONTEND(each) for each in waveforms]))


def test_augmentation_depends_on_seed_and_content_alone(recordings):
    options = {"frontend": FRONTEND, "pipeline": "aug1", "cache": None}
    features = extract(recordings, seed=1, **options)
    renamed = recordings[::-1].assign(recording="x")
    np.testing.assert_array_equal(extract(renamed, seed=1, **options)[::-1], features)
    assert not np.array_equal(extract(recordings, seed=2, **options), features)


def test_pipelines_share_the_cache_with_single_ones(recordings, cache, no_decoding):
    options = {"frontend": FRONTEND, "seed": 3, "cache": cache}
    plain, first, second = extract_each(recordings, pipelines=["", "aug1", "aug1+aug2"], **options)
    no_decoding()
    np.testing.assert_array_equal(extract(recordings, **options), plain)
    np.testing.assert_array_equal(extract(recordings, pipeline="aug1", **options), first)
    np.testing.assert_array_equal(extract(recordings, pipeline="aug1+aug2", **options), second)


@pytest.mark.parametrize("frontend", [Mfcc(), MelImage()], ids=["mfcc", "mel_image"])
def test_masked_features_are_those_of_the_masked_spectrogram(recordings, monkeypatch, frontend):
    monkeypatch.setattr(module, "_seed_of", lambda _, seed: seed)
    features = extract_each(
        recordings, frontend=frontend, pipelines=COUGHVID_POSITIVE, seed=4, cache=None
    )
    for pipeline, got in zip(COUGHVID_POSITIVE, features, strict=True):
        before = "pitch_down" if "pitch_down" in pipeline else ""
        for path, row in zip(recordings["path"], got, strict=True):
            spectrogram = frontend.spectrogram(apply(audio.load(path), before, seed=4))
            masked = apply_to_spectrogram(spectrogram, pipeline, seed=4)
            np.testing.assert_allclose(row, frontend.features(masked), rtol=1e-5, atol=5e-3)


def test_masks_depend_on_seed_and_content_alone(recordings):
    options = {"frontend": Mfcc(), "pipelines": COUGHVID_POSITIVE[1:], "cache": None}
    features = extract_each(recordings, seed=1, **options)
    backwards = extract_each(recordings[::-1].assign(recording="x"), seed=1, **options)
    for got, expected in zip(backwards, features, strict=True):
        np.testing.assert_array_equal(got[::-1], expected)
    for one, other in zip(extract_each(recordings, seed=2, **options), features, strict=True):
        assert not np.array_equal(one, other)


def test_every_copy_is_different(recordings):
    plain, *masked = extract_each(
        recordings, frontend=Mfcc(), pipelines=("", *COUGHVID_POSITIVE), cache=None
    )
    for row in range(len(recordings)):
        assert len({features[row].tobytes() for features in (plain, *masked)}) == 6


def test_a_spectrogram_is_computed_once_for_all_its_masks(recordings, monkeypatch):
    lengths = []
    original = Mfcc.spectrogram
    monkeypatch.setattr(
        Mfcc, "spectrogram", lambda self, each: lengths.append(1) or original(self, each)
    )
    pipelines = ("", *COUGHVID_POSITIVE, "specaugment")
    extract_each(recordings, frontend=FRONTEND, pipelines=pipelines, cache=None)
    assert len(lengths) == 2 * len(recordings)


def test_first_draws_are_known_by_either_name(recordings, cache, no_decoding):
    options = {"frontend": FRONTEND, "cache": cache}
    first = extract(recordings, pipeline="pitch_down:1+specaugment:1", **options)
    no_decoding()
    again = extract(recordings, pipeline="pitch_down+specaugment", **options)
    np.testing.assert_array_equal(again, first)


def test_a_mask_without_a_spectrogram_is_refused(recordings):
    with pytest.raises(PlanError, match=r"'compare' has no spectrogram for 'specaugment:2' of"):
        extract(recordings, frontend=Compare(), pipeline="aug1+specaugment:2", cache=None)


@pytest.mark.parametrize("pipeline", ["", "aug1", "aug1+aug2"])
def test_what_older_versions_kept_is_found(recordings, cache, no_decoding, pipeline):
    """The key as it was when the MFCC were the only front-end."""
    versions = {
        name: importlib.metadata.version(name)
        for name in ("soundfile", "av", "soxr", "librosa", "numpy", "scipy", "audiomentations")
    }
    augmentation = {"audiomentations": versions.pop("audiomentations")}
    kept = np.random.default_rng(0).normal(size=(5, *FRONTEND.shape)).astype(np.float32)
    for path, features in zip(recordings["path"], kept, strict=True):
        depends_on = {
            "content": hashlib.sha256(Path(path).read_bytes()).hexdigest(),
            "revision": 1,
            "frontend": ["mfcc", 1, asdict(FRONTEND)],
            "versions": versions,
        }
        if pipeline:
            depends_on["augmentation"] = [pipeline, 1, 7]
            depends_on["augmentation versions"] = augmentation
        key = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()
        ArrayCache(cache).put({key: features})
    no_decoding()
    found = extract(recordings, frontend=FRONTEND, pipeline=pipeline, seed=7, cache=cache)
    np.testing.assert_array_equal(found, kept)


@pytest.mark.parametrize(
    ("library", "stale"),
    [
        ("opensmile", [Compare]),
        ("opencv-python-headless", [MelImage]),
        ("numpy", [Compare, MelImage, Mfcc]),
    ],
)
def test_a_library_ages_the_front_ends_that_use_it(recordings, monkeypatch, library, stale):
    def _keys():
        module._versions.cache_clear()
        parsed = (parse(""),)
        return {
            kind: module._Recipe(kind(), parsed, 0).keys("content")
            for kind in (Compare, MelImage, Mfcc)
        }

    before = _keys()
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata,
        "version",
        lambda name: "another" if name == library else version(name),
    )
    after = _keys()
    assert [kind for kind in before if before[kind] != after[kind]] == stale


def test_a_damaged_cache_is_mended(recordings, cache):
    expected = extract(recordings, frontend=FRONTEND, cache=cache)
    cache.write_bytes(b"damage" * 1000)
    with pytest.warns(CacheWarning):
        features = extract(recordings, frontend=FRONTEND, cache=cache)
    np.testing.assert_array_equal(features, expected)
    np.testing.assert_array_equal(extract(recordings, frontend=FRONTEND, cache=cache), expected)


def test_undecodable_recording_is_named(recordings, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no audio at all")
    rows = pd.concat([recordings, pd.DataFrame({"recording": ["cough 7"], "path": [str(bad)]})])
    with pytest.raises(AudioError, match="cough 7"):
        extract(rows, frontend=FRONTEND, cache=None)


def test_undecodable_recording_is_named_by_a_process(tmp_path):
    many = _write(tmp_path, 20)
    Path(many["path"][17]).write_bytes(b"no audio at all")
    with pytest.raises(AudioError, match=r"^17 "):
        extract(many, frontend=FRONTEND, cache=None, workers=2)


def test_a_process_that_was_killed_is_one_sentence(tmp_path, monkeypatch):
    class Killed(ProcessPoolExecutor):
        def submit(self, _function, *_arguments):
            return super().submit(os._exit, 1)

    monkeypatch.setattr(module, "ProcessPoolExecutor", Killed)
    with pytest.raises(AudioError, match="has ended, as one that takes too much memory"):
        extract(_write(tmp_path, 20), frontend=FRONTEND, cache=None, workers=2)


def test_missing_recording_is_named(tmp_path):
    rows = pd.DataFrame({"recording": ["cough 8"], "path": [str(tmp_path / "none.wav")]})
    with pytest.raises(AudioError, match=r"cough 8 cannot be read.*none\.wav"):
        extract(rows, frontend=FRONTEND, cache=None)


def test_unknown_augmentation_is_refused_before_anything_is_read(tmp_path):
    rows = pd.DataFrame({"recording": ["x"], "path": [str(tmp_path / "none.wav")]})
    with pytest.raises(PlanError, match="aug9"):
        extract(rows, frontend=FRONTEND, pipeline="aug9", cache=None)
