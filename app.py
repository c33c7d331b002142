"""The first page, Trade-offs: how small can a cough classifier get before it gets worse."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import address, choices, frame, margin, pickers, theme
from dashboard import format as write
from dashboard.charts import CONFIG, Drawn, tradeoff
from dashboard.charts import sparsity as curves
from dashboard.charts.sparsity import SparsityCurves
from dashboard.charts.tradeoff import Tradeoff
from dashboard.choices import METHOD, PRECISION, SPARSITY, Network
from dashboard.export import draw_download
from dashboard.metrics import cells, draw_cells
from dashboard.pickers import pick_network, pick_rest, pick_study, studies_here
from dashboard.tradeoffs import contest, finder, pinned, refusals
from dashboard.tradeoffs import standing as standings
from dashboard.tradeoffs.table import draw_variants
from dashboard.worth import draw_worth
from edac_core.papers import EDAC, SQUEEZE, published_curve

FIELDS = (*choices.FIELDS, *finder.FIELDS, pinned.PIN, margin.FIELD)
TRADEOFF = "tradeoff"
TRADEOFF_HEIGHT, CURVE_HEIGHTS, TABLE_HEIGHT = 420, (162, 116, 144), 416
LEGEND = (
    "Click a point to choose it. Ring: the variant above; thin ring: the pinned one. Grey line: "
    "nothing is both smaller and better. Bars and bands: ± one standard deviation between runs."
)
PUBLISHED = {
    EDAC: "Hollow grey: EDAC's published figures, by its own protocol on other recordings.",
    SQUEEZE: "Hollow grey: sizes that Squeeze for Sneeze published; it has no AUC.",
}
QUANTITIES = (curves.AUC, curves.SIZE, curves.LATENCY)


def main() -> None:
    """Draw the page."""
    frame.begin("app.py")
    studies = studies_here()
    if not studies:
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
            finder.settle()
            margin.settle()
            pinned.settle(network)
        frame.draw_problems(address.complaints())
    if network is not None:
        frame.draw_study_facts(study, network.model)
        draw_network(network)


@st.fragment
def draw_network(network: Network) -> None:
    """Draw all that changes with the slider."""
    pickers.follow()
    state = st.session_state
    precision, method = state[PRECISION.key], state[METHOD.key]
    slider, setting, limits = st.columns([6, 2, 2], vertical_alignment="bottom")
    sparsity = slider.select_slider(
        "Sparsity", network.levels(method=method, precision=precision), key=SPARSITY.key,
        value=address.standing(SPARSITY), format_func=write.per_cent,
        help="The share of the weights that pruning sets to zero.",
    )  # fmt: skip
    with setting:
        allowed = margin.draw_margin()
    with limits:
        finder.draw_finder(network)
    row = network.row(method=method, sparsity=sparsity, precision=precision)
    beside = pinned.settle(network)
    standing = standings.standing_of(network, row)
    draw_cells(cells(row, network.baseline, bounds=(standing.low, standing.high)))
    standings.draw_standing(network, row, standing, margin=allowed)
    draw_worth(network.study, network.groups(row))
    left, right = st.columns([11, 10])
    with left:
        draw_tradeoff_panel(network, row, beside)
        draw_download(network, row)
    with right:
        draw_curve_panels(network, method=method, precision=precision, sparsity=sparsity)
    left, right = st.columns([2, 3])
    with left:
        pinned.draw_pinned(network, row, beside)
    with right:
        draw_variants(network, row, margin=allowed, height=TABLE_HEIGHT)
    contest.draw_contest(network)
    refusals.draw_refusals(network)
    address.write(FIELDS)


def draw_tradeoff_panel(network: Network, row: pd.Series, beside: pd.Series | None) -> None:
    """Draw AUC against size; a click on a point chooses it."""
    state = st.session_state
    chart, figure = _tradeoff(
        network, network.key,
        method=state[METHOD.key], precision=state[PRECISION.key], ink=theme.ink(),
    )  # fmt: skip
    summary = network.summary
    pinned_label = None if beside is None else beside.name
    chosen, thin = (chart.point(summary, label) for label in (row.name, pinned_label))
    st.plotly_chart(
        Drawn(tradeoff.mark_variants(figure, chosen, thin)),
        height=TRADEOFF_HEIGHT, key=TRADEOFF, config=CONFIG,
        on_select=lambda: choose_clicked(network), selection_mode="points",
        alt=f"AUC against zip size of every variant of {network.study.title_of(network.model)}",
    )  # fmt: skip
    st.markdown(f":small[{' '.join([LEGEND, PUBLISHED.get(chart.paper, '')]).strip()}]")


def choose_clicked(network: Network) -> None:
    """Show the variant behind the point that was clicked."""
    points = st.session_state[TRADEOFF]["selection"]["points"]
    pickers.choose_labelled(network, tradeoff.clicked(points))


def draw_curve_panels(network: Network, *, method: str, precision: str, sparsity: float) -> None:
    """Draw AUC, size and latency against sparsity."""
    drawn = _curves(network, network.key, method=method, precision=precision, ink=theme.ink())
    for (chart, figure), height in zip(drawn, CURVE_HEIGHTS, strict=True):
        quantity = chart.quantity
        beside = f", beside what {chart.paper} published" if chart.paper_is_shown else ""
        st.plotly_chart(
            Drawn(curves.mark_level(figure, chart.point(method=method, sparsity=sparsity))),
            height=height, key=quantity.column, config=CONFIG,
            alt=f"{quantity.question} {precision}, by method{beside}",
        )  # fmt: skip


# What is cached here is shared by all sessions and never changed, so it need not be copied.
@st.cache_resource(max_entries=64, show_spinner=False)
def _tradeoff(
    _network: Network,
    key: object,  # noqa: ARG001 - for the cache
    *,
    method: str,
    precision: str,
    ink: str | None,
) -> tuple[Tradeoff, dict[str, Any]]:
    published = published_curve(_network.model, method, precision)
    chart = tradeoff.tradeoff(_network.summary, published)
    return chart, tradeoff.draw_tradeoff(chart, ink=ink).to_plotly_json()


@st.cache_resource(max_entries=64, show_spinner=False)
def _curves(
    _network: Network,
    key: object,  # noqa: ARG001 - for the cache
    *,
    method: str,
    precision: str,
    ink: str | None,
) -> tuple[tuple[SparsityCurves, dict[str, Any]], ...]:
    ours = _network.curves(precision=precision)
    published = published_curve(_network.model, method, precision)
    charts = [
        curves.sparsity_curves(
            ours, published, quantity=quantity, precision=precision, chosen=method
        )
        for quantity in QUANTITIES
    ]
    return tuple(
        (chart, curves.draw_sparsity_curves(
            chart, first=chart is charts[0], last=chart is charts[-1], ink=ink
        ).to_plotly_json())
        for chart in charts
    )  # fmt: skip


main()
