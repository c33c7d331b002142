"""What a plan will cost, before it is run: its jobs, and their time on this machine."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard import frame
from dashboard.studies import Study
from dashboard.workers import workers
from edac_core.errors import EdacError
from edac_core.locations import local_cache
from edac_core.models import MODELS
from edac_core.studies.estimate import Estimate, Part, estimate
from edac_core.studies.plan import Plan

ESTIMATE_SECONDS = 60
NOT_MEASURED = "not measured yet"
POLYNOMIAL = "polynomial"
_SOURCES = {
    "studies": "as many as in earlier studies of these recordings",
    "recordings": "counted before the audit",
}
_KINDS = {"baseline": "baseline", "level": "pruned"}


def draw_outlook(plan: Plan, studies: Sequence[Study]) -> None:
    """Draw how many jobs a plan has and how long they may take."""
    versions = tuple(sorted({study.shelf.version for study in studies}))
    try:
        found = _estimated(json.dumps(plan.to_dict()), str(local_cache()), versions)
    except EdacError as error:
        frame.draw_problems([str(error)])
        return
    frame.draw_problems(never_pruned(plan, found.parts))
    st.markdown(headline(found))
    st.dataframe(
        table(found.parts), hide_index=True, key="outlook", width="stretch",
        alt="Jobs of the plan by network, with the time that each may take",
    )  # fmt: skip
    st.markdown(f":small[{write.literally(grounds(found))}]")


def headline(found: Estimate) -> str:
    """Say in a sentence how many jobs there are and how long they may take."""
    jobs = f"**{found.jobs} jobs**" if found.jobs > 1 else "**1 job**"
    if found.known:
        jobs += f", {found.known} of them finished already"
    if found.known == found.jobs:
        return f"{jobs}. There is nothing to train."
    if len(found.unmeasured) == len([part for part in found.parts if part.missing]):
        return f"{jobs}. How long they take is **{NOT_MEASURED}** on this machine."
    measured = "of which those measured before take " if found.unmeasured else ""
    time = write.roughly(found.seconds)
    return f"{jobs}, {measured}**{time}** with {_workers(found.workers)}."


def never_pruned(plan: Plan, parts: Sequence[Part]) -> list[str]:
    """Say of which networks the polynomial schedule would end before its first mask update."""
    if POLYNOMIAL not in plan.compression.schedules:
        return []
    frequency = plan.compression.frequency
    return [
        f"{part.title} has only {steps} training steps to be pruned in, fewer than the {frequency} "
        "between mask updates of the polynomial schedule: lower those in More settings, or raise "
        "the fine-tuning epochs."
        for part in parts
        if part.kind == "level" and (steps := _steps(part)) is not None and steps < frequency
    ]


def grounds(found: Estimate) -> str:
    """Say in a few sentences what an estimate rests on."""
    counts = [part.examples for part in found.parts if part.examples is not None]
    if not counts:
        sentences = ["Time depends on the recordings, which are not here to be counted."]
    elif found.measurements:
        number = " to ".join(f"{count:,}" for count in sorted({min(counts), max(counts)}))
        sentences = [
            f"It rests on {found.measurements} finished jobs on this machine, scaled by epochs and "
            f"training examples ({number}, {_SOURCES[found.counted_in]})."
        ]
    else:
        sentences = []
    if never := _never_measured(found.parts):
        sentences.append(f"{NOT_MEASURED.capitalize()} on this machine: {', '.join(never)}.")
    return " ".join([*sentences, "Preparing the recordings and timing the variants come on top."])


def table(parts: Sequence[Part]) -> pd.DataFrame:
    """Return a row a network and kind of job."""
    return pd.DataFrame(
        {
            "Network": [part.title for part in parts],
            "Jobs": [f"{part.jobs} {_KINDS[part.kind]}" for part in parts],
            "Time a job": [_seconds(part) for part in parts],
            "Epochs": [_epochs(part) for part in parts],
            "Finished": [part.known for part in parts],
        }
    )


@st.cache_data(max_entries=64, show_spinner="Estimating")
def _estimated(
    plan: str,
    cache: str,
    versions: tuple[str, ...],  # noqa: ARG001 - for the cache
) -> Estimate:
    return workers().call(
        estimate, json.loads(plan), Path(cache), os.cpu_count() or 1,
        seconds=ESTIMATE_SECONDS, subject="The estimate",
    )  # fmt: skip


def _steps(part: Part) -> int | None:
    if part.examples is None:
        return None
    batch = MODELS[part.model].fine_tuning_batch_size
    return math.ceil(part.examples / batch) * part.most_epochs


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _never_measured(parts: Sequence[Part]) -> list[str]:
    """Name the networks of which no job was finished here, or none of a kind."""
    kinds: dict[str, list[str]] = {}
    for part in parts:
        if part.missing and not part.measurements:
            kinds.setdefault(part.title, []).append(_KINDS[part.kind])
    of_all = {title: [part for part in parts if part.title == title] for title in kinds}
    return [
        title if len(found) == len(of_all[title]) else f"{title} ({found[0]})"
        for title, found in kinds.items()
    ]


def _epochs(part: Part) -> str:
    likely = round(part.epochs)
    return f"{likely}" if likely == part.most_epochs else f"about {likely} of {part.most_epochs}"


def _seconds(part: Part) -> str:
    if part.seconds is None:
        return "unknown" if part.measurements else NOT_MEASURED
    return f"{part.seconds:.0f} s" if part.seconds >= 1 else "under 1 s"
