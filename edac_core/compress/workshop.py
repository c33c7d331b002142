"""Doing what a recipe says: each of its steps takes a network and leaves one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edac_core.compress.clustering import cluster
from edac_core.compress.compaction import compact
from edac_core.compress.folding import fold_normalisation
from edac_core.compress.methods import Step
from edac_core.compress.movement import prune_by_movement
from edac_core.compress.pruning import (
    BLOCK_SIZE,
    make_schedule,
    nonzero_of,
    prunable_weights,
    prune,
)
from edac_core.compress.qat import QUANTIZED_PRECISION, convert_quantized, train_quantized
from edac_core.compress.quantization import convert
from edac_core.compress.rounding import round_to_zero
from edac_core.compress.sensitivity import shares_by_sensitivity
from edac_core.compress.structured import RankBy, shrink
from edac_core.compress.widths import narrow, taught
from edac_core.errors import ModelError
from edac_core.models import ModelSpec
from edac_core.models.examples import Examples, Features
from edac_core.models.training import Epoch, OnEpoch, Trainer, train

Convert = Callable[[Any, str], bytes]

_RANKINGS: Mapping[str, RankBy] = {"structured-norm": "norm", "structured-taylor": "taylor"}
_REPRESENTATIVE = 200


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the steps of a recipe work with.

    Parameters
    ----------
    spec
        The network.
    training, validation
        Only networks that are trained from scratch, and pruning by how much each layer minds it,
        look at the validation set.
    seed
        Of the order of examples.
    epochs, batch_size
        Of each step that fine-tunes.
    training_epochs, patience, training_batch_size
        Of training from scratch.
    frequency, initial_sparsity, end_on_update
        Of the polynomial schedule; see `make_schedule`.
    rewrite
        Whether the graph is rewritten for devices before it is converted.
    on_epoch
        Called after every epoch.
    """

    spec: ModelSpec
    training: Examples
    validation: Examples
    seed: int
    epochs: int
    batch_size: int
    training_epochs: int
    patience: int | None
    training_batch_size: int
    frequency: int
    initial_sparsity: float
    end_on_update: bool
    rewrite: bool = True
    on_epoch: OnEpoch | None = None


@dataclass(frozen=True)
class Piece:
    """A network on its way through a recipe, how it is converted, and what training it took.

    `nonzero_weights` are counted by a step that leaves a network in which they are not found.
    """

    model: Any
    convert: Convert
    history: tuple[Epoch, ...] = ()
    nonzero_weights: int | None = None

    def count_weights(self, spec: ModelSpec) -> int:
        """Count the prunable weights that are left and are not zero."""
        if self.nonzero_weights is not None:
            return self.nonzero_weights
        return nonzero_of(prunable_weights(self.model, never=spec.never_pruned))

    def after(self, model: Any, history: tuple[Epoch, ...] = ()) -> Piece:
        """Return what a step has made of it."""
        return replace(self, model=model, history=self.history + history)


def plain(model: Any, bench: Bench) -> Piece:
    """Take up a network as it was trained."""
    return Piece(model, lambda made, precision: _converted(made, precision, bench))


def do(piece: Piece, step: Step, bench: Bench) -> Piece:
    """Do one step of a recipe.

    Raises
    ------
    ModelError, PlanError
        If the network does not allow it.
    """
    return _DO[step.method](piece, step, bench)


def spread(features: Features, *, most: int) -> Features:
    """Choose recordings that stand for a set, spread evenly over it."""
    count = len(features)
    chosen: Features = features[np.linspace(0, count - 1, min(count, most)).astype(int)]
    return chosen


def _magnitude(piece: Piece, step: Step, bench: Bench) -> Piece:
    trainer = _trainer(piece.model, bench)
    schedule = _schedule(step.method, step, trainer, bench)
    history = prune(trainer, schedule, epochs=bench.epochs, on_epoch=bench.on_epoch)
    return piece.after(piece.model, history)


def _sensitive(piece: Piece, step: Step, bench: Bench) -> Piece:
    shares = shares_by_sensitivity(
        piece.model, bench.spec, bench.validation, sparsity=step.sparsity
    )
    trainer = _trainer(piece.model, bench)
    schedule = _schedule("polynomial", step, trainer, bench)
    history = prune(trainer, schedule, epochs=bench.epochs, on_epoch=bench.on_epoch, shares=shares)
    return piece.after(piece.model, history)


def _block(piece: Piece, step: Step, bench: Bench) -> Piece:
    trainer = _trainer(piece.model, bench)
    schedule = _schedule("polynomial", step, trainer, bench)
    history = prune(
        trainer, schedule, epochs=bench.epochs, on_epoch=bench.on_epoch, block_size=BLOCK_SIZE
    )
    return replace(
        piece.after(piece.model, history),
        convert=lambda made, precision: _converted(made, precision, bench, sparse=True),
    )


def _movement(piece: Piece, step: Step, bench: Bench) -> Piece:
    trainer = _trainer(piece.model, bench)
    schedule = _schedule("polynomial", step, trainer, bench)
    history = prune_by_movement(trainer, schedule, epochs=bench.epochs, on_epoch=bench.on_epoch)
    return piece.after(piece.model, history)


def _structured(piece: Piece, step: Step, bench: Bench) -> Piece:
    return piece.after(
        *shrink(
            piece.model,
            bench.spec,
            bench.training,
            sparsity=step.sparsity,
            rank_by=_RANKINGS[step.method],
            epochs=bench.epochs,
            batch_size=bench.batch_size,
            seed=bench.seed,
            on_epoch=bench.on_epoch,
        )
    )


def _width(piece: Piece, step: Step, bench: Bench) -> Piece:
    return _trained_small(piece, step, bench, bench.training)


def _width_distilled(piece: Piece, step: Step, bench: Bench) -> Piece:
    return _trained_small(piece, step, bench, taught(bench.training, piece.model))


def _trained_small(piece: Piece, step: Step, bench: Bench, examples: Examples) -> Piece:
    small = narrow(bench.spec, sparsity=step.sparsity)
    trained = train(
        small,
        bench.spec,
        examples,
        bench.validation,
        batch_size=bench.training_batch_size,
        epochs=bench.training_epochs,
        patience=bench.patience,
        seed=bench.seed,
        on_epoch=bench.on_epoch,
    )
    return piece.after(small, trained.history)


def _rewritten(piece: Piece, _step: Step, _bench: Bench) -> Piece:
    return piece


def _rounded(piece: Piece, _step: Step, bench: Bench) -> Piece:
    return piece.after(round_to_zero(piece.model, bench.spec))


def _compacted(piece: Piece, _step: Step, _bench: Bench) -> Piece:
    return piece.after(compact(piece.model))


def _clustered(piece: Piece, step: Step, bench: Bench) -> Piece:
    _, centroids = step.method.split("-")
    return piece.after(
        *cluster(
            piece.model,
            bench.spec,
            bench.training,
            centroids=int(centroids),
            epochs=bench.epochs,
            batch_size=bench.batch_size,
            seed=bench.seed,
            keep_zeros=True,
            on_epoch=bench.on_epoch,
        )
    )


def _quantized(piece: Piece, _step: Step, bench: Bench) -> Piece:
    model, history = train_quantized(
        piece.model,
        bench.spec,
        bench.training,
        epochs=bench.epochs,
        batch_size=bench.batch_size,
        seed=bench.seed,
        keep_zeros=True,
        on_epoch=bench.on_epoch,
    )
    # What tfmot wraps is not found; the zeros are those of before.
    left = piece.count_weights(bench.spec)
    return replace(piece.after(model, history), convert=_converted_as_trained, nonzero_weights=left)


def _converted_as_trained(model: Any, precision: str) -> bytes:
    if precision != QUANTIZED_PRECISION:
        raise ModelError(
            f"It was trained to be stored as {QUANTIZED_PRECISION}; it has no {precision} variant."
        )
    return convert_quantized(model)


def _converted(model: Any, precision: str, bench: Bench, *, sparse: bool = False) -> bytes:
    graph = bench.spec.exported(model)
    if bench.rewrite:
        graph = fold_normalisation(bench.spec.rewritten(model))
    return convert(
        graph,
        precision,
        representative=spread(bench.training.features, most=_REPRESENTATIVE),
        sparse=sparse,
    )


def _trainer(model: Any, bench: Bench) -> Trainer:
    return Trainer(model, bench.spec, bench.training, batch_size=bench.batch_size, seed=bench.seed)


def _schedule(name: str, step: Step, trainer: Trainer, bench: Bench) -> Any:
    return make_schedule(
        name,
        step.sparsity,
        steps=bench.epochs * trainer.steps_per_epoch,
        frequency=bench.frequency,
        initial_sparsity=min(bench.initial_sparsity, step.sparsity),
        end_on_update=bench.end_on_update,
    )


_DO: Mapping[str, Callable[[Piece, Step, Bench], Piece]] = {
    "polynomial": _magnitude,
    "constant": _magnitude,
    "sensitive": _sensitive,
    "movement": _movement,
    "block": _block,
    "structured-norm": _structured,
    "structured-taylor": _structured,
    "width": _width,
    "width-distilled": _width_distilled,
    "rewritten": _rewritten,
    "round-to-zero": _rounded,
    "compaction": _compacted,
    "cluster-16": _clustered,
    "cluster-32": _clustered,
    "qat": _quantized,
}
