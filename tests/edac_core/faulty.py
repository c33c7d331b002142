"""A small covid19-cough with every fault that an audit finds, for tests."""

import json

import numpy as np
import soundfile

COUNTS = {
    "usable": 21,
    "contradictory labels": 6,
    "duplicate": 1,
    "undecodable": 1,
    "empty": 1,
    "too short": 1,
    "silent": 1,
    "missing file": 1,
}
"""What becomes of its 33 entries."""


def write_faulty(folder, *, good=18):
    """Write it, WAV under the MP3s' names, which decodes all the same; return its folder."""
    folder = folder / "covid19-cough"
    (folder / "raw").mkdir(parents=True)
    entries = []
    for name, label, source, samples in _recordings(good):
        path = folder / "raw" / f"{name}.mp3"
        if isinstance(samples, bytes):
            path.write_bytes(samples)
        elif samples is not None:
            with path.open("wb") as file:
                rate = 8_000 if source == "call-center" else 16_000
                soundfile.write(file, samples, rate, "PCM_16", format="WAV")
        entries.append({"filename": path.name, "covid19": bool(label), "source": source})
    (folder / "metadata.json").write_text(json.dumps(entries))
    return folder


def _recordings(good):
    """Yield name, label, source and samples, bytes or None."""
    for index in range(good):
        source = "telegram" if index % 3 else "call-center"
        yield f"good-{index:02}", index % 2, source, _noise(index, stereo=index % 3 == 0)
    for name, label in (("0a", 0), ("0b", 1), ("1a", 1), ("1b", 0), ("1c", 0), ("1d", 1)):
        yield f"same-{name}", label, "telegram", _noise(100 + int(name[0]))
    yield "copy-b", 1, "telegram", _noise(200)
    yield "copy-a", 1, "telegram", _noise(200)
    yield "loud", 0, "telegram", np.clip(30 * _noise(300), -1, 1)
    yield "quiet", 1, "telegram", 0.1 * _noise(301)
    yield "broken", 0, "telegram", b"This is not a recording, whatever its name says."
    yield "hollow", 1, "telegram", b""
    yield "click", 0, "telegram", np.full(1_000, 0.5)
    yield "silence", 0, "telegram", np.zeros(16_000)
    yield "absent", 1, "telegram", None


def _noise(seed, *, stereo=False):
    shape = (4_000 + 100 * (seed % 9), 2) if stereo else 6_000 + 100 * (seed % 9)
    return 0.05 * np.random.default_rng(seed).standard_normal(shape)
