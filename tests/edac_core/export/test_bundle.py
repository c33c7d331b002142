"""The bundle of a real variant: whole, the same each time, and true to the store."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import stored
from sklearn.metrics import confusion_matrix

from edac_core.errors import ModelError, PlanError, StoreError
from edac_core.export import bundle as bundles
from edac_core.export import export_bundle
from edac_core.export.bundle import make_bundle
from edac_core.locations import SHIPPED
from edac_core.runtime import Variant

EVERY = {
    "model.tflite", "model.h", "frontend.json", "frontend.py", "operating_point.json",
    "golden.npz", "check.py", "metrics.json", "README.md", "MODEL_CARD.md", "REPRODUCE.md",
    "plan.toml", "SHA256SUMS",
}  # fmt: skip


def read(bundle, name):
    content = bundle.files[name]
    return json.loads(content) if name.endswith(".json") else content.decode()


def test_it_has_every_file_and_the_readme_names_each(bundle):
    assert set(bundle.files) == EVERY
    named = re.findall(r"^- `(\S+)`", read(bundle, "README.md"), re.MULTILINE)
    assert set(named) == EVERY - {"README.md"}


def test_digests_are_of_all_files(bundle):
    lines = dict(reversed(line.split("  ")) for line in read(bundle, "SHA256SUMS").splitlines())
    assert lines == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in bundle.files.items()
        if name != "SHA256SUMS"
    }


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_same_variant_gives_the_same_bytes_elsewhere(bundle, shipped_variant, threads):
    code = (
        "import hashlib, sys\nfrom edac_core.export import export_bundle\n"
        "print(hashlib.sha256(export_bundle(*sys.argv[1:])).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(SHIPPED), "cnn", shipped_variant["key"]],
        capture_output=True, text=True, check=True,
        env=os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
    )  # fmt: skip
    content = bundle.zipped()
    assert done.stdout.strip() == hashlib.sha256(content).hexdigest()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {
            "cnn-polynomial-95-int8-split1-seed1234"
        }


def test_the_model_is_the_stores_and_the_header_holds_it(bundle, shipped_variant):
    model = bundle.files["model.tflite"]
    assert hashlib.sha256(model).hexdigest() == shipped_variant["sha256"]
    array = bundle.files["model.h"].partition(b"] = {\n")[2].partition(b"\n};")[0]
    digits = array.replace(b"0x", b"").replace(b",", b"").decode()
    assert bytes.fromhex(digits) == model


def test_golden_scores_are_what_litert_answers(bundle):
    with np.load(io.BytesIO(bundle.files["golden.npz"]), allow_pickle=False) as golden:
        scores = Variant(bundle.files["model.tflite"]).score(golden["features"])
        np.testing.assert_allclose(scores, golden["scores"], atol=1e-6)
        assert np.ptp(golden["scores"]) > 0.1


def test_the_operating_point_is_the_stores(bundle, shipped_store, shipped_variant):
    point = read(bundle, "operating_point.json")
    test = shipped_store.scores(shipped_variant["key"]).query("set == 'test'")
    (tn, fp), (fn, tp) = confusion_matrix(test["label"], test["score"] >= point["threshold"])
    sensitivity, specificity = point["sensitivity"], point["specificity"]
    assert (sensitivity["count"], sensitivity["of"]) == (tp, tp + fn)
    assert (specificity["count"], specificity["of"]) == (tn, tn + fp)
    assert sensitivity["estimate"] == pytest.approx(shipped_variant["sensitivity"])
    assert specificity["estimate"] == pytest.approx(shipped_variant["specificity"])
    assert point["uar"] == pytest.approx((sensitivity["estimate"] + specificity["estimate"]) / 2)
    assert point["chosen_on"] == {"set": "validation", "examples": 192}


def test_metrics_are_the_stores_with_the_baselines_beside(bundle, shipped_store, shipped_variant):
    metrics = read(bundle, "metrics.json")
    variant, baseline = metrics["variant"], metrics["float32_baseline"]
    assert variant["auc_pooled"]["estimate"] == shipped_variant["auc"]
    assert variant["bytes"]["raw"] == len(bundle.files["model.tflite"])
    assert (baseline["method"], baseline["precision"]) == ("none", "float32")
    assert variant["latency"]["baseline_ms"] == pytest.approx(
        shipped_variant["baseline_latency_ms"]
    )
    assert variant["latency"]["machine"]["cpu"]
    assert metrics["test"] == {"examples": 192, "positives": 99, "recordings": 192}
    assert metrics["job"]["environment"]["versions"]["tensorflow"]
    within = {group["source"]: group["estimate"] for group in variant["auc_within_source"]}
    groups = shipped_store.groups("cnn").groupby("variant").get_group(shipped_variant["key"])
    assert within == pytest.approx(groups.set_index("group")["auc"].to_dict())


def test_no_text_takes_the_auc_of_all_sources_for_evidence(bundle):
    """It stands after those within each source, and never without what it is not."""
    card = read(bundle, "MODEL_CARD.md")
    assert card.index("AUC within call-center") < card.index("AUC over all sources together")
    assert "no evidence that the model hears a disease" in card
    assert "no medical device and gives no diagnosis" in card
    assert "sample rate 0.746" in card
    pooled = read(bundle, "metrics.json")["variant"]["auc_pooled"]
    assert "no evidence" in pooled["note"]
    written = f"{pooled['estimate']:.3f}"
    holding = {name for name in EVERY if name.endswith(".md") and written in read(bundle, name)}
    assert holding == {"MODEL_CARD.md"}


def test_an_unknown_variant_is_a_sentence(shipped_store):
    with pytest.raises(StoreError, match="has no variant 'nothing'"):
        make_bundle(shipped_store, study="cnn", variant="nothing")


def test_a_file_that_is_not_in_the_store_is_a_sentence(shipped_store):
    row = shipped_store.variants("cnn").query("not has_model").iloc[0]
    with pytest.raises(StoreError, match="is not in"):
        export_bundle(str(SHIPPED), "cnn", row["key"])


def test_a_file_that_is_no_model_is_a_sentence(filled):
    with pytest.raises(ModelError, match="LiteRT cannot load"):
        make_bundle(filled, study="study", variant="job-int8")


def put(store, split, content, /, **config):
    """Put a job of one float32 variant with a real file in a store."""
    variant = stored.make_variant(split, "float32", content)
    result = stored.make_result(split, variants=[variant])
    store.put_job("other", {**stored.CONFIG, **config}, split.key, result)
    store.claim("study", ["other"])
    return make_bundle(store, study="study", variant="other-float32")


def test_without_baseline_latency_and_facts_it_is_whole_all_the_same(filled, split, small_model):
    bundle = put(filled, split, small_model)
    assert set(bundle.files) == EVERY
    metrics = read(bundle, "metrics.json")
    assert metrics["float32_baseline"] is metrics["variant"]["latency"] is None
    assert "Latency, median | not measured | -" in read(bundle, "MODEL_CARD.md")


def test_a_source_with_one_class_only_says_so(filled, split, small_model):
    split.recordings["group"] = split.recordings["label"].astype(str)
    bundle = put(filled, split, small_model)
    within = read(bundle, "metrics.json")["variant"]["auc_within_source"]
    assert [group["estimate"] for group in within] == [None, None]
    assert read(bundle, "MODEL_CARD.md").count("one class only") == 2


def test_a_file_too_large_for_a_microcontroller_has_no_header(
    filled, split, small_model, monkeypatch
):
    monkeypatch.setattr(bundles, "MOST_BYTES", 1_000)
    bundle = put(filled, split, small_model)
    assert set(bundle.files) == EVERY - {"model.h"}
    assert "There is no C header: the file is larger than 16 MB" in read(bundle, "README.md")


DEFINITION = """
from dataclasses import replace
from edac_core.models import MODELS
MODEL = replace(MODELS["cnn"], name="mine", title="Mine")
"""


def test_a_users_own_network_comes_along(filled, split, small_model):
    bundle = put(filled, split, small_model, model="mine", definition=DEFINITION)
    assert read(bundle, "network.py") == DEFINITION
    assert 'models = ["network.py"]' in read(bundle, "plan.toml")
    assert "- `network.py`" in read(bundle, "README.md")
    assert read(bundle, "README.md").startswith("# Mine, ")
    assert "definition" not in read(bundle, "metrics.json")["job"]["config"]


def test_a_network_that_is_no_more_is_a_sentence(filled, split, small_model):
    with pytest.raises(PlanError, match="no model 'gone'"):
        put(filled, split, small_model, model="gone")


@pytest.fixture(scope="module")
def flat_model(keras, convert):
    """A network of the dense ones' input."""
    layers = [keras.Input((6_373,)), keras.layers.Dense(2, activation="softmax")]
    return convert(keras.Sequential(layers), "float32")


def test_functionals_come_by_name_and_value_and_the_readme_says_why(filled, split, flat_model):
    opensmile = pytest.importorskip("opensmile")
    bundle = put(filled, split, flat_model, model="dense_a")
    assert set(bundle.files) == EVERY - {"frontend.py"}
    settings = read(bundle, "frontend.json")
    assert len(settings["feature_names"]) == 6_373
    assert settings["libraries"]["opensmile"] == opensmile.__version__
    said = "openSMILE's ComParE_2016 functionals, 6,373 of them"
    assert said in read(bundle, "README.md")
    with np.load(io.BytesIO(bundle.files["golden.npz"]), allow_pickle=False) as golden:
        assert golden["features"].shape == (10, 6_373)


def test_the_card_says_how_it_stands_beside_its_baseline_and_where_it_runs(bundle):
    """The figures are those of the stored scores and of the file."""
    metrics, card = read(bundle, "metrics.json"), read(bundle, "MODEL_CARD.md")
    beside, footprint = metrics["beside_baseline"], metrics["footprint"]
    own, other = (metrics[name]["auc_pooled"] for name in ("variant", "float32_baseline"))
    difference = own["estimate"] - other["estimate"]
    assert beside["difference"]["difference"] == pytest.approx(difference)
    assert {harm["group"] for harm in beside["harms"]} == {"call-center", "telegram"}
    assert f"At a margin of 0.02: {beside['verdict']}." in card
    assert footprint["flash_bytes"] == len(bundle.files["model.tflite"])
    assert footprint["macs"] == 14_485_376
    assert "- LiteRT: yes (by loading)." in card


def test_a_variant_without_a_baseline_says_so(filled, split, small_model):
    made = put(filled, split, small_model)
    assert read(made, "metrics.json")["beside_baseline"] is None
    assert "there is none to compare it with" in read(made, "MODEL_CARD.md")
