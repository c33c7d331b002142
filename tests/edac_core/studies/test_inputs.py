import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edac_core.frontends import FRONTENDS, get_frontend
from edac_core.frontends.extract import extract
from edac_core.studies import inputs as inputs_module
from edac_core.studies.inputs import open_data, prepare
from edac_core.studies.plan import Data


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def data(cache):
    return open_data(
        Data(dataset="synthetic", options={"n": 60, "seed": 5}), cache=cache, workers=1
    )


@pytest.fixture(scope="module")
def prepared(data, cache):
    def _prepared(usable=None, *, seed=1, protocol="clean", recipe="edac-coswara"):
        return prepare(
            data.audit.usable if usable is None else usable, protocol=protocol, recipe=recipe,
            seed=seed, frontend="mfcc", cache=cache, workers=1,
        )  # fmt: skip

    return _prepared


@pytest.fixture(scope="module")
def inputs(prepared):
    return prepared()


def members(inputs, name):
    """Recordings of one set, as they are."""
    table = inputs.record.recordings
    return table[(table["set"] == name) & (table["copy"] == "")]


def test_every_recording_is_in_one_set(data, inputs):
    table = inputs.record.recordings.query("copy == ''")
    assert sorted(table["recording"]) == sorted(data.audit.usable["recording"])
    assert set(table["set"]) == {"train", "validation", "test"}


def test_no_participant_is_in_two_sets(inputs):
    assert inputs.record.recordings.groupby("participant")["set"].nunique().eq(1).all()


def test_only_positives_of_the_training_set_are_augmented(inputs):
    train = members(inputs, "train")
    positives = int(train["label"].sum())
    labels = inputs.training.labels
    assert len(labels) == len(train) + 2 * positives
    assert labels.sum() == 3 * positives
    for name, examples in (("validation", inputs.validation), ("test", inputs.test)):
        assert len(examples.labels) == len(members(inputs, name))


def test_features_stand_beside_their_labels(data, inputs, cache):
    for name, examples in (("validation", inputs.validation), ("test", inputs.test)):
        rows = members(inputs, name).merge(data.audit.usable[["recording", "path"]])
        again = extract(rows, frontend=get_frontend("mfcc"), cache=None, workers=1)
        np.testing.assert_array_equal(examples.features, again)
        np.testing.assert_array_equal(examples.labels, rows["label"])
    assert inputs.groups == tuple(members(inputs, "test")["group"])


def test_augmented_copies_differ_from_their_originals(inputs):
    train = members(inputs, "train")
    originals = inputs.training.features[: len(train)][train["label"] == 1]
    copies = inputs.training.features[len(train) :].reshape(2, *originals.shape)
    for copy in copies:
        assert not np.isclose(copy, originals).all(axis=(1, 2, 3)).any()


def test_another_seed_tests_other_recordings(prepared, inputs):
    other = prepared(seed=2)
    assert set(members(other, "test")["recording"]) != set(members(inputs, "test")["recording"])
    assert other.fingerprint != inputs.fingerprint


def test_the_same_recordings_give_the_same_inputs(prepared, inputs):
    again = prepared()
    assert again.fingerprint == inputs.fingerprint
    np.testing.assert_array_equal(again.training.features, inputs.training.features)


def test_a_changed_label_gives_another_fingerprint(data, prepared, inputs):
    changed = data.audit.usable.copy()
    first = changed.index[changed["recording"] == members(inputs, "test")["recording"].iloc[0]]
    changed.loc[first, "label"] = 1 - changed.loc[first, "label"]
    again = prepared(changed)
    assert again.fingerprint != inputs.fingerprint


@pytest.fixture
def fingerprint(data, monkeypatch):
    """Returns the fingerprint of recordings for a front-end, computing no features."""

    def _fingerprint(usable=None, frontend="mfcc", **changes):
        config = dataclasses.replace(get_frontend(frontend), **changes)
        monkeypatch.setattr(inputs_module, "get_frontend", lambda _name: config)
        return prepare(
            data.audit.usable if usable is None else usable, protocol="clean",
            recipe="edac-coswara", seed=1, frontend=frontend, cache=Path("unused"), workers=1,
        ).fingerprint  # fmt: skip

    def no_features(rows, *, pipelines, **_):
        return [np.zeros((len(rows), 1), np.float32)] * len(pipelines)

    monkeypatch.setattr(inputs_module, "extract_each", no_features)
    return _fingerprint


@pytest.mark.parametrize("column", ["content", "label", "group", "recording"])
def test_each_recordings_content_label_group_and_name_is_in_the_fingerprint(
    data, fingerprint, column
):
    usable = data.audit.usable
    before = fingerprint()
    for row in usable.index[::20]:
        changed = usable.copy()
        value = changed.loc[row, column]
        # Of a new group there would be too few.
        groups = sorted(usable["group"].unique())
        group = next(group for group in groups if group != value)
        others = {"label": 1 - usable.loc[row, "label"], "group": group}
        changed.loc[row, column] = others.get(column, f"{value} changed")
        assert fingerprint(changed) != before, row
    assert fingerprint() == before


@pytest.mark.parametrize(
    ("frontend", "field"),
    [(name, field.name) for name, each in FRONTENDS.items() for field in dataclasses.fields(each)],
)
def test_each_parameter_of_a_front_end_is_in_the_fingerprint(fingerprint, frontend, field):
    value = getattr(get_frontend(frontend), field)
    other = f"{value} changed" if isinstance(value, str) else value + 1
    before = fingerprint(frontend=frontend)
    assert fingerprint(frontend=frontend, **{field: other}) != before


def test_examples_stand_as_the_record_says_under_the_papers_protocol(data, prepared, cache):
    inputs = prepared(protocol="paper")
    usable = data.audit.usable
    for name, examples in (("train", inputs.training), ("test", inputs.test)):
        rows = inputs.record.recordings
        rows = rows[rows["set"] == name]
        np.testing.assert_array_equal(examples.labels, rows["label"])
        for pipeline in ("", "aug1+aug2"):
            chosen = (rows["copy"] == pipeline).to_numpy()
            again = extract(
                rows[chosen].merge(usable[["recording", "path"]]), frontend=get_frontend("mfcc"),
                pipeline=pipeline or None, seed=1, cache=cache / "other.sqlite", workers=1,
            )  # fmt: skip
            assert len(again)
            np.testing.assert_array_equal(examples.features[chosen], again)


def test_protocols_and_recipes_have_fingerprints_of_their_own(prepared, inputs):
    others = [prepared(protocol="paper"), prepared(recipe="squeeze")]
    assert len({made.fingerprint for made in (inputs, *others)}) == 3


def test_facts_say_what_the_page_shows(data):
    facts = data.facts()
    assert facts["synthetic"]
    assert facts["recordings"] == 60
    assert facts["positives"] == data.audit.usable["label"].sum()
    assert sum(facts["groups"].values()) == 60
    assert all(0 <= auc <= 1 for auc in facts["metadata_auc"].values())
