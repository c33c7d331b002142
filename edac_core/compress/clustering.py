"""Weight clustering as tfmot does it (Han et al. 2016, "Deep Compression", section 3).

tfmot places the centroids. Its layers cannot be used for the rest: they know no LSTM of another
class, and compare every weight with every centroid in one array, of 16 times the network's size
and more, at every step. Here that is one compiled pass over the weights; the results are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edac_core.compress.pruning import prunable_weights
from edac_core.errors import PlanError
from edac_core.models.backend import tf
from edac_core.models.examples import Examples
from edac_core.models.spec import ModelSpec
from edac_core.models.training import Epoch, OnEpoch, Trainer, fine_tune

from tensorflow_model_optimization.python.core.clustering.keras import (  # isort: skip
    clustering_centroids,
)

FEWEST, MOST = 3, 256
"""Centroids of a kernel: negative, zero and positive at least; codes of one byte at most."""


def cluster(
    model: Any,
    spec: ModelSpec,
    training: Examples,
    *,
    centroids: int,
    epochs: int,
    batch_size: int,
    seed: int,
    keep_zeros: bool = False,
    on_epoch: OnEpoch | None = None,
) -> tuple[Any, tuple[Epoch, ...]]:
    """Let the weights of every kernel share a few values, and fine-tune those.

    The forward pass sees each weight's nearest centroid. A gradient moves the centroid and, as if
    nothing stood between them, the weight itself, which may so come to another centroid.

    Parameters
    ----------
    model
        A trained ``tf_keras.Model``. Its weights are changed in place.
    spec
        Gives the optimiser and the layers to leave alone, which are those that are never pruned.
    training
        The training set.
    centroids
        Most distinct values of a kernel, from 3 to 256.
    epochs
        Of fine-tuning.
    batch_size
        Recordings a step.
    seed
        Of the order of the recordings.
    keep_zeros
        Keep one centroid at zero and what is zero there, as after pruning.
    on_epoch
        Called after every epoch.

    Returns
    -------
    model : tf_keras.Model
        The one given.
    history : tuple of Epoch
        The losses.

    Raises
    ------
    PlanError
        If there are too few or too many centroids.
    """
    if not FEWEST <= centroids <= MOST:
        raise PlanError(
            f"Kernels cannot be clustered around {centroids} centroids; choose from {FEWEST} to "
            f"{MOST}."
        )
    trainer = Trainer(model, spec, training, batch_size=batch_size, seed=seed)
    clusterer = Clusterer(model, spec, centroids=centroids, keep_zeros=keep_zeros)
    history = fine_tune(
        trainer,
        range(1, epochs + 1),
        before_epoch=clusterer.begin_epoch,
        before_step=clusterer.before_step,
        after_gradients=clusterer.after_gradients,
        on_epoch=on_epoch,
    )
    clusterer.finish()
    return model, history


class Clusterer:
    """Keeps the kernels of a model clustered while it is fine-tuned.

    Between `before_step` and `after_gradients` the kernels hold centroids; otherwise the weights
    behind them, which the trainer's optimiser moves and its regularisers see.

    Parameters
    ----------
    model
        The network.
    spec
        Gives the optimiser that moves the centroids, a second one of the trainer's kind.
    centroids
        Of each kernel.
    keep_zeros
        Keep one centroid at zero, and what is nearest to it at first.
    """

    def __init__(self, model: Any, spec: ModelSpec, *, centroids: int, keep_zeros: bool) -> None:
        weights = prunable_weights(model, never=spec.never_pruned)
        places = {variable.ref(): at for at, variable in enumerate(model.trainable_variables)}
        self._places = [places[weight.ref()] for weight in weights]
        self._kernels = [
            _Kernel(weight, centroids=centroids, keep_zeros=keep_zeros) for weight in weights
        ]
        self._learning_rate = spec.learning_rate
        self._optimizer = spec.optimizer()
        self._optimizer.build([kernel.centroids for kernel in self._kernels])
        self._cluster = tf.function(self._cluster_kernels, jit_compile=True)
        self._move = tf.function(self._move_centroids)

    def begin_epoch(self, number: int) -> None:
        """Set the centroids' learning rate to that of the weights."""
        if self._learning_rate is not None:
            self._optimizer.learning_rate.assign(self._learning_rate(number))

    def before_step(self, step: int) -> None:  # noqa: ARG002 - the trainer passes it
        """Put each weight's nearest centroid in its place."""
        self._cluster()

    def after_gradients(self, gradients: list[Any]) -> list[Any]:
        """Move the centroids and put the weights back, for the optimiser to move as well."""
        self._move([gradients[place] for place in self._places])
        return gradients

    def finish(self) -> None:
        """Leave the kernels with the values of their centroids."""
        self._cluster()

    def _cluster_kernels(self) -> None:
        for kernel in self._kernels:
            kernel.cluster()

    def _move_centroids(self, gradients: Sequence[Any]) -> None:
        pairs = list(zip(self._kernels, gradients, strict=True))
        self._optimizer.apply_gradients(
            [(kernel.sum_by_centroid(gradient), kernel.centroids) for kernel, gradient in pairs],
            skip_gradients_aggregation=True,
        )
        for kernel in self._kernels:
            kernel.restore()


class _Kernel:
    """One kernel: its centroids, which of them each weight is nearest to, and those weights."""

    def __init__(self, variable: Any, *, centroids: int, keep_zeros: bool) -> None:
        values = variable.numpy()
        initial = initial_centroids(values, centroids, keep_zeros=keep_zeros)
        self.centroids = tf.Variable(initial)
        self._variable = variable
        self._weights = tf.Variable(values, trainable=False)
        self._codes = tf.Variable(tf.zeros(values.shape, tf.uint8), trainable=False)
        self._centroid_kept = tf.constant(initial != 0) if keep_zeros else None
        self._weight_kept = _nearest(tf.constant(values), initial)[1] != 0 if keep_zeros else None

    def cluster(self) -> None:
        weights = self._variable.read_value()
        if self._weight_kept is not None:
            weights = tf.where(self._weight_kept, weights, 0.0)
            self.centroids.assign(tf.where(self._centroid_kept, self.centroids, 0.0))
        codes, values = _nearest(weights, self.centroids)
        self._weights.assign(weights)
        self._codes.assign(codes)
        self._variable.assign(values)

    def restore(self) -> None:
        self._variable.assign(self._weights)

    def sum_by_centroid(self, gradient: Any) -> Any:
        # Row by row: over a flat array, threads add up in an order of their own, and floating
        # point gives another sum every time.
        rows = (-1, gradient.shape[-1])
        sums = tf.raw_ops.DenseBincount(
            input=tf.reshape(tf.cast(self._codes, tf.int32), rows),
            size=self.centroids.shape[0],
            weights=tf.reshape(gradient, rows),
        )
        return tf.reduce_sum(sums, axis=0)


def initial_centroids(
    weights: npt.NDArray[np.float32], count: int, *, keep_zeros: bool
) -> npt.NDArray[np.float32]:
    """Space the centroids of a kernel evenly over its weights, as tfmot's linear choice does.

    So they resolve the large weights, on which most depends (Han et al. 2016, section 3.2), and
    leave the crowd of small ones to a single value. tfmot's default, k-means++, crowds its
    centroids among weights that int8 would round to zero. Measured on the CNN, trained on
    covid19-cough, with 16 centroids, zeros kept and 3 epochs: zip of the int8 file 77 kB for
    446 kB (428 kB before), AUC on one split's validation set 0.786 for 0.764 (0.786 before).

    Parameters
    ----------
    weights
        Of any shape.
    count
        Centroids. A kernel of fewer weights has one for each of their values.
    keep_zeros
        Make one centroid zero.

    Returns
    -------
    numpy.ndarray
        Shape (count,) or less.
    """
    eligible = weights[weights != 0] if keep_zeros else weights
    if eligible.size < count:
        return np.unique(np.append(eligible, np.float32(0)) if keep_zeros else eligible)
    initialisation = clustering_centroids.LinearCentroidsInitialisation(
        tf.constant(weights), count, preserve_sparsity=keep_zeros
    )
    placed: npt.NDArray[np.float32] = initialisation.get_cluster_centroids().numpy()
    return placed


def _nearest(weights: Any, centroids: Any) -> tuple[Any, Any]:
    """Return the position and the value of each weight's nearest centroid, the first if tied."""
    nearest = tf.abs(weights - centroids[0])
    codes = tf.zeros(weights.shape, tf.uint8)
    values = tf.fill(weights.shape, centroids[0])
    for code in range(1, centroids.shape[0]):
        distance = tf.abs(weights - centroids[code])
        nearer = distance < nearest
        nearest = tf.where(nearer, distance, nearest)
        codes = tf.where(nearer, tf.constant(code, tf.uint8), codes)
        values = tf.where(nearer, centroids[code], values)
    return codes, values
