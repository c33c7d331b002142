"""One meaning, one look: how precisions, methods, papers and the chosen variant are drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import streamlit as st

from edac_core.compress import methods as compress

PAPER_COLOUR = "#858585"
"""What a paper published is hollow and grey."""

CHOSEN_COLOUR = "#C2519B"
"""The ring around the chosen variant, and the line at the slider's position."""


@dataclass(frozen=True)
class PrecisionLook:
    """How a precision is named and coloured (Okabe & Ito's palette)."""

    colour: str
    help: str


@dataclass(frozen=True)
class MethodLook:
    """How a method is drawn: the dash of its line and the shape of its points (Plotly's)."""

    dash: str
    shape: str
    help: str


PRECISIONS = {
    "float32": PrecisionLook("#0072B2", "32-bit weights, as trained"),
    "float16": PrecisionLook("#009E73", "weights rounded to 16 bits"),
    "int8": PrecisionLook("#D55E00", "weights rounded to 8 bits"),
    "int8_full": PrecisionLook("#56B4E9", "weights, activations, input and output in 8 bits"),
    "int16x8": PrecisionLook("#8B4513", "weights in 8 bits, all else in 16; slow here"),
    "int4_weights": PrecisionLook("#882255", "weights rounded to 4 bits"),
}

METHODS = {
    name: MethodLook(dash, shape, compress.METHODS[name].explanation)
    for name, dash, shape in (
        ("polynomial", "solid", "circle"),
        ("constant", "6px,4px", "square"),
        ("structured-taylor", "12px,3px", "triangle-up"),
        ("structured-norm", "12px,3px,3px,3px", "triangle-down"),
        ("width", "2px,2px", "star"),
        ("width-distilled", "2px,2px,8px,2px", "hexagram"),
        ("sensitive", "14px,4px,2px,4px", "triangle-right"),
        ("movement", "8px,2px,2px,2px,2px,2px", "pentagon"),
        ("block", "4px,4px", "cross"),
        ("rewritten", "solid", "hourglass"),
        ("round-to-zero", "solid", "triangle-left"),
        ("compaction", "solid", "diamond-tall"),
        ("cluster-16", "solid", "hexagon"),
        ("cluster-32", "solid", "hexagon2"),
        ("qat", "solid", "x"),
    )
}

INKS = {"light": "#3A424B", "dark": "#D5D9DE"}

_OTHER_PRECISION = PrecisionLook("#E69F00", "another precision")
_OTHER_METHOD = MethodLook("10px,3px,2px,3px", "bowtie", "a chain of methods")

PAPER_DASH = "2px,3px"
FRONT_COLOUR = "#6E7781"
UNPRUNED_SHAPE = "diamond"

MODELS = {
    "cnn": "CNN",
    "cnn_lstm": "CNN-LSTM",
    "dense_a": "Dense A",
    "dense_b": "Dense B",
    "dense_c": "Dense C",
}


def model_title(name: str) -> str:
    """Return a network's name for people."""
    return MODELS.get(name, name)


def in_order(found: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return names once each, in the order of the known ones; others follow by name."""
    rank = {name: position for position, name in enumerate(known)}
    return sorted(set(found), key=lambda name: (rank.get(name, len(rank)), name))


def precision_look(name: str) -> PrecisionLook:
    """Return how a precision is drawn; one that has no look of its own gets a common one."""
    return PRECISIONS.get(name, _OTHER_PRECISION)


def method_look(name: str) -> MethodLook:
    """Return how a method is drawn; one that has no look of its own gets a common one."""
    return METHODS.get(name, _OTHER_METHOD)


def ink() -> str | None:
    """Return the colour of words in charts: Streamlit's own is too faint on a light page."""
    return INKS.get(st.context.theme.type or "")
