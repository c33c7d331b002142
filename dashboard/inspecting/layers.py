"""Which layers of a run's network mind being pruned and rounded."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import address, theme
from dashboard.address import Field
from dashboard.charts import CONFIG
from dashboard.charts import sensitivity as charts
from dashboard.choices import Network
from dashboard.inspecting.variant import Chosen
from dashboard.studies import read_sensitivities
from edac_core.compress import REFERENCE_PRECISION
from edac_core.errors import StoreError

ROUNDED = Field("rounded", "precision of the layers", omitted=REFERENCE_PRECISION)
_NOTHING = (
    "Nobody has measured yet which layers of this network mind being pruned. It takes about a "
    "minute a run, where the weights are that the study's own run left:"
)


def settle(network: Network) -> str:
    """Settle the precision that is shown, one of those that were measured."""
    try:
        precisions = _precisions(read_sensitivities(network.study, network.model))
    except StoreError:  # It is said where the layers are drawn.
        precisions = [REFERENCE_PRECISION]
    chosen = address.settle(ROUNDED, precisions, default=precisions[0])
    # Assigned, so that it outlives its widget while another view is open.
    st.session_state[ROUNDED.key] = chosen
    return chosen


def of_run(measured: pd.DataFrame, run: tuple[int, int]) -> pd.DataFrame:
    """Return what was measured of the network of a run, a pair of split and training seed."""
    split_seed, training_seed = run
    return measured[
        (measured["split_seed"] == split_seed) & (measured["training_seed"] == training_seed)
    ]


def draw_layers(chosen: Chosen) -> None:
    """Draw the heat-map of a run's network, or say how to get what it shows.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    network = chosen.network
    every = read_sensitivities(network.study, network.model)
    measured = of_run(every, network.runs[int(chosen.number) - 1])
    if measured.empty:
        _draw_nothing(chosen)
        return
    precision = st.segmented_control(
        "Layer stored as", _precisions(every), default=address.standing(ROUNDED),
        key=ROUNDED.key, required=True, on_change=address.touch,
        help="The precision that the pruned layer is rounded to; all others stay float32.",
    )  # fmt: skip
    rows = measured[measured["precision"] == precision]
    chart = charts.layer_map(rows)
    st.plotly_chart(
        charts.draw_layer_map(chart, ink=theme.ink()),
        height=chart.height, key="layer-map", config=CONFIG,
        alt=f"Change of validation AUC by layer and sparsity, in {precision}",
    )  # fmt: skip
    st.markdown(f":small[{charts.describe_measured(rows)}]")


def _precisions(measured: pd.DataFrame) -> list[str]:
    found = theme.in_order(measured["precision"].unique(), theme.PRECISIONS)
    return found or [REFERENCE_PRECISION]


def _draw_nothing(chosen: Chosen) -> None:
    study, model = chosen.network.study.name, chosen.network.model
    st.info(_NOTHING, icon=":material/grid_on:")
    st.code(f"python -m edac_core sensitivity {study} --model {model}", language="shell")
