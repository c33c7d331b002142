"""Can the file stand in for its baseline, whom does it harm, and where does it run."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard.inspecting.dissection import read_footprint
from dashboard.inspecting.variant import Chosen
from dashboard.margin import ICONS, draw_margin
from edac_core.measure.harms import GroupHarm
from edac_core.measure.noninferiority import Verdict
from edac_core.measure.parts import Footprint
from edac_core.studies.trust import SENSITIVITY, Scored, Trust, trust, who_pays
from edac_core.verdicts import ModelFile

SENSITIVITY_KEY = "sensitivity"
_SENSITIVITY_HELP = (
    "Share of positive recordings to find. The threshold is the highest that reaches it on "
    "validation recordings; what it comes to is counted on test recordings."
)
_HARM_NOTE = (
    "Broken: only the baseline is right; mended: only this file is, each at its own threshold. The "
    "first row is the hardest hit, which of many groups is partly chance: p is McNemar's exact "
    "test, adjusted for the number of groups (Holm)."
)
_RUNS_NOTE = (
    "RAM and multiplications are estimates from the file's graph: RAM is what operators hand to "
    "each other, without what a runtime needs for itself."
)
_HARM_COLUMNS = {
    "grouping": st.column_config.TextColumn("By", width=80),
    "group": st.column_config.TextColumn("Group", width=100),
    "n": st.column_config.NumberColumn("Recordings", width=84),
    "positives": st.column_config.NumberColumn("Positive", width=72),
    "flip_rate": st.column_config.NumberColumn(
        "Changed", format="%.1f %%", width=72, help="Share of recordings decided differently"
    ),
    "broken": st.column_config.NumberColumn("Broken", width=66),
    "mended": st.column_config.NumberColumn("Mended", width=66),
    "p": st.column_config.NumberColumn("p", format="%.2g", width=56),
    "baseline_auc": st.column_config.NumberColumn("AUC before", format="%.3f", width=80),
    "auc": st.column_config.NumberColumn("AUC now", format="%.3f", width=72),
    "difference": st.column_config.TextColumn("Difference (95 %)", width=170),
    "remark": st.column_config.TextColumn("Remark"),
}  # fmt: skip


def draw_trust(chosen: Chosen, scores: pd.DataFrame, baseline: pd.DataFrame) -> None:
    """Draw the verdict, what scores are worth, and who pays.

    Parameters
    ----------
    chosen : Chosen
        A variant beside another, its baseline.
    scores, baseline : DataFrame
        Of both, as `Store.scores` returns them.
    """
    with st.grid(2, min_column_width=240):
        margin = draw_margin()
        sensitivity = st.number_input(
            "Sensitivity to reach", 0.5, 1.0, SENSITIVITY, 0.05, format="%.2f",
            key=SENSITIVITY_KEY, help=_SENSITIVITY_HELP,
        )  # fmt: skip
    found = trust(scores, baseline, margin=margin, sensitivity=sensitivity)
    st.markdown(describe_verdict(found, margin=margin))
    st.dataframe(
        score_table(found), hide_index=True, key="worth-of-scores",
        alt="What the scores of the file and of its baseline are worth",
    )  # fmt: skip
    harms = who_pays(
        scores, baseline,
        threshold=float(chosen.row["threshold"]),
        baseline_threshold=float(chosen.baseline["threshold"]),  # type: ignore[index]
    )  # fmt: skip
    st.markdown("**Who pays?**")
    st.dataframe(
        harm_table(harms), hide_index=True, key="harms", column_config=_HARM_COLUMNS,
        placeholder="\N{EN DASH}", alt="Changes in each group of recordings, largest harm first",
    )  # fmt: skip
    st.markdown(f":small[{_HARM_NOTE}]")


def draw_footprint(file: ModelFile) -> None:
    """Draw what the file asks of a device, and which runtimes take it."""
    found = read_footprint(file)
    st.markdown(describe_footprint(found))
    rows = [
        {"Runtime": one.name, "Takes it": _TAKES[one.takes], "Known": one.how_known,
         "Reason": one.reason}
        for one in found.runtimes
    ]  # fmt: skip
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="runtimes", alt="Runtimes")
    st.markdown(f":small[{_RUNS_NOTE}]")


def describe_verdict(found: Trust, *, margin: float) -> str:
    """Say what the difference of AUC is, how sure it is, and what that means for a margin."""
    difference, resampled = found.difference, found.resampled
    drawn = "participants" if found.by_participant else "recordings"
    lines = [
        f"{ICONS[found.verdict]} **At a margin of {margin:g}: {found.verdict}.** AUC "
        f"{write.difference(difference.difference)} (95 % interval "
        f"{write.interval(difference.low, difference.high)} by DeLong, "
        f"{write.interval(resampled.low, resampled.high)} by drawing "
        f"{resampled.clusters} {drawn} again).",
    ]
    if found.verdict is Verdict.CANNOT_TELL and found.needed is not None:
        needed = found.needed
        lines.append(
            f"Roughly {write.count(needed.positives)} positive and "
            f"{write.count(needed.negatives)} negative recordings would settle it, if both are "
            "truly equal."
        )
    return " ".join(lines)


def score_table(found: Trust) -> pd.DataFrame:
    """Return what the scores of the file and its baseline are worth, a row each."""
    rows = {"This file": found.variant, "float32 baseline": found.baseline}
    return pd.DataFrame([{"": name, **_worth(scored)} for name, scored in rows.items()])


def harm_table(harms: tuple[GroupHarm, ...]) -> pd.DataFrame:
    """Return a row a group, the hardest hit first."""
    return pd.DataFrame([_harm(harm) for harm in harms], columns=list(_HARM_COLUMNS))


def describe_footprint(found: Footprint) -> str:
    """Say in a sentence what the file asks of a device."""
    arena = "unknown" if found.arena_bytes is None else f"about {write.size(found.arena_bytes)}"
    macs = "an unknown number of" if found.macs is None else write.count(found.macs)
    micro = found.micro_arena_bytes
    taken = "" if micro is None else f" (TFLite Micro took {write.size(micro)} here)"
    return (
        f"**Flash** {write.size(found.flash_bytes)}, **RAM** {arena}{taken}, **{macs} "
        "multiplications** a recording."
    )


_TAKES = {"whole": "yes", "part": "in part", "no": "no"}


def _worth(scored: Scored) -> dict[str, object]:
    ties, point = scored.ties, scored.point
    return {
        "Threshold": round(point.threshold, 3),
        "Sensitivity on test": write.per_cent(round(point.sensitivity, 3)),
        "Specificity on test": write.per_cent(round(point.specificity, 3)),
        "Calibration error": round(scored.calibration_error, 3),
        "Different scores": f"{ties.distinct} of {ties.recordings}",
    }


def _harm(harm: GroupHarm) -> dict[str, object]:
    change = harm.auc
    difference = "" if change is None else (
        f"{write.difference(change.difference)} ({write.interval(change.low, change.high)})"
    )  # fmt: skip
    return {
        "grouping": harm.grouping, "group": harm.group, "n": harm.n, "positives": harm.positives,
        "flip_rate": 100 * harm.flip_rate, "broken": harm.to_wrong, "mended": harm.to_right,
        "p": harm.p_adjusted, "baseline_auc": harm.baseline_auc, "auc": harm.variant_auc,
        "difference": difference, "remark": harm.remark,
    }  # fmt: skip
