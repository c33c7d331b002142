"""One pruned level of the CNN, done by this project and done with plain tfmot.

Plain means as the paper's code does it: ``prune_low_magnitude``, ``compile``, ``fit``, three
conversions, and every test recording predicted by itself. Both start from the same weights, train
on the same arrays for the same number of epochs, and use all cores. Each run is a process of its
own, so that neither finds TensorFlow warm. The files of the last runs are weighed and timed side by
side, by this project's own measures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table
from sklearn.metrics import roc_auc_score

from benchmarks.contest import SEED, Say, answer, run_alone, seconds_of, take_turns
from benchmarks.scoring import one_at_a_time
from edac_core.compress import DEFAULT_PRECISIONS
from edac_core.locations import local_cache
from edac_core.measure.latency import Latency, measure_latency
from edac_core.measure.size import size_of
from edac_core.models import get_model
from edac_core.models.examples import Examples
from edac_core.studies.inputs import SplitInputs, prepare
from edac_core.studies.jobs import Job
from edac_core.studies.store import SplitRecord

NETWORK = "cnn"
_SETS = ("training", "validation", "test")
_WORKERS = 2
BASELINE_EPOCHS = 15
_BASELINE = "baseline"
_INPUTS = "inputs.npz"
_WEIGHTS = "weights.npz"
_LATENCY_INPUTS = 100


@dataclass(frozen=True)
class Made:
    """A .tflite file, and its AUC on the test set."""

    model: bytes
    auc: float


def measure(
    usable: pd.DataFrame, *, schedules: Sequence[str], runs: int, epochs: int, say: Say
) -> dict[str, Any]:
    """Do one level of each schedule both ways.

    Parameters
    ----------
    usable
        Recordings that an audit kept.
    schedules
        Names, as in plans.
    runs
        Of each contestant.
    epochs
        Of a level.
    say
        Takes lines for people.
    """
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        say(f"Baseline of {NETWORK}, {BASELINE_EPOCHS} epochs ...")
        prepare_folder(Path(folder), usable)
        inputs = load_inputs(Path(folder) / _INPUTS)
        for schedule in schedules:
            say(f"One level, {schedule} schedule, {epochs} epochs ...")
            job = json.dumps(_job(schedule, epochs=epochs).to_dict())
            answers = take_turns(__name__, CONTESTANTS, folder, job, runs=runs, say=say)
            found[schedule] = _summary(answers, Path(folder), inputs)
    return {"training_examples": len(inputs.training.labels), "levels": found}


def prepare_folder(folder: Path, usable: pd.DataFrame) -> Job:
    """Put the sets and a baseline's weights where contestants find them.

    Returns
    -------
    Job
        A level of that baseline, polynomial.
    """
    spec, job = get_model(NETWORK), _job("polynomial", epochs=1)
    inputs = prepare(
        usable, protocol="clean", recipe=spec.recipe, seed=1, frontend=spec.frontend,
        cache=local_cache(), workers=_WORKERS,
    )  # fmt: skip
    save_inputs(folder / _INPUTS, inputs)
    run_alone(__name__, _BASELINE, folder, json.dumps(job.to_dict()))
    return job


def plain_levels(folder: Path, job: Job, sparsities: Sequence[float], *, epochs: int) -> None:
    """Do several levels as the paper's code does, one after the other."""
    inputs, weights = load_inputs(folder / _INPUTS), (folder / _WEIGHTS).read_bytes()
    for sparsity in sparsities:
        plain_tfmot(inputs, weights, replace(job, sparsity=sparsity, epochs=epochs))


def read_job(text: str) -> Job:
    """Read a job that a command line hands over as JSON."""
    plain = json.loads(text)
    return Job(**{**plain, "precisions": tuple(plain["precisions"])})


def table(found: dict[str, Any]) -> Table:
    """Show seconds and their ratio, and what became of each precision."""
    shown = Table("schedule", "plain tfmot / ours (s)", "times faster", "precision", "file (kB)",
                  "zip (kB)", "latency (ms)", "AUC", show_lines=True,
                  title="One pruned level (medians), plain tfmot / ours")  # fmt: skip
    for schedule, both in found["levels"].items():
        plain, own = (both[name] for name in ("plain_tfmot", "ours"))
        seconds = [statistics.median(one["seconds"]) for one in (plain, own)]
        pairs = [(plain["variants"][name], own["variants"][name]) for name in own["variants"]]
        shown.add_row(
            schedule, "{:.1f} / {:.1f}".format(*seconds), f"{seconds[0] / seconds[1]:.2f}",
            "\n".join(own["variants"]), _column(pairs, "raw_bytes", "{:.1f}", 1e-3),
            _column(pairs, "zip_bytes", "{:.1f}", 1e-3), _column(pairs, "median_ms", "{:.2f}"),
            _column(pairs, "auc", "{:.3f}"),
        )  # fmt: skip
    return shown


def _column(pairs: list[Any], name: str, form: str, scale: float = 1.0) -> str:
    return "\n".join(" / ".join(form.format(scale * one[name]) for one in pair) for pair in pairs)


def save_inputs(path: Path, inputs: SplitInputs) -> None:
    """Write what both contestants read: the three sets."""
    arrays: dict[str, Any] = {}
    for name in _SETS:
        examples: Examples = getattr(inputs, name)
        arrays |= {f"{name}_features": examples.features, f"{name}_labels": examples.labels}
    np.savez(path, groups=np.array(inputs.groups), **arrays)


def load_inputs(path: Path) -> SplitInputs:
    """Read what `save_inputs` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        sets = {
            name: Examples(arrays[f"{name}_features"], arrays[f"{name}_labels"]) for name in _SETS
        }
        groups = tuple(str(group) for group in arrays["groups"])
    record = SplitRecord("bench", 0, pd.DataFrame())
    return SplitInputs(record=record, fingerprint="bench", groups=groups, **sets)


def ours(inputs: SplitInputs, weights: bytes, job: Job) -> dict[str, Made]:
    """Do the level as a study does, all measurements and latency included."""
    from edac_core.measure.size import unpack  # noqa: PLC0415 - timed by the caller
    from edac_core.studies.work import run_job  # noqa: PLC0415 - as above

    result = run_job(job, inputs, weights)
    models = {variant.precision: unpack(variant.packed) for variant in result.variants}
    measure_latency(models, inputs.test.features[:_LATENCY_INPUTS])
    return {
        variant.precision: Made(models[variant.precision], variant.auc.estimate)
        for variant in result.variants
    }


def plain_tfmot(inputs: SplitInputs, weights: bytes, job: Job) -> dict[str, Made]:
    """Do the level as the paper's code does."""
    import tensorflow_model_optimization as tfmot  # noqa: PLC0415 - after the environment

    from edac_core.compress.pruning import make_schedule  # noqa: PLC0415 - timed by the caller
    from edac_core.models.backend import keras, tf  # noqa: PLC0415 - as above
    from edac_core.studies.work import unpack_weights  # noqa: PLC0415 - as above

    keras.utils.set_random_seed(SEED)
    model = get_model(job.model).build()
    model.set_weights(unpack_weights(weights))
    steps = job.epochs * -(-len(inputs.training.labels) // job.batch_size)
    schedule = make_schedule(job.method, job.sparsity, steps=steps, frequency=job.frequency)
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


def _convert_and_predict(tf: Any, model: Any, precision: str, inputs: SplitInputs) -> Made:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    content = converter.convert()
    scores = one_at_a_time(content)(inputs.test.features)
    return Made(content, float(roc_auc_score(inputs.test.labels, scores)))


CONTESTANTS: dict[str, Callable[[SplitInputs, bytes, Job], dict[str, Made]]] = {
    "ours": ours,
    "plain_tfmot": plain_tfmot,
}


def main() -> int:
    """Train the baseline, or do one level and answer with its seconds and results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=(_BASELINE, *CONTESTANTS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("job", type=read_job)
    options = parser.parse_args()
    inputs = load_inputs(options.folder / _INPUTS)
    weights = options.folder / _WEIGHTS
    if options.contestant == _BASELINE:
        answer(weights.write_bytes(_train_baseline(inputs)))
        return 0
    start = time.perf_counter()
    made = CONTESTANTS[options.contestant](inputs, weights.read_bytes(), options.job)
    seconds = time.perf_counter() - start
    for precision, variant in made.items():
        _file(options.folder, options.contestant, precision).write_bytes(variant.model)
    answer({"seconds": seconds, "auc": {name: variant.auc for name, variant in made.items()}})
    return 0


def _job(schedule: str, *, epochs: int) -> Job:
    return Job(
        model=NETWORK, protocol="clean", split_seed=1, training_seed=SEED, method=schedule,
        recipe=f"{schedule}:0.9", sparsity=0.9, epochs=epochs, training_epochs=BASELINE_EPOCHS,
        frequency=100 if schedule == "polynomial" else 1, batch_size=32,
        training_batch_size=32, precisions=DEFAULT_PRECISIONS,
    )  # fmt: skip


def _train_baseline(inputs: SplitInputs) -> bytes:
    """Train for a few epochs, so that the levels start from weights worth keeping."""
    from edac_core.models.training import seed_everything, train  # noqa: PLC0415 - slow import
    from edac_core.studies.work import pack_weights  # noqa: PLC0415 - as above

    spec = get_model(NETWORK)
    seed_everything(SEED)
    trained = train(
        spec.build(), spec, inputs.training, inputs.validation, seed=SEED,
        batch_size=spec.batch_size, epochs=BASELINE_EPOCHS, patience=None,
    )  # fmt: skip
    return pack_weights(trained.weights)


def _summary(
    answers: dict[str, list[Any]], folder: Path, inputs: SplitInputs
) -> dict[str, dict[str, Any]]:
    seconds = seconds_of(answers)
    precisions = list(answers["ours"][-1]["auc"])
    models = {
        _file(folder, name, precision).name: _file(folder, name, precision).read_bytes()
        for precision in precisions
        for name in answers
    }
    latencies = measure_latency(models, inputs.test.features[:_LATENCY_INPUTS])
    return {
        name: {
            "seconds": seconds[name],
            "variants": {
                precision: {"auc": given[-1]["auc"][precision]}
                | _figures(models, latencies, _file(folder, name, precision).name)
                for precision in precisions
            },
        }
        for name, given in answers.items()
    }


def _figures(
    models: dict[str, bytes], latencies: dict[str, Latency], name: str
) -> dict[str, float]:
    size = size_of(models[name])
    return {
        "raw_bytes": size.raw_bytes, "zip_bytes": size.zip_bytes, "xz_bytes": size.xz_bytes,
        "median_ms": latencies[name].median_ms,
    }  # fmt: skip


def _file(folder: Path, contestant: str, precision: str) -> Path:
    return folder / f"{contestant}-{precision}.tflite"


if __name__ == "__main__":
    sys.exit(main())
