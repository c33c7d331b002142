"""Choosing by constraint: limits in, the smallest variant within them out, and why no smaller."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard import address, pickers
from dashboard import format as write
from dashboard.address import Field
from dashboard.choices import Network, name_variant
from edac_core.studies.select import (
    AUC_DROP,
    LATENCY_MS,
    RAW_BYTES,
    ZIP_BYTES,
    Choice,
    Limits,
    Miss,
    smallest_meeting,
)

ZIP, FILE = "zip", "file"
MEAN, WORST = "mean", "worst"
_KILO = 1e3
_LIMIT = "a number that is not negative"
_MEASURES = {ZIP: ZIP_BYTES, FILE: RAW_BYTES}
_MEASURE_NAMES = {ZIP: "Zip", FILE: "File"}
_RUN_NAMES = {MEAN: "Mean of the runs", WORST: "Worst run"}
_ASK = "Set a limit to get the smallest variant within it."


def _number(limit: float | None) -> str:
    return "no limit" if limit is None else f"{limit:g}"


DROP = Field("drop", "AUC drop", _number)
SIZE = Field("size", "size in kB", _number)
LATENCY = Field("ms", "latency in ms", _number)
MEASURE = Field("measure", "measure of size", omitted=ZIP)
OVER = Field("over", "runs", omitted=MEAN)
FIELDS = (DROP, SIZE, MEASURE, LATENCY, OVER)


@dataclass(frozen=True)
class Wish:
    """What the viewer asks for."""

    limits: Limits
    measure: str
    over: str

    @property
    def by(self) -> str:
        """The column of sizes that is limited, and is to be small."""
        return _MEASURES[self.measure]


def settle() -> Wish:
    """Settle the limits, from the address or as they stand."""
    drop, size, latency = (
        address.settle_text(field, read_limit, default=None, offered=_LIMIT)
        for field in (DROP, SIZE, LATENCY)
    )
    measure = address.settle(MEASURE, (ZIP, FILE), default=ZIP)
    over = address.settle(OVER, (MEAN, WORST), default=MEAN)
    in_bytes = {_MEASURES[measure]: None if size is None else size * _KILO}
    return Wish(Limits(auc_drop=drop, latency_ms=latency, **in_bytes), measure, over)


def draw_finder(network: Network) -> None:
    """Draw the limits behind a button, and what they come to."""
    wish = settle()
    with st.popover(_label(wish), icon=":material/filter_alt:", width="stretch"):
        _draw_limits()
        found = find(network, wish)
        with st.container(height=130, border=False, gap="xxsmall"):
            st.markdown("\n\n".join(explain(network, wish, found)))
        if found is not None:
            st.button("Choose it", on_click=pickers.choose_labelled, args=(network, found.chosen),
                      disabled=found.chosen is None, type="primary", width="stretch")  # fmt: skip


def find(network: Network, wish: Wish) -> Choice | None:
    """Return the smallest variant within the limits; None where there are no limits."""
    if not wish.limits.given():
        return None
    figures = network.in_runs(worst=wish.over == WORST)
    return smallest_meeting(
        figures, wish.limits, by=RAW_BYTES if wish.measure == FILE else ZIP_BYTES
    )


def explain(network: Network, wish: Wish, found: Choice | None) -> list[str]:
    """Say in sentences what was found, what keeps smaller ones out, and what was left out."""
    if found is None:
        return [_ASK]
    figures = network.in_runs(worst=wish.over == WORST)
    return [
        *_outcome(network, wish, found, figures),
        *_left_out(network, wish, found),
    ]


def read_limit(text: str) -> float | None:
    """Read a limit from the address.

    Raises
    ------
    ValueError
        If it is not a number, or negative.
    """
    limit = float(text)
    if not (math.isfinite(limit) and limit >= 0):
        raise ValueError(text)
    return limit


def _label(wish: Wish) -> str:
    limits = [_limit(name, limit) for name, limit in wish.limits.given().items()]
    return ", ".join(limits) or "Find by limits"


def _draw_limits() -> None:
    with st.grid(2, min_column_width=150):
        _draw_limit(DROP, "AUC drop at most", step=0.005, pattern="%.3f",
                    help_text="Below the float32 baseline of the same run.")  # fmt: skip
        _draw_limit(LATENCY, "Latency at most (ms)", step=0.1, pattern="%.2f",
                    help_text="For one recording, as measured here.")  # fmt: skip
        _draw_limit(SIZE, "Size at most (kB)", step=50.0, pattern="%.0f",
                    help_text="1 kB is 1000 bytes.")  # fmt: skip
        st.segmented_control(
            "Size of", (ZIP, FILE), default=address.standing(MEASURE), key=MEASURE.key,
            format_func=_MEASURE_NAMES.__getitem__, on_change=address.touch, required=True,
            help="A zip is what is sent over a network; the file is what lies on a device.",
        )  # fmt: skip
    st.segmented_control(
        "Limits hold for", (MEAN, WORST), default=address.standing(OVER), key=OVER.key,
        format_func=_RUN_NAMES.__getitem__, on_change=address.touch, required=True,
        help="Worst run: every limit is met in each run, whatever its random seed.",
    )  # fmt: skip


def _draw_limit(field: Field, label: str, *, step: float, pattern: str, help_text: str) -> None:
    st.number_input(
        # A default could not be cleared: a limit must be.
        label, min_value=0.0, value=None, step=step, format=pattern, key=field.key,
        on_change=address.touch, placeholder="no limit", help=help_text,
    )  # fmt: skip


def _outcome(network: Network, wish: Wish, found: Choice, figures: pd.DataFrame) -> list[str]:
    if found.chosen is None:
        if found.nearest is None:
            return ["No variant has all of these figures yet, so none can be chosen."]
        name = name_variant(network.labelled(found.nearest.label))
        return [f"No variant meets {_them(wish)}. The nearest, {name}, {_excess(found.nearest)}."]
    row = figures[figures.index == found.chosen].iloc[0]
    sentences = [f"**{name_variant(row)}** is the smallest: {_described(row, wish)}."]
    if found.next_smaller is None:
        return [*sentences, "There is no smaller one."]
    return [*sentences, _why_not(network, wish, found.next_smaller, figures)]


def _why_not(network: Network, wish: Wish, missed: Miss, figures: pd.DataFrame) -> str:
    name = name_variant(network.labelled(missed.label))
    size = write.size(float(figures[wish.by][missed.label]))
    return f"The next smaller one ({name}, {size}) {_excess(missed)}."


def _described(row: pd.Series, wish: Wish) -> str:
    figures = [write.size(row[wish.by])]
    if not math.isnan(row[AUC_DROP]):
        figures.append(f"AUC {write.difference(-row[AUC_DROP])} against float32")
    if not math.isnan(row[LATENCY_MS]):
        figures.append(write.milliseconds(row[LATENCY_MS]))
    worst = " in its worst runs" if wish.over == WORST else ""
    return f"{', '.join(figures)}{worst}"


def _excess(missed: Miss) -> str:
    """Say which limits a variant breaks and by how much."""
    return " and ".join(_over(name, value) for name, value in missed.excess.items())


def _over(name: str, value: float) -> str:
    if name == AUC_DROP:
        return f"loses {_at_least(value)} more AUC than allowed"
    if name == LATENCY_MS:
        return f"takes {write.milliseconds(value)} too long"
    return f"is {write.size(value)} too large"


def _at_least(value: float) -> str:
    written = f"{value:.3f}"
    return "less than 0.001" if float(written) == 0 else written


def _limit(name: str, limit: float) -> str:
    if name == AUC_DROP:
        return f"{write.difference(-limit)} AUC"
    return write.milliseconds(limit) if name == LATENCY_MS else write.size(limit)


def _them(wish: Wish) -> str:
    return "this limit" if len(wish.limits.given()) == 1 else "all these limits"


def _left_out(network: Network, wish: Wish, found: Choice) -> list[str]:
    notes = []
    if found.incomplete:
        notes.append(f"{found.incomplete} that lack some of the {len(network.runs)} runs")
    if found.unknown:
        notes.append(f"{found.unknown} without {_unknown(wish)}")
    return [f":small[Left out: {' and '.join(notes)}.]"] if notes else []


def _unknown(wish: Wish) -> str:
    names = {AUC_DROP: "a float32 baseline in every run", LATENCY_MS: "a latency in every run"}
    return " or ".join(names[name] for name in wish.limits.given() if name in names)
