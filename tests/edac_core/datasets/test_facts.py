import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from edac_core.datasets import facts
from edac_core.datasets.facts import gather, measure


def write(path, samples, rate=8_000, subtype="FLOAT"):
    soundfile.write(path, np.asarray(samples, np.float32).T, rate, subtype=subtype)
    return str(path)


def sine(hertz=1_000, *, rate=8_000, seconds=1.0, gain=1.0):
    return gain * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def test_a_sine_has_the_facts_of_a_sine(tmp_path):
    found = measure(write(tmp_path / "a.wav", sine(gain=0.5)))
    assert (found.problem, found.sample_rate, found.channels) == ("", 8_000, 1)
    assert found.seconds == 1
    assert found.peak == pytest.approx(0.5, abs=1e-6)
    assert found.loudness_dbfs == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=1e-4)
    assert found.bandwidth_hz == pytest.approx(1_000, abs=8_000 / 2048 * 2)
    assert found.clipped_share == 0
    assert math.isnan(found.channel_balance_db)


def test_bandwidth_of_white_noise_is_99_hundredths_of_nyquist(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(80_000)
    found = measure(write(tmp_path / "a.wav", noise))
    assert found.bandwidth_hz == pytest.approx(0.99 * 4_000, abs=20)


@pytest.mark.parametrize(("gains", "balance"), [((1, 0.1), 20), ((0.1, 1), -20), ((1, 1), 0)])
def test_channel_balance_is_the_first_minus_the_second(tmp_path, gains, balance):
    path = write(tmp_path / "a.wav", [sine(gain=0.5 * gain) for gain in gains])
    assert measure(path).channel_balance_db == pytest.approx(balance, abs=1e-3)


def test_clipping_is_counted(tmp_path):
    clipped = np.clip(sine(gain=2), -1, 1)
    found = measure(write(tmp_path / "a.wav", clipped, subtype="PCM_16"))
    # |2 sin x| >= 0.999 for two thirds of the time; the sine has eight samples a period.
    assert found.clipped_share == pytest.approx((np.abs(clipped) >= 0.999).mean())
    assert found.clipped_share > 0.5


def test_silence_has_finite_levels(tmp_path):
    found = measure(write(tmp_path / "a.wav", np.zeros((2, 800))))
    assert (found.peak, found.bandwidth_hz, found.channel_balance_db) == (0, 0, 0)
    assert found.loudness_dbfs == -120


def test_a_single_sample_can_be_measured(tmp_path):
    assert measure(write(tmp_path / "a.wav", [0.5])).seconds == 1 / 8_000


def test_content_is_the_decoded_sound_not_the_file(tmp_path):
    noise = np.random.default_rng(0).integers(-(2**15), 2**15, 4_000) / 2**15
    wav = measure(write(tmp_path / "a.wav", noise, subtype="PCM_16"))
    flac = measure(write(tmp_path / "a.flac", noise, subtype="PCM_16"))
    faster = measure(write(tmp_path / "b.wav", noise, 16_000, subtype="PCM_16"))
    stereo = measure(write(tmp_path / "c.wav", noise.reshape(2, -1), subtype="PCM_16"))
    assert wav.content == flac.content
    assert len({wav.content, faster.content, stereo.content}) == 3


@pytest.mark.parametrize(
    ("data", "problem"), [(b"", "empty"), (b"no audio", "undecodable"), (None, "undecodable")]
)
def test_problems_are_facts_too(tmp_path, data, problem):
    path = tmp_path / "a.wav"
    if data is not None:
        path.write_bytes(data)
    found = measure(str(path))
    assert found.problem == problem
    assert found.detail.endswith(".")
    assert math.isnan(found.seconds)


def test_a_file_without_samples_is_empty(tmp_path):
    assert measure(write(tmp_path / "a.wav", np.zeros(0))).problem == "empty"


@pytest.fixture
def paths(tmp_path, write_noise):
    return [str(write_noise(tmp_path / "in" / f"{seed}.wav", seed=seed)) for seed in range(4)]


def test_facts_come_in_the_order_of_the_paths(paths):
    asked = [*reversed(paths), paths[0]]
    contents = gather(asked)["content"].tolist()
    assert contents == [measure(path).content for path in asked]


def test_what_is_known_is_not_measured_again(paths, tmp_path, monkeypatch):
    first = gather(paths, cache=tmp_path / "cache")
    monkeypatch.setattr(facts, "measure", lambda _: pytest.fail("measured again"))
    pd.testing.assert_frame_equal(gather(paths, cache=tmp_path / "cache"), first)


def test_a_changed_file_is_measured_again(paths, tmp_path, write_noise):
    before = gather(paths, cache=tmp_path / "cache")
    write_noise(tmp_path / "in" / "2.wav", seed=99)
    after = gather(paths, cache=tmp_path / "cache")
    assert (before["content"] != after["content"]).tolist() == [False, False, True, False]


def test_a_missing_file_is_looked_for_again(paths, tmp_path, write_noise):
    late = str(tmp_path / "in" / "late.wav")
    assert gather([*paths, late], cache=tmp_path / "cache")["problem"].iloc[-1] == "undecodable"
    write_noise(tmp_path / "in" / "late.wav")
    assert gather([*paths, late], cache=tmp_path / "cache")["problem"].iloc[-1] == ""


@pytest.mark.parametrize("where", np.linspace(0, 0.999, 12))
def test_a_damaged_cache_is_a_warning_and_no_wrong_facts(paths, tmp_path, where):
    first = gather(paths, cache=tmp_path / "cache")
    (file,) = (tmp_path / "cache").glob("*.json")
    data = bytearray(file.read_bytes())
    start = int(where * len(data))
    data[start] ^= 0x01
    file.write_bytes(data)
    with pytest.warns(UserWarning, match="is damaged and is written anew"):
        again = gather(paths, cache=tmp_path / "cache")
    pd.testing.assert_frame_equal(again, first)
    pd.testing.assert_frame_equal(gather(paths, cache=tmp_path / "cache"), first)


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b"[]", b"\xff\xfe"])
def test_a_cache_of_another_kind_is_a_warning(paths, tmp_path, data):
    first = gather(paths, cache=tmp_path / "cache")
    (file,) = (tmp_path / "cache").glob("*.json")
    file.write_bytes(data)
    with pytest.warns(UserWarning, match="damaged"):
        pd.testing.assert_frame_equal(gather(paths, cache=tmp_path / "cache"), first)


def test_facts_that_another_process_adds_meanwhile_are_kept(paths, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    measure_all = facts._measure_all

    def measure_while_another_does(own, *, workers):
        monkeypatch.setattr(facts, "_measure_all", measure_all)
        gather(paths[:1], cache=cache)
        return measure_all(own, workers=workers)

    monkeypatch.setattr(facts, "_measure_all", measure_while_another_does)
    gather(paths[1:], cache=cache)
    monkeypatch.setattr(facts, "_measure_all", lambda *_, **__: pytest.fail("measured twice"))
    gather(paths, cache=cache)


def test_the_cache_is_keyed_by_the_bytes_of_the_file(paths, tmp_path):
    gather(paths, cache=tmp_path / "cache")
    (file,) = (tmp_path / "cache").glob("*.json")
    expected = {hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths}
    assert set(json.loads(file.read_text())["facts"]) == expected


def test_processes_find_the_same(paths, monkeypatch):
    monkeypatch.setattr(facts, "_PARALLEL_FROM", 2)
    pd.testing.assert_frame_equal(gather(paths, workers=2), gather(paths, workers=1))
