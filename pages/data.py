"""Data: what a data set holds, and what it can fool a classifier with."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import address, frame, theme
from dashboard import format as write
from dashboard.auditing import audited, catalogue
from dashboard.auditing.audit_tables import draw_listing, draw_source_table, source_table
from dashboard.auditing.audits import Audited, AuditJob, auditing, audits
from dashboard.auditing.catalogue import DATASET, Choice
from dashboard.auditing.sounds import draw_sounds
from dashboard.charts import CONFIG
from dashboard.charts import audit as charts
from dashboard.metrics import draw_cells
from dashboard.studies import find_studies
from dashboard.worth import DISCLAIMER
from edac_core.errors import DataError

CHART_HEIGHT, CELLS_HEIGHT = 300, 136
SOURCES_NOTE = (
    "Where sources differ in their labels, the sound of a telephone or of a room gives the label "
    "away."
)
WARM_SECONDS = 0.7
"""An audit whose facts are known is over in less; nothing is to flash."""


def main() -> None:
    """Draw the page."""
    frame.begin("pages/data.py")
    studies, problems = find_studies()
    frame.draw_problems(problems)
    address.arrive([DATASET])
    choices = catalogue.choices(studies)
    name = catalogue.pick(choices)
    frame.draw_problems(address.complaints())
    address.write([DATASET])
    if choices[name].here:
        draw_here(name)
    else:
        draw_absent(choices[name])
    catalogue.draw_own()
    with st.sidebar:
        st.divider()
        st.markdown(f":small[**{DISCLAIMER}**]")


def draw_here(name: str) -> None:
    """Draw the audit of a data set on this machine, or how far it is."""
    try:
        job = auditing(name)
    except DataError as error:
        frame.draw_problems([str(error)])
        return
    if not job.wait(WARM_SECONDS):
        draw_working(job)
        draw_places()
    elif job.found is None:
        draw_failed(job)
    else:
        draw_audit(job.found)


@st.fragment(run_every=1)
def draw_working(job: AuditJob) -> None:
    """Say how far the audit is; draw the page again when it is over."""
    if job.wait(0):
        st.rerun()
    progress = job.progress
    share = progress.done / progress.total if progress.total else 0.0
    st.progress(share, text=catalogue.describe_progress(progress))


def draw_places() -> None:
    """Keep the room that figures and charts are going to take."""
    st.skeleton(height=CELLS_HEIGHT)
    for _ in range(2):
        for column in st.columns(2):
            column.skeleton(height=CHART_HEIGHT)


def draw_failed(job: AuditJob) -> None:
    """Say why there is no audit, and offer another try."""
    frame.draw_problems([job.problem or "The audit was stopped: try again."])
    st.button("Try again", on_click=audits().forget, args=(job,), icon=":material/refresh:")


def draw_absent(choice: Choice) -> None:
    """Say how to get a data set, and what studies know of it."""
    catalogue.draw_absence(choice)
    for study, facts in catalogue.facts(choice):
        st.markdown(
            f"What the study “{write.literally(study.title)}” found in it, where it was run:"
        )
        st.markdown(" ".join(audited.describe_facts(facts)))
        draw_predictors(audited.facts_table(facts), key=f"predictors_{study.identifier}")


def draw_audit(found: Audited) -> None:
    """Draw all that an audit found."""
    st.markdown(audited.describe(found.dataset))
    draw_cells(audited.cells(found))
    draw_charts(found)
    st.markdown("#### Sources")
    draw_source_table(source_table(found.audit))
    st.markdown("#### Listen to what was left out or flagged")
    draw_sounds(found)
    st.markdown("#### All recordings")
    draw_listing(found)


def draw_charts(found: Audited) -> None:
    """Draw what predicts the label, labels by source, what was left out, and durations."""
    usable, ink = found.audit.usable, theme.ink()
    left, right = st.columns(2)
    with left:
        draw_predictors(found.audit.metadata_auc, key="predictors")
    with right:
        sources = charts.sources(usable)
        draw_chart(charts.draw_sources(sources, ink=ink), key="sources", alt=charts.SOURCES)
        if len(sources) > 1:
            st.markdown(f":small[{SOURCES_NOTE}]")
    left, right = st.columns(2)
    with left:
        figure = charts.draw_reasons(charts.reasons(audited.left_out(found)), ink=ink)
        draw_chart(figure, key="reasons", alt=charts.REASONS)
    with right:
        durations = charts.durations(usable)
        figure = charts.draw_durations(durations, ink=ink)
        draw_chart(figure, key="durations", alt=charts.DURATIONS)
        if durations.longer:
            st.markdown(f":small[{charts.describe_durations(durations)}]")


def draw_predictors(table: pd.DataFrame, *, key: str) -> None:
    """Draw how well each property alone predicts the label."""
    figure = charts.draw_predictors(charts.predictors(table), ink=theme.ink())
    draw_chart(figure, key=key, alt=charts.PREDICTORS)
    if why := audited.describe_predictors(table):
        st.markdown(f":small[{why}]")


def draw_chart(figure: object, *, key: str, alt: str) -> None:
    """Draw a figure in its place."""
    st.plotly_chart(figure, height=CHART_HEIGHT, key=key, config=CONFIG, alt=alt)


main()
