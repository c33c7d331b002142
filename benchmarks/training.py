"""Training speed: this project's `Trainer` and plain `fit` on the same network and batches.

Plain means as TensorFlow comes: ``compile`` with the network's optimiser and cross-entropy,
``fit``, oneDNN as TensorFlow decides, and of the CNN-LSTM the paper's graph. The first epoch traces
and compiles, so it is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from benchmarks.contest import SEED, Say, answer, random_examples, seconds_of, take_turns
from edac_core.frontends import get_frontend
from edac_core.models import ModelSpec, get_model
from edac_core.models.examples import Examples

NETWORKS = ("dense_a", "cnn_lstm", "cnn")
EPOCHS = 2
BATCH_SIZE = 32
_EXAMPLES = 10 * BATCH_SIZE
_ASKED_TIMES = {"dense_a": 2.0, "cnn_lstm": 3.0, "cnn": 2.2}


@dataclass(frozen=True)
class Timed:
    """Seconds of the counted epochs, and the weights after all of them."""

    seconds: float
    weights: list[Any]


def ours(spec: ModelSpec, examples: Examples, *, epochs: int) -> Timed:
    """Train as a study does."""
    from edac_core.models.training import Trainer, seed_everything  # noqa: PLC0415 - TensorFlow

    seed_everything(SEED)
    model = spec.build()
    trainer = Trainer(model, spec, examples, batch_size=BATCH_SIZE, seed=SEED)
    trainer.run_epoch()
    start = time.perf_counter()
    for _ in range(epochs):
        trainer.run_epoch()
    return Timed(time.perf_counter() - start, model.get_weights())


def plain_fit(spec: ModelSpec, examples: Examples, *, epochs: int) -> Timed:
    """Train with Keras' own loop."""
    import tensorflow  # noqa: F401, ICN001, PLC0415 - decides before our backend would for it

    from edac_core.models.backend import keras  # noqa: PLC0415 - after TensorFlow

    keras.utils.set_random_seed(SEED)
    model = spec.exported(spec.build())
    loss = "binary" if model.output_shape[-1] == 1 else "sparse_categorical"
    model.compile(spec.optimizer(), f"{loss}_crossentropy")

    def fit(epochs: int) -> None:
        model.fit(examples.features, examples.labels, BATCH_SIZE, epochs, verbose=0)

    fit(1)
    start = time.perf_counter()
    fit(epochs)
    return Timed(time.perf_counter() - start, model.get_weights())


CONTESTANTS: dict[str, Callable[..., Timed]] = {"ours": ours, "plain_fit": plain_fit}


def measure(*, runs: int, epochs: int, say: Say) -> dict[str, Any]:
    """Time so many epochs of each network, by both."""
    found: dict[str, Any] = {}
    for network in NETWORKS:
        say(f"Training of {network}, {epochs} epochs of {_EXAMPLES} recordings ...")
        answers = take_turns(__name__, CONTESTANTS, network, epochs, runs=runs, say=say)
        found[network] = {"samples": epochs * _EXAMPLES, "seconds": seconds_of(answers)}
    return {"batch_size": BATCH_SIZE, "networks": found}


def table(found: dict[str, Any]) -> Table:
    """Show samples a second and their ratio."""
    title = f"Training, samples a second in batches of {found['batch_size']} (medians)"
    shown = Table("network", "plain fit", "ours", "times faster", "asked", title=title)
    for network, one in found["networks"].items():
        plain, own = (
            one["samples"] / statistics.median(one["seconds"][name])
            for name in ("plain_fit", "ours")
        )
        asked = f"{_ASKED_TIMES[network]:.1f}"
        shown.add_row(network, f"{plain:.1f}", f"{own:.1f}", f"{own / plain:.2f}", asked)
    return shown


def main() -> int:
    """Train a network and answer with the seconds of the counted epochs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("epochs", type=int)
    options = parser.parse_args()
    spec = get_model(options.network)
    examples = random_examples(get_frontend(spec.frontend).shape, size=_EXAMPLES)
    answer(
        {"seconds": CONTESTANTS[options.contestant](spec, examples, epochs=options.epochs).seconds}
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
