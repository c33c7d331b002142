import numpy as np
import pandas as pd
import pytest

from dashboard.inspecting.trust import (
    describe_footprint,
    describe_verdict,
    harm_table,
    score_table,
)
from edac_core.measure.parts import Footprint, RuntimeSupport
from edac_core.studies.trust import trust, who_pays


def scores(noise):
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 200)
    clean = 0.5 + 0.3 * (label - 0.5) + rng.normal(0, 0.15, 200)
    score = np.clip(clean + np.random.default_rng(1).normal(0, noise, 200), 0, 1)
    return pd.DataFrame({
        "recording": [f"r{at}" for at in range(200)], "participant": None, "label": label,
        "group": np.where(np.arange(200) % 2, "phone", "bot"),
        "set": np.where(np.arange(200) < 100, "validation", "test"), "score": score,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("noise", "said"),
    [(0.0, "not worse by more than the margin"), (0.8, "worse by more than the margin")],
)
def test_the_verdict_names_the_margin_and_both_intervals(noise, said):
    found = trust(scores(noise), scores(0.0), margin=0.05)
    words = describe_verdict(found, margin=0.05)
    assert f"**At a margin of 0.05: {said}.**" in words
    assert "by DeLong" in words
    assert "by drawing 100 recordings again" in words


def test_what_cannot_be_told_says_how_many_recordings_would():
    found = trust(scores(0.05), scores(0.0), margin=0.005)
    assert "negative recordings would settle it" in describe_verdict(found, margin=0.005)


def test_both_files_have_a_row_of_what_their_scores_are_worth():
    table = score_table(trust(scores(0.1), scores(0.0)))
    assert table[""].tolist() == ["This file", "float32 baseline"]
    assert all(said.endswith(" of 100") for said in table["Different scores"])


def test_groups_come_with_what_changed_in_them():
    harms = who_pays(scores(0.3), scores(0.0), threshold=0.5, baseline_threshold=0.5)
    table = harm_table(harms)
    assert set(table["group"]) == {"phone", "bot"}
    np.testing.assert_allclose(
        table["flip_rate"], 100 * (table["broken"] + table["mended"]) / table["n"]
    )


def test_what_a_file_asks_of_a_device_is_said_with_its_units():
    support = RuntimeSupport("LiteRT", "whole", "by loading", "")
    words = describe_footprint(Footprint(65_400, 33_600, 369_000, (support,), 36_100))
    assert words == (
        "**Flash** 65.4 kB, **RAM** about 33.6 kB (TFLite Micro took 36.1 kB here), "
        "**369 k multiplications** a recording."
    )
    unknown = describe_footprint(Footprint(65_400, None, None, (support,), None))
    assert "**RAM** unknown, **an unknown number of multiplications**" in unknown
