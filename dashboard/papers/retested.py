"""Augmented test sets: what copies of test recordings add to the AUC."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.special import stdtrit

from dashboard import format as write
from dashboard.measuring import Measurement
from dashboard.papers.claims import Shown, data_set, how_to_run, in_full, plans_for, rests_on
from dashboard.papers.doubts import markdown_table
from dashboard.studies import Study, read_figures
from dashboard.theme import model_title
from edac_core.studies import BASELINE

_AUGMENTED = ("cnn", "cnn_lstm")


@dataclass(frozen=True)
class Retested:
    """Baselines under the paper protocol, tested with augmented copies and without, by seed.

    `runs` has a row a run, as `edac_core.studies.evidence.baselines_without_copies` makes it, and
    ``clean_auc``, ``clean_auc_low`` and ``clean_auc_high`` where the clean protocol was run with
    the same seeds on the same recordings (`clean` is that study).
    """

    study: Study
    model: str
    clean: Study | None
    runs: pd.DataFrame


def augmented_test_set(shown: Sequence[Shown]) -> str | Measurement:
    """Tell what augmented copies in the test set do to the AUC."""
    chosen = paper_study(shown)
    if chosen is None:
        plans = plans_for("cnn", protocol="paper")
        return f"Not measured here yet: {how_to_run(plans)}."
    from edac_core.studies.evidence import baselines_without_copies  # noqa: PLC0415 - see there

    study, model = chosen
    place = (study.shelf.folder, study.shelf.live, study.name, model)
    return Measurement(
        key=("copies", *place, study.shelf.version),
        function=baselines_without_copies,
        arguments=place,
        subject="The test without copies",
        meanwhile=f"Testing {model_title(model)} without augmented copies.",
        tell=functools.partial(tell_copies, shown, study, model),
    )


def tell_copies(shown: Sequence[Shown], study: Study, model: str, runs: pd.DataFrame) -> str:
    """Write what was measured, beside the clean protocol where that was run with the same seeds.

    Raises
    ------
    StoreError
        If the store of the clean protocol cannot be read.
    """
    retested = _retested(shown, study, model, runs)
    return f"{_compared(retested)}\n\n{_by_seed(retested)}\n\n:small[{_seeds_note(retested)}]"


def paper_study(shown: Sequence[Shown]) -> tuple[Study, str] | None:
    """Choose a study, and a network of it, whose test sets have augmented copies in them."""
    found = [
        (in_full(one.study), runs, -number, -place)
        for number, one in enumerate(shown)
        if one.study.protocol == "paper" and not one.study.synthetic
        for place, model in enumerate(_AUGMENTED)
        if (runs := _baseline_runs(one.summary, model))
    ]
    if not found:
        return None
    *_, number, place = max(found)
    return shown[-number].study, _AUGMENTED[-place]


def clean_twin(shown: Sequence[Shown], study: Study, model: str) -> Study | None:
    """Return the study of the same network on the same recordings by the clean protocol."""
    twins = [
        (in_full(one.study) == in_full(study), _baseline_runs(one.summary, model), -number)
        for number, one in enumerate(shown)
        if one.study.protocol == "clean"
        and data_set(one.study) == data_set(study)
        and _baseline_runs(one.summary, model)
    ]
    return shown[-max(twins)[-1]].study if twins else None


def beside_clean(runs: pd.DataFrame, clean: pd.DataFrame) -> pd.DataFrame:
    """Put the baselines of the clean protocol beside those of the same seeds.

    Parameters
    ----------
    runs : DataFrame
        As `edac_core.studies.evidence.baselines_without_copies` makes it.
    clean : DataFrame
        Rows of `Figures.variants`: the float32 baselines; may be empty.
    """
    seeds, figures = ["split_seed", "training_seed"], ["auc", "auc_low", "auc_high"]
    twins = clean.set_index(seeds)[figures].add_prefix("clean_")
    return runs.join(twins, on=seeds).sort_values(seeds, ignore_index=True)


def mean_interval(values: pd.Series) -> tuple[float, float]:
    """Return the mean and half of Student's 95 % interval; NaN for a single value."""
    known = values.dropna()
    count = len(known)
    half = known.std() / math.sqrt(count) * stdtrit(count - 1, 0.975) if count > 1 else math.nan
    return float(known.mean()), float(half)


def _baseline_runs(summary: pd.DataFrame, model: str) -> int:
    rows = summary[(summary["model"] == model) & (summary["method"] == BASELINE)]
    runs = rows.loc[rows["precision"] == "float32", "runs"]
    return int(runs.iloc[0]) if len(runs) else 0


def _retested(shown: Sequence[Shown], study: Study, model: str, runs: pd.DataFrame) -> Retested:
    clean = clean_twin(shown, study, model)
    variants = read_figures(clean or study).variants
    baselines = variants[
        (variants["method"] == BASELINE)
        & (variants["precision"] == "float32")
        & (variants["model"] == model)
    ]
    rows = baselines if clean else baselines.iloc[:0]
    return Retested(study, model, clean, beside_clean(runs, rows))


def _compared(retested: Retested) -> str:
    runs = retested.runs
    gained, half = mean_interval(runs["auc"] - runs["plain_auc"])
    whole, plain = runs["auc"].mean(), runs["plain_auc"].mean()
    sure = f" (95 % interval over the runs ± {half:.3f})" if math.isfinite(half) else ""
    said = (
        f"The same networks tested on the same recordings: AUC **{whole:.3f}** with the augmented "
        f"copies ({_copies(runs)}), **{plain:.3f}** without. The copies alone are worth "
        f"{write.difference(gained)}{sure}."
    )
    clean = runs["clean_auc"].dropna()
    if clean.empty:
        return f"{said} No study by the clean protocol is here to put beside it."
    average, spread = mean_interval(clean)
    seeds = f"{len(clean)} of the same seeds" if len(clean) > 1 else "one of the same seeds"
    sure = f" ± {spread:.3f}" if math.isfinite(spread) else ""
    return f"{said} By the clean protocol, with {seeds}, it is **{average:.3f}**{sure}."


def _copies(runs: pd.DataFrame) -> str:
    means = runs[["examples", "copies", "positive_copies"]].mean()
    return (
        f"{means['copies']:.0f} of {means['examples']:.0f} test examples, "
        f"{means['positive_copies']:.0f} of them positive"
    )


def _by_seed(retested: Retested) -> str:
    rows = [
        [f"{row['split_seed']:.0f}, {row['training_seed']:.0f}",
         *(_interval(row, kind) for kind in ("auc", "plain_auc", "clean_auc"))]
        for _, row in retested.runs.iterrows()
    ]  # fmt: skip
    head = ["split, training seed", "paper protocol", "without copies", "clean protocol"]
    return markdown_table(head, rows)


def _interval(row: pd.Series, kind: str) -> str:
    if pd.isna(row[kind]):
        return "not measured"
    return f"{row[kind]:.3f} ({row[f'{kind}_low']:.3f} to {row[f'{kind}_high']:.3f})"


def _seeds_note(retested: Retested) -> str:
    model = model_title(retested.model)
    studies = rests_on(retested.study, len(retested.runs))
    twin = retested.clean
    beside = f"; {rests_on(twin, int(retested.runs['clean_auc'].count()))}" if twin else ""
    return (
        f"float32 baselines of {model}; in brackets, DeLong's 95 % intervals. The protocols draw "
        f"test sets of their own from the same seeds. {studies}{beside}."
    )
