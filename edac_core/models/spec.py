"""What a network says about itself: what it hears, how it is trained and pruned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A network and the recipe that trains it.

    Parameters
    ----------
    name
        The name used in plans.
    title
        The name shown to people.
    frontend
        The front-end whose output the network takes.
    build
        Returns a new, untrained ``tf_keras.Model``.
    optimizer
        Returns a new optimiser, as the paper used it.
    batch_size
        Recordings a training step.
    epochs
        Most epochs of baseline training.
    patience
        Epochs without a lower validation loss after which baseline training stops.
    fine_tuning_epochs
        Epochs of training while a level is pruned.
    """

    name: str
    title: str
    frontend: str
    build: Callable[[], Any]
    optimizer: Callable[[], Any]
    batch_size: int
    epochs: int
    patience: int
    fine_tuning_epochs: int
