"""Let an exported bundle judge a recording: LiteRT, NumPy and soundfile are all it takes.

python listen.py BUNDLE RECORDING.wav
"""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from ai_edge_litert.interpreter import Interpreter


def main(bundle: Path, recording: Path) -> None:
    """Print the score and what the model calls the recording."""
    settings = json.loads((bundle / "frontend.json").read_text())
    point = json.loads((bundle / "operating_point.json").read_text())
    samples, rate = soundfile.read(recording, always_2d=True)
    if rate != settings["sample_rate"]:
        sys.exit(f"{recording} has {rate} Hz: resample it to {settings['sample_rate']}.")
    features = frontend(bundle)(samples.mean(axis=1), settings)
    score = run(bundle / "model.tflite", features[np.newaxis])
    verdict = "positive" if score >= point["threshold"] else "negative"
    print(f"{recording.name}: {score:.3f}, {verdict}")


def frontend(bundle: Path) -> Callable[..., np.ndarray]:
    """Load the reference front-end that is in the bundle."""
    spec = importlib.util.spec_from_file_location("frontend", bundle / "frontend.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.compute


def run(model: Path, features: np.ndarray) -> float:
    """Score one recording, as a device does."""
    interpreter = Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], features)
    interpreter.invoke()
    return float(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0, -1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
