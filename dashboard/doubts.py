"""What is known about the published figures, told with figures measured by this project."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st
from scipy.special import stdtrit

from dashboard import format as write
from dashboard.choices import Network
from dashboard.claims import (
    Shown,
    data_set,
    how_to_run,
    in_full,
    judged,
    plans_for,
    rests_on,
)
from dashboard.studies import Shelf, Study, read_figures
from dashboard.theme import model_title
from dashboard.workers import workers
from edac_core.errors import EdacError
from edac_core.papers import published_curve
from edac_core.papers.claims import CLAIMS
from edac_core.studies import BASELINE

LEVEL = 0.9
"""Sparsity at which signs of zeros are compared."""

EPOCHS_A_LEVEL = 10
"""Of fine-tuning, by EDAC's appendix D."""

_AUGMENTED = ("cnn", "cnn_lstm")
_HEADLINE = next(claim for claim in CLAIMS if claim.key == "cnn-size")
_SPEED = next(claim for claim in CLAIMS if claim.key == "cnn-speed")
_SECONDS = 120
_SAME = 1e-9


@dataclass(frozen=True)
class Stored:
    """A float32 file whose zeros are compared; `pruned` says whether the study pruned it."""

    study: Study
    model: str
    sha256: str
    run: str
    pruned: bool


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


def file_for_zeros(shown: Sequence[Shown]) -> Stored | None:
    """Choose the file to show signed zeros with: pruned to `LEVEL` if one is here, and small."""
    rows = [
        (abs(row["sparsity"] - LEVEL) > _SAME, row["raw_bytes"], number, label)
        for number, one in enumerate(shown)
        for label, row in _float_rows(one.summary).iterrows()
    ]
    for unpruned, _, number, label in sorted(rows):
        study, row = shown[number].study, shown[number].summary.loc[[label]].iloc[0]
        network = Network(study, read_figures(study), str(row["model"]))
        for run, sha256 in network.present_files(row).items():
            return Stored(study, network.model, sha256, run, not unpruned)
    return None


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


def draw_signed_zeros(place: st.delta_generator.DeltaGenerator, shown: Sequence[Shown]) -> None:
    """Measure and tell what signed zeros cost; it takes some seconds the first time."""
    stored = file_for_zeros(shown)
    if stored is None:
        place.markdown(
            "There is no float32 file in the stores here to measure it on; "
            f"{how_to_run(['plans/quick.toml'])}."
        )
        return
    with place, st.spinner(f"Measuring zips of {model_title(stored.model)}, some seconds"):
        try:
            sentence = signed_zeros(stored)
        except EdacError as error:
            sentence = write.literally(str(error))
    place.markdown(sentence)


def signed_zeros(stored: Stored) -> str:
    """Tell what signs of zeros do to a file's zip, beside what was published.

    Raises
    ------
    EdacError
        If the file cannot be read or measured.
    """
    sparsity = None if stored.pruned else LEVEL
    found = _zero_signs(stored.study.shelf, stored.sha256, sparsity)
    ratio = found["zip_bytes_random"] / found["zip_bytes_positive"]
    return (
        f"Measured on {_which(stored)}: {found['zeros']:,} of {found['weights']:,} weights are "
        f"zero. The zip has **{write.size(found['zip_bytes_positive'])}** if all of them are +0.0, "
        f"and **{write.size(found['zip_bytes_random'])}** if each has a random sign "
        f"({found['negative_zeros']:,} are then -0.0): {ratio:.2f} times as much. Both files give "
        f"the same output, to the last bit, for {found['agreeing']} of {found['inputs']} random "
        f"inputs.{_published_zip(stored.model)}"
    )


def int8_alone(shown: Sequence[Shown]) -> str:
    """Tell how much of the CNN's headline int8 gives without pruning."""
    published = published_curve("cnn", "polynomial", "int8")
    alone, both = (_level(published, level)["zip_ratio"] for level in (0.0, 0.95))
    said = (
        f"EDAC's {both:.2f}x is {alone:.1f}x by int8 alone, at the same AUC as float32; pruning to "
        f"95 % makes that {both / alone:.1f} times smaller again."
    )
    one = judged(_HEADLINE, "cnn", shown)
    if one.finding is None or one.study is None:
        return f"{said}\n\nNot measured here yet: {how_to_run(plans_for('cnn'))}."
    found = one.finding
    rows = list(_size_rows(_summary_of(shown, one.study)))
    return (
        f"{said} Here it is {found.unpruned:.1f}x by int8 alone, and {found.value:.1f}x with 95 % "
        f"pruned: {found.value / found.unpruned:.1f} times smaller again.\n\n"
        + _table(["", "zip, paper", "AUC, paper", "zip, here", "smaller", "AUC, here"], rows)
        + f"\n\n:small[{rests_on(one.study, found.runs)}.]"
    )


def augmented_test_set(shown: Sequence[Shown]) -> str:
    """Tell what augmented copies in the test set do to the AUC.

    Raises
    ------
    EdacError
        If a store cannot be read.
    """
    chosen = paper_study(shown)
    if chosen is None:
        plans = plans_for("cnn", protocol="paper")
        return f"Not measured here yet: {how_to_run(plans)}."
    retested = _retested(shown, *chosen)
    return f"{_compared(retested)}\n\n{_by_seed(retested)}\n\n:small[{_seeds_note(retested)}]"


def levels_going_on(shown: Sequence[Shown]) -> str:
    """Tell what it does that each level goes on from the last one."""
    levels = published_curve("cnn", "polynomial", "float32")["sparsity"]
    earlier = int(((levels > 0) & (levels < 0.95 - _SAME)).sum()) * EPOCHS_A_LEVEL
    said = (
        "In EDAC's code every level goes on from the weights that the level before it left, so "
        f"that its 95 % had {earlier} epochs of fine-tuning behind it before its own "
        f"{EPOCHS_A_LEVEL}. Here each level starts from the same baseline."
    )
    pair = _starts(shown)
    if pair is None:
        return (
            f"{said} What that does to the AUC is not measured here yet: it takes a study with "
            '`start = "previous"` in its plan beside one without, as '
            "`plans/edac-coswara.toml` has it."
        )
    return f"{said}\n\n{_compared_starts(*pair)}"


def speed_of_int8(shown: Sequence[Shown]) -> str:
    """Tell what pruning and int8 each do to the latency."""
    said = (
        "Zeros are multiplied like any other weight, so that only int8 makes these networks "
        "faster. Removing whole neurons or channels would be another matter."
    )
    one = judged(_SPEED, "cnn", shown)
    if one.finding is None or one.study is None:
        return f"{said}\n\nNot measured here yet: {how_to_run(plans_for('cnn'))}."
    rows = list(_speed_rows(_summary_of(shown, one.study)))
    return (
        f"{said} int8 alone is {one.finding.unpruned:.2f}x as fast as float32 here; with 95 % "
        f"pruned it is {one.finding.value:.2f}x.\n\n"
        + _table(["", "times faster, paper", "times faster, here", "latency, here"], rows)
        + f"\n\n:small[In brackets: 95 % interval over the runs. "
        f"{rests_on(one.study, one.finding.runs)}.]"
    )


def _float_rows(summary: pd.DataFrame) -> pd.DataFrame:
    pruned = (summary["sparsity"] - LEVEL).abs() < _SAME
    chosen = (summary["schedule"] == BASELINE) | pruned
    return summary[chosen & (summary["precision"] == "float32")]


def _which(stored: Stored) -> str:
    name = f"the {model_title(stored.model)} of “{write.literally(stored.study.title)}”"
    if stored.pruned:
        return f"{name} (run {stored.run}, pruned to {write.per_cent(LEVEL)})"
    return (
        f"{name} (run {stored.run}: the baseline's weights with the smallest "
        f"{write.per_cent(LEVEL)} of each layer set to zero, since no pruned float32 file is here)"
    )


def _published_zip(model: str) -> str:
    published = published_curve(model, "polynomial", "float32")
    rows = published[(published["sparsity"] - LEVEL).abs() < _SAME]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    size = write.size(row["zip_bytes"])
    return f" {row['paper']} published {size} at {write.per_cent(LEVEL)} ({row['place']})."


def _zero_signs(shelf: Shelf, sha256: str, sparsity: float | None) -> dict[str, int]:
    return _measured_zeros(shelf.folder, shelf.live, sha256, sparsity)


# By the content of the file: a store that grows does not have it measured again.
@st.cache_data(max_entries=64, show_spinner=False)
def _measured_zeros(
    _folder: str,
    _live: bool,  # noqa: FBT001 - calls in a process apart have no keywords
    sha256: str,
    sparsity: float | None,
) -> dict[str, int]:
    from edac_core.studies.evidence import compare_stored_zero_signs  # noqa: PLC0415 - see there

    found = workers().call(
        compare_stored_zero_signs, _folder, _live, sha256, sparsity,
        seconds=_SECONDS, subject="The comparison of zips",
    )  # fmt: skip
    return dict(vars(found))


@st.cache_data(max_entries=16, show_spinner="Testing without augmented copies")
def _without_copies(shelf: Shelf, study: str, model: str) -> pd.DataFrame:
    from edac_core.studies.evidence import baselines_without_copies  # noqa: PLC0415 - see there

    return workers().call(
        baselines_without_copies, shelf.folder, shelf.live, study, model,
        seconds=_SECONDS, subject="The test without copies",
    )  # fmt: skip


def _level(published: pd.DataFrame, sparsity: float) -> pd.Series:
    return published[(published["sparsity"] - sparsity).abs() < _SAME].iloc[0]


def _summary_of(shown: Sequence[Shown], study: Study) -> pd.DataFrame:
    (summary,) = [one.summary for one in shown if one.study is study]
    return summary[summary["model"] == "cnn"]


def _variants_of_headline(
    summary: pd.DataFrame, wanted: Sequence[tuple[str, float]]
) -> Iterator[tuple[str, pd.Series, pd.Series]]:
    """Yield the name of a variant, what was published of it and what was measured."""
    for precision, sparsity in wanted:
        schedule = "polynomial" if sparsity else BASELINE
        same = (summary["precision"] == precision) & (summary["schedule"] == schedule)
        rows = summary[same & ((summary["sparsity"] - sparsity).abs() < _SAME)]
        name = f"{precision}, {write.per_cent(sparsity)} pruned" if sparsity else precision
        if len(rows):
            published = _level(published_curve("cnn", "polynomial", precision), sparsity)
            yield name, published, rows.iloc[0]


def _size_rows(summary: pd.DataFrame) -> Iterator[list[str]]:
    wanted = (("float32", 0.0), ("int8", 0.0), ("int8", 0.95))
    for name, paper, here in _variants_of_headline(summary, wanted):
        yield [
            name, write.size(paper["zip_bytes"]), write.auc(paper["auc"]),
            write.size(here["zip_bytes"]), f"{here['zip_ratio']:.1f}x", write.auc(here["auc"]),
        ]  # fmt: skip


def _speed_rows(summary: pd.DataFrame) -> Iterator[list[str]]:
    wanted = (("float32", 0.0), ("float32", 0.95), ("int8", 0.0), ("int8", 0.95))
    for name, paper, here in _variants_of_headline(summary, wanted):
        low, high = here["speedup_low"], here["speedup_high"]
        interval = f" ({low:.2f} to {high:.2f})" if high > low else ""
        yield [
            name, f"{paper['speedup']:.2f}x", f"{here['speedup']:.2f}x{interval}",
            write.milliseconds(here["latency_ms"]),
        ]  # fmt: skip


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _baseline_runs(summary: pd.DataFrame, model: str) -> int:
    rows = summary[(summary["model"] == model) & (summary["schedule"] == BASELINE)]
    runs = rows.loc[rows["precision"] == "float32", "runs"]
    return int(runs.iloc[0]) if len(runs) else 0


def _retested(shown: Sequence[Shown], study: Study, model: str) -> Retested:
    runs = _without_copies(study.shelf, study.name, model)
    clean = clean_twin(shown, study, model)
    variants = read_figures(clean or study).variants
    baselines = variants[
        (variants["schedule"] == BASELINE)
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
    return _table(head, rows)


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


def _starts(shown: Sequence[Shown]) -> tuple[Shown, Shown, str] | None:
    """Return two studies that differ in where levels start (previous first), and a network."""
    by_start: dict[bool, list[Shown]] = {True: [], False: []}
    for one in shown:
        compression = one.study.plan.get("compression", {})
        by_start[compression.get("start", "baseline") == "previous"].append(one)
    for before in by_start[True]:
        for other in by_start[False]:
            if _same_conditions(before.study, other.study):
                for model in sorted(set(before.summary["model"]) & set(other.summary["model"])):
                    return before, other, model
    return None


def _same_conditions(one: Study, other: Study) -> bool:
    return (data_set(one), one.protocol, in_full(one)) == (
        data_set(other), other.protocol, in_full(other)
    )  # fmt: skip


def _compared_starts(before: Shown, other: Shown, model: str) -> str:
    columns = ["schedule", "sparsity", "precision"]
    tables = [
        one.summary[(one.summary["model"] == model) & (one.summary["precision"] == "float32")]
        for one in (before, other)
    ]
    both = tables[0].merge(tables[1], on=columns, suffixes=("_before", "_baseline"))
    pruned = both[both["sparsity"] > 0].sort_values(["schedule", "sparsity"])
    rows = [
        [f"{row['schedule']}, {write.per_cent(row['sparsity'])}", write.auc(row["auc_before"]),
         write.auc(row["auc_baseline"])]
        for _, row in pruned.iterrows()
    ]  # fmt: skip
    notes = [rests_on(one.study, int(one.summary["runs"].max())) for one in (before, other)]
    head = [f"{model_title(model)}, float32", "from the level before", "from the baseline"]
    return f"{_table(head, rows)}\n\n:small[AUC, means over runs. {'; '.join(notes)}.]"
