import shutil

import pytest

from dashboard.choices import Network
from dashboard.comparing import contestants
from dashboard.recordings import Recording, Sets
from dashboard.studies import find_studies, read_figures
from edac_core import locations
from edac_core.errors import PlanError
from edac_core.studies.store import Store


def network_of(folder, stores, model="cnn"):
    stores(local=folder)
    ((study,), problems) = find_studies()
    assert not problems
    return Network(study, read_figures(study), model)


@pytest.fixture
def network(stores, made_up):
    return network_of(made_up, stores)


@pytest.fixture
def shipped(stores):
    stores(shipped=SHIPPED)
    study = next(study for study in find_studies()[0] if study.name == "cnn")
    return Network(study, read_figures(study), "cnn")


SHIPPED = locations.SHIPPED


def test_a_run_offers_every_variant_whose_file_is_here(network, made_up):
    offered = contestants.contestants_of(network, "2")
    store = Store(made_up, readonly=True)
    rows = store.variants("made-up").query(
        "model == 'cnn' and split_seed == 0 and training_seed == 1235"
    )
    assert {one.file.sha256 for one in offered} == set(rows["sha256"])
    by_digest = rows.set_index("sha256")
    for one in offered:
        row = by_digest.loc[one.file.sha256]
        assert (one.threshold, one.precision, one.sparsity) == (
            row["threshold"], row["precision"], row["sparsity"]
        )  # fmt: skip
    assert [one.code for one in offered[:4]] == [
        "float32-none-0", "float16-none-0", "int8-none-0", "float32-polynomial-50"
    ]  # fmt: skip
    assert [one.title for one in offered if one.is_baseline] == ["float32, not pruned"]


def test_runs_without_files_are_not_offered(stores, made_up, tmp_path):
    shutil.copytree(made_up, tmp_path / "store")
    store = Store(tmp_path / "store")
    kept = store.variants("made-up").query("split_seed == 1 and method != 'none'")["sha256"]
    store.close()
    for file in (tmp_path / "store" / "models").iterdir():
        if file.name.removesuffix(".tflite.xz") not in set(kept):
            file.unlink()
    network = network_of(tmp_path / "store", stores)
    assert contestants.runs_here(network) == ["3"]
    offered = contestants.contestants_of(network, "3")
    assert len(offered) == 12
    assert not any(one.is_baseline for one in offered)
    assert len(contestants.asked_at_first(network, offered)) == 6


def test_those_asked_at_first_are_the_unpruned_and_pruned_ones_that_lose_little(shipped):
    offered = contestants.contestants_of(shipped, "1")
    codes = contestants.asked_at_first(shipped, offered)
    assert len(codes) == 6
    assert codes[:2] == ["float32-none-0", "int8-none-0"]
    losses = shipped.summary.set_index(["precision", "method", "sparsity"])["auc_difference"]
    pruned = [one for one in offered if one.code in codes[2:]]
    assert all(losses[one.precision, one.method, one.sparsity] >= -0.01 for one in pruned)
    good = [
        one for one in offered
        if one.method != "none" and losses[one.precision, one.method, one.sparsity] >= -0.01
    ]  # fmt: skip
    sizes = [one.zip_bytes for one in good]
    assert {min(sizes), max(sizes)} <= {one.zip_bytes for one in pruned}


def test_the_baseline_is_asked_even_if_it_is_not_chosen(network):
    offered = contestants.contestants_of(network, "1")
    asked = contestants.with_baseline(offered[4:6], offered)
    assert [one.code for one in asked] == ["float32-none-0", offered[4].code, offered[5].code]


def test_sets_are_those_of_the_runs_split(network):
    first, third = (contestants.sets_of(network, run) for run in ("1", "3"))
    assert first.dataset == "covid19-cough"
    assert len(first.of) == 1480
    assert list(first.of.values()).count("test") == 190
    assert first.of["recording-0000"] == "train"
    assert third.of.keys() == first.of.keys()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a", "told its label, so a verdict on it is worth nothing"),
        ("b", "a verdict on it flatters"),
        ("c", "this network has not learnt from it"),
        ("d", "left out of the study"),
    ],
)
def test_what_a_verdict_is_worth_depends_on_the_recordings_set(name, said):
    sets = Sets("coughs", {"a": "train", "b": "validation", "c": "test"})
    recording = Recording(name, b"", "coughs", name, 1)
    sentence = contestants.describe_origin(recording, sets, run="2")
    assert said in sentence
    assert sentence.endswith("It is labelled **positive**.")


def test_other_recordings_are_called_what_they_are():
    sets = Sets("coughs", {"a": "train"})
    other = contestants.describe_origin(Recording("a", b"", "synthetic", "a", 0), sets, run="1")
    assert other.startswith("A recording of another data set")
    uploaded = contestants.describe_origin(Recording("a", b""), sets, run="1")
    assert uploaded == "A recording that no network here has heard."


def test_the_front_end_is_the_networks(stores, made_up, build, tmp_path):
    assert contestants.frontend_of(network_of(made_up, stores)) == "mfcc"
    assert contestants.frontend_of(network_of(made_up, stores, "cnn_lstm")) == "mel_image"
    own = {"synthetic": True, "networks": {"mine": {"frontend": "mel_image"}}}
    build(tmp_path, models=("mine",), runs=((0, 1),), precisions=("float32",), data=own)
    assert contestants.frontend_of(network_of(tmp_path, stores, "mine")) == "mel_image"


def test_a_network_that_nobody_knows_is_a_sentence(stores, build, tmp_path):
    build(tmp_path, models=("mine",), runs=((0, 1),), precisions=("float32",))
    with pytest.raises(PlanError, match="There is no model 'mine'"):
        contestants.frontend_of(network_of(tmp_path, stores, "mine"))
