"""Generated coughs: a data set that everybody has, with a known difference to learn.

A cough is made of its three acoustic phases (Korpas et al. 1996, "Analysis of the cough sound: an
overview"): an explosive burst, a noisy middle phase, and a voiced tail. Each recording has one to
three of them.

**What there is to learn.** Each recording has a *wetness* w, drawn from a normal distribution with
standard deviation 1 and mean +1.2 for positive and -1.2 for negative recordings. More wetness
means a longer and darker middle phase, and what follows from that, such as more energy below
1 kHz. Nothing else goes with the label: the talker's pitch, the source, the peak level, the
number of coughs and the duration of the recording are drawn without regard to it. Since w is all
that the label can be told from, no classifier can beat an expected AUC of
Phi(2.4 / sqrt(2)) = 0.955.

**What there is to be fooled by.** Two invented sources share each class equally: "studio" (full
band, loud) and "telephone" (band-limited to 3.4 kHz, quiet, hissing). Participants, with one to
three recordings each, keep their pitch and their source.
"""

import contextlib
import hashlib
import io
import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from scipy import signal

from edac_core.audio import SAMPLE_RATE, Waveform
from edac_core.datasets.recordings import Dataset, make_dataset
from edac_core.errors import DataError
from edac_core.locations import local_cache

NAME = "synthetic"
SUMS = "SHA256SUMS"
"""File beside the recordings, as `sha256sum -c` reads it."""

VERSION = 1
"""Raise it whenever the same options would give other samples."""

SEPARATION = 2.4
"""Distance between the classes' mean wetness, in standard deviations."""


Noise = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Source:
    """An invented way of recording.

    Parameters
    ----------
    name
        The group in the table of recordings.
    bandwidth_hz
        Where its low-pass filter cuts off.
    peak_dbfs
        Mean peak level; recordings vary by a standard deviation of 2 dB.
    hiss_dbfs
        RMS level of its background noise.
    """

    name: str
    bandwidth_hz: float
    peak_dbfs: float
    hiss_dbfs: float


SOURCES = (Source("studio", 10_000, -6, -70), Source("telephone", 3_400, -16, -50))


def load(*, path: Path | None = None, n: int = 240, seed: int = 0) -> Dataset:
    """Generate the recordings, once, and tabulate them.

    Parameters
    ----------
    path
        Folder to keep them in; `synthetic` in the local cache by default. They lie there in one
        named by a hash of the options and `VERSION`, as 16-bit FLAC at 22,050 Hz.
    n
        Number of recordings, at least 4: one a class and source.
    seed
        Of everything that is drawn.

    Returns
    -------
    Dataset
        `synthetic` is true.

    Raises
    ------
    DataError
        `n` is less than 4.
    """
    if n < (smallest := 2 * len(SOURCES)):
        raise DataError(f"Data set 'synthetic' cannot have n={n}: ask for {smallest} or more.")
    rows = list(_plan(n, seed=seed))
    folder = _generated(rows, root=path or local_cache() / NAME, seed=seed)
    for row in rows:
        row["path"] = str(folder / f"{row['recording']}.flac")
    return make_dataset(
        rows,
        name=NAME,
        title=f"Synthetic coughs (n={n}, seed={seed})",
        licence="CC0 1.0 (generated here)",
        synthetic=True,
    )


def synthesize(label: int, *, seed: int, source: str = "studio", pitch_hz: float = 180) -> Waveform:
    """Generate one recording.

    Parameters
    ----------
    label
        1 positive, 0 negative: the sign of the mean wetness.
    seed
        Of everything that is drawn.
    source
        "studio" or "telephone".
    pitch_hz
        Of the voiced tail.

    Returns
    -------
    numpy.ndarray
        Shape (n,), float32 at 22,050 Hz, 3.0 to 4.5 s long, peak below 1.
    """
    by_name = {known.name: known for known in SOURCES}
    rng = np.random.default_rng(seed)
    return _recording(label, rng=rng, source=by_name[source], pitch_hz=pitch_hz)


def _plan(n: int, *, seed: int) -> Iterator[dict[str, Any]]:
    """Draw who coughs, and how often, for each class and source."""
    rng = np.random.default_rng(seed)
    cells = [(label, source.name) for label in (0, 1) for source in SOURCES]
    people = 0
    for place, (label, source) in enumerate(cells):
        left = len(range(place, n, len(cells)))
        while left:
            recordings = min(left, int(rng.integers(1, 4)))
            pitch_hz = float(rng.uniform(110, 260))
            for take in range(1, recordings + 1):
                yield {
                    "recording": f"p{people:04d}-{take}",
                    "label": label,
                    "participant": f"p{people:04d}",
                    "group": source,
                    "pitch_hz": pitch_hz,
                }
            people, left = people + 1, left - recordings


def _generated(rows: list[dict[str, Any]], *, root: Path, seed: int) -> Path:
    options = {"n": len(rows), "seed": seed, "version": VERSION, "separation": SEPARATION}
    text = json.dumps({**options, "sources": [asdict(source) for source in SOURCES]})
    folder = root.resolve() / hashlib.sha256(text.encode()).hexdigest()[:16]
    if (damage := find_damage(folder)) is None:
        return folder
    # Folders of before there were sums have none, and are as good as absent.
    if os.path.lexists(folder / SUMS):
        warnings.warn(f"{folder} is damaged ({damage}) and is generated anew.", stacklevel=3)
    try:
        _generate(rows, folder=folder, seed=seed)
    except OSError as error:
        raise DataError(
            f"The generated recordings cannot be kept in {folder.parent} ({error.strerror}): make "
            "room there, or choose another folder by EDAC_CACHE_DIR."
        ) from error
    return folder


def find_damage(folder: Path) -> str | None:
    """Compare generated recordings with the SHA-256 of each that was kept beside them.

    Parameters
    ----------
    folder
        Of the recordings.

    Returns
    -------
    str or None
        What the first difference is; None if there is none.
    """
    try:
        lines = [line.split("  ") for line in (folder / SUMS).read_text("utf-8").splitlines()]
        kept = {name: digest for digest, name in lines}
        files = {path.name: path for path in folder.glob("*.flac")}
        if not kept or kept.keys() != files.keys():
            return f"its files are not those of {SUMS}"
        for name, path in files.items():
            if hashlib.sha256(path.read_bytes()).hexdigest() != kept[name]:
                return f"the checksum of {name} differs"
    except (OSError, ValueError) as error:
        return str(error)
    return None


def _generate(rows: list[dict[str, Any]], *, folder: Path, seed: int) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and renamed, so that the folder is either absent or whole.
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder.parent) as aside:
        _write(rows, folder=Path(aside, "whole"), seed=seed)
        _move(Path(aside, "whole"), folder, damaged=Path(aside, "damaged"))


def _write(rows: list[dict[str, Any]], *, folder: Path, seed: int) -> None:
    folder.mkdir()
    sources = {source.name: source for source in SOURCES}
    sums = []
    for index, row in enumerate(rows):
        waveform = _recording(
            row["label"],
            rng=np.random.default_rng([seed, index]),
            source=sources[row["group"]],
            pitch_hz=row["pitch_hz"],
        )
        # libsndfile does not say of every file that it could not write it whole.
        encoded = io.BytesIO()
        soundfile.write(encoded, waveform, SAMPLE_RATE, "PCM_16", format="FLAC")
        name = f"{row['recording']}.flac"
        (folder / name).write_bytes(encoded.getvalue())
        sums.append(f"{hashlib.sha256(encoded.getvalue()).hexdigest()}  {name}\n")
    (folder / SUMS).write_text("".join(sums), "utf-8")


def _move(aside: Path, folder: Path, *, damaged: Path) -> None:
    # Whatever is in the way is removed with all that was written aside.
    with contextlib.suppress(FileNotFoundError):
        folder.rename(damaged)
    try:
        aside.rename(folder)
    except OSError:
        # Another process was first, with the same samples; anything else is an error.
        if not folder.is_dir():
            raise


def _recording(
    label: int, *, rng: np.random.Generator, source: Source, pitch_hz: float
) -> Waveform:
    wetness = rng.normal(SEPARATION / 2 if label else -SEPARATION / 2)
    length = int(rng.uniform(3.0, 4.5) * SAMPLE_RATE)
    parts = []
    for _ in range(rng.integers(1, 4)):
        parts += [_silence(rng), _cough(rng, wetness=wetness, pitch_hz=pitch_hz)]
    # Three of the longest coughs and silences are shorter than 3 s, so nothing is cut off.
    coughs = np.concatenate(parts)
    return _through(np.pad(coughs, (0, length - len(coughs))), source=source, rng=rng)


def _silence(rng: np.random.Generator) -> Noise:
    return np.zeros(int(rng.uniform(0.1, 0.4) * SAMPLE_RATE))


def _cough(rng: np.random.Generator, *, wetness: float, pitch_hz: float) -> Noise:
    burst = _band(_hiss(0.04, rng), 500, 4_500) * _decay(0.04, by=3)
    middle = _middle(rng, wetness=wetness)
    tail = _voice(rng.uniform(0.06, 0.14), pitch_hz=pitch_hz)
    return np.concatenate(
        [
            part / np.abs(part).max() * gain
            for part, gain in ((burst, 1), (middle, 0.5), (tail, 0.3))
        ]
    )


def _middle(rng: np.random.Generator, *, wetness: float) -> Noise:
    # Clipped where the telephone's band and the shortest audible phase end.
    within = np.clip(wetness, -4, 4)
    seconds = 0.18 * 2 ** (0.25 * within) * rng.uniform(0.85, 1.15)
    centre_hz = 1_300 * 2 ** (-0.3 * within) * rng.uniform(0.85, 1.15)
    noise = _band(_hiss(seconds, rng), centre_hz / 1.4, centre_hz * 1.4)
    return noise * _decay(seconds, by=2)


def _voice(seconds: float, *, pitch_hz: float) -> Noise:
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pulses = signal.sawtooth(2 * np.pi * pitch_hz * times * (1 - 0.3 * times / seconds))
    return _band(pulses, 300, 1_800) * _decay(seconds, by=3)


def _hiss(seconds: float, rng: np.random.Generator) -> Noise:
    return rng.standard_normal(int(seconds * SAMPLE_RATE))


def _decay(seconds: float, *, by: float) -> Noise:
    return np.exp(-by * np.linspace(0, 1, int(seconds * SAMPLE_RATE)))


def _band(samples: Noise, low_hz: float, high_hz: float) -> Noise:
    sections = signal.butter(2, [low_hz, high_hz], "bandpass", fs=SAMPLE_RATE, output="sos")
    return np.asarray(signal.sosfilt(sections, samples))


def _through(samples: Noise, *, source: Source, rng: np.random.Generator) -> Waveform:
    hiss = rng.standard_normal(len(samples)) * 10 ** (source.hiss_dbfs / 20)
    peak = 10 ** (min(source.peak_dbfs + rng.normal(0, 2), -1) / 20)
    sections = signal.butter(6, source.bandwidth_hz, fs=SAMPLE_RATE, output="sos")
    loud = samples / np.abs(samples).max() * peak
    return np.asarray(signal.sosfilt(sections, loud + hiss), dtype=np.float32)
