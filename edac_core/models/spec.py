"""What a network says about itself: what it hears, how it is trained, pruned and converted."""

from __future__ import annotations

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
        positive class (n, 1), or a softmax over negative and positive (n, 2).
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
        Returns the network to convert, of the same function and weights in the same order; None
        converts the one that was trained.
    compile_step
        Whether XLA compiles the whole training step. It pays where matrix products are all
        there is, and costs where there are convolutions.
    """

    name: str
    title: str
    frontend: str
    recipe: str
    build: Callable[[], Any]
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
    compile_step: bool = False

    def exported(self, model: Any) -> Any:
        """Return the network to convert in the place of a trained one."""
        return model if self.export is None else self.export(model)
