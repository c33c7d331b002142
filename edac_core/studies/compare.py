"""How variants decide compared with their run's float32 baseline, and all their figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from edac_core.measure.significance import combine_p_values, mcnemar, mcnemar_p
from edac_core.papers import MEBIBYTE
from edac_core.studies import BASELINE
from edac_core.studies.select import CONFIGURATION, RUN, TESTED_ALIKE, is_reference
from edac_core.studies.store import TestScores

COMPARISON = ["only_baseline_right", "only_variant_right", "mcnemar_p"]

_TABLE = [
    "model", "protocol", "schedule", "sparsity", "precision", "split_seed", "training_seed",
    "auc", "auc_low", "auc_high", "uar", "sensitivity", "specificity", "threshold", "mcnemar_p",
    "only_baseline_right", "only_variant_right", "zip_bytes", "zip_mib", "raw_bytes", "raw_mib",
    "xz_bytes", "weights", "nonzero_weights", "zero_weights", "zero_percent", "latency_ms",
    "latency_p95_ms", "baseline_latency_ms", "sha256",
]  # fmt: skip

Scores = Callable[[str], pd.DataFrame]
BoolArray = npt.NDArray[np.bool_]


def compare_variants(variants: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """Test each variant against the float32 baseline of its run.

    Both decide the same test examples, each at its own threshold, as chosen on validation.

    Parameters
    ----------
    variants : DataFrame
        As `Store.variants` returns it, or the rows of some networks of it.
    scores : callable
        Gives the scores of a variant by its key, as `Store.scores` does.

    Returns
    -------
    DataFrame
        One row a variant, indexed by its ``key``: ``only_baseline_right`` and
        ``only_variant_right``, how many test examples only one of the two decides rightly, and
        ``mcnemar_p`` (McNemar's exact test; 1 for the baseline itself). Variants whose run has no
        baseline yet are left out.
    """
    return compare_on_test(variants, {key: _of_test(scores(key)) for key in variants["key"]})


def compare_on_test(variants: pd.DataFrame, answers: Mapping[str, TestScores]) -> pd.DataFrame:
    """Do what `compare_variants` does, with scores that are read already.

    Parameters
    ----------
    variants : DataFrame
        As `Store.variants` returns it, or the rows of some jobs; of a run whose float32 baseline
        is not among them, nothing is compared.
    answers : mapping of str to TestScores
        As `Store.test_scores` returns them for these variants.
    """
    # Decisions can be paired only where the same examples were scored in the same order.
    runs = variants.groupby([*RUN, "split"])
    rows = [row for _, run in runs for row in _compared_with_baseline(run, answers)]
    return pd.DataFrame(rows, columns=["key", *COMPARISON]).set_index("key")


def compare_two(
    first: pd.DataFrame, second: pd.DataFrame, answers: Mapping[str, TestScores]
) -> float:
    """Test whether two configurations decide rightly equally often.

    Parameters
    ----------
    first, second : DataFrame
        Their rows of `Store.variants`, one a run.
    answers : mapping of str to TestScores
        As `Store.test_scores` returns them for both.

    Returns
    -------
    float
        The p values of McNemar's test in the runs that both have, combined; NaN if there is none.
    """
    called = _decisions(first, answers) | _decisions(second, answers)
    pairs = first.merge(second, on=TESTED_ALIKE)[["key_x", "key_y"]]
    tests = [
        mcnemar(answers[one].labels, called[one], called[other]).p_value
        for one, other in pairs.itertuples(index=False)
    ]
    return combine_p_values(tests) if tests else math.nan


def summarise_comparison(comparison: pd.DataFrame, variants: pd.DataFrame) -> pd.DataFrame:
    """Bring the comparisons of all runs together.

    Parameters
    ----------
    comparison, variants : DataFrame
        As `compare_variants` and `Store.variants` return them.

    Returns
    -------
    DataFrame
        One row a model, protocol, schedule, sparsity and precision: ``mcnemar_p`` of the runs
        together, and how many test examples of a run only one of the two decides rightly (means).
    """
    groups = variants.join(comparison, on="key", how="inner").groupby([*CONFIGURATION])
    summary = groups[COMPARISON].mean()
    return summary.assign(mcnemar_p=groups["mcnemar_p"].agg(_combined)).reset_index()


def in_full(variants: pd.DataFrame, comparison: pd.DataFrame) -> pd.DataFrame:
    """Return every figure of every variant, in the papers' units too.

    Parameters
    ----------
    variants, comparison : DataFrame
        As `Store.variants` and `compare_variants` return them.

    Returns
    -------
    DataFrame
        One row a variant, by run, the baseline first: what identifies it; AUC with its interval,
        UAR, sensitivity, specificity, threshold; the columns of `compare_variants`; sizes in
        bytes and (``zip_mib``, ``raw_mib``) in MiB; weights, those that are zero (``zero_weights``,
        ``zero_percent``) and those that are not; latencies; the file's digest.
    """
    zeros = variants["weights"] - variants["nonzero_weights"]
    table = variants.join(comparison, on="key").assign(
        zip_mib=variants["zip_bytes"] / MEBIBYTE,
        raw_mib=variants["raw_bytes"] / MEBIBYTE,
        zero_weights=zeros,
        zero_percent=100 * zeros / variants["weights"],
    )
    table = table.sort_values([*RUN, "schedule", "sparsity", "precision"], key=_baseline_first)
    # Counts stay whole numbers where a run has no baseline yet.
    counts = {"only_baseline_right": "Int64", "only_variant_right": "Int64"}
    return table[_TABLE].astype(counts).reset_index(drop=True)


def _baseline_first(column: pd.Series) -> pd.Series:
    return column.replace(BASELINE, "") if column.name == "schedule" else column


def _compared_with_baseline(
    run: pd.DataFrame, answers: Mapping[str, TestScores]
) -> Iterator[tuple[str, int, int, float]]:
    references = run[is_reference(run)]
    if references.empty:
        return
    baseline = str(references["key"].iloc[0])
    called = _decisions(run, answers)
    right = np.stack(list(called.values())) == answers[baseline].labels
    of_baseline = called[baseline] == answers[baseline].labels
    only_baseline = (of_baseline & ~right).sum(axis=1)
    only_variant = (~of_baseline & right).sum(axis=1)
    p_values = mcnemar_p(only_baseline, only_variant)
    yield from zip(
        called, only_baseline.tolist(), only_variant.tolist(), p_values.tolist(), strict=True
    )


def _decisions(variants: pd.DataFrame, answers: Mapping[str, TestScores]) -> dict[str, BoolArray]:
    """Return what each variant calls the test examples, at its own threshold, by its key."""
    thresholds = zip(variants["key"], variants["threshold"], strict=True)
    return {key: answers[key].scores >= threshold for key, threshold in thresholds}


def _of_test(scored: pd.DataFrame) -> TestScores:
    """Take the test examples out of what `Store.scores` returns."""
    test = scored[scored["set"] == "test"]
    return TestScores(test["label"].to_numpy(bool), test["score"].to_numpy())


def _combined(p_values: pd.Series[float]) -> float:
    return combine_p_values(p_values.tolist())
