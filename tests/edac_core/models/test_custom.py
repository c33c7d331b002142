import numpy as np
import pandas as pd
import pytest

from edac_core.errors import ModelError, PlanError
from edac_core.locations import PROJECT
from edac_core.models import get_model, resolve
from edac_core.models.custom import define
from edac_core.models.examples import Examples
from edac_core.models.spec import ModelSpec
from edac_core.studies.inputs import SplitInputs
from edac_core.studies.jobs import Job, expand, job_keys
from edac_core.studies.plan import load_plan
from edac_core.studies.store import SplitRecord
from edac_core.studies.work import run_job

EXAMPLE = PROJECT / "docs" / "examples" / "tiny_net.py"
PLAN = """
name = "own"
title = "Own"
[data]
dataset = "synthetic"
[training]
models = ["cnn", "net.py"]
[compression]
sparsities = [0.5]
"""


@pytest.fixture
def plan(tmp_path):
    """A plan with a model's file beside it."""
    (tmp_path / "net.py").write_text(EXAMPLE.read_text())
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def test_the_example_of_the_guide_is_a_model():
    spec, definition = resolve(str(EXAMPLE))
    assert isinstance(spec, ModelSpec)
    assert get_model(spec.name, definition=definition) is spec
    assert spec.build().output_shape == (None, 1)


def test_a_file_is_looked_for_beside_its_plan(plan):
    families = expand(load_plan(plan))
    assert [family.baseline.model for family in families] == ["cnn", "tiny_net"]
    assert families[1].baseline.spec.title == "Tiny net"


def test_a_changed_file_gives_other_keys(plan):
    def keys():
        cnn, own = expand(load_plan(plan))
        return set(job_keys(cnn, "data").values()), set(job_keys(own, "data").values())

    before = keys()
    file = plan.with_name("net.py")
    file.write_text(file.read_text().replace("Dense(16", "Dense(8"))
    after = keys()
    assert before[0] == after[0]
    assert not before[1] & after[1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("MODEL = 3", r"defines no MODEL of type ModelSpec but 3"),
        ("", r"defines no MODEL of type ModelSpec but None"),
        ("def build(:", r"It fails \(SyntaxError"),
        ("import nowhere_at_all", r"It fails \(ModuleNotFoundError"),
    ],
)
def test_a_file_without_a_model_is_a_sentence(text, sentence):
    with pytest.raises(PlanError, match=sentence):
        define(text)


def test_an_unknown_choice_of_epoch_is_a_sentence():
    text = EXAMPLE.read_text().replace("patience=8", 'patience=8, keep="best"')
    with pytest.raises(PlanError, match=r"keeps 'best'; choose from: 'lowest loss'"):
        define(text)


def test_a_sentence_names_the_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("MODEL = 3")
    with pytest.raises(PlanError, match=r"model file .*mine.py is not usable. It defines no MODEL"):
        resolve(str(path))


def test_two_networks_of_one_name_are_refused(plan):
    plan.with_name("other.py").write_text(EXAMPLE.read_text())
    plan.write_text(PLAN.replace('"cnn", ', '"other.py", '))
    with pytest.raises(PlanError, match=r"Two models are called 'tiny_net'; rename one"):
        load_plan(plan)


def test_an_unknown_front_end_is_a_sentence():
    text = EXAMPLE.read_text().replace('frontend="mfcc"', 'frontend="chroma"')
    with pytest.raises(PlanError, match=r"wants the front-end 'chroma'; choose from: mfcc"):
        define(text)


def test_a_papers_name_cannot_be_taken(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(EXAMPLE.read_text().replace('name="tiny_net"', 'name="cnn"'))
    with pytest.raises(PlanError, match=r"is called 'cnn', as one that is here; rename it"):
        resolve(str(path))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("(302, 15, 1)", "(99, 15, 1)"), r"takes \(99, 15, 1\) but its front-end 'mfcc' gives"),
        (('Dense(1, activation="sigmoid")', "Dense(3)"), r"gives \(3,\); end it in one sigmoid"),
        (("Dropout(0.3)", "ActivityRegularization(l2=1.0)"), r"regularises activities, which"),
    ],
)
def test_a_network_that_does_not_fit_is_a_sentence(change, sentence):
    definition = EXAMPLE.read_text().replace(*change)
    job = Job(
        model="tiny_net", definition=definition, protocol="clean", split_seed=0, training_seed=1,
        epochs=1, training_epochs=1, batch_size=8, training_batch_size=8,
        precisions=("float32",),
    )  # fmt: skip
    features = Examples(np.zeros((8, 302, 15, 1), np.float32), np.arange(8) % 2)
    record = SplitRecord("key", 0, pd.DataFrame())
    inputs = SplitInputs(record, "key", features, features, features, ("all",) * 8)
    with pytest.raises(ModelError, match=sentence):
        run_job(job, inputs)
