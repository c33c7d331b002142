"""Run a study: make a plan, start it, watch it, stop it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import streamlit as st

from dashboard import format as write
from dashboard import frame
from dashboard.running import plans, runs
from dashboard.running.outlook import draw_outlook
from dashboard.studies import Study, find_studies
from edac_core.errors import PlanError
from edac_core.locations import local_cache, read_only
from edac_core.studies.plan import Plan
from edac_core.studies.watch import Run

LOOK_ONLY = (
    "Whoever set this server up keeps runs to the command line: here they can be watched only."
)


def main() -> None:
    """Draw the page."""
    frame.begin("pages/run.py")
    st.markdown(
        "A study trains networks, prunes and quantises them, and measures every variant. It goes "
        "on when this page is closed."
    )
    studies, problems = find_studies()
    frame.draw_problems(problems)
    runs.draw_problem()
    here = runs.runs_here()
    if here:
        runs.draw_run(runs.pick_run(here), studies)
    if read_only():
        st.info(LOOK_ONLY, icon=":material/lock:")
        return
    plans.begin()
    left, right = st.columns([3, 2], gap="large")
    with left:
        plans.draw_form()
    with right:
        draw_plan(studies, here)
    plans.keep()


def draw_plan(studies: Sequence[Study], here: Sequence[Run]) -> None:
    """Draw what the form amounts to, and the button that runs it; or what is wrong with it."""
    try:
        plan = plans.planned()
    except PlanError as error:
        st.error(write.literally(str(error)), icon=":material/edit:")
        draw_button(possible=False, active=None)
        return
    absent = plans.missing_data(plan)
    draw_button(possible=not absent, active=next((run for run in here if run.active), None))
    if absent:
        st.info(absent, icon=":material/download:")
        if plan.data.dataset != "folder":
            st.code(f"edac data download {plan.data.dataset}", language="shell")
    draw_overlap(plan, studies)
    draw_outlook(plan, studies)
    draw_toml(plan)


def draw_button(*, possible: bool, active: Run | None) -> None:
    """Draw the button that starts a run; two at once are refused."""
    st.button(
        "Run study", type="primary", icon=":material/play_arrow:", key="start", width="stretch",
        disabled=not possible or active is not None, on_click=runs.begin_run, args=(plans.planned,),
    )  # fmt: skip
    if active is not None:
        st.markdown(
            f":small[The study “{write.literally(active.name)}” is running: stop it, or wait "
            f"until it is done. {write.literally(runs.who_runs(active))}]"
        )


def draw_overlap(plan: Plan, studies: Sequence[Study]) -> None:
    """Say that a study of this name is here, and would become what the form says."""
    cache = str(local_cache())
    same = [study for study in studies if (study.shelf.folder, study.name) == (cache, plan.name)]
    if same and same[0].plan != json.loads(json.dumps(plan.to_dict())):
        st.info(
            f"There is a study “{write.literally(plan.name)}” here with another plan. Running this "
            "one replaces it; jobs that both have are kept. Choose another name to have both.",
            icon=":material/edit_note:",
        )


def draw_toml(plan: Plan) -> None:
    """Draw the plan as a file that the command line runs as well."""
    text = plan.to_toml()
    with st.expander("The plan as a file"):
        st.code(text, language="toml", wrap_lines=True)
        st.markdown(f":small[`edac run {plan.name}.toml` runs it from the command line.]")
    st.download_button(
        "Download plan", text, file_name=f"{plan.name}.toml", mime="application/toml",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip


main()
