"""Whether a converted file still computes what its network does.

A conversion may go wrong without an error: LiteRT loads the file and scores every recording alike,
or nearly right. What is asked here is whether the file is that network at this precision, not
whether it is any good: rounding may cost what it costs, and is measured elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from edac_core.errors import ModelError
from edac_core.runtime import Variant

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far scores may be from those of the network.

    Parameters
    ----------
    mean, largest
        Most that they may differ by, over the recordings.
    span
        Range of the network's scores from which on the file's may not all be the same.
    order
        Least rank correlation (Spearman), where the network's scores have a standard deviation
        of `_ORDERED` or more.
    """

    mean: float
    largest: float
    span: float
    order: float


LIMITS = {
    "float32": Limits(mean=1e-4, largest=1e-4, span=1e-3, order=0.99),
    "float16": Limits(mean=0.02, largest=0.15, span=1e-3, order=0.99),
    "int8": Limits(mean=0.06, largest=0.5, span=1e-3, order=0.9),
    "int8_full": Limits(mean=0.1, largest=0.6, span=4 / 256, order=0.9),
    "int16x8": Limits(mean=0.06, largest=0.5, span=1e-3, order=0.9),
    "int4_weights": Limits(mean=0.2, largest=0.9, span=1e-3, order=0.7),
}
"""By precision, some three times what was seen of sound files.

Files in float16 of 134 trained and pruned networks were at most 0.004 off on average and 0.034
anywhere, with a rank correlation of 0.9999; in int8, 133 sound files were 0.017 and 0.15 off, with
0.98 where scores had a standard deviation above 0.01. In 23 files that were dead (dense networks
in int8 whose normalisation the converter had folded) all scores were equal, where those of the
network spanned 0.0016 to 0.94; their mean difference was as little as 0.0006, so that no limit on
it tells them. Networks pruned to death are constant before and after, and those whose scores
span less than 0.001 can lose their order to rounding alone (0.19 was seen).

Of each precision besides there were a few trained networks: in int8_full the CNN was 0.022 off on
average and 0.20 anywhere, with a rank correlation of 0.997, and the CNN-LSTM had 0.977; the output
has 256 levels, so that a span of a few can vanish. In int16x8 the CNN was 0.001 and 0.04 off; in
int4_weights it was 0.042 and 0.14 off, the CNN-LSTM and dense A less, with 0.98 or more. Refused by
this are dense A in int8_full (all scores equal) and in int16x8 (three values, correlation 0.42),
and the CNN-LSTM in int16x8 (standard deviation 0.002 for 0.011, correlation 0.88).
"""

_ORDERED = 0.01


def require_agreement(model: Any, converted: bytes, precision: str, features: FloatArray) -> None:
    """Raise unless LiteRT's scores of a file are those of the network it was made of.

    Parameters
    ----------
    model
        The ``tf_keras.Model`` that was converted, or one of the same function.
    converted
        The contents of the .tflite file.
    precision
        Which decides how far scores may be apart; see `LIMITS`.
    features
        Shape (n, *input_shape): real recordings, unlike ones. Some tens do.

    Raises
    ------
    ModelError
        If the file cannot be loaded, or its scores are others.
    """
    expected = model.predict(features, verbose=0)[:, -1]
    scores = Variant(converted).score(features)
    reason = _disagreement(expected, scores, LIMITS[precision])
    if reason:
        raise ModelError(
            f"The {precision} file of {model.name!r} is not the network that was converted: "
            f"{reason}; leave this precision out."
        )


def _disagreement(expected: FloatArray, scores: FloatArray, limits: Limits) -> str:
    """Return in what way scores are not the expected ones; empty if they are."""
    apart = np.abs(scores - expected)
    largest, mean = float(apart.max()), float(apart.mean())
    if not (largest <= limits.largest and mean <= limits.mean):
        return (
            f"scores differ by up to {largest:.2g} and by {mean:.2g} on average, where "
            f"{limits.largest:.2g} and {limits.mean:.2g} are allowed"
        )
    if np.ptp(scores) == 0:
        return _flatness(expected, limits, largest=largest)
    return _disorder(expected, scores, limits, largest=largest)


def _flatness(expected: FloatArray, limits: Limits, *, largest: float) -> str:
    span = float(np.ptp(expected))
    if span <= limits.span:
        return ""
    return (
        f"it scores all recordings alike, up to {largest:.2g} off, where the network's scores span "
        f"{span:.2g} and {limits.span:.2g} is allowed"
    )


def _disorder(expected: FloatArray, scores: FloatArray, limits: Limits, *, largest: float) -> str:
    if expected.std() < _ORDERED:
        return ""
    order = float(spearmanr(expected, scores).statistic)
    if order >= limits.order:
        return ""
    return (
        f"its scores are up to {largest:.2g} off and rank recordings otherwise (correlation "
        f"{order:.2f}, at least {limits.order:.2g} is asked)"
    )
