import pytest

from dashboard.choices import Network, name_variant
from dashboard.studies import find_studies, read_figures
from dashboard.tradeoffs.finder import FILE, MEAN, WORST, ZIP, Wish, explain, find, read_limit
from edac_core.studies.select import Limits


@pytest.fixture
def network(stores, made_up):
    stores(shipped=made_up)
    (study,), _ = find_studies()
    return Network(study, read_figures(study), "cnn")


def answer(network, *, measure=ZIP, over=MEAN, **limits):
    wish = Wish(Limits(**limits), measure, over)
    found = find(network, wish)
    return found, explain(network, wish, found)


def test_without_limits_it_asks_for_one(network):
    assert answer(network) == (None, ["Set a limit to get the smallest variant within it."])


def test_the_smallest_is_named_and_why_no_smaller(network):
    found, (outcome, why_not) = answer(network, auc_drop=0.02)
    row = network.labelled(found.chosen)
    smaller = network.labelled(found.next_smaller.label)
    assert -row["auc_difference"] <= 0.02 < -smaller["auc_difference"]
    assert outcome.startswith(f"**{row['precision']}, ")
    assert " is the smallest: " in outcome
    assert why_not.startswith(f"The next smaller one ({name_variant(smaller)}, ")
    excess = -smaller["auc_difference"] - 0.02
    assert why_not.endswith(f" loses {excess:.3f} more AUC than allowed.")


def test_the_worst_run_is_stricter_than_the_mean(network):
    mean, _ = answer(network, auc_drop=0.02)
    worst, (outcome, *_) = answer(network, auc_drop=0.02, over=WORST)
    sizes = [network.labelled(found.chosen)["zip_bytes"] for found in (mean, worst)]
    assert sizes[0] <= sizes[1]
    assert outcome.endswith("in its worst runs.")


def test_a_file_is_measured_as_it_lies_on_a_device(network):
    found, (outcome, _) = answer(network, auc_drop=0.02, raw_bytes=7e6, measure=FILE)
    assert network.labelled(found.chosen)["precision"] == "int8"
    assert "6.17 MB" in outcome


def test_where_nothing_meets_them_the_nearest_is_named(network):
    found, (sentence,) = answer(network, zip_bytes=1e3, latency_ms=0.01)
    assert found.chosen is None
    assert sentence.startswith("No variant meets all these limits. The nearest, int8, ")
    assert "kB too large" in sentence
    assert "ms too long" in sentence


def test_what_has_no_smaller_one_says_so(network):
    found, sentences = answer(network, auc_drop=1.0)
    assert found.next_smaller is None
    assert sentences[1:] == ["There is no smaller one."]


def test_what_lacks_runs_or_latencies_is_counted(stores, tmp_path, build):
    build(tmp_path, runs=((0, 1),))
    build(tmp_path, runs=((0, 1), (0, 2)), levels=(("none", 0.0),), precisions=("float32",),
          name="other")  # fmt: skip
    stores(local=tmp_path)
    studies, _ = find_studies()
    (study,) = (study for study in studies if study.name == "made-up")
    network = Network(study, read_figures(study), "cnn")
    network.measured.loc[network.measured["precision"] == "int8", "latency_ms"] = float("nan")
    found, sentences = answer(network, latency_ms=5.0)
    assert found.unknown == 5
    assert sentences[-1] == ":small[Left out: 5 without a latency in every run.]"


def test_before_any_baseline_no_drop_is_known(stores, tmp_path, build):
    build(tmp_path, levels=(("constant", 0.5),), runs=((0, 1),))
    stores(local=tmp_path)
    (study,), _ = find_studies()
    network = Network(study, read_figures(study), "cnn")
    _, sentences = answer(network, auc_drop=0.1)
    assert sentences == [
        "No variant has all of these figures yet, so none can be chosen.",
        ":small[Left out: 3 without a float32 baseline in every run.]",
    ]


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "", "a", "1e999"])
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(ValueError, match=r"^"):
        read_limit(text)
