"""The papers' claims, each with what was found here and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard.studies import Study, read_figures
from dashboard.theme import model_title
from edac_core import locations
from edac_core.compress import REFERENCE_PRECISION
from edac_core.errors import PlanError, StoreError
from edac_core.papers.claims import (
    CLAIMS,
    LOSS_TOLERANCE,
    TOLERANCE,
    WORKS_NO_MORE,
    Claim,
    Finding,
    Quantity,
    Verdict,
    find,
    judge,
)
from edac_core.studies.plan import Compression, Plan, load_plan

DATA_SETS = {
    "coswara": "Coswara",
    "coughvid": "COUGHVID",
    "urtic": "URTIC",
    "covid19-cough": "covid19-cough",
}

RULES = (
    f"**Reproduced**: what is left (bytes, weights or time) is within {write.per_cent(TOLERANCE)} "
    "of what the paper left; **exceeded**: less is left; **not reproduced**: more is left. "
    "**Reached without pruning**: the network that is not pruned gets there in the same precision. "
    f"**The network broke**: it lost more than {WORKS_NO_MORE} AUC on the way. A loss of AUC is "
    "judged by its 95 % interval over the runs, and reproduced if all of it loses at most "
    f"{LOSS_TOLERANCE} more than published."
)

_COLOURS = {
    Verdict.REPRODUCED: "green",
    Verdict.EXCEEDED: "blue",
    Verdict.NOT_REPRODUCED: "red",
    Verdict.WITHOUT_PRUNING: "violet",
    Verdict.BROKEN: "red",
    Verdict.UNDECIDED: "orange",
    Verdict.NOT_MEASURED: "gray",
}


@dataclass(frozen=True)
class Shown:
    """A study and its means over runs."""

    study: Study
    summary: pd.DataFrame


@dataclass(frozen=True)
class Judged:
    """A claim about one network, the best study that has it (if one has), and the verdict."""

    claim: Claim
    model: str
    study: Study | None
    finding: Finding | None

    @property
    def verdict(self) -> Verdict:
        """What becomes of the claim."""
        return judge(self.claim, self.model, self.finding)


def read_studies(studies: Iterable[Study], models: Sequence[str]) -> tuple[list[Shown], list[str]]:
    """Read the studies that plan one of these networks, and say which cannot be read."""
    found, problems = [], []
    for study in studies:
        planned = study.plan.get("training", {}).get("models", models)
        if set(planned) & set(models):
            try:
                found.append(Shown(study, read_figures(study).summary))
            except StoreError as error:
                problems.append(str(error))
    return found, problems


def key_of(shown: Sequence[Shown]) -> tuple[tuple[str, ...], ...]:
    """Return what distinguishes these studies, as they stand now, from all others."""
    return tuple((one.study.shelf.folder, one.study.shelf.version, one.study.name) for one in shown)


def judge_all(shown: Sequence[Shown]) -> list[Judged]:
    """Judge each claim for each of its networks, by the study that matches it best."""
    return [judged(claim, model, shown) for claim in CLAIMS for model in claim.published]


def judged(claim: Claim, model: str, shown: Sequence[Shown]) -> Judged:
    """Judge a claim by the best of the studies that measured it.

    Best is, in this order: real recordings; trained in full; the paper's own data set; most runs;
    the clean protocol; the first.
    """
    candidates = [
        (one.study, finding)
        for one in shown
        if (finding := find(claim, model, one.summary)) is not None
    ]
    if not candidates:
        return Judged(claim, model, None, None)
    study, finding = max(candidates, key=lambda pair: _match(claim, model, *pair))
    return Judged(claim, model, study, finding)


def in_full(study: Study) -> bool:
    """Say whether networks are trained for as long as the papers say."""
    return study.plan.get("training", {}).get("epochs") is None


def data_set(study: Study) -> str:
    """Return the name of the data set that a study took."""
    return str(study.data.get("dataset") or study.plan.get("data", {}).get("dataset", ""))


def rests_on(study: Study, runs: int) -> str:
    """Say in a phrase what figures of a study rest on."""
    kind = "synthetic recordings" if study.synthetic else _data_title(study)
    parts = [f"“{write.literally(study.title)}”", kind, f"{study.protocol} protocol",
             f"{runs} run{'s' if runs != 1 else ''}"]  # fmt: skip
    if not in_full(study):
        parts.append(f"trained for {study.plan['training']['epochs']} epochs only")
    return ", ".join(parts)


def plans_for(model: str, *, protocol: str | None = None, claim: Claim | None = None) -> list[str]:
    """Return the project's plans that run a network, the ones with fewest networks first.

    With a claim, they are those that run its variant.
    """
    plans = {
        path: plan
        for path, plan in _plans().items()
        if model in plan.training.models
        and protocol in {None, plan.data.protocol}
        and (claim is None or _runs_variant(plan.compression, claim))
    }
    return sorted(plans, key=lambda path: (len(plans[path].training.models), path))


def _runs_variant(compression: Compression, claim: Claim) -> bool:
    pruned_so = claim.schedule in compression.schedules and claim.sparsity in compression.sparsities
    return claim.precision in compression.precisions and (pruned_so or not claim.sparsity)


def how_to_run(plans: Sequence[str]) -> str:
    """Say how plans are run."""
    commands = " or ".join(f"`edac run {path}`" for path in plans)
    return f"{commands} runs it, or the page “Run a study”" if plans else "No plan here runs it"


def draw_claims(judgements: Sequence[Judged]) -> None:
    """Draw a card for each claim."""
    by_claim: dict[str, list[Judged]] = {}
    for one in judgements:
        by_claim.setdefault(one.claim.key, []).append(one)
    with st.grid(2, min_column_width=380, gap="small", border=True, key="claims") as grid:
        for group in by_claim.values():
            with grid.cell():
                st.markdown(card(group))


def card(group: Sequence[Judged]) -> str:
    """Write a claim and what was found of it, one paragraph a network."""
    claim = group[0].claim
    data = ", ".join(dict.fromkeys(DATA_SETS[claim.dataset[one.model]] for one in group))
    lines = [f"**{claim.statement}** :small[{claim.paper}, {claim.place}; on {data}.]"]
    lines += [f":small[{claim.note}]"] if claim.note else []
    resting = [_rests(one) for one in group]
    shared = len(set(resting)) == 1
    lines += [_found(one) + ("" if shared else f" {rests}")
              for one, rests in zip(group, resting, strict=True)]  # fmt: skip
    return "\n\n".join([*lines, resting[0]] if shared else lines)


def figure(quantity: Quantity, value: float) -> str:
    """Write a figure of a claim."""
    if quantity is Quantity.AUC_LOST:
        return f"{write.difference(-value)} AUC"
    if quantity in {Quantity.TIMES_SMALLER, Quantity.TIMES_FASTER}:
        return f"{value:.2f}x"
    return f"{100 * value:.1f} %"


def _found(one: Judged) -> str:
    verdict = one.verdict
    badge = f":{_COLOURS[verdict]}-badge[{verdict}]"
    published = figure(one.claim.quantity, one.claim.published[one.model])
    name = f"{model_title(one.model)}: " if len(one.claim.published) > 1 else ""
    if one.finding is None:
        return f"{badge} {name}published {published}."
    found = figure(one.claim.quantity, one.finding.value)
    return f"{badge} {name}published {published}, found **{found}**{_beside(one)}."


def _rests(one: Judged) -> str:
    """Say what a finding rests on, or what to do where there is none."""
    if one.finding is not None and one.study is not None:
        return f":small[{rests_on(one.study, one.finding.runs)}.]"
    level = (
        f"with {write.per_cent(one.claim.sparsity)} pruned" if one.claim.sparsity else "unpruned"
    )
    return (
        f":small[No study here has it {level} in {one.claim.precision}: "
        f"{how_to_run(plans_for(one.model, claim=one.claim))}.]"
    )


def _beside(one: Judged) -> str:
    """Write what a figure has to be read with: that of int8 alone, and the AUC."""
    finding, quantity = one.finding, one.claim.quantity
    if finding is None:
        return ""
    if quantity is Quantity.AUC_LOST:
        known = pd.notna(finding.low)
        interval = write.interval(finding.low, finding.high)
        return f" (95 % interval {interval})" if known else " (one run has no interval)"
    parts = [f"AUC {write.auc(finding.auc)}, {write.difference(finding.auc_difference)}"]
    if pd.notna(finding.unpruned) and one.claim.precision != REFERENCE_PRECISION:
        unpruned = figure(quantity, finding.unpruned)
        parts.insert(0, f"{one.claim.precision} without pruning: {unpruned}")
    return f" ({'; '.join(parts)})"


def _match(claim: Claim, model: str, study: Study, finding: Finding) -> tuple[bool | int, ...]:
    return (
        not study.synthetic,
        in_full(study),
        data_set(study) == claim.dataset[model],
        finding.runs,
        study.protocol == "clean",
    )


def _data_title(study: Study) -> str:
    name = data_set(study)
    return DATA_SETS.get(name) or write.literally(str(study.data.get("title", name)))


@cache
def _plans() -> Mapping[str, Plan]:
    """Read the plans that come with the project; they do not change while it runs."""
    found = {}
    for path in sorted((locations.PROJECT / "plans").glob("*.toml")):
        try:
            found[_short(path)] = load_plan(path)
        except PlanError:
            continue
    return found


def _short(path: Path) -> str:
    return path.relative_to(locations.PROJECT).as_posix()
