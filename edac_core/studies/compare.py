"""How variants decide compared with their run's float32 baseline, and all their figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from edac_core.measure.discrimination import calibration_error, ties
from edac_core.measure.parts import MEBIBYTE
from edac_core.measure.significance import (
    combine_p_values,
    delong_difference,
    delong_differences,
    mcnemar,
    mcnemar_p,
)
from edac_core.studies import BASELINE
from edac_core.studies.select import (
    CONFIGURATION,
    RUN,
    TESTED_ALIKE,
    Paired,
    is_reference,
    paired_difference,
)
from edac_core.studies.store import TestScores
from edac_core.studies.trust import CALIBRATION_BINS

COMPARISON = ["only_baseline_right", "only_variant_right", "mcnemar_p"]
_DIFFERENCE = ["auc_difference", "auc_difference_low", "auc_difference_high", "delong_p"]
_BOUNDS = {"auc_difference_low": "delong_low", "auc_difference_high": "delong_high"}
_SCORES = ["calibration_error", "distinct_scores"]

_TABLE = [
    "model", "protocol", "method", "sparsity", "precision", "split_seed", "training_seed",
    "auc", "auc_low", "auc_high", *_DIFFERENCE, "uar", "sensitivity", "specificity", "threshold",
    "mcnemar_p", "only_baseline_right", "only_variant_right", *_SCORES, "zip_bytes", "zip_mib",
    "raw_bytes", "raw_mib", "xz_bytes", "weights", "nonzero_weights", "zero_weights",
    "zero_percent", "latency_ms", "latency_p95_ms", "baseline_latency_ms", "sha256",
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
        ``mcnemar_p`` (McNemar's exact test; 1 for the baseline itself); ``auc_difference`` with
        DeLong's 95 % interval (``_low``, ``_high``) and ``delong_p`` of the same recordings;
        ``calibration_error`` (over 10 bins of equally many examples) and ``distinct_scores``.
        Variants whose run has no baseline yet are left out.
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
    parts = [_compared_with_baseline(run, answers) for _, run in runs]
    columns = ["key", *COMPARISON, *_DIFFERENCE, *_SCORES]
    return pd.concat([pd.DataFrame(columns=columns), *parts]).set_index("key").infer_objects()


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
    tests = [
        mcnemar(answers[one].labels, called[one], called[other]).p_value
        for one, other in _tested_alike(first, second)
    ]
    return combine_p_values(tests) if tests else math.nan


def difference_of_two(
    first: pd.DataFrame,
    second: pd.DataFrame,
    answers: Mapping[str, TestScores],
    *,
    overlap: tuple[int, int] | None,
) -> Paired:
    """Compare the AUC of two configurations, with an interval also where there is one split only.

    Parameters
    ----------
    first, second : DataFrame
        Their rows of `Store.variants`, one a run.
    answers : mapping of str to TestScores
        As `Store.test_scores` returns them for both.
    overlap : tuple of int or None
        See `edac_core.studies.select.paired_difference`.

    Returns
    -------
    Paired
        Of the second's AUC less the first's. Of a single split the bounds are DeLong's, of the
        same recordings (means over its training seeds).
    """
    paired = paired_difference(first, second, overlap=overlap)
    if paired.splits != 1:
        return paired
    found = [
        delong_difference(answers[one].labels, answers[one].scores, answers[other].scores)
        for one, other in _tested_alike(first, second)
    ]
    low, high = (float(np.mean([getattr(one, end) for one in found])) for end in ("low", "high"))
    return replace(paired, low=low, high=high)


def _tested_alike(first: pd.DataFrame, second: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Pair the keys of two configurations' variants in the runs that both have."""
    pairs = first.merge(second, on=TESTED_ALIKE)
    return zip(pairs["key_x"], pairs["key_y"], strict=True)


def difference_bounds(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the 95 % interval of each configuration's mean AUC difference to the baseline.

    Parameters
    ----------
    rows : DataFrame
        As `edac_core.studies.select.summarise` returns them, with the columns ``delong_low`` and
        ``delong_high`` of `summarise_comparison`.

    Returns
    -------
    DataFrame
        By the labels of the rows, ``low`` and ``high``: over the splits where there are several,
        DeLong's where there is one; NaN where it is not known.
    """
    several = rows["splits"] > 1
    return pd.DataFrame({
        end: rows[f"corrected_{end}"].where(several, rows[f"delong_{end}"])
        for end in ("low", "high")
    })  # fmt: skip


def summarise_comparison(comparison: pd.DataFrame, variants: pd.DataFrame) -> pd.DataFrame:
    """Bring the comparisons of all runs together.

    Parameters
    ----------
    comparison, variants : DataFrame
        As `compare_variants` and `Store.variants` return them.

    Returns
    -------
    DataFrame
        One row a model, protocol, method, sparsity and precision: ``mcnemar_p`` of the runs
        together; means of how many test examples of a run only one of the two decides rightly,
        and (``delong_low``, ``delong_high``) of the bounds of DeLong's interval in a run.
    """
    groups = variants.join(comparison, on="key", how="inner").groupby([*CONFIGURATION])
    summary = groups[[*COMPARISON, *_BOUNDS]].mean().rename(columns=_BOUNDS)
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
        One row a variant, indexed by its ``key``, by run, the baseline first: what identifies it;
        AUC with its interval, UAR, sensitivity, specificity, threshold; the columns of
        `compare_variants`; sizes in bytes and (``zip_mib``, ``raw_mib``) in MiB; weights, those
        that are zero (``zero_weights``, ``zero_percent``) and those that are not; latencies; the
        file's digest.
    """
    zeros = variants["weights"] - variants["nonzero_weights"]
    table = variants.join(comparison, on="key").assign(
        zip_mib=variants["zip_bytes"] / MEBIBYTE,
        raw_mib=variants["raw_bytes"] / MEBIBYTE,
        zero_weights=zeros,
        zero_percent=100 * zeros / variants["weights"],
    )
    table = table.sort_values([*RUN, "method", "sparsity", "precision"], key=_baseline_first)
    # Counts stay whole numbers where a run has no baseline yet.
    counts = {"only_baseline_right": "Int64", "only_variant_right": "Int64"}
    return table.set_index("key")[_TABLE].astype(counts)


def _baseline_first(column: pd.Series) -> pd.Series:
    return column.replace(BASELINE, "") if column.name == "method" else column


def _compared_with_baseline(run: pd.DataFrame, answers: Mapping[str, TestScores]) -> pd.DataFrame:
    references = run.loc[is_reference(run), "key"]
    if references.empty:
        return pd.DataFrame()
    baseline = answers[str(references.iloc[0])]
    called = _decisions(run, answers)
    right = np.stack(list(called.values())) == baseline.labels
    of_baseline = right[run["key"].tolist().index(references.iloc[0])]
    only_baseline = (of_baseline & ~right).sum(axis=1)
    only_variant = (~of_baseline & right).sum(axis=1)
    return pd.DataFrame({
        "key": run["key"],
        "only_baseline_right": only_baseline,
        "only_variant_right": only_variant,
        "mcnemar_p": mcnemar_p(only_baseline, only_variant),
    }).join(_differences(run, baseline, answers), on="key")  # fmt: skip


def _differences(
    run: pd.DataFrame, baseline: TestScores, answers: Mapping[str, TestScores]
) -> pd.DataFrame:
    """Return what the scores of variants are worth beside their baseline's, by key."""
    scores = [answers[key].scores for key in run["key"]]
    found = delong_differences(baseline.labels, baseline.scores, scores)
    table = pd.DataFrame({
        "auc_difference": [one.difference for one in found],
        "auc_difference_low": [one.low for one in found],
        "auc_difference_high": [one.high for one in found],
        "delong_p": [one.p_value for one in found],
        "calibration_error": [
            calibration_error(baseline.labels, one, bins=CALIBRATION_BINS) for one in scores
        ],
        "distinct_scores": [ties(one).distinct for one in scores],
    })  # fmt: skip
    return table.set_index(run["key"].to_numpy())


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
