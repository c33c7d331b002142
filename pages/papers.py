"""Papers: what was published beside what was measured here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import address, frame, theme
from dashboard.charts import CONFIG
from dashboard.charts.papers import QUANTITIES, Quantity, comparison, draw_comparison
from dashboard.choices import METHOD, MODEL, PRECISION, STUDY, Network
from dashboard.measuring import Measurement, draw_measurement
from dashboard.papers import beyond, claims, doubts
from dashboard.papers.claims import Judged, Shown
from dashboard.papers.published import UNITS, Measured, draw_published_table, published_table
from dashboard.papers.retested import augmented_test_set
from dashboard.papers.signed_zeros import signed_zeros
from dashboard.pickers import pick_study
from dashboard.studies import Study, find_studies, read_figures
from dashboard.theme import METHODS, PRECISIONS, model_title
from dashboard.worth import draw_worth
from edac_core.errors import EdacError, StoreError
from edac_core.papers import PUBLISHED_MODELS, published_curve
from edac_core.papers.claims import Verdict

CHART_HEIGHT = 270
# The page's own address is left as it is where it shows what it opens with: writing one would lose
# the section that a link leads to.
FIELDS = (
    replace(MODEL, omitted="cnn"),
    replace(PRECISION, omitted="int8"),
    replace(METHOD, omitted="polynomial"),
)
INTRODUCTION = (
    "Two papers made such networks small: **EDAC** (2023; cough recordings, tables 3 to 6) and "
    "**Squeeze for Sneeze** (2020; speech, tables 2 and 3). Here is what they published beside "
    "what was measured here, on other recordings. [Tables](#published-tables), "
    "[past the papers](#past-the-papers), [claims](#claims), "
    "[what to read them by](#what-to-read-them-by)."
)
NOTE = (
    "Hollow grey: as published. Coloured: measured here, means over runs; bands: ± one standard "
    "deviation between runs. AUCs of other recordings are not comparable; how they fall is."
)


def main() -> None:
    """Draw the page."""
    frame.begin("pages/papers.py")
    studies, problems = find_studies()
    shown, unreadable = claims.read_studies(studies, PUBLISHED_MODELS)
    frame.draw_problems([*problems, *unreadable])
    st.markdown(INTRODUCTION)
    draw_tables(studies, shown)
    draw_beyond(shown)
    draw_claims(shown)
    draw_doubts(shown)


def draw_tables(studies: Sequence[Study], shown: Sequence[Shown]) -> None:
    """Draw a published table, and its curves, beside what a study measured."""
    st.markdown("#### Published tables")
    address.arrive([STUDY, *FIELDS])
    complaints = st.container()
    with st.grid(4, min_column_width=150, key="pickers"):
        model = pick(FIELDS[0], "Model", PUBLISHED_MODELS, write=model_title)
        measured, of_study = pick_measured(model, studies, shown)
        precision = pick(FIELDS[1], "Precision", measured.precisions(), write=str)
        method = pick(FIELDS[2], "Method", measured.methods(), write=str)
    address.write([*of_study, *FIELDS])
    with complaints:
        frame.draw_problems(address.complaints())
    draw_missing(measured)
    draw_charts(measured, method=method, precision=precision)
    draw_table(measured, method=method)


def pick_measured(
    model: str, studies: Sequence[Study], shown: Sequence[Shown]
) -> tuple[Measured, list[address.Field]]:
    """Let the viewer choose a study that measured a network; return what the address says of it.

    Where no study has, all can be chosen, as they may be on the next page.
    """
    having = [one.study for one in shown if model in set(one.summary["model"])]
    offered = having or studies
    if not offered:
        return Measured(model, None), []
    study = pick_study(offered)
    network = Network(study, read_figures(study), model) if having else None
    return Measured(model, network), [replace(STUDY, omitted=offered[0].identifier)]


def pick(
    field: address.Field, label: str, options: Sequence[str], *, write: Callable[[str], str]
) -> str:
    """Let the viewer choose one of some options."""
    looks = {**PRECISIONS, **METHODS}
    said = [f"**{name}**: {looks[name].help}" for name in options if name in looks]
    address.settle(field, options, default=str(field.omitted))
    chosen = st.selectbox(
        label, options, address.position(field, options), key=field.key, format_func=write,
        on_change=address.touch, help="; ".join(said) or None,
    )  # fmt: skip
    return str(chosen)


def draw_missing(measured: Measured) -> None:
    """Say how to measure a network that no study here has."""
    if measured.network is not None:
        return
    st.info(
        f"{model_title(measured.model)} is not measured here yet, so that only what was published "
        f"stands below: {claims.how_to_run(claims.plans_for(measured.model))}.",
        icon=":material/science:",
    )
    st.page_link("pages/run.py", label="Run a study", icon=":material/play_circle:")


def draw_charts(measured: Measured, *, method: str, precision: str) -> None:
    """Draw each quantity that the paper published, as published and as measured."""
    figures = _figures(measured, measured.key, method=method, precision=precision, ink=theme.ink())
    name = f"{model_title(measured.model)}, {precision}, {method}"
    with st.grid(len(figures), min_column_width=300, key="curves"):
        for quantity, figure in figures:
            st.plotly_chart(
                figure, height=CHART_HEIGHT, key=quantity.column, config=CONFIG,
                alt=f"{quantity.question} {name}: as published and measured here, over sparsity",
            )  # fmt: skip
    st.markdown(f":small[{NOTE}]")
    draw_basis(measured.network)


# What is cached here is shared by all sessions and never changed, so it need not be copied.
@st.cache_resource(max_entries=64, show_spinner=False)
def _figures(
    _measured: Measured,
    key: object,  # noqa: ARG001 - for the cache
    *,
    method: str,
    precision: str,
    ink: str | None,
) -> list[tuple[Quantity, dict[str, Any]]]:
    published = published_curve(_measured.model, method, precision)
    ours = _measured.ours(method=method, precision=precision)
    quantities = QUANTITIES[published["paper"].iloc[0]]
    charts = [
        comparison(ours, published, quantity=quantity, method=method, precision=precision)
        for quantity in quantities
    ]
    return [
        (chart.quantity, draw_comparison(chart, named=chart is charts[0], ink=ink).to_plotly_json())
        for chart in charts
    ]


@st.cache_resource(max_entries=64, show_spinner=False)
def _table(_measured: Measured, key: object, *, method: str) -> pd.DataFrame:  # noqa: ARG001
    return published_table(_measured, method=method)


@st.cache_resource(max_entries=8, show_spinner=False)
def _judgements(_shown: Sequence[Shown], key: object) -> list[Judged]:  # noqa: ARG001
    return claims.judge_all(_shown)


@st.cache_resource(max_entries=8, show_spinner=False)
def _told(
    _shown: Sequence[Shown],
    key: object,  # noqa: ARG001 - for the cache
) -> dict[str, str | Measurement]:
    return {title: tell(_shown) for title, tell in DOUBTS}


def draw_basis(network: Network | None) -> None:
    """Say what the figures measured here are worth."""
    if network is None or network.baseline is None:
        return
    frame.draw_study_facts(network.study, network.model)
    try:
        draw_worth(network.study, network.groups(network.baseline))
    except StoreError as error:
        frame.draw_problems([str(error)])


def draw_table(measured: Measured, *, method: str) -> None:
    """Draw the table that the paper has for a method."""
    row = published_curve(measured.model, method, "float32").iloc[0]
    title = f"{row['paper']}, {row['place']}: {model_title(measured.model)}, {method}"
    st.markdown(f"**{title}**")
    unit, _ = UNITS[row["paper"]]
    draw_published_table(
        _table(measured, measured.key, method=method), unit=unit, alt=f"{title}, beside ours"
    )


def draw_beyond(shown: Sequence[Shown]) -> None:
    """Draw how far what was measured here gets past the papers."""
    st.markdown("#### Past the papers")
    try:
        beyond.draw_beyond(shown)
    except StoreError as error:
        frame.draw_problems([str(error)])


def draw_claims(shown: Sequence[Shown]) -> None:
    """Draw what the papers claim and what becomes of it here."""
    st.markdown("#### Claims")
    judgements = _judgements(shown, claims.key_of(shown))
    counted = Counter(one.verdict for one in judgements)
    said = "; ".join(f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict])
    st.markdown(
        f"Of {len(judgements)} claims about a network: {said}. Each is judged by the study here "
        "that matches it best, on recordings that are not the paper's.",
        help=claims.RULES,
    )
    claims.draw_claims(judgements)


def draw_doubts(shown: Sequence[Shown]) -> None:
    """Draw what the published figures have to be read by."""
    st.markdown("#### What to read them by")
    try:
        told = _told(shown, claims.key_of(shown))
    except EdacError as error:
        frame.draw_problems([str(error)])
        return
    for title, what in told.items():
        st.markdown(f"##### {title}")
        if isinstance(what, str):
            st.markdown(what)
        else:
            draw_measurement(what)


DOUBTS: tuple[tuple[str, Callable[[Sequence[Shown]], str | Measurement]], ...] = (
    ("Signed zeros", signed_zeros),
    ("int8 alone", doubts.int8_alone),
    ("Augmented test set", augmented_test_set),
    ("Levels that go on from each other", doubts.levels_going_on),
    ("Speed", doubts.speed_of_int8),
)

main()
