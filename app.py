"""The first page, Trade-offs: how small can a cough classifier get before it gets worse."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import address, choices, frame, theme
from dashboard import format as write
from dashboard.charts import CONFIG, tradeoff
from dashboard.charts import sparsity as curves
from dashboard.charts.sparsity import SparsityCurves
from dashboard.charts.tradeoff import Tradeoff
from dashboard.choices import FIELDS, MODEL, PRECISION, RUN, SCHEDULE, SPARSITY, STUDY, Network
from dashboard.metrics import cells, draw_cells
from dashboard.studies import Study, find_studies, read_comparison, read_figures, read_model
from dashboard.table import draw_variant_table, variant_table
from dashboard.theme import PRECISIONS, SCHEDULES
from dashboard.worth import draw_worth
from edac_core.errors import StoreError
from edac_core.papers import EDAC, SQUEEZE, published_curve

TRADEOFF_HEIGHT, CURVE_HEIGHTS = 420, (162, 116, 144)
LEGEND = (
    "Ring: the variant above. Grey line: nothing is both smaller and better. Bars and bands: ± one "
    "standard deviation between runs."
)
PUBLISHED = {
    EDAC: "Hollow grey: EDAC's published figures, by its own protocol on other recordings.",
    SQUEEZE: "Hollow grey: sizes that Squeeze for Sneeze published; it has no AUC.",
}
_DAMAGED = "_damaged"
# Streamlit writes "Failed to generate file" below a button until the page has said why.
_OUR_WORDS_ONLY = "<style>[data-testid=stDownloadButtonError] {display: none}</style>"
QUANTITIES = (curves.AUC, curves.SIZE, curves.LATENCY)


def main() -> None:
    """Draw the page."""
    frame.begin("Trade-offs")
    studies, problems = find_studies()
    frame.draw_problems(problems)
    if not studies:
        frame.nothing_yet()
        return
    address.arrive(FIELDS)
    above = st.container()
    with st.grid(4, min_column_width=150, key="pickers"):
        study = pick_study(studies)
        network = pick_network(study)
        if network is not None:
            pick_rest(network)
    with above:
        if network is not None:
            st.markdown(choices.describe_start(network), help=choices.START_HELP)
            frame.draw_progress(choices.describe_progress(network))
        frame.draw_problems(address.complaints())
    if network is not None:
        frame.draw_study_facts(study, network.model)
        draw_network(network)


def pick_study(studies: Sequence[Study]) -> Study:
    """Let the viewer choose a study."""
    by_identifier = {study.identifier: study for study in studies}
    titles = {study.identifier: study.title for study in studies}
    chosen = _picker(STUDY, "Study", list(by_identifier), write=titles.__getitem__)
    return by_identifier[chosen]


def pick_network(study: Study) -> Network | None:
    """Let the viewer choose one of a study's networks; None, and why, if there is none."""
    try:
        figures = read_figures(study)
    except StoreError as error:
        frame.draw_problems([str(error)])
        return None
    models = list(figures.summary["model"].unique())
    if not models:
        frame.draw_problems([
            f"The study “{study.title}” has no finished variant yet; come back when its run has "
            "got further, or choose another study."
        ])  # fmt: skip
        return None
    model = _picker(MODEL, "Model", models, write=study.title_of)
    return Network(study, figures, model)


def pick_rest(network: Network) -> None:
    """Let the viewer choose precision and schedule, and settle what the slider offers."""
    precision = _picker(
        PRECISION, "Precision", network.precisions,
        default=str(network.start["precision"]),
        help="How a weight is stored. " + _explained(PRECISIONS, network.precisions),
    )  # fmt: skip
    schedule = _picker(
        SCHEDULE, "Schedule", network.schedules,
        default=choices.default_schedule(network),
        help="How pruning goes about it. " + _explained(SCHEDULES, network.schedules),
    )  # fmt: skip
    levels = network.levels(schedule=schedule, precision=precision)
    address.settle(SPARSITY, levels, default=choices.default_level(network, levels))
    row = network.row(
        schedule=schedule, sparsity=st.session_state[SPARSITY.key], precision=precision
    )
    numbers = [str(number) for number in range(1, len(network.runs) + 1)]
    address.settle(RUN, numbers, default=choices.default_run(network, row))


@st.fragment
def draw_network(network: Network) -> None:
    """Draw all that changes with the slider."""
    state = st.session_state
    precision, schedule = state[PRECISION.key], state[SCHEDULE.key]
    levels = network.levels(schedule=schedule, precision=precision)
    sparsity = st.select_slider(
        "Sparsity", levels, key=SPARSITY.key, format_func=write.per_cent,
        help="The share of the weights that pruning sets to zero.",
    )  # fmt: skip
    row = network.row(schedule=schedule, sparsity=sparsity, precision=precision)
    draw_cells(cells(row, network.baseline))
    draw_worth(network.study, network.groups(row))
    left, right = st.columns([11, 10])
    with left:
        draw_tradeoff_panel(network, schedule=schedule, precision=precision, sparsity=sparsity)
        draw_download(network, row)
    with right:
        draw_curve_panels(network, schedule=schedule, precision=precision, sparsity=sparsity)
    draw_table(network, row)
    address.write(FIELDS)


def draw_tradeoff_panel(
    network: Network, *, schedule: str, precision: str, sparsity: float
) -> None:
    """Draw AUC against size."""
    chart, figure = _tradeoff(
        network, network.key, schedule=schedule, precision=precision, ink=theme.ink()
    )
    chosen = chart.point(schedule=schedule, sparsity=sparsity, precision=precision)
    st.plotly_chart(
        tradeoff.mark_variant(figure, chosen),
        height=TRADEOFF_HEIGHT, key="tradeoff", config=CONFIG,
        alt=f"AUC against zip size of every variant of {network.study.title_of(network.model)}",
    )  # fmt: skip
    st.markdown(f":small[{' '.join([LEGEND, PUBLISHED.get(chart.paper, '')]).strip()}]")


def draw_curve_panels(network: Network, *, schedule: str, precision: str, sparsity: float) -> None:
    """Draw AUC, size and latency against sparsity."""
    drawn = _curves(network, network.key, schedule=schedule, precision=precision, ink=theme.ink())
    for (chart, figure), height in zip(drawn, CURVE_HEIGHTS, strict=True):
        quantity = chart.quantity
        beside = f", beside what {chart.paper} published" if chart.paper_is_shown else ""
        st.plotly_chart(
            curves.mark_level(figure, chart.point(schedule=schedule, sparsity=sparsity)),
            height=height, key=quantity.column, config=CONFIG,
            alt=f"{quantity.question} {precision}, by schedule{beside}",
        )  # fmt: skip


def draw_download(network: Network, row: pd.Series) -> None:
    """Offer the chosen variant's file, one a run."""
    names = {
        str(number): f"Run {number} (split {split}, seed {seed})"
        for number, (split, seed) in enumerate(network.runs, start=1)
    }
    place, button = st.columns([3, 2], vertical_alignment="bottom")
    number = place.selectbox(
        "Run", list(names), key=RUN.key, format_func=names.__getitem__,
        help="Each run trained its own network; any of them is a fair sample.",
    )  # fmt: skip
    files = network.present_files(row)
    problem = st.session_state.pop(_DAMAGED, None)
    if problem or number not in files:
        button.button("Download .tflite", disabled=True, width="stretch")
        if problem:
            frame.draw_problems([problem])
        else:
            st.markdown(f":small[{_where_instead(files)}]")
        return
    sha256 = files[number]
    st.html(_OUR_WORDS_ONLY)
    button.download_button(
        "Download .tflite",
        functools.partial(read_model, network.study, sha256),
        file_name=_file_name(row, number),
        mime="application/octet-stream",
        on_click=_check_file,
        args=(network.study, sha256),
        width="stretch",
        icon=":material/download:",
    )


def draw_table(network: Network, row: pd.Series) -> None:
    """Draw all variants of the network; last, since their decisions take longest to read."""
    try:
        comparison = read_comparison(network.study, network.model)
    except StoreError as error:
        frame.draw_problems([str(error)])
        return
    draw_variant_table(variant_table(network.summary, comparison, chosen=row.name))


def _where_instead(files: Mapping[str, str]) -> str:
    if not files:
        return "This file is not in the store; run the study's plan to make it."
    return f"This file is not in the store; the one of run {next(iter(files))} is."


def _check_file(study: Study, sha256: str) -> None:
    """Note why a file that was asked for cannot be had."""
    try:
        read_model(study, sha256)
    except StoreError as error:
        st.session_state[_DAMAGED] = str(error)


def _file_name(row: pd.Series, run: str) -> str:
    level = write.per_cent_in_address(row["sparsity"])
    return f"{row['model']}-{row['schedule']}-{level}-{row['precision']}-run{run}.tflite"


# What is cached here is shared by all sessions and never changed, so it need not be copied.
@st.cache_resource(max_entries=64, show_spinner=False)
def _tradeoff(
    _network: Network,
    key: object,  # noqa: ARG001 - for the cache
    *,
    schedule: str,
    precision: str,
    ink: str | None,
) -> tuple[Tradeoff, dict[str, Any]]:
    published = published_curve(_network.model, schedule, precision)
    chart = tradeoff.tradeoff(_network.summary, published)
    return chart, tradeoff.draw_tradeoff(chart, ink=ink).to_plotly_json()


@st.cache_resource(max_entries=64, show_spinner=False)
def _curves(
    _network: Network,
    key: object,  # noqa: ARG001 - for the cache
    *,
    schedule: str,
    precision: str,
    ink: str | None,
) -> tuple[tuple[SparsityCurves, dict[str, Any]], ...]:
    ours = _network.curves(precision=precision)
    published = published_curve(_network.model, schedule, precision)
    charts = [
        curves.sparsity_curves(ours, published, quantity=quantity, precision=precision)
        for quantity in QUANTITIES
    ]
    return tuple(
        (chart, curves.draw_sparsity_curves(
            chart, first=chart is charts[0], last=chart is charts[-1], ink=ink
        ).to_plotly_json())
        for chart in charts
    )  # fmt: skip


def _picker(
    field: address.Field,
    label: str,
    options: Sequence[str],
    *,
    default: str | None = None,
    write: Callable[[str], str] = str,
    help: str | None = None,  # noqa: A002 - Streamlit's name
) -> str:
    address.settle(field, options, default=default or options[0])
    chosen = st.selectbox(
        label, options, key=field.key, format_func=write, help=help, on_change=address.touch
    )
    return str(chosen)


def _explained(looks: Any, names: Sequence[str]) -> str:
    return "; ".join(f"**{name}**: {looks[name].help}" for name in names if name in looks) + "."


main()
