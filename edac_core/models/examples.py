"""Labelled features, as training and scoring take them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Targets = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Examples:
    """Features (n, *shape) and labels (n,), 1 positive and 0 negative, of one set.

    `targets` (n,) are the probabilities to learn in the place of labels, if there are any.
    """

    features: Features
    labels: Labels
    targets: Targets | None = None
