"""What published figures have to be read by, told with figures measured by this project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from dashboard import format as write
from dashboard.papers.claims import (
    Shown,
    data_set,
    how_to_run,
    in_full,
    judged,
    plans_for,
    rests_on,
)
from dashboard.studies import Study
from dashboard.theme import model_title
from edac_core.papers import published_curve
from edac_core.papers.claims import CLAIMS
from edac_core.studies import BASELINE

EPOCHS_A_LEVEL = 10
"""Of fine-tuning, by EDAC's appendix D."""

_HEADLINE = next(claim for claim in CLAIMS if claim.key == "cnn-size")
_SPEED = next(claim for claim in CLAIMS if claim.key == "cnn-speed")
_SAME = 1e-9


def int8_alone(shown: Sequence[Shown]) -> str:
    """Tell how much of the CNN's headline int8 gives without pruning."""
    published = published_curve("cnn", "polynomial", "int8")
    alone, both = (_level(published, level) for level in (0.0, 0.95))
    said = (
        f"EDAC's {both['zip_ratio']:.2f}x is {alone['zip_ratio']:.1f}x by int8 alone, with an AUC "
        f"of {write.auc(alone['auc'])}; pruning to 95 % makes that "
        f"{both['zip_ratio'] / alone['zip_ratio']:.1f} times smaller again, with "
        f"{write.auc(both['auc'])}."
    )
    one = judged(_HEADLINE, "cnn", shown)
    if one.finding is None or one.study is None:
        return f"{said}\n\nNot measured here yet: {how_to_run(plans_for('cnn'))}."
    found = one.finding
    rows = list(_size_rows(_summary_of(shown, one.study)))
    return (
        f"{said} Here it is {found.unpruned:.1f}x by int8 alone, and {found.value:.1f}x with 95 % "
        f"pruned: {found.value / found.unpruned:.1f} times smaller again.\n\n"
        + markdown_table(["", "published", "here"], rows)
        + f"\n\n:small[{rests_on(one.study, found.runs)}.]"
    )


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
        + markdown_table(["", "times faster, paper", "times faster, here", "latency, here"], rows)
        + f"\n\n:small[In brackets: 95 % interval over the runs. "
        f"{rests_on(one.study, one.finding.runs)}.]"
    )


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown, its first column to the left."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
        method = "polynomial" if sparsity else BASELINE
        same = (summary["precision"] == precision) & (summary["method"] == method)
        rows = summary[same & ((summary["sparsity"] - sparsity).abs() < _SAME)]
        name = f"{precision}, {write.per_cent(sparsity)} pruned" if sparsity else precision
        if len(rows):
            published = _level(published_curve("cnn", "polynomial", precision), sparsity)
            yield name, published, rows.iloc[0]


def _size_rows(summary: pd.DataFrame) -> Iterator[list[str]]:
    wanted = (("float32", 0.0), ("int8", 0.0), ("int8", 0.95))
    for name, paper, here in _variants_of_headline(summary, wanted):
        yield [name, *(_size_and_auc(row) for row in (paper, here))]


def _size_and_auc(row: pd.Series) -> str:
    return f"{write.size(row['zip_bytes'])}, {row['zip_ratio']:.1f}x, AUC {write.auc(row['auc'])}"


def _speed_rows(summary: pd.DataFrame) -> Iterator[list[str]]:
    wanted = (("float32", 0.0), ("float32", 0.95), ("int8", 0.0), ("int8", 0.95))
    for name, paper, here in _variants_of_headline(summary, wanted):
        low, high = here["speedup_low"], here["speedup_high"]
        interval = f" ({low:.2f} to {high:.2f})" if high > low else ""
        yield [
            name, f"{paper['speedup']:.2f}x", f"{here['speedup']:.2f}x{interval}",
            write.milliseconds(here["latency_ms"]),
        ]  # fmt: skip


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
    columns = ["method", "sparsity", "precision"]
    tables = [
        one.summary[(one.summary["model"] == model) & (one.summary["precision"] == "float32")]
        for one in (before, other)
    ]
    both = tables[0].merge(tables[1], on=columns, suffixes=("_before", "_baseline"))
    pruned = both[both["sparsity"] > 0].sort_values(["method", "sparsity"])
    rows = [
        [f"{row['method']}, {write.per_cent(row['sparsity'])}", write.auc(row["auc_before"]),
         write.auc(row["auc_baseline"])]
        for _, row in pruned.iterrows()
    ]  # fmt: skip
    notes = [rests_on(one.study, int(one.summary["runs"].max())) for one in (before, other)]
    head = [f"{model_title(model)}, float32", "from the level before", "from the baseline"]
    return f"{markdown_table(head, rows)}\n\n:small[AUC, means over runs. {'; '.join(notes)}.]"
