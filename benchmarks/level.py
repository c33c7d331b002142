"""One pruned level of the CNN, done by this project and done with plain tfmot.

Plain means as the paper's code does it: ``prune_low_magnitude``, ``compile``, ``fit``, three
conversions, and every test recording predicted by itself. Both start from the same weights, train
on the same arrays for the same number of epochs, and use all cores. Each run is a process of its
own, so that neither finds TensorFlow warm.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from edac_core.models import get_model
from edac_core.models.examples import Examples
from edac_core.studies.inputs import SplitInputs
from edac_core.studies.jobs import Job
from edac_core.studies.store import SplitRecord

SEED = 1234
_SETS = ("training", "validation", "test")


def save_inputs(path: Path, inputs: SplitInputs, baseline: list[Any]) -> None:
    """Write what both contestants read: the three sets and the baseline's weights."""
    arrays: dict[str, Any] = {f"weights_{index:02d}": w for index, w in enumerate(baseline)}
    for name in _SETS:
        examples: Examples = getattr(inputs, name)
        arrays |= {f"{name}_features": examples.features, f"{name}_labels": examples.labels}
    np.savez(path, groups=np.array(inputs.groups), **arrays)


def load_inputs(path: Path) -> tuple[SplitInputs, list[Any]]:
    """Read what `save_inputs` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        sets = {
            name: Examples(arrays[f"{name}_features"], arrays[f"{name}_labels"]) for name in _SETS
        }
        weights = [arrays[name] for name in sorted(arrays.files) if name.startswith("weights_")]
        groups = tuple(arrays["groups"])
    record = SplitRecord("bench", 0, pd.DataFrame())
    return SplitInputs(record=record, fingerprint="bench", groups=groups, **sets), weights


def ours(inputs: SplitInputs, weights: list[Any], job: Job) -> dict[str, Any]:
    """Do the level as a study does, all measurements and latency included."""
    from edac_core.measure.latency import measure_latency  # noqa: PLC0415 - timed by the caller
    from edac_core.measure.size import unpack  # noqa: PLC0415 - as above
    from edac_core.studies.work import pack_weights, run_job  # noqa: PLC0415 - as above

    result = run_job(job, inputs, pack_weights(weights))
    models = {variant.precision: unpack(variant.packed) for variant in result.variants}
    measure_latency(models, inputs.test.features[:100])
    return {
        variant.precision: {"auc": variant.auc.estimate, "zip_bytes": variant.size.zip_bytes}
        for variant in result.variants
    }


def plain_tfmot(inputs: SplitInputs, weights: list[Any], job: Job) -> dict[str, Any]:
    """Do the level as the paper's code does."""
    import tensorflow_model_optimization as tfmot  # noqa: PLC0415 - after the environment

    from edac_core.compress.pruning import make_schedule  # noqa: PLC0415 - timed by the caller
    from edac_core.models.backend import keras, tf  # noqa: PLC0415 - as above

    keras.utils.set_random_seed(SEED)
    model = get_model(job.model).build()
    model.set_weights(weights)
    steps = job.epochs * -(-len(inputs.training.labels) // job.batch_size)
    schedule = make_schedule(job.schedule, job.sparsity, steps=steps, frequency=job.frequency)
    pruned = tfmot.sparsity.keras.prune_low_magnitude(model, pruning_schedule=schedule)
    pruned.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy")
    pruned.fit(
        inputs.training.features, inputs.training.labels, batch_size=job.batch_size,
        epochs=job.epochs, callbacks=[tfmot.sparsity.keras.UpdatePruningStep()], verbose=0,
    )  # fmt: skip
    stripped = tfmot.sparsity.keras.strip_pruning(pruned)
    return {
        precision: _convert_and_predict(tf, stripped, precision, inputs)
        for precision in job.precisions
    }


def _convert_and_predict(
    tf: Any, model: Any, precision: str, inputs: SplitInputs
) -> dict[str, Any]:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - timed by the caller

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    content = converter.convert()
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    source, sink = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scores = []
    for recording in inputs.test.features:
        interpreter.set_tensor(source["index"], recording[np.newaxis])
        interpreter.invoke()
        scores.append(float(interpreter.get_tensor(sink["index"])[0, 0]))
    auc = float(roc_auc_score(inputs.test.labels, scores))
    return {"auc": auc, "zip_bytes": _zip_bytes(content)}


def _zip_bytes(content: bytes) -> int:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.tflite", content)
    return len(buffer.getvalue())


CONTESTANTS: dict[str, Callable[[SplitInputs, list[Any], Job], dict[str, Any]]] = {
    "ours": ours,
    "plain_tfmot": plain_tfmot,
}


def main() -> int:
    """Do one level and print its seconds and results as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("inputs", type=Path)
    parser.add_argument("job", type=json.loads)
    options = parser.parse_args()
    inputs, weights = load_inputs(options.inputs)
    job = Job(**{**options.job, "precisions": tuple(options.job["precisions"])})
    start = time.perf_counter()
    variants = CONTESTANTS[options.contestant](inputs, weights, job)
    seconds = time.perf_counter() - start
    sys.stdout.write(json.dumps({"seconds": seconds, "variants": variants}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
