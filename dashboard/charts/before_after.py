"""A recording before and after a change, side by side, on the same axes and colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dashboard.charts import signal
from dashboard.charts.signal import Envelope, Picture
from edac_core.audio import SAMPLE_RATE
from edac_core.previews import Preview

SIDES = ("Before", "After")
SHOWN_DB = 80.0
"""What is further below the loudest cell of both spectrograms has the darkest colour."""

_QUIETEST_PEAK = 1e-3
_WAVE_HEIGHT, _SPECTROGRAM_HEIGHT, _INPUT_HEIGHT = 160, 270, 230
_AIR = 1.05
_COEFFICIENTS_MARKED = (1, 5, 10, 15)


@dataclass(frozen=True)
class Waves:
    """Two waveforms on the same axes.

    Parameters
    ----------
    envelopes
        Before and after.
    seconds, peak
        Where the axes end.
    """

    envelopes: tuple[Envelope, Envelope]
    seconds: float
    peak: float


@dataclass(frozen=True)
class Pictures:
    """Two pictures in the same colours.

    Parameters
    ----------
    question
        What they answer.
    pictures
        Before and after.
    legend
        What the colours mean.
    height
        In pixels on the screen.
    """

    question: str
    pictures: tuple[Picture, Picture]
    legend: str
    height: int


@dataclass(frozen=True)
class Row:
    """Two charts side by side."""

    name: str
    question: str
    height: int
    figures: tuple[go.Figure, go.Figure]


def rows(before: Preview, after: Preview, *, ink: str | None = None) -> list[Row]:
    """Draw all there is to see of a recording before and after a change."""
    shown = {
        "spectrogram": spectrograms(before, after),
        "mfcc": coefficients(before, after),
        "input": inputs(before, after),
    }
    pictures = [_picture_row(name, pair, ink=ink) for name, pair in shown.items()]
    return [_wave_row(waves(before, after), ink=ink), *pictures]


def waves(before: Preview, after: Preview) -> Waves:
    """Return the waveforms."""
    both = (before.waveform, after.waveform)
    envelopes = [signal.envelope(wave, sample_rate=SAMPLE_RATE) for wave in both]
    loudest = max(float(np.abs(wave).max()) for wave in both)
    return Waves(
        (envelopes[0], envelopes[1]),
        # The CNN's window begins with the recording, so its pictures can stand on the same seconds.
        seconds=max(before.seconds, *(len(wave) / SAMPLE_RATE for wave in both)),
        peak=max(loudest, _QUIETEST_PEAK) * _AIR,
    )


def spectrograms(before: Preview, after: Preview) -> Pictures:
    """Return the mel spectrograms, with a hertz axis."""
    both = (before.spectrogram, after.spectrogram)
    high = max(float(each.max()) for each in both)
    low = max(min(float(each.min()) for each in both), high - SHOWN_DB)
    pictures = [
        Picture(
            signal.coloured(preview.spectrogram, low=low, high=high),
            preview.seconds, len(preview.spectrogram), _time_title(preview), "Frequency (Hz)",
            [(band, f"{hertz:,}") for band, hertz in preview.hertz],
        )
        for preview in (before, after)
    ]  # fmt: skip
    return Pictures(
        "which frequencies sound, and when?", (pictures[0], pictures[1]),
        signal.colour_legend(_decibels(low), _decibels(high)), _SPECTROGRAM_HEIGHT,
    )  # fmt: skip


def coefficients(before: Preview, after: Preview) -> Pictures:
    """Return the MFCC, each coefficient on a scale of its own: the first dwarfs all others."""
    both = np.stack([before.coefficients, after.coefficients])
    low, high = both.min(axis=(0, 1)), both.max(axis=(0, 1))
    scaled = (both - low) / np.where(high > low, high - low, 1)
    pictures = [
        _coefficient_picture(signal.coloured(each.T, low=0, high=1), preview)
        for each, preview in zip(scaled, (before, after), strict=True)
    ]
    return Pictures(
        "what is the shape of the spectrum? (MFCC)", (pictures[0], pictures[1]),
        signal.colour_legend("each coefficient's lowest", "highest"), _INPUT_HEIGHT,
    )  # fmt: skip


def inputs(before: Preview, after: Preview) -> Pictures:
    """Return what the network gets, number by number: coefficients, or the picture itself."""
    if before.features.shape[-1] == 1:
        return _coefficient_inputs(before, after)
    pictures = [_image(before), _image(after)]
    height, width, _ = before.features.shape
    return Pictures(
        f"what does the network get? {height} x {width} pixels", (pictures[0], pictures[1]),
        signal.colour_legend(f"{SHOWN_DB:.0f} dB below the loudest", "the loudest"),
        _INPUT_HEIGHT,
    )  # fmt: skip


def explain_input(preview: Preview) -> str:
    """Say in words how the network's input relates to the other pictures."""
    if preview.features.shape[-1] == 1:
        return (
            "The last two rows show the same numbers: first each coefficient on a scale of its "
            "own, then all on one, as the network gets them. The first coefficient, loudness, is "
            "far from all others."
        )
    return (
        "The last row is the network's input itself: the red, green and blue of its pixels, from "
        "0 to 1, are the numbers that it gets. The recording stands in the middle of its window."
    )


def _coefficient_inputs(before: Preview, after: Preview) -> Pictures:
    both = (before.features[..., 0], after.features[..., 0])
    low, high = min(float(each.min()) for each in both), max(float(each.max()) for each in both)
    pictures = [
        _coefficient_picture(signal.coloured(each.T, low=low, high=high), preview)
        for each, preview in zip(both, (before, after), strict=True)
    ]
    frames, count = both[0].shape
    return Pictures(
        f"what does the network get? {frames} x {count} numbers", (pictures[0], pictures[1]),
        signal.colour_legend(_whole(low), _whole(high)), _INPUT_HEIGHT,
    )  # fmt: skip


def _coefficient_picture(pixels: npt.NDArray[np.uint8], preview: Preview) -> Picture:
    marks = [(number - 0.5, str(number)) for number in _COEFFICIENTS_MARKED]
    seconds = preview.seconds * pixels.shape[1] / preview.spectrogram.shape[1]
    return Picture(pixels, seconds, len(pixels), "Time (s)", "Coefficient", marks)


def _image(preview: Preview) -> Picture:
    height = len(preview.features)
    bands = len(preview.spectrogram)
    # The image's first row is its top.
    pixels = np.rint(255 * preview.features[::-1]).astype(np.uint8)
    marks = [(band * height / bands, f"{hertz:,}") for band, hertz in preview.hertz]
    return Picture(pixels, preview.seconds, height, _time_title(preview), "Frequency (Hz)", marks)


def _time_title(preview: Preview) -> str:
    """Say which time it is: the picture of the CNN-LSTM has the recording in its middle."""
    return "Time (s)" if preview.features.shape[-1] == 1 else "Time in the network's window (s)"


def _decibels(value: float) -> str:
    return f"{_whole(value)} dB"


def _whole(value: float) -> str:
    return f"{value:.0f}".replace("-", "\N{MINUS SIGN}")


def _wave_row(pair: Waves, *, ink: str | None) -> Row:
    question = "when is it loud?"
    figures = [
        signal.draw_envelope(
            each, title=f"{side}: {question}", seconds=pair.seconds, peak=pair.peak, ink=ink
        )
        for side, each in zip(SIDES, pair.envelopes, strict=True)
    ]
    return Row("waveform", question, _WAVE_HEIGHT, (figures[0], figures[1]))


def _picture_row(name: str, pair: Pictures, *, ink: str | None) -> Row:
    figures = [
        signal.draw_picture(each, title=f"{side}: {pair.question}", legend=pair.legend, ink=ink)
        for side, each in zip(SIDES, pair.pictures, strict=True)
    ]
    return Row(name, pair.question, pair.height, (figures[0], figures[1]))
