"""How far past the papers: the variant of each network that is smallest and fastest at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard.choices import name_variant
from dashboard.margin import SHORT
from dashboard.papers.claims import Shown
from dashboard.studies import Study, read_figures
from dashboard.theme import model_title
from edac_core.measure.noninferiority import non_inferiority
from edac_core.studies.targets import AUC_DROP, TARGETS, Reached, Target, nearest

NOTE = (
    f"Of all variants that lose at most {AUC_DROP:g} AUC on average over three or more splits: the "
    "one whose smallest ratio comes nearest to its target. Cells: measured here / target / the "
    "paper's best, to the float32 baseline of the same run; latency on one thread. The interval of "
    "the loss allows for splits that overlap (Nadeau and Bengio 2003)."
)
_COLUMNS = {
    "network": "Network",
    "variant": "Variant",
    "zip": "Zip smaller",
    "file": "File smaller",
    "latency": "Faster",
    "auc": "AUC difference (95 %)",
    "verdict": f"Within {AUC_DROP:g}?",
    "study": "Study",
}


@dataclass(frozen=True)
class Best:
    """The variant that comes nearest to a target, and the study that has it."""

    target: Target
    study: Study
    row: pd.Series
    reached: Reached


def find_best(target: Target, shown: Sequence[Shown]) -> Best | None:
    """Look through the studies of real recordings by the clean protocol."""
    found = []
    for one in shown:
        if one.study.protocol != "clean" or one.study.synthetic:
            continue
        figures = read_figures(one.study)
        overlap = one.study.overlap_of(target.model)
        if target.model not in set(figures.summary["model"]) or overlap is None:
            continue
        reached = nearest(figures.summary, figures.variants, target, overlap=overlap)
        if reached is not None:
            row = figures.summary.loc[[reached.label]].iloc[0]
            found.append(Best(target, one.study, row, reached))
    return max(found, key=lambda best: best.reached.share, default=None)


def draw_beyond(shown: Sequence[Shown]) -> None:
    """Draw the table of targets."""
    table = beyond_table([(target, find_best(target, shown)) for target in TARGETS])
    # The name of a chain of methods needs several lines, which a data frame has not.
    st.table(
        table.rename(columns=_COLUMNS), hide_index=True,
        alt="Targets past the papers, and what was reached",
    )  # fmt: skip
    st.markdown(f":small[{NOTE}]")


def beyond_table(found: Sequence[tuple[Target, Best | None]]) -> pd.DataFrame:
    """Return a row a network."""
    return pd.DataFrame([_row(target, best) for target, best in found], columns=list(_COLUMNS))


def _row(target: Target, best: Best | None) -> dict[str, str]:
    wanted = (target.zip_ratio, target.raw_ratio, target.speedup)
    names = ("zip_ratio", "raw_ratio", "speedup")
    ratios = [None if best is None else float(best.row[name]) for name in names]
    zips, files, latencies = (
        _ratios(*ratio) for ratio in zip(ratios, wanted, target.published, strict=True)
    )
    row = {"network": model_title(target.model), "zip": zips, "file": files, "latency": latencies}
    if best is None:
        return {**row, "variant": "not measured here yet", "auc": "", "verdict": "", "study": ""}
    difference = best.reached.difference
    return {
        **row,
        "variant": name_variant(best.row),
        "auc": f"{write.difference(difference.difference)} "
        f"({write.interval(difference.low, difference.high)})",
        "verdict": SHORT[non_inferiority(difference, margin=AUC_DROP)],
        "study": best.study.name,
    }


def _ratios(ours: float | None, wanted: float, published: float | None) -> str:
    return " / ".join(
        "\N{EN DASH}" if ratio is None else f"{ratio:.3g}x" for ratio in (ours, wanted, published)
    )
