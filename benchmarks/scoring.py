"""Scoring speed: a batch through `edac_core.runtime.Variant`, and one recording after the other.

The network is the CNN-LSTM, as float32. Both use LiteRT as it comes, that is on one thread.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from benchmarks.contest import SEED, Say, answer, random_examples, run_alone, seconds_of, take_turns
from edac_core.frontends import get_frontend
from edac_core.models import get_model

NETWORK = "cnn_lstm"
RECORDINGS = 160
_ASKED = 40

FloatArray = npt.NDArray[np.float32]
Score = Callable[[FloatArray], FloatArray]


def ours(model: bytes) -> Score:
    """Load a model as the dashboard and studies do."""
    from edac_core.runtime import Variant  # noqa: PLC0415 - LiteRT

    return Variant(model).score


def one_at_a_time(model: bytes) -> Score:
    """Load a model as LiteRT's documentation does."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - LiteRT

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    sink = interpreter.get_output_details()[0]["index"]

    def score(features: FloatArray) -> FloatArray:
        scores = []
        for recording in features:
            interpreter.set_tensor(source, recording[np.newaxis])
            interpreter.invoke()
            scores.append(interpreter.get_tensor(sink)[0, -1])
        return np.array(scores, np.float32)

    return score


CONTESTANTS: dict[str, Callable[[bytes], Score]] = {"ours": ours, "one_at_a_time": one_at_a_time}


def measure(*, runs: int, say: Say) -> dict[str, Any]:
    """Score the same recordings both ways."""
    say(f"Scoring of {RECORDINGS} recordings by {NETWORK} ...")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.tflite"
        run_alone(__name__, "convert", model)
        answers = take_turns(__name__, CONTESTANTS, model, runs=runs, say=say)
    one, other = (np.array(given[0]["scores"]) for given in answers.values())
    return {
        "network": NETWORK,
        "recordings": RECORDINGS,
        "seconds": seconds_of(answers),
        "largest_difference": float(np.abs(one - other).max()),
    }


def table(found: dict[str, Any]) -> Table:
    """Show recordings a second and their ratio."""
    plain, own = (
        found["recordings"] / statistics.median(found["seconds"][name])
        for name in ("one_at_a_time", "ours")
    )
    shown = Table("one at a time", "ours", "times faster", "asked", "largest difference of scores",
                  title=f"{found['network']} scoring, recordings a second (medians)")  # fmt: skip
    shown.add_row(f"{plain:.1f}", f"{own:.1f}", f"{own / plain:.2f}", str(_ASKED),
                  f"{found['largest_difference']:.1e}")  # fmt: skip
    return shown


def main() -> int:
    """Convert the network, or score with it and answer with the seconds and scores."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=("convert", *CONTESTANTS))
    parser.add_argument("model", type=Path)
    options = parser.parse_args()
    if options.contestant == "convert":
        answer(_convert(options.model))
    else:
        answer(_time(options.contestant, options.model.read_bytes()))
    return 0


def _convert(path: Path) -> int:
    from edac_core.compress.quantization import convert  # noqa: PLC0415 - TensorFlow
    from edac_core.models.training import seed_everything  # noqa: PLC0415 - as above

    seed_everything(SEED)
    spec = get_model(NETWORK)
    return path.write_bytes(convert(spec.exported(spec.build()), "float32"))


def _time(contestant: str, model: bytes) -> dict[str, Any]:
    shape = get_frontend(get_model(NETWORK).frontend).shape
    features = random_examples(shape, size=RECORDINGS).features
    score = CONTESTANTS[contestant](model)
    start = time.perf_counter()
    scores = score(features)
    return {"seconds": time.perf_counter() - start, "scores": scores.tolist()}


if __name__ == "__main__":
    sys.exit(main())
