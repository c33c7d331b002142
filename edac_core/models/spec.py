"""What a network says about itself: what it hears, how it is trained, pruned and converted."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Keep = Literal["lowest loss", "highest accuracy", "last"]


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A network and the recipe that trains it.

    Parameters
    ----------
    name
        The name used in plans and results.
    title
        The name shown to people.
    frontend
        The front-end whose output the network takes; one of `edac_core.frontends.FRONTENDS`.
    recipe
        How the network's paper makes its sets; one of `edac_core.studies.protocols.RECIPES`.
    build
        Returns a new, untrained ``tf_keras.Model`` with one output: the probability of the
        positive class (n, 1), or a softmax over negative and positive (n, 2). With a keyword
        `width` it also makes networks whose layers, but the last, have that share of their units.
    optimizer
        Returns a new optimiser, as the paper used it.
    batch_size
        Recordings a step of baseline training.
    epochs
        Most epochs of baseline training.
    patience
        Epochs without a lower validation loss after which baseline training stops; None
        trains all epochs.
    keep
        Which epoch's weights become the baseline, judged on the validation set.
    fine_tuning_epochs, fine_tuning_batch_size
        Of the training while a level is pruned.
    learning_rate
        The rate of each epoch, the first being 1; None leaves it as `optimizer` set it.
    never_pruned
        Names of layers that pruning leaves alone, besides those that it does not know.
    export
        Returns the paper's graph of a trained network, of the same function and weights in the
        same order; None if it is the one that was trained.
    rewrite
        Returns the graph to put on a device, of the same function; None if it is the paper's.
    compile_step
        Whether XLA compiles the whole training step. It pays where matrix products are all
        there is, and costs where there are convolutions.
    """

    name: str
    title: str
    frontend: str
    recipe: str
    build: Callable[..., Any]
    optimizer: Callable[[], Any]
    batch_size: int
    epochs: int
    patience: int | None
    keep: Keep = "lowest loss"
    fine_tuning_epochs: int
    fine_tuning_batch_size: int
    learning_rate: Callable[[int], float] | None = None
    never_pruned: tuple[str, ...] = ()
    export: Callable[[Any], Any] | None = None
    rewrite: Callable[[Any], Any] | None = None
    compile_step: bool = False

    @property
    def has_widths(self) -> bool:
        """Whether the network can be built with fewer units."""
        return "width" in inspect.signature(self.build).parameters

    def exported(self, model: Any) -> Any:
        """Return the paper's graph of a trained network."""
        return model if self.export is None else self.export(model)

    def rewritten(self, model: Any) -> Any:
        """Return the graph to put on a device."""
        return self.exported(model) if self.rewrite is None else self.rewrite(model)


def scaled(units: int, width: float) -> int:
    """Return a share of a number of units, at least one."""
    return max(round(units * width), 1)
