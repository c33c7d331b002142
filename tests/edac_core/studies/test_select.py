import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from edac_core.measure.noninferiority import difference_over_splits
from edac_core.studies.select import (
    Limits,
    beside_baseline,
    curve,
    over_runs,
    paired_difference,
    pareto_front,
    representatives,
    smallest_meeting,
    smallest_within,
    summarise,
    summarise_groups,
)

RUNS = ((0, 1234), (0, 1235), (1, 1234))
LEVELS = (("none", 0.0), ("constant", 0.5), ("constant", 0.9), ("polynomial", 0.9))
# Few distinct values, so that ties are common.
POINTS = st.lists(st.tuples(st.integers(1, 5), st.sampled_from((0.5, 0.6, 0.7, 0.8))), max_size=12)


def beats(one, other):
    size, auc = one
    other_size, other_auc = other
    return size <= other_size and auc >= other_auc and (size < other_size or auc > other_auc)


@given(POINTS)
def test_front_is_what_brute_force_leaves(points):
    sizes, aucs = [p[0] for p in points], [p[1] for p in points]
    expected = [not any(beats(other, point) for other in points) for point in points]
    assert pareto_front(sizes, aucs).tolist() == expected


def test_what_is_not_finite_is_never_on_the_front():
    front = pareto_front([1, np.nan, 2, 3], [0.7, 0.9, np.nan, 0.8])
    assert front.tolist() == [True, False, False, True]


@pytest.fixture
def both_protocols(variants):
    """The same runs by another protocol, whose baselines are ever so much better."""
    paper = variants.assign(protocol="paper", key="paper-" + variants["key"])
    paper["auc"] += 0.15
    paper[["zip_bytes", "raw_bytes"]] *= 2
    return pd.concat([variants, paper]).sample(frac=1, random_state=1)


@pytest.fixture
def variants():
    rng = np.random.default_rng(3)
    rows = [
        {
            "key": f"{split}-{seed}-{method}-{sparsity}-{precision}",
            "model": "cnn",
            "protocol": "clean",
            "method": method,
            "sparsity": sparsity,
            "precision": precision,
            "split_seed": split,
            "training_seed": seed,
            "auc": rng.uniform(0.6, 0.8),
            "uar": rng.uniform(0.5, 0.7),
            "raw_bytes": rng.integers(10_000, 20_000),
            "zip_bytes": rng.integers(1_000, 10_000),
            "weights": 100,
            "nonzero_weights": round(100 * (1 - sparsity)),
            "latency_ms": rng.uniform(0.2, 2),
            "latency_p95_ms": 3.0,
            "baseline_latency_ms": rng.uniform(1, 2),
        }
        for (split, seed), (method, sparsity), precision in itertools.product(
            RUNS, LEVELS, ("float32", "int8")
        )
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(auc_low=frame["auc"] - 0.05, auc_high=frame["auc"] + 0.03)


def chosen(frame, method, sparsity, precision):
    return frame[
        (frame["method"] == method)
        & (frame["sparsity"] == sparsity)
        & (frame["precision"] == precision)
    ]


def in_order_of_runs(frame):
    return frame.set_index(["split_seed", "training_seed"]).loc[list(RUNS)]


def test_one_row_a_configuration_whatever_the_order(variants):
    shuffled = variants.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(summarise(variants), summarise(shuffled))
    assert len(summarise(variants)) == len(LEVELS) * 2
    assert (summarise(variants)["runs"] == 3).all()


def test_differences_are_paired_within_runs(variants):
    row = chosen(summarise(variants), "constant", 0.9, "int8").iloc[0]
    variant = in_order_of_runs(chosen(variants, "constant", 0.9, "int8"))
    baseline = in_order_of_runs(chosen(variants, "none", 0.0, "float32"))
    oracle = stats.ttest_rel(variant["auc"], baseline["auc"]).confidence_interval(0.95)
    assert row["auc_difference"] == pytest.approx((variant["auc"] - baseline["auc"]).mean())
    assert (row["auc_difference_low"], row["auc_difference_high"]) == pytest.approx(oracle)
    ratios = baseline["zip_bytes"] / variant["zip_bytes"]
    assert row["zip_ratio"] == pytest.approx(ratios.mean())
    assert row["raw_ratio"] == pytest.approx((baseline["raw_bytes"] / variant["raw_bytes"]).mean())


def test_speed_is_compared_with_the_baseline_of_the_same_measurement(variants):
    row = chosen(summarise(variants), "polynomial", 0.9, "float32").iloc[0]
    variant = chosen(variants, "polynomial", 0.9, "float32")
    ratios = variant["baseline_latency_ms"] / variant["latency_ms"]
    oracle = stats.ttest_1samp(ratios, 1).confidence_interval(0.95)
    assert row["speedup"] == pytest.approx(ratios.mean())
    assert (row["speedup_low"], row["speedup_high"]) == pytest.approx(oracle)


OVERLAP = (575, 192)


def with_three_splits(variants):
    """Each run on a split of its own."""
    own = 10 * variants["split_seed"] + (variants["training_seed"] == 1235)
    return variants.assign(split_seed=own, training_seed=1234, split=own.astype(str))


def with_two_seeds(variants):
    """Each split trained with two seeds, which come to different AUC."""
    again = variants.assign(training_seed=99, auc=variants["auc"] + 0.001 * variants["sparsity"])
    return pd.concat([variants, again], ignore_index=True)


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_the_corrected_interval_is_that_of_each_configuration_alone(variants, level):
    """As the papers' targets have it, one configuration at a time."""
    twice = with_two_seeds(with_three_splits(variants))
    summary = summarise(twice, overlaps={"cnn": OVERLAP}, level=level)
    differences = beside_baseline(twice)
    for _, row in summary.iterrows():
        own = chosen(differences, row["method"], row["sparsity"], row["precision"])
        by_split = own.groupby("split_seed")["auc_difference"].mean().tolist()
        oracle = difference_over_splits(by_split, training=575, test=192, level=level)
        assert (row["splits"], row["runs"]) == (3, 6)
        assert (row["corrected_low"], row["corrected_high"]) == pytest.approx(
            (oracle.low, oracle.high)
        )
    assert (summary["corrected_low"] <= summary["auc_difference"]).all()


def test_the_correction_makes_students_interval_wider(variants):
    summary = summarise(with_three_splits(variants), overlaps={"cnn": OVERLAP})
    row = chosen(summary, "constant", 0.9, "int8").iloc[0]
    students = row["auc_difference_high"] - row["auc_difference_low"]
    wider = np.sqrt((1 / 3 + 192 / 575) / (1 / 3))
    assert row["corrected_high"] - row["corrected_low"] == pytest.approx(students * wider)


def test_without_what_splits_share_there_is_no_corrected_interval(variants):
    for overlaps in (None, {"another": OVERLAP}):
        summary = summarise(variants, overlaps=overlaps)
        assert summary[["corrected_low", "corrected_high"]].isna().all(axis=None)
        assert (summary["splits"] == 2).all()
    of_one_split = with_two_seeds(variants[variants["split_seed"] == 1])
    summary = summarise(of_one_split, overlaps={"cnn": OVERLAP})
    assert summary["corrected_low"].isna().all()
    assert set(summary["runs"]) == {2}
    assert set(summary["splits"]) == {1}


def test_uar_is_the_mean_over_runs(variants):
    row = chosen(summarise(variants), "constant", 0.9, "int8").iloc[0]
    assert row["uar"] == pytest.approx(chosen(variants, "constant", 0.9, "int8")["uar"].mean())


def test_spread_is_over_runs_and_width_is_delongs(variants):
    row = chosen(summarise(variants), "constant", 0.5, "int8").iloc[0]
    aucs = chosen(variants, "constant", 0.5, "int8")["auc"]
    assert row["auc_std"] == pytest.approx(np.std(aucs, ddof=1))
    assert row["auc_half_width"] == pytest.approx(0.04)


def test_a_single_run_has_no_interval(variants):
    one = variants[(variants["split_seed"] == 1)]
    row = chosen(summarise(one), "constant", 0.9, "int8").iloc[0]
    assert row["runs"] == 1
    assert np.isfinite(row["auc_difference"])
    assert np.isnan(row[["auc_difference_low", "auc_std", "speedup_high"]].astype(float)).all()


def test_unmeasured_latency_stays_unknown(variants):
    variants.loc[variants["precision"] == "int8", "latency_ms"] = np.nan
    row = chosen(summarise(variants), "constant", 0.9, "int8").iloc[0]
    assert np.isnan(row["latency_ms"])
    assert np.isnan(row["speedup"])


def test_a_run_without_its_baseline_has_no_comparison(variants):
    """As while a study is running."""
    partial = variants[(variants["method"] != "none") | (variants["precision"] != "float32")]
    assert summarise(partial)["auc_difference"].isna().all()
    assert summarise(partial)["auc"].notna().all()


def test_curves_start_at_the_baseline(variants):
    summary = summarise(variants)
    rows = curve(summary, model="cnn", protocol="clean", method="constant", precision="int8")
    assert rows["sparsity"].tolist() == [0.0, 0.5, 0.9]
    assert rows["method"].tolist() == ["none", "constant", "constant"]
    assert (rows["precision"] == "int8").all()


def test_smallest_within_a_loss(variants):
    summary = summarise(variants)
    summary["auc_difference"] = -0.02
    assert smallest_within(summary, loss=0.01).empty
    summary.loc[[1, 4], "auc_difference"] = [-0.01, 0.02]
    summary.loc[[1, 4], "zip_bytes"] = [500, 700]
    assert smallest_within(summary, loss=0.01).index.tolist() == [1]


def test_smallest_within_a_loss_has_all_runs(variants):
    """While a study is running, one lucky run is no mean."""
    summary = summarise(variants).assign(auc_difference=0.0, zip_bytes=range(10, 18))
    assert smallest_within(summary, loss=0.01).index.tolist() == [0]
    summary.loc[0, "runs"] = 2
    assert smallest_within(summary, loss=0.01).index.tolist() == [1]


def test_groups_are_averaged_over_runs(variants):
    groups = pd.DataFrame(
        [
            {"variant": key, "group": group, "n": n, "positives": 10, "auc": auc,
             "auc_low": auc - 0.1, "auc_high": auc + 0.1}
            for key in variants["key"]
            for group, n, auc in (("telegram", 90, 0.7), ("call-center", 100 + len(key) % 2, 0.6))
        ]
    )  # fmt: skip
    groups.loc[groups["variant"].str.startswith("1-1234"), "auc"] += 0.3
    rows = chosen(summarise_groups(groups, variants), "none", 0.0, "float32")
    assert rows["group"].tolist() == ["call-center", "telegram"]
    assert rows["auc"].tolist() == pytest.approx([0.7, 0.8])
    assert rows["n"].iloc[1] == 90


def test_protocols_are_never_averaged_nor_compared(variants, both_protocols):
    """Each has the figures that it has alone."""
    summary = summarise(both_protocols)
    for protocol, alone in both_protocols.groupby("protocol"):
        rows = summary[summary["protocol"] == protocol].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, summarise(alone))
    assert len(summary) == 2 * len(summarise(variants))
    assert (summary["runs"] == 3).all()


def test_protocols_are_never_one_curve(both_protocols):
    rows = curve(
        summarise(both_protocols),
        model="cnn", protocol="paper", method="constant", precision="int8",
    )  # fmt: skip
    assert rows["protocol"].tolist() == ["paper"] * 3
    assert rows["sparsity"].tolist() == [0.0, 0.5, 0.9]


def test_groups_of_two_protocols_stay_apart(both_protocols):
    groups = pd.DataFrame(
        {"variant": both_protocols["key"], "group": "telegram", "n": 90, "positives": 10,
         "auc": both_protocols["auc"], "auc_low": 0.5, "auc_high": 0.9}
    )  # fmt: skip
    rows = chosen(summarise_groups(groups, both_protocols), "none", 0.0, "float32")
    aucs = rows.set_index("protocol")["auc"]
    assert aucs["paper"] - aucs["clean"] == pytest.approx(0.15)


def figures_of(rows):
    """A frame as `over_runs` returns it, its labels not those of its order."""
    columns = ["auc_drop", "zip_bytes", "raw_bytes", "latency_ms", "runs"]
    labels = [7 * at % 101 for at in range(len(rows))]
    return pd.DataFrame(rows, columns=columns, index=labels, dtype=float)


NUMBERS = st.integers(0, 4).map(float)
UNKNOWN = st.one_of(NUMBERS, st.just(float("nan")))
ROWS = st.lists(
    st.tuples(UNKNOWN, NUMBERS, NUMBERS, UNKNOWN, st.sampled_from((3, 3, 3, 2))), max_size=10
)
LIMITS = st.builds(
    Limits,
    auc_drop=st.none() | NUMBERS,
    zip_bytes=st.none() | NUMBERS,
    raw_bytes=st.none() | NUMBERS,
    latency_ms=st.none() | NUMBERS,
)


def excess_of(row, limits):
    over = {name: row[name] - limit for name, limit in limits.given().items()}
    return {name: value for name, value in over.items() if value > 0}


def share_of(row, limits):
    least = {"auc_drop": 0.01, "zip_bytes": 1000, "raw_bytes": 1000, "latency_ms": 0.1}
    excess = excess_of(row, limits)
    return max(value / max(limits.given()[name], least[name]) for name, value in excess.items())


@settings(deadline=None)
@given(ROWS, LIMITS, st.sampled_from((("zip_bytes", "raw_bytes"), ("raw_bytes", "zip_bytes"))))
def test_the_smallest_meeting_all_limits_is_what_brute_force_finds(rows, limits, order):
    by, then = order
    figures = figures_of(rows)
    found = smallest_meeting(figures, limits, by=by)
    complete = [row for _, row in figures.iterrows() if row["runs"] == figures["runs"].max()]
    known = [row for row in complete if not any(np.isnan(row[name]) for name in limits.given())]
    assert found.incomplete == len(figures) - len(complete)
    assert found.unknown == len(complete) - len(known)
    fitting = [row for row in known if not excess_of(row, limits)]
    if fitting:
        chosen = figures.loc[found.chosen]
        rank = (chosen[by], chosen[then])
        assert not excess_of(chosen, limits)
        assert rank == min((row[by], row[then]) for row in fitting)
        drops = [row["auc_drop"] for row in fitting if (row[by], row[then]) == rank]
        drops = [drop for drop in drops if not np.isnan(drop)]
        assert not drops or chosen["auc_drop"] == min(drops)
        assert found.nearest is None
        smaller = [row for row in known if (row[by], row[then]) < rank]
        if found.next_smaller is None:
            assert not smaller
        else:
            row = figures.loc[found.next_smaller.label]
            assert found.next_smaller.excess == excess_of(row, limits) != {}
            assert all((row[by], row[then]) >= (other[by], other[then]) for other in smaller)
    else:
        assert (found.chosen, found.next_smaller) == (None, None)
        assert (found.nearest is None) == (not known)
        if known:
            row = figures.loc[found.nearest.label]
            assert found.nearest.excess == excess_of(row, limits) != {}
            assert share_of(row, limits) == min(share_of(other, limits) for other in known)


def test_a_limit_is_met_exactly_whatever_way_it_was_added_up():
    figures = figures_of([(0.1 + 0.2, 5, 5, 1, 3)])
    assert smallest_meeting(figures, Limits(auc_drop=0.3)).chosen == 0


def test_means_over_runs_are_those_of_the_summary(variants):
    summary, figures = summarise(variants), over_runs(variants, worst=False)
    assert figures["auc_drop"].tolist() == pytest.approx((-summary["auc_difference"]).tolist())
    for name in ("zip_bytes", "raw_bytes", "latency_ms", "runs"):
        assert figures[name].tolist() == pytest.approx(summary[name].tolist())


def test_the_worst_run_is_the_worst_of_each_figure(variants):
    row = chosen(over_runs(variants, worst=True), "constant", 0.9, "int8").iloc[0]
    runs = in_order_of_runs(chosen(variants, "constant", 0.9, "int8"))
    baseline = in_order_of_runs(chosen(variants, "none", 0.0, "float32"))
    assert row["auc_drop"] == pytest.approx(max(baseline["auc"] - runs["auc"]))
    for name in ("zip_bytes", "raw_bytes", "latency_ms"):
        assert row[name] == runs[name].max()


@pytest.mark.parametrize("worst", [True, False])
def test_a_figure_that_one_run_lacks_is_unknown(variants, worst):
    unmeasured = (variants["precision"] == "int8") & (variants["split_seed"] == 1)
    variants.loc[unmeasured, "latency_ms"] = np.nan
    figures = over_runs(variants, worst=worst)
    assert figures["latency_ms"].isna().eq(figures["precision"] == "int8").all()
    assert figures["zip_bytes"].notna().all()
    found = smallest_meeting(figures, Limits(latency_ms=1e9))
    assert found.unknown == len(LEVELS)
    assert figures.loc[found.chosen, "precision"] == "float32"


def test_two_variants_are_compared_within_the_runs_that_both_have(variants):
    variants = with_three_splits(variants)
    first, second = (chosen(variants, "constant", level, "int8") for level in (0.5, 0.9))
    shuffled = second.sample(frac=1, random_state=2)
    paired = paired_difference(first, shuffled, overlap=OVERLAP)
    one, other = (rows.set_index("split_seed")["auc"] for rows in (first, second))
    oracle = difference_over_splits((other - one).tolist(), training=575, test=192)
    assert (paired.runs, paired.splits) == (3, 3)
    assert paired.difference == pytest.approx((other - one).mean())
    assert (paired.low, paired.high) == pytest.approx((oracle.low, oracle.high))
    alone = paired_difference(first, second[second["split_seed"] == 10], overlap=OVERLAP)
    assert (alone.runs, np.isnan(alone.low)) == (1, True)
    unknown = paired_difference(first, second, overlap=None)
    assert (unknown.splits, np.isnan(unknown.low)) == (3, True)
    elsewhere = second.assign(split="other")
    assert paired_difference(first, elsewhere, overlap=OVERLAP).runs == 0


def test_seeds_of_a_split_count_once(variants):
    twice = with_two_seeds(with_three_splits(variants))
    first, second = (chosen(twice, "constant", level, "int8") for level in (0.5, 0.9))
    paired = paired_difference(first, second, overlap=OVERLAP)
    means = [rows.groupby("split_seed")["auc"].mean() for rows in (first, second)]
    oracle = difference_over_splits((means[1] - means[0]).tolist(), training=575, test=192)
    assert (paired.runs, paired.splits) == (6, 3)
    assert (paired.low, paired.high) == pytest.approx((oracle.low, oracle.high))


@settings(deadline=None)
@given(POINTS, st.integers(1, 6))
def test_representatives_keep_the_front_and_the_best_of_every_step(points, most):
    frame = pd.DataFrame(points, columns=["zip_bytes", "auc"])
    frame = frame.assign(method="constant", precision="int8")
    kept = representatives(frame, most=most)
    assert kept[pareto_front(frame["zip_bytes"], frame["auc"])].all()
    if len(frame) <= most:
        assert kept.all()
    elif len(frame):
        assert frame["auc"].max() == frame.loc[kept, "auc"].max()
