"""How a variant stands beside its float32 baseline, at the margin that the viewer sets."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard import frame
from dashboard.choices import Network
from dashboard.margin import ICONS, SHORT
from dashboard.studies import read_comparison
from edac_core.errors import StoreError
from edac_core.measure.noninferiority import Verdict, non_inferiority
from edac_core.studies.compare import difference_bounds
from edac_core.studies.select import CONFIGURATION, is_reference

INTERVAL_HELP = (
    "95 % interval of that difference. Over several splits it allows for the recordings that they "
    "share (Nadeau and Bengio 2003), and so is wider than Student's; of a single split it is that "
    "of its test recordings (DeLong, paired)."
)
_SAID = {
    Verdict.NOT_WORSE: "Shown to lose no more than {margin:g} AUC.",
    Verdict.WORSE: "Shown to lose more than {margin:g} AUC.",
    Verdict.CANNOT_TELL: "Unsettled whether it loses more than {margin:g} AUC.",
}


@dataclass(frozen=True)
class Standing:
    """A variant's mean AUC less its baseline's, with the bounds of its 95 % interval.

    They are NaN where they are not known; `splits` is how many the mean is over.
    """

    difference: float
    low: float
    high: float
    splits: int

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def standing_of(network: Network, row: pd.Series) -> Standing:
    """Return how a row of the summary stands; only of a single split are scores read for it."""
    low, high = float(row["corrected_low"]), float(row["corrected_high"])
    if row["splits"] == 1:
        low, high = _by_delong(network, row)
    return Standing(float(row["auc_difference"]), low, high, int(row["splits"]))


def compared(network: Network, rows: pd.DataFrame) -> pd.DataFrame:
    """Compare what rows of the summary decide with their baselines; see `read_comparison`.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    reference = network.summary[is_reference(network.summary)]
    only = network.measured_of(pd.concat([reference, rows]))
    return read_comparison(network.study, network.model, only=only)


def draw_standing(network: Network, row: pd.Series, standing: Standing, *, margin: float) -> None:
    """Draw the verdict on the variant that is shown."""
    baseline = network.baseline
    if baseline is not None and row.name == baseline.name:
        st.markdown("This is the float32 baseline itself, which all others are compared with.")
    else:
        st.markdown(describe_standing(standing, margin=margin), help=INTERVAL_HELP)


def describe_standing(standing: Standing, *, margin: float) -> str:
    """Say whether a variant loses more than a margin, and how sure that is."""
    if not math.isfinite(standing.difference):
        return "There is no float32 baseline yet to compare it with."
    found = non_inferiority(standing, margin=margin)
    said = f"{ICONS[found]} **{_SAID[found].format(margin=margin)}**"
    return f"{said} :small[AUC {write.difference(standing.difference)}{_interval(standing)}.]"


def verdict(standing: Standing, *, margin: float) -> str | None:
    """Say in a word whether a loss is within a margin; None where there is no baseline."""
    if not math.isfinite(standing.difference):
        return None
    return SHORT[non_inferiority(standing, margin=margin)]


def _by_delong(network: Network, row: pd.Series) -> tuple[float, float]:
    rows = network.summary[network.summary.index == row.name]
    try:
        comparison = compared(network, rows)
    except StoreError as error:
        frame.draw_problems([str(error)])
        return math.nan, math.nan
    joined = rows.join(comparison.set_index(CONFIGURATION), on=CONFIGURATION)
    low, high = difference_bounds(joined).iloc[0]
    return float(low), float(high)


def _interval(standing: Standing) -> str:
    if not standing.known:
        return "; how sure that is, is not known"
    over = "of one split" if standing.splits == 1 else f"over {standing.splits} splits"
    return f" (95 % interval {write.interval(standing.low, standing.high)} {over})"
