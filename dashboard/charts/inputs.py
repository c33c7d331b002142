"""What does the network get? One recording as its front-end hands it on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dashboard.charts import before_after, empty_figure, signal, value_axis
from edac_core.previews import Preview

FloatArray = npt.NDArray[np.float32]

_MARGIN = {"l": 58, "r": 12, "t": 48, "b": 40}
_COLOUR = "#6E7781"


def draw_pictured(preview: Preview, *, ink: str | None = None) -> go.Figure:
    """Draw the input of a network that takes a picture, or coefficients over time.

    Parameters
    ----------
    preview
        Of the recording as it is.
    ink
        The colour of the words.
    """
    numbers = " x ".join(str(size) for size in preview.features.shape if size > 1)
    if preview.features.shape[-1] == 1:
        pair, unit = before_after.coefficients(preview, preview), "numbers (MFCC)"
    else:
        pair, unit = before_after.inputs(preview, preview), "numbers (a mel picture)"
    title = f"What does the network get? {numbers} {unit}"
    return signal.draw_picture(pair.pictures[0], title=title, legend=pair.legend, ink=ink)


def draw_functionals(values: FloatArray, *, ink: str | None = None) -> go.Figure:
    """Draw the input of a network that takes ComParE's functionals.

    Parameters
    ----------
    values
        Shape (n,); from thousandths to millions, so that the axis is an inverse hyperbolic sine.
    ink
        The colour of the words.
    """
    squeezed = np.arcsinh(values)
    shown = signal.envelope(squeezed, sample_rate=1)
    question = f"What does the network get? {len(values):,} numbers (ComParE)"
    note = "Summaries of pitch, loudness, spectrum and voice over the whole recording"
    figure = empty_figure(question, margin=_MARGIN, legend=note, ink=ink)
    figure.add_scatter(
        x=np.concatenate([shown.seconds, shown.seconds[::-1]]),
        y=np.concatenate([shown.high, shown.low[::-1]]),
        mode="lines", line={"width": 0.7, "color": _COLOUR}, fill="toself", hoverinfo="skip",
    )  # fmt: skip
    figure.update_xaxes(title="Number of the functional", range=[0, len(values)], showgrid=False)
    figure.update_yaxes(value_axis(squeezed.tolist(), title="asinh of its value"))
    return figure
