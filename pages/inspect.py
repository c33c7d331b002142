"""Inspect a variant: what a file is made of and where it errs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import address, frame, margin, theme
from dashboard import format as write
from dashboard.address import Field
from dashboard.charts import CONFIG, anatomy
from dashboard.charts import decisions as charts
from dashboard.choices import FIELDS, METHOD, PRECISION, RUN, SPARSITY, Network
from dashboard.export import draw_export_of
from dashboard.inspecting import decisions, flips, layers, trust, variant
from dashboard.inspecting.decisions import Decisions
from dashboard.inspecting.dissection import (
    are_measured,
    measure_operators,
    read_spreads,
    read_tensors,
)
from dashboard.inspecting.variant import Chosen
from dashboard.metrics import draw_cells
from dashboard.pickers import pick_network, pick_rest, pick_study, studies_here
from dashboard.worth import draw_worth
from edac_core.errors import EdacError
from edac_core.locations import PROJECT
from edac_core.measure.parts import Spread, Tensor
from edac_core.verdicts import ModelFile

MADE_OF, LAYERS, DECIDES, CHANGED, TRUSTED, RUNS = (
    "made-of", "layers", "decides", "changed", "trusted", "runs",
)  # fmt: skip
VIEW = Field("view", "view")
VIEWED = (*FIELDS, VIEW, margin.FIELD, layers.ROUNDED)
VIEWS = {
    MADE_OF: ":material/deployed_code: What it is made of",
    LAYERS: ":material/grid_on: Which layers mind",
    DECIDES: ":material/rule: What it decides",
    CHANGED: ":material/swap_horiz: What changed",
    TRUSTED: ":material/verified_user: Whether to trust it",
    RUNS: ":material/memory: Where it runs",
}
TREE_HEIGHT, SPREAD_HEIGHT, MATRIX_HEIGHT, CURVE_HEIGHT = 360, 330, 230, 400
MOST_ROWS = 9
QUICK_MS, QUICK_BYTES = 5.0, 30e6
"""Operators of a file up to this are timed without being asked to: it takes less than 2 s."""

AREAS: dict[anatomy.Bytes, str] = {"packed_bytes": "Compressed", "raw_bytes": "In the file"}
LAYER_COLUMNS = {
    "layer": st.column_config.TextColumn("Layer", width=76),
    "shape": st.column_config.TextColumn("Weights", width=104, help="Their shape, as stored"),
    "precision": st.column_config.TextColumn("Stored as", width=72),
    "parameters": st.column_config.NumberColumn(
        "Parameters", format="%,.0f", width=80,
        help="Weights, biases, and what normalisation leaves",
    ),
    "sparsity": st.column_config.NumberColumn(
        "Zero", format="%.1f %%", width=58, help="Share of its weights that are zero"
    ),
    "raw_bytes": st.column_config.NumberColumn("File (kB)", format="%,.1f", width=66),
    "packed_bytes": st.column_config.NumberColumn(
        "Zip (kB)", format="%,.1f", width=62, help="Its tensors compressed one by one (DEFLATE)"
    ),
}  # fmt: skip
THRESHOLD_NOTE = (
    "At its threshold and above, a recording is called positive. Each file's own threshold was "
    "chosen on validation recordings (Youden's index), not on these."
)
TIMES_NOTE = (
    "Each operator was cut out into a file of its own and called in turns with the whole, on one "
    "thread, here and now, without the cost of the features. LiteRT itself cannot tell."
)
CALIBRATION_NOTE = (
    "Of recordings with a calibrated score of 0.8, 80 % are positive in this test set. Elsewhere "
    "more or fewer are, so no score is the chance of an illness."
)


def main() -> None:
    """Draw the page."""
    frame.begin("pages/inspect.py")
    studies = studies_here()
    if not studies:
        return
    address.arrive(VIEWED)
    above = st.container()
    with st.grid(5, min_column_width=150, key="pickers"):
        study = pick_study(studies)
        network = pick_network(study)
        if network is not None:
            pick_rest(network)
            pick_run(network)
    address.settle(VIEW, list(VIEWS), default=MADE_OF)
    if network is not None:
        settle_views(network)
    with above:
        frame.draw_problems(address.complaints())
    if network is not None:
        frame.draw_study_facts(study, network.model)
        draw_network(network)


def pick_run(network: Network) -> None:
    """Let the viewer choose a run: a file is of one."""
    names = {
        str(number): f"{number} (split {split}, seed {seed})"
        for number, (split, seed) in enumerate(network.runs, start=1)
    }
    st.selectbox(
        "Run", list(names), address.position(RUN, list(names)), key=RUN.key,
        format_func=names.__getitem__, on_change=address.touch,
        help="Each run trained its own network; what is shown here is of one of them.",
    )  # fmt: skip


def settle_views(network: Network) -> None:
    """Settle what is chosen within views, whether or not they are shown."""
    margin.settle()
    layers.settle(network)


@st.fragment
def draw_network(network: Network) -> None:
    """Draw all that changes with the slider."""
    settle_views(network)
    state = st.session_state
    levels = network.levels(method=state[METHOD.key], precision=state[PRECISION.key])
    sparsity = st.select_slider(
        "Sparsity", levels, address.standing(SPARSITY), key=SPARSITY.key,
        format_func=write.per_cent,
        help="The share of the weights that pruning sets to zero.",
    )  # fmt: skip
    row = network.row(method=state[METHOD.key], sparsity=sparsity, precision=state[PRECISION.key])
    try:
        draw_row(network, row)
    except EdacError as error:
        frame.draw_problems([str(error)])
    address.write(VIEWED)


def draw_row(network: Network, row: pd.Series) -> None:
    """Draw the variant of one run that belongs to a row."""
    number = st.session_state[RUN.key]
    chosen = variant.choose(network, row, number=number)
    if chosen is None:
        frame.draw_problems([
            f"Run {number} of this study has not finished this variant yet: choose another run or "
            "come back later."
        ])  # fmt: skip
        return
    draw_cells(variant.cells(chosen))
    own, baseline = decisions.read_decisions(chosen)
    draw_worth(network.study, own.within_sources())
    view = st.segmented_control(
        "View", list(VIEWS), default=address.standing(VIEW), key=VIEW.key,
        format_func=VIEWS.__getitem__, required=True, label_visibility="collapsed",
    )  # fmt: skip
    if view == MADE_OF:
        draw_made_of(chosen)
    elif view == LAYERS:
        layers.draw_layers(chosen)
    elif view == DECIDES:
        draw_decides(chosen, own, baseline)
    elif view == CHANGED:
        draw_changed(chosen, own, baseline)
    elif view == TRUSTED:
        draw_trusted(chosen, own, baseline)
    else:
        draw_runs(chosen)
    st.divider()
    draw_export_of(network.study, chosen.row, key="inspect")


def draw_made_of(chosen: Chosen) -> None:
    """Draw layers, weights and operators of the file."""
    if chosen.file is None:
        draw_no_file(chosen)
        return
    tensors = read_tensors(chosen.file)
    left, right = st.columns([10, 11])
    with left:
        draw_tree(tensors, chosen)
    with right:
        draw_layers(tensors, chosen)
    left, right = st.columns([10, 11])
    with right:
        draw_operators(chosen.file, chosen)
    # Last, since the baseline's file takes longest to unpack.
    with left:
        draw_spreads(read_spreads(chosen.file, _other_file(chosen)), chosen)


def draw_no_file(chosen: Chosen) -> None:
    """Say why there is nothing to take to pieces, and how to get it."""
    st.info(write.literally(variant.where_else(chosen)), icon=":material/folder_off:")
    plan = f"plans/{chosen.network.study.name}.toml"
    if (PROJECT / plan).is_file():
        st.code(f"python -m edac_core run {plan}", language="shell")


@st.fragment
def draw_tree(tensors: tuple[Tensor, ...], chosen: Chosen) -> None:
    """Draw the treemap, its area as the viewer wants it."""
    area: anatomy.Bytes = st.segmented_control(
        "Area of a tile", list(AREAS), key="area", default="packed_bytes", required=True,
        format_func=AREAS.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    whole = chosen.row["zip_bytes" if area == "packed_bytes" else "raw_bytes"]
    chart = anatomy.treemap(tensors, size=area, whole=int(whole))
    st.plotly_chart(
        anatomy.draw_treemap(chart, ink=theme.ink()),
        height=TREE_HEIGHT, key="tree", config=CONFIG,
        alt=f"{chart.question} Area is bytes, colour the share of weights that are zero",
    )  # fmt: skip


def draw_layers(tensors: tuple[Tensor, ...], chosen: Chosen) -> None:
    """Draw the layers' figures, and what they add up to."""
    table = anatomy.layer_table(tensors)
    st.dataframe(
        table.assign(sparsity=100 * table["sparsity"], raw_bytes=table["raw_bytes"] / 1e3,
                     packed_bytes=table["packed_bytes"] / 1e3),
        height="content" if len(table) < MOST_ROWS else TREE_HEIGHT, hide_index=True,
        key="layers", placeholder="\N{EN DASH}",
        column_config=LAYER_COLUMNS, alt="Layers of the file",
    )  # fmt: skip
    st.markdown(f":small[{_sums(table, chosen)}]")


@st.fragment
def draw_spreads(spreads: tuple[Spread, ...], chosen: Chosen) -> None:
    """Draw the histogram of the weights that the viewer chooses, the most at first."""
    if not spreads:
        st.markdown("This file has no weights that LiteRT multiplies by.")
        return
    # Numbered, since a picker cannot tell options apart that are written alike.
    names = [
        f"{number}. {one.layer} ({' x '.join(map(str, one.shape))})"
        for number, one in enumerate(spreads, start=1)
    ]
    largest = max(range(len(spreads)), key=lambda at: spreads[at].elements)
    at = st.selectbox(
        "Weights of", range(len(spreads)), index=largest, format_func=names.__getitem__,
        key=f"weights-{chosen.network.model}",
    )  # fmt: skip
    spread = spreads[at]
    precision = str(chosen.row["precision"])
    st.plotly_chart(
        anatomy.draw_spread(spread, precision=precision, ink=theme.ink()),
        height=SPREAD_HEIGHT, key="spread", config=CONFIG,
        alt=f"Histogram of the weights of {names[at]}, in this file and in the float32 baseline",
    )  # fmt: skip
    beside = "" if spread.before else _no_baseline_weights(chosen)
    st.markdown(f":small[{anatomy.describe_zeros(spread)}{beside}]")


@st.fragment
def draw_operators(file: ModelFile, chosen: Chosen) -> None:
    """Draw what operators take: at once if it was measured or that is quick, else when asked."""
    row = chosen.row
    quick = row["latency_ms"] <= QUICK_MS and row["raw_bytes"] <= QUICK_BYTES
    known = quick or are_measured(file)
    asked = st.button(
        "Time again" if known else "Time the operators", icon=":material/timer:", key="time",
        help="On this machine. It takes a second; for the largest network a minute.",
    )  # fmt: skip
    if not (asked or known):
        st.markdown("How long does each operator take on this machine?")
        return
    try:
        times = measure_operators(file, again=asked)
    except EdacError as error:
        frame.draw_problems([str(error)])
        return
    bars = anatomy.operator_bars(times)
    st.plotly_chart(
        anatomy.draw_bars(bars, precision=str(row["precision"]), ink=theme.ink()),
        height=SPREAD_HEIGHT, key="operators", config=CONFIG,
        alt="Processor time of each kind of operator, by layer",
    )  # fmt: skip
    st.markdown(f":small[{anatomy.describe_times(times)} {TIMES_NOTE}]")


def draw_decides(chosen: Chosen, own: Decisions, baseline: Decisions | None) -> None:
    """Draw confusion matrices, ROC and calibration."""
    precision = str(chosen.row["precision"])
    draw_matrices(own, baseline, precision=precision)
    st.markdown(f":small[{THRESHOLD_NOTE}]")
    left, right = st.columns(2)
    with left:
        chart = charts.roc_chart(own, baseline, precision=precision)
        st.plotly_chart(
            charts.draw_roc(chart, ink=theme.ink()),
            height=CURVE_HEIGHT, key="roc", config=CONFIG,
            alt=f"ROC curve, area {write.auc(chart.own_auc)}, with operating points",
        )  # fmt: skip
        if baseline is not None:
            st.markdown(":small[Grey: the float32 baseline of this run, dot at its own threshold.]")
    with right:
        found = own.calibration()
        if found is None:
            st.markdown("The scores are no probabilities, so their calibration cannot be drawn.")
            return
        st.plotly_chart(
            charts.draw_calibration(found, precision=precision, ink=theme.ink()),
            height=CURVE_HEIGHT, key="calibration", config=CONFIG,
            alt="Share of positive recordings against score, in bins of equally many recordings",
        )  # fmt: skip
        st.markdown(f":small[{CALIBRATION_NOTE}]")


def draw_matrices(own: Decisions, baseline: Decisions | None, *, precision: str) -> None:
    """Draw what is decided at the file's threshold, at the baseline's, and by the baseline."""
    colour = theme.precision_look(precision).colour
    shown = [("At its own threshold", own.threshold, own.confusion(), colour)]
    if baseline is not None:
        threshold = baseline.threshold
        swapped = own.confusion(threshold=threshold)
        shown.append(("At the baseline's threshold", threshold, swapped, colour))
        shown.append(
            ("The float32 baseline at its own", threshold, baseline.confusion(), theme.FRONT_COLOUR)
        )
    with st.grid(len(shown), min_column_width=280, key="matrices") as grid:
        for title, threshold, counts, shade in shown:
            with grid.cell():
                st.plotly_chart(
                    charts.draw_matrix(
                        counts, title=f"{title}, {threshold:.3f}", colour=shade, ink=theme.ink()
                    ),
                    height=MATRIX_HEIGHT, key=f"matrix-{title}", config=CONFIG,
                    alt=f"Confusion matrix. {title}: {counts.true_positives} found, "
                    f"{counts.false_negatives} missed, {counts.false_positives} false alarms, "
                    f"{counts.true_negatives} rightly negative",
                )  # fmt: skip


def draw_changed(chosen: Chosen, own: Decisions, baseline: Decisions | None) -> None:
    """Draw the test examples that variant and baseline decide differently."""
    if baseline is None:
        draw_no_baseline(chosen)
        return
    st.markdown(flips.describe(decisions.compare(own, baseline), examples=len(own.examples)))
    if (own.called != baseline.called).any():
        flips.draw_flips(chosen.network.study, own, baseline, key=str(chosen.row["key"]))


def draw_trusted(chosen: Chosen, own: Decisions, baseline: Decisions | None) -> None:
    """Draw whether the variant can stand in for its baseline, and who pays."""
    if baseline is None:
        draw_no_baseline(chosen)
        return
    trust.draw_trust(chosen, own.known, baseline.known)


def draw_runs(chosen: Chosen) -> None:
    """Draw what the file asks of a device."""
    if chosen.file is None:
        draw_no_file(chosen)
        return
    trust.draw_footprint(chosen.file)


def draw_no_baseline(chosen: Chosen) -> None:
    """Say why there is nothing to compare the variant with."""
    st.markdown(
        "This is the float32 baseline itself: choose a sparsity or a precision to compare it."
        if chosen.is_baseline
        else "The float32 baseline of this run is not finished, so nothing can be compared yet."
    )


def _other_file(chosen: Chosen) -> ModelFile | None:
    return None if chosen.is_baseline else chosen.baseline_file


def _no_baseline_weights(chosen: Chosen) -> str:
    if chosen.is_baseline:
        return " This is the baseline itself."
    return " The baseline's file is not in the store, so its weights are not drawn."


def _sums(table: pd.DataFrame, chosen: Chosen) -> str:
    packed, raw = table["packed_bytes"].sum(), table["raw_bytes"].sum()
    return (
        f"{write.count(table['parameters'].sum())} parameters. Compressed one by one (DEFLATE), "
        f"tensors take {write.size(packed)}; the zip of the whole file has "
        f"{write.size(chosen.row['zip_bytes'])}. Of the file's "
        f"{write.size(chosen.row['raw_bytes'])}, {write.size(chosen.row['raw_bytes'] - raw)} are "
        "the graph itself: operators, shapes and names."
    )


main()
