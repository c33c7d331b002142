"""Let an exported bundle judge a recording: LiteRT, NumPy and soundfile are all it takes.

python listen.py BUNDLE RECORDING.wav

The recording has to have the sample rate of the front-end: ffmpeg -i any.m4a -ar 22050 cough.wav
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
    if not (bundle / "frontend.py").is_file():
        sys.exit(f"{bundle} has no frontend.py: compute the features that its README.md names.")
    spec = importlib.util.spec_from_file_location("frontend", bundle / "frontend.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.compute


def run(model: Path, features: np.ndarray) -> float:
    """Score one recording, as a device does."""
    interpreter = Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    (entrance,), (way_out,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(entrance["index"], quantized(features, entrance))
    interpreter.invoke()
    output = float(interpreter.get_tensor(way_out["index"])[0, -1])
    scale, zero_point = way_out["quantization"]
    return (output - zero_point) * scale if scale else output


def quantized(features: np.ndarray, tensor: dict) -> np.ndarray:
    """Write features in the type that the model takes: whole numbers for int8_full and int16x8."""
    scale, zero_point = tensor["quantization"]
    if not scale:
        return features
    limits = np.iinfo(tensor["dtype"])
    return (
        (np.round(features / scale) + zero_point)
        .clip(limits.min, limits.max)
        .astype(tensor["dtype"])
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
