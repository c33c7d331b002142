import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import roc_auc_score

from edac_core.datasets import data_root, open_dataset
from edac_core.datasets.audit import audit, metadata_auc
from edac_core.datasets.recordings import make_dataset


@pytest.fixture
def build(tmp_path, write_noise):
    """Make a data set of (name, label, how to write it) and audit it."""

    def write(name, how):
        path = tmp_path / f"{name}.wav"
        if isinstance(how, int):
            return write_noise(path, seed=how)
        if isinstance(how, bytes):
            path.write_bytes(how)
        elif how is not None:
            soundfile.write(path, how, 8_000)
        return path

    def build_and_audit(*recordings):
        rows = [
            {"recording": name, "label": label, "path": str(write(name, how))}
            for name, label, how in recordings
        ]
        return audit(make_dataset(rows, name="mine", title="Mine", licence="CC0"))

    return build_and_audit


def verdicts(done):
    return dict(zip(done.recordings["recording"], done.recordings["reason"], strict=True))


def test_each_kind_of_problem_is_found(build):
    done = build(
        ("good", 1, 1),
        ("broken", 1, b"not audio"),
        ("missing", 1, None),
        ("hollow", 0, b""),
        ("no-samples", 0, np.zeros(0)),
        ("click", 0, np.full(700, 0.5)),
        ("silence", 0, np.full(8_000, 0.0009)),
        ("quiet", 0, np.full(8_000, 0.0011)),
    )
    assert verdicts(done) == {
        "good": "",
        "broken": "undecodable",
        "missing": "undecodable",
        "hollow": "empty",
        "no-samples": "empty",
        "click": "too short",
        "silence": "silent",
        "quiet": "",
    }
    assert done.summary() == {
        "usable": 2,
        "undecodable": 2,
        "empty": 2,
        "too short": 1,
        "silent": 1,
    }
    assert done.usable["recording"].tolist() == ["good", "quiet"]
    assert (done.recordings["verdict"] == "keep").tolist() == [
        not reason for reason in done.recordings["reason"]
    ]


def test_duplicates_that_agree_keep_the_first_by_name(build):
    done = build(("c", 1, 7), ("b", 1, 7), ("a", 0, 8), ("d", 1, 7))
    assert verdicts(done) == {"c": "duplicate", "b": "", "a": "", "d": "duplicate"}


def test_duplicates_that_disagree_are_all_dropped(build):
    done = build(("a", 1, 7), ("b", 0, 7), ("c", 1, 7), ("d", 1, 8))
    assert verdicts(done) == {**dict.fromkeys("abc", "contradictory labels"), "d": ""}


def by_comparing_all_pairs(table):
    """The sets of names that sound alike, by looking at each pair of rows."""
    heard = table[table["reason"].isin(["", "duplicate", "contradictory labels"])]
    rows = list(zip(heard["recording"], heard["content"], strict=True))
    alike = {
        frozenset(other for other, content in rows if content == mine) for _, mine in rows
    }  # fmt: skip
    return {names for names in alike if len(names) > 1}


def test_copies_are_what_comparing_all_pairs_finds(build):
    rng = np.random.default_rng(0)
    rows = [(f"r{i:02d}", int(rng.integers(2)), int(rng.integers(12))) for i in range(30)]
    silence = np.zeros(8_000)
    done = build(*rows, ("s1", 0, silence), ("s2", 1, silence), ("x", 0, b"?"), ("y", 0, b"?"))
    copies = done.copies()
    found = copies.groupby("sound")["recording"].agg(frozenset)
    assert set(found) == by_comparing_all_pairs(done.recordings)
    assert copies["sound"].is_monotonic_increasing
    assert copies.groupby("sound")["recording"].first().is_monotonic_increasing
    for _, rows in copies.groupby("sound"):
        contradictory = rows["label"].nunique() == 2
        first, *others = rows["reason"]
        assert first == ("contradictory labels" if contradictory else "")
        assert set(others) == {"contradictory labels" if contradictory else "duplicate"}


def test_recordings_that_differ_have_no_copies(build):
    assert build(("a", 1, 1), ("b", 0, 2)).copies().empty


def test_silent_recordings_are_not_duplicates_of_each_other(build):
    done = build(("a", 1, np.zeros(8_000)), ("b", 0, np.zeros(8_000)))
    assert set(verdicts(done).values()) == {"silent"}


def test_clipped_recordings_are_flagged_and_kept(build):
    sine = np.sin(2 * np.pi * 440 * np.arange(8_000) / 8_000)
    done = build(("a", 1, np.clip(3 * sine, -1, 1)), ("b", 0, 0.9 * sine))
    assert done.recordings["clipped"].tolist() == [True, False]
    assert len(done.usable) == 2


def test_facts_stand_beside_the_recordings(build):
    done = build(("a", 1, 1), ("b", 0, b"?"))
    first, second = done.recordings.to_dict("records")
    assert (first["sample_rate"], first["channels"], first["seconds"]) == (8_000, 1, 0.3)
    assert pd.isna(second["sample_rate"])
    assert second["detail"].startswith("The file cannot be decoded")
    assert (second["verdict"], second["clipped"]) == ("drop", False)


def facts_table(label, **columns):
    n = len(label)
    defaults = {
        "recording": [f"r{index:03d}" for index in range(n)],
        "group": "all",
        "sample_rate": 8_000,
        "seconds": 1.0,
        "loudness_dbfs": -20.0,
        "bandwidth_hz": 4_000.0,
        "channel_balance_db": math.nan,
    }
    return pd.DataFrame({**defaults, "label": label, **columns})


def aucs(table):
    return metadata_auc(table).set_index("property")["auc"]


def test_numbers_score_without_regard_to_direction():
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=300)
    seconds = rng.normal(size=300) - label
    found = aucs(facts_table(label, seconds=seconds, loudness_dbfs=-seconds))
    assert found["duration"] == pytest.approx(1 - roc_auc_score(label, seconds))
    assert found["loudness"] == pytest.approx(found["duration"])
    assert found["bandwidth"] == 0.5


def test_a_category_scores_by_its_rate_elsewhere():
    # Positives: 80 % of one source, 20 % of the other. AUC = P(a|+)P(b|-) + ties/2 = 0.8.
    label = np.array([1] * 80 + [0] * 20 + [1] * 20 + [0] * 80)
    found = aucs(facts_table(label, group=["a"] * 100 + ["b"] * 100))
    assert found["source"] == pytest.approx(0.8)


def test_a_category_of_its_own_for_every_recording_predicts_nothing():
    label = np.arange(200) % 2
    found = aucs(facts_table(label, group=[f"g{index}" for index in range(200)]))
    assert found["source"] == pytest.approx(0.5, abs=0.05)


def test_a_property_is_scored_where_it_is_known():
    label = np.array([0, 1] * 50)
    balance = np.where(np.arange(100) < 40, label * 1.0, math.nan)
    found = metadata_auc(facts_table(label, channel_balance_db=balance)).set_index("property")
    assert found.loc["channel balance", "n"] == 40
    assert found.loc["channel balance", "auc"] == 1
    assert found.loc["source", "n"] == 100


def test_too_few_of_a_label_give_no_auc():
    found = metadata_auc(facts_table(np.array([0, 0, 0, 1])))
    assert found["auc"].isna().all()
    assert found["n"].tolist() == [4, 4, 4, 4, 4, 0]


def test_the_order_of_rows_does_not_matter():
    rng = np.random.default_rng(1)
    table = facts_table(
        rng.integers(2, size=90), group=rng.choice(["a", "b", "c"], 90), seconds=rng.random(90)
    )
    shuffled = table.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(metadata_auc(table), metadata_auc(shuffled))


def test_a_data_set_goes_through_whole(covid19_cough_folder, tmp_path):
    dataset = open_dataset("covid19-cough", path=covid19_cough_folder)
    done = audit(dataset, cache=tmp_path / "cache")
    assert done.summary() == {"usable": 6}
    pd.testing.assert_frame_equal(
        audit(dataset, cache=tmp_path / "cache").recordings, done.recordings
    )


@pytest.fixture(scope="module")
def real_audit(tmp_path_factory):
    folder = data_root() / "covid19-cough"
    if not (folder / "metadata.json").is_file():
        pytest.skip(f"no recordings in {folder}; set EDAC_DATA_DIR")
    dataset = open_dataset("covid19-cough")
    if len(dataset.recordings) != 1_193:
        pytest.skip(f"the expected numbers are those of 1,193 recordings, not {folder}'s")
    return audit(dataset, workers=min(2, os.cpu_count() or 1))


def test_the_real_recordings_have_the_known_defects(real_audit):
    assert real_audit.summary() == {
        "usable": 959,
        "undecodable": 2,
        "contradictory labels": 230,
        "duplicate": 2,
    }
    contradictory = real_audit.recordings.query("reason == 'contradictory labels'")
    sizes = contradictory.groupby("content").size().value_counts()
    assert sizes.to_dict() == {2: 107, 4: 4}
    assert all(Path(path).is_file() for path in real_audit.recordings["path"])


def test_the_source_alone_predicts_the_real_labels(real_audit):
    found = real_audit.metadata_auc.set_index("property")
    usable = real_audit.usable
    # With two sources the score is a yes or no, whose AUC is the mean of two rates.
    caller = usable["group"] == "call-center"
    by_hand = (caller[usable["label"] == 1].mean() + (~caller)[usable["label"] == 0].mean()) / 2
    assert found.loc["source", "auc"] == pytest.approx(by_hand, abs=0.005)
    assert by_hand > 0.7
    assert found.loc["channel balance", "n"] == caller.sum()
