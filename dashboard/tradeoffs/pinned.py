"""Two variants side by side: one that is pinned, and the one that is shown."""

from __future__ import annotations

import functools
import math

import pandas as pd
import streamlit as st

from dashboard import address
from dashboard import format as write
from dashboard.address import SEPARATOR, Field
from dashboard.choices import Network, name_variant
from dashboard.metrics import cells
from dashboard.studies import read_two
from edac_core.studies.select import Paired

HEIGHT = 460
PIN = Field("pin", "pinned variant")
_PARTS = ("model", "precision", "method", "sparsity")
_NOTHING = (
    ":small[Pin the variant that is shown, then choose another: the two stand here side by side, "
    "compared within the same runs.]"
)
_DASH = "\N{EN DASH}"
_HELP = (
    "AUC is compared within each run that both have; **n.s.** (not significant): the 95 % interval "
    "includes 0. Over several splits the interval allows for the recordings that they share "
    "(Nadeau and Bengio 2003); of one split it is DeLong's. McNemar's exact test asks whether both "
    "decide rightly equally often, each at its own threshold; a small p says no."
)


def settle(network: Network) -> pd.Series | None:
    """Return the pinned variant's row of the summary, from the address or as it stands."""
    read = functools.partial(_named, network)
    address.settle_text(PIN, read, default=None, offered="a variant of this study")
    pinned = st.session_state[PIN.key]
    row = None if pinned is None else _row(network, pinned)
    if row is None:
        st.session_state[PIN.key] = None
    return row


def draw_pinned(network: Network, shown: pd.Series, pinned: pd.Series | None) -> None:
    """Draw the two side by side, in a place that stays as high as it is."""
    with st.container(height=HEIGHT, border=True, gap="small", key="side-by-side"):
        title, button = st.columns([3, 2], vertical_alignment="center")
        title.markdown("**Two variants side by side**", help=_HELP)
        with button:
            _draw_button(shown, pinned)
        st.markdown(_NOTHING if pinned is None else _difference(network, shown, pinned))
        st.markdown(_table(network, shown, pinned))


def _draw_button(shown: pd.Series, pinned: pd.Series | None) -> None:
    if pinned is None:
        st.button("Pin this variant", icon=":material/keep:", width="stretch",
                  on_click=_pin, args=(_name(shown),))  # fmt: skip
    else:
        st.button("Unpin", icon=":material/keep_off:", width="stretch", on_click=_pin, args=(None,))


def _pin(name: str | None) -> None:
    st.session_state[PIN.key] = name
    address.touch()


def _name(row: pd.Series) -> str:
    return SEPARATOR.join(
        [*(str(row[part]) for part in _PARTS[:-1]), write.per_cent_in_address(row["sparsity"])]
    )


def _named(network: Network, text: str) -> str:
    """Check what the address asks for; raises a ValueError if it is no variant of the study."""
    row = _row(network, text)
    if row is None:
        raise ValueError(text)
    return _name(row)


def _row(network: Network, name: str) -> pd.Series | None:
    parts = name.split(SEPARATOR)
    if len(parts) != len(_PARTS):
        return None
    summary = network.figures.summary
    for part, wanted in zip(_PARTS[:-1], parts[:-1], strict=True):
        summary = summary[summary[part] == wanted]
    same = [write.per_cent_in_address(level) == parts[-1] for level in summary["sparsity"]]
    found = summary[same]
    return None if found.empty else found.iloc[0]


def _table(network: Network, shown: pd.Series, pinned: pd.Series | None) -> str:
    """Return the figures of both as a table in Markdown."""
    columns = [_column(network, pinned), _column(network, shown)]
    lines = [_line(name, *(column.get(name, _DASH) for column in columns)) for name in columns[1]]
    return "\n".join(["| | Pinned | Shown |", "|:--|:--|:--|", *lines])


def _line(*cells: str) -> str:
    return "| " + " | ".join(f":small[{cell}]" for cell in cells) + " |"


def _column(network: Network, row: pd.Series | None) -> dict[str, str]:
    if row is None:
        return {}
    named = "" if row["model"] == network.model else f"{network.study.title_of(row['model'])}, "
    figures = {cell.label: f"{cell.value}" for cell in cells(row, None)}
    return {"Variant": write.literally(named + name_variant(row)), **figures}


def _difference(network: Network, shown: pd.Series, pinned: pd.Series) -> str:
    """Say how far the two are apart, and whether that is more than noise."""
    if shown.name == pinned.name:
        return ":small[This is the pinned variant itself; choose another to compare.]"
    study = network.study
    first = Network(study, network.figures, str(pinned["model"])).files(pinned)
    paired, p_value = read_two(study, first, network.files(shown))
    if not paired.runs:
        return ":small[The two have no run in common, so their AUC cannot be paired.]"
    return f":small[{_sentence(paired)} {_mcnemar(p_value)}]"


def _sentence(paired: Paired) -> str:
    runs = "the one run" if paired.runs == 1 else f"each of {paired.runs} runs"
    amount = f"Shown less pinned, within {runs}: AUC **{write.difference(paired.difference)}**"
    if not math.isfinite(paired.low):
        return f"{amount}; its interval is not known."
    end = ", **n.s.**" if paired.low <= 0 <= paired.high else "."
    return f"{amount} (95 % interval {write.interval(paired.low, paired.high)}){end}"


def _mcnemar(p_value: float) -> str:
    return f"McNemar p = {p_value:.2g}."
