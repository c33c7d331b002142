"""Check that this bundle is whole and that its model answers here as it did when it was made.

Run `python check.py`; it needs ai-edge-litert and NumPy. The exit status is 0 if all is well.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

# Another processor may round a sum otherwise; a wrong input or model is further off than this.
SCORE_TOLERANCE = 1e-3
FULL_SCALE = 32_768


def main() -> int:
    """Check everything, print what was found, and return the exit status."""
    folder = Path(__file__).resolve().parent
    problems = list(changed_files(folder))
    if not problems:
        golden = np.load(folder / "golden.npz", allow_pickle=False)
        problems = [*wrong_features(folder, golden), *wrong_scores(folder, golden)]
    print("\n".join(problems) or "OK: files, features and scores are as they were.")  # noqa: T201
    return 1 if problems else 0


def changed_files(folder: Path) -> Iterator[str]:
    """Compare every file with its SHA-256."""
    try:
        lines = (folder / "SHA256SUMS").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    named = [(digest, name) for digest, _, name in (line.partition("  ") for line in lines)]
    if not {"model.tflite", "golden.npz"} <= {name for _, name in named}:
        yield "SHA256SUMS is missing or damaged: unpack the bundle again."
        return
    for digest, name in named:
        file = folder / name
        if not file.is_file():
            yield f"{name} is missing: unpack the bundle again."
        elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            yield f"{name} is not the file that was exported: unpack the bundle again."


def wrong_features(folder: Path, golden: Any) -> Iterator[str]:
    """Compute the features of the golden waveforms with frontend.py, if there is one."""
    if not (folder / "frontend.py").is_file():
        return
    settings = json.loads((folder / "frontend.json").read_text("utf-8"))
    compute = reference(folder / "frontend.py")
    pairs = zip(waveforms(golden), golden["features"], strict=True)
    for number, (samples, expected) in enumerate(pairs):
        found = compute(samples, settings)
        if found.shape != expected.shape:
            yield f"Features of golden input {number} are {found.shape}, not {expected.shape}."
        elif not (worst := float(np.abs(found - expected).max())) <= settings["tolerance"]:
            yield f"Features of golden input {number} differ by {worst:g}."


def waveforms(golden: Any) -> Iterator[npt.NDArray[np.float64]]:
    """Return the golden recordings, full scale at 1."""
    for samples, length in zip(golden["waveforms"], golden["lengths"], strict=True):
        yield samples[:length] / FULL_SCALE


def reference(file: Path) -> Any:
    """Load frontend.py from beside this file, wherever that is."""
    spec = importlib.util.spec_from_file_location("frontend", file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} cannot be loaded.")
    # The bundle is to stay as it was unpacked.
    sys.dont_write_bytecode = True
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.compute


def wrong_scores(folder: Path, golden: Any) -> Iterator[str]:
    """Run the model on the golden features, one recording at a time."""
    try:
        interpreter = Interpreter(model_path=str(folder / "model.tflite"), num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        yield f"model.tflite cannot be loaded: {error}"
        return
    pairs = zip(golden["features"], golden["scores"], strict=True)
    for number, (features, expected) in enumerate(pairs):
        found = score(interpreter, features)
        if not abs(found - expected) <= SCORE_TOLERANCE:
            yield f"Golden input {number} scores {found:.6f} here, {expected:.6f} when exported."


def score(interpreter: Any, features: npt.NDArray[np.float32]) -> float:
    """Score one recording as a device does: set the input, invoke, read the last output."""
    (entrance,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()
    values = quantized(features[np.newaxis], entrance)
    interpreter.set_tensor(entrance["index"], values)
    interpreter.invoke()
    output = float(interpreter.get_tensor(exit_["index"])[0, -1])
    scale, zero_point = exit_["quantization"]
    return (output - zero_point) * scale if scale else output


def quantized(values: npt.NDArray[np.float32], tensor: dict[str, Any]) -> npt.NDArray[Any]:
    """Write features in the type of the model's input."""
    scale, zero_point = tensor["quantization"]
    if not scale:
        return values
    limits = np.iinfo(tensor["dtype"])
    steps = np.round(values / scale) + zero_point
    return np.asarray(steps.clip(limits.min, limits.max), tensor["dtype"])


if __name__ == "__main__":
    sys.exit(main())
