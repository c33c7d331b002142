"""What a worker does for one job: train, compress, convert, score, weigh."""

from __future__ import annotations

import gc
import hashlib
import io
import os
import time
from dataclasses import asdict
from typing import Any

import numpy as np

from edac_core.compress import REFERENCE_PRECISION
from edac_core.compress.agreement import require_agreement
from edac_core.compress.pruning import count_of, prunable_weights
from edac_core.compress.workshop import Bench, Piece, do, plain, spread
from edac_core.errors import EdacError, ModelError
from edac_core.measure.discrimination import auc_interval, auc_within, decide, youden_threshold
from edac_core.measure.latency import machine
from edac_core.measure.memory import PeakMemory
from edac_core.measure.size import pack, size_of
from edac_core.models import ModelSpec
from edac_core.models.backend import give_back_memory, keras, tf
from edac_core.models.training import Epoch, OnEpoch, seed_everything, train
from edac_core.runtime import Variant
from edac_core.studies.inputs import SplitInputs
from edac_core.studies.jobs import Job, versions
from edac_core.studies.store import JobResult, Scores, VariantResult

_OUTPUTS = ((1,), (2,))
# LiteRT takes a second a recording where it has no fast operators.
_COMPARED = 64


def run_job(
    job: Job,
    inputs: SplitInputs,
    start: bytes | None = None,
    *,
    on_epoch: OnEpoch | None = None,
) -> JobResult:
    """Train a baseline, or compress another job's network, and measure what comes of it.

    Parameters
    ----------
    job
        What to do.
    inputs
        The recordings' features.
    start
        The weights to start from, as their own job handed them back. A baseline that has them was
        trained before, and is only converted and measured.
    on_epoch
        Called after every epoch.

    Returns
    -------
    JobResult
        One variant a precision, or why there is none; `weights` only if another job may start
        from them.

    Raises
    ------
    ModelError
        If the network does not take the features, diverges, does not allow a method, or has no
        float32 variant to compare with.
    """
    begun = time.perf_counter()
    memory = PeakMemory()
    spec = job.spec
    seed_everything(job.training_seed)
    model = spec.build()
    _check_network(model, job, inputs)
    full = count_of(prunable_weights(model, never=spec.never_pruned))
    piece = plain(model, _bench(job, inputs, on_epoch))
    if start is not None or not job.is_baseline:
        model.set_weights(unpack_weights(_required(start, job)))
    else:
        piece = piece.after(model, _train_baseline(model, spec, job, inputs, on_epoch))
    for step in job.steps:
        piece = do(piece, step, _bench(job, inputs, on_epoch))
    del model
    _free_memory()
    left = piece.count_weights(spec)
    variants, refusals = _variants(piece, job, inputs)
    result = JobResult(
        variants=variants,
        refusals=refusals,
        achieved_sparsity=1 - left / full,
        seconds=time.perf_counter() - begun,
        history=tuple(asdict(epoch) for epoch in piece.history),
        weights=_weights_to_keep(piece.model, job),
        environment=_environment() | {"peak_memory_mb": memory.megabytes()},
    )
    _free_memory()
    return result


def pack_weights(weights: list[Any], *, compress: bool = False) -> bytes:
    """Store arrays as NPZ, in order; compressing pays where most of them are zero."""
    buffer = io.BytesIO()
    save = np.savez_compressed if compress else np.savez
    save(buffer, **{f"{index:04d}": weight for index, weight in enumerate(weights)})
    return buffer.getvalue()


def unpack_weights(data: bytes) -> list[Any]:
    """Read arrays that `pack_weights` stored."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return [arrays[name] for name in sorted(arrays.files)]


def _free_memory() -> None:
    """Let go of the optimiser's state and of compiled steps, which TensorFlow keeps in caches.

    It is twice the weights and more, and the converter is about to copy the weights.
    """
    keras.backend.clear_session()
    gc.collect()
    give_back_memory()


def _required(start: bytes | None, job: Job) -> bytes:
    if start is None:
        raise ModelError(
            f"The weights that {job.describe()} starts from are not in this store; use another "
            "--cache folder, where they will be made."
        )
    return start


def _weights_to_keep(model: Any, job: Job) -> bytes | None:
    """Return what other jobs may start from, if any may."""
    if not job.goes_on:
        return None
    return pack_weights(model.get_weights(), compress=not job.is_baseline)


def _check_network(model: Any, job: Job, inputs: SplitInputs) -> None:
    _check_shapes(model, job, inputs)
    if not prunable_weights(model, never=job.spec.never_pruned):
        raise ModelError(
            f"The model {job.model!r} has no weights to prune; use layers that tfmot prunes, or "
            "give yours a method get_prunable_weights."
        )
    if any(getattr(layer, "activity_regularizer", None) for layer in model.submodules):
        raise ModelError(
            f"The model {job.model!r} regularises activities, which pruning cannot train with; "
            "regularise weights instead."
        )


def _check_shapes(model: Any, job: Job, inputs: SplitInputs) -> None:
    takes, given = model.input_shape[1:], inputs.training.features.shape[1:]
    if tuple(takes) != given:
        raise ModelError(
            f"The model {job.model!r} takes {takes} but its front-end {job.spec.frontend!r} gives "
            f"{given}; build it with that input, or name another front-end."
        )
    if tuple(model.output_shape[1:]) not in _OUTPUTS:
        raise ModelError(
            f"The model {job.model!r} gives {model.output_shape[1:]}; end it in one sigmoid or a "
            "softmax over two classes."
        )


def _train_baseline(
    model: Any, spec: ModelSpec, job: Job, inputs: SplitInputs, on_epoch: OnEpoch | None
) -> tuple[Epoch, ...]:
    return train(
        model,
        spec,
        inputs.training,
        inputs.validation,
        batch_size=job.batch_size,
        epochs=job.epochs,
        patience=job.patience,
        seed=job.training_seed,
        on_epoch=on_epoch,
    ).history


def _bench(job: Job, inputs: SplitInputs, on_epoch: OnEpoch | None) -> Bench:
    return Bench(
        spec=job.spec,
        training=inputs.training,
        validation=inputs.validation,
        seed=job.training_seed,
        epochs=job.epochs,
        batch_size=job.batch_size,
        training_epochs=job.training_epochs,
        patience=job.patience,
        training_batch_size=job.training_batch_size,
        frequency=job.frequency,
        initial_sparsity=job.initial_sparsity,
        end_on_update=job.decay_end == "last update",
        rewrite=job.graph == "rewritten",
        on_epoch=on_epoch,
    )


def _variants(
    piece: Piece, job: Job, inputs: SplitInputs
) -> tuple[tuple[VariantResult, ...], dict[str, str]]:
    """Make the variant of each precision, or say why there is none."""
    variants, refusals = [], {}
    for precision in job.precisions:
        try:
            variants.append(_measure(piece, precision, inputs))
        except EdacError as error:
            if job.is_baseline and precision == REFERENCE_PRECISION:
                raise
            refusals[precision] = str(error)
    return tuple(variants), refusals


def _measure(piece: Piece, precision: str, inputs: SplitInputs) -> VariantResult:
    converted = piece.convert(piece.model, precision)
    examples = spread(inputs.validation.features, most=_COMPARED)
    require_agreement(piece.model, converted, precision, examples)
    packed = pack(converted)
    variant = Variant(converted)
    scores = Scores(variant.score(inputs.validation.features), variant.score(inputs.test.features))
    threshold = youden_threshold(inputs.validation.labels, scores.validation)
    return VariantResult(
        precision=precision,
        packed=packed,
        sha256=hashlib.sha256(converted).hexdigest(),
        size=size_of(converted, packed=packed),
        scores=scores,
        auc=auc_interval(inputs.test.labels, scores.test),
        groups=auc_within(inputs.test.labels, scores.test, inputs.groups),
        decision=decide(inputs.test.labels, scores.test, threshold=threshold),
    )


def _environment() -> dict[str, Any]:
    return {
        "versions": dict(versions()),
        "machine": machine(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "onednn": os.environ["TF_ENABLE_ONEDNN_OPTS"],
    }
