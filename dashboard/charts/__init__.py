"""Charts, each in two functions: what to draw, as plain frames, and drawing it (Vega-Lite).

Specifications do not change with the slider; only the small data set "chosen" does, so that a
chart on the page is updated in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

_NARROW = 10
PADDING = {"left": 0, "top": 2, "right": 10, "bottom": 0}
TOOLTIP = {"field": "sentence", "type": "nominal"}


def compact(ink: str | None) -> dict[str, Any]:
    """Return a configuration that leaves the room to the data.

    Parameters
    ----------
    ink
        The colour of the words, if not that of Streamlit's own chart theme.
    """
    words = {} if ink is None else {"labelColor": ink, "titleColor": ink}
    return {
        "title": {"offset": 8, "fontSize": 15},
        "axis": {"titlePadding": 6, "labelPadding": 4, **words},
        "legend": {
            "offset": 4,
            "padding": 0,
            "symbolOpacity": 1,
            "columnPadding": 14,
            **words,
        },
    }


def size_axis(sizes: Iterable[float], *, title: str, steps: Sequence[int]) -> dict[str, Any]:
    """Return a logarithmic axis of bytes, with marks at these steps of each power of ten.

    Sizes that lie close together get more marks, so that at least one is among them.
    """
    known = [size for size in sizes if size > 0] or [1e6]
    if max(known) < _NARROW * min(known):
        steps = (1, 2, 5)
    marks = [step * 10**power for power in range(2, 9) for step in steps]
    shown = [mark for mark in marks if min(known) / 10 <= mark <= max(known) * 10]
    label = "datum.value < 1e6 ? datum.value / 1e3 + ' kB' : datum.value / 1e6 + ' MB'"
    return {"title": title, "values": shown, "labelExpr": label}
