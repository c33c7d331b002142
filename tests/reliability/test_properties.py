"""Properties that hold for any recording, any plan and any list of recordings."""

import functools
import json
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hostile import RATE, assert_one_sentence, encoded
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edac_core import locations
from edac_core.compress import PRECISIONS, SCHEDULES
from edac_core.compress.methods import METHODS
from edac_core.datasets import DATASETS, folder
from edac_core.datasets.recordings import Dataset
from edac_core.errors import DataError, EdacError, PlanError
from edac_core.export.reproduce import narrowed, to_toml
from edac_core.frontends import get_frontend
from edac_core.listening import hear
from edac_core.models import MODELS
from edac_core.runtime import Variant
from edac_core.studies.jobs import expand, job_keys
from edac_core.studies.plan import DECAY_ENDS, GRAPHS, PROTOCOLS, STARTS, load_plan, parse_plan
from edac_core.studies.store import Store

LONGEST_SECONDS = 30
quick = functools.partial(
    settings, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
by_night = functools.partial(
    settings, deadline=None, suppress_health_check=list(HealthCheck), max_examples=2_000
)

# -- recordings --------------------------------------------------------------------------------


@functools.cache
def variant():
    """The shipped CNN in int8."""
    store = Store(locations.SHIPPED, readonly=True)
    files = store.variants("cnn").query("has_model and precision == 'int8' and method == 'none'")
    return Variant(store.model(files["sha256"].iloc[0]))


@st.composite
def recordings(draw):
    """Finite samples of any length up to 30 s: few values, repeated or sown into noise."""
    size = draw(st.integers(0, LONGEST_SECONDS * RATE) | st.integers(0, 4_096))
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    values = draw(st.lists(finite, min_size=1, max_size=8))
    level = draw(st.sampled_from([0, 1e-30, 1e-4, 0.1, 1, 1e4]))
    samples = np.random.default_rng(draw(st.integers(0, 9))).normal(scale=level, size=size)
    places = np.arange(0, size, draw(st.sampled_from([1, 7, 5_000])))
    samples[places] = np.resize(np.array(values, np.float32), len(places))
    return samples.astype(np.float32)


def check_recording(samples):
    data = encoded(samples)
    try:
        first, second = (scored(data) for _ in range(2))
    except EdacError as error:
        assert_one_sentence(error, about="x.wav ")
        return
    np.testing.assert_array_equal(*(features for features, _ in (first, second)))
    assert first[1] == second[1]
    assert np.isfinite(first[0]).all()
    assert 0 <= first[1] <= 1


def scored(data):
    features = get_frontend("mfcc")(hear(data, "x.wav").waveform)
    return features, variant().score_one(features)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@quick(max_examples=15)
@given(recordings())
@example(np.full(22_050, np.finfo(np.float32).max))
@example(np.full(22_050, 1e30, np.float32))
@example(np.full(22_050, 1e-45, np.float32))
def test_any_finite_recording_has_one_score_or_a_sentence(samples):
    check_recording(samples)


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@by_night(max_examples=300)
@given(recordings())
def test_many_finite_recordings_have_one_score_or_a_sentence(samples):
    check_recording(samples)


# -- plans -------------------------------------------------------------------------------------

fractions = st.floats(0.001, 0.999) | st.sampled_from([0.5, 0.9, 0.999])
counts = st.integers(1, 10_000)
seeds = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3, unique=True)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
plain = st.recursive(
    texts | st.booleans() | st.integers(-(2**32) + 1, 2**32 - 1)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
REMOVING = [name for name, method in METHODS.items() if method.removes]


@st.composite
def links(draw):
    """A method, with a number if it needs one, or leaves it to the level."""
    name = draw(st.sampled_from(list(METHODS)))
    return f"{name}:{draw(fractions)!r}" if name in REMOVING and draw(st.booleans()) else name


chains = st.lists(links(), min_size=1, max_size=3).map("+".join)


def some(values, **options):
    return st.lists(st.sampled_from(list(values)), unique=True, **options)


contents = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-zA-Z0-9_-]{0,59}[a-z]", fullmatch=True),
        "title": texts,
        "data": st.fixed_dictionaries(
            {"dataset": st.sampled_from(DATASETS)},
            optional={
                "protocol": st.sampled_from(PROTOCOLS),
                "split_seeds": seeds,
                "path": texts,
                "options": st.dictionaries(texts, plain, max_size=3),
            },
        ),
        "training": st.fixed_dictionaries(
            {"models": some(MODELS, min_size=1, max_size=3)},
            optional={"seeds": seeds, "epochs": counts, "patience": counts, "batch_size": counts},
        ),
    },
    optional={
        "latency_calls": counts,
        "compression": st.fixed_dictionaries(
            {},
            optional={
                "schedules": some(SCHEDULES),
                "methods": st.lists(chains, max_size=3, unique=True),
                "recipes": st.dictionaries(texts, chains, max_size=3),
                "sparsities": st.lists(fractions, max_size=4, unique=True),
                "precisions": some(PRECISIONS).map(lambda found: [*{"float32": 0, **dict.fromkeys(
                    found)}]),
                "epochs": counts,
                "training_epochs": counts,
                "frequency": counts,
                "start": st.sampled_from(STARTS),
                "initial_sparsity": st.sampled_from([0, 0.0005]),
                "decay_end": st.sampled_from(DECAY_ENDS),
                "graph": st.sampled_from(GRAPHS),
            },
        ),
    },
)  # fmt: skip


def check_plan(content):
    try:
        plan = parse_plan(content)
    except PlanError as error:
        assert_one_sentence(error)
        return
    found = read_back(plan.to_toml())
    assert found == plan
    assert parse_plan(tomllib.loads(json_through(plan))) == plan
    families = expand(plan)
    assert expand(found) == families
    for family, again in zip(families, expand(found), strict=True):
        assert job_keys(again, "data") == job_keys(family, "data")


def check_bundles_plan(content):
    """The plan in a bundle makes its job again."""
    try:
        plan = parse_plan(content)
    except PlanError:
        return
    for family in expand(plan):
        for made in family.jobs[-4:]:
            narrow = read_back(to_toml(narrowed(plan.to_dict(), made.to_dict())))
            assert [made] == [job for one in expand(narrow) for job in one.jobs if job == made]


def read_back(text):
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "plan.toml")
        path.write_text(text, "utf-8", newline="")
        return load_plan(path)


def json_through(plan):
    """A store keeps a plan as JSON: nothing of it may be lost there either."""
    kept = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    return parse_plan(kept).to_toml()


@quick(max_examples=60)
@given(contents)
def test_any_plan_is_refused_or_comes_back_with_its_keys(content):
    check_plan(content)


SEEN = [
    {
        "name": "a-level-of-a-chain",
        "title": "Chain",
        "data": {"dataset": "coswara"},
        "training": {"models": ["cnn"]},
        "compression": {"sparsities": [0.5], "methods": ["polynomial+polynomial:0.5"]},
    },
    {
        "name": "a-recipe-without-a-name",
        "title": "Nameless",
        "data": {"dataset": "coswara"},
        "training": {"models": ["cnn"]},
        "compression": {"recipes": {"": "polynomial:0.5"}},
    },
    {
        "name": "more-digits-than-a-job-keeps",
        "title": "Digits",
        "data": {"dataset": "coswara"},
        "training": {"models": ["cnn"]},
        "compression": {"sparsities": [0.5009529794817613]},
    },
    {
        "name": "a-numbered-method-beside-levels-that-go-on",
        "title": "Numbered",
        "data": {"dataset": "coswara"},
        "training": {"models": ["cnn"]},
        "compression": {
            "schedules": ["polynomial"],
            "sparsities": [0.3, 0.7],
            "start": "previous",
            "methods": ["polynomial:0.5", "polynomial:0.5+polynomial"],
        },
    },
]


@pytest.mark.parametrize("content", SEEN, ids=lambda content: content["name"])
def test_a_plan_that_once_lost_its_job_is_refused_or_keeps_it(content):
    check_plan(content)
    check_bundles_plan(content)


@pytest.mark.nightly
@by_night()
@given(contents)
def test_many_bundles_plans_make_their_jobs(content):
    check_bundles_plan(content)


@pytest.mark.nightly
@by_night()
@given(contents)
def test_many_plans_are_refused_or_come_back_with_their_keys(content):
    check_plan(content)


# -- lists of recordings -----------------------------------------------------------------------

cells = st.one_of(
    st.sampled_from(["a.wav", "b.wav", "../a.wav", "/etc/hostname", ".", "0", "1", "", "NA", "path",
                     "label", "split", "train", "age", "1e999", '"', "\r", "\0", "\ufeff"]),
    st.text(max_size=12),
)  # fmt: skip
tables = st.lists(st.lists(cells, min_size=1, max_size=5).map(",".join), max_size=6).map("\n".join)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp037"])


@st.composite
def files(draw):
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=200))
    heading = draw(st.sampled_from(["path,label\n", "path, label,split,age\n", ""]))
    text = heading + draw(tables)
    return text.encode(draw(encodings), errors="replace")


def check_list(data):
    with tempfile.TemporaryDirectory() as place:
        for name in ("a.wav", "b.wav"):
            Path(place, name).write_bytes(b"sound")
        path = Path(place, "list.csv")
        path.write_bytes(data)
        try:
            found = folder.load(path=path)
        except DataError as error:
            assert_one_sentence(error)
        else:
            assert isinstance(found, Dataset)
            assert all(Path(file).is_file() for file in found.recordings["path"])


@quick(max_examples=150)
@given(files())
def test_any_csv_is_a_table_or_a_sentence(data):
    check_list(data)


@pytest.mark.nightly
@by_night(max_examples=5_000)
@given(files())
def test_many_csvs_are_tables_or_sentences(data):
    check_list(data)
