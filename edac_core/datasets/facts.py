"""What can be measured of a recording without listening to it.

Facts are kept in a JSON file by the SHA-256 of the recording's bytes, so that a file that was
measured once is not decoded again, wherever it lies and whatever it is called.
"""

import contextlib
import fcntl
import hashlib
import json
import math
import multiprocessing
import os
import tempfile
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import signal

from edac_core.audio import EmptyAudioError, Sound, Waveform, read
from edac_core.errors import AudioError

VERSION = 1
"""Raise it whenever the same recording would give other facts."""

CLIP_LEVEL = 0.999
"""Magnitude from which a sample counts as clipped; full scale is 1."""

BANDWIDTH_SHARE = 0.99
"""Share of the energy that lies below the bandwidth."""

_QUIETEST = 1e-12  # Mean square that stands for zero, so that a level is never minus infinity.
_MISSING = "missing:"  # Prefix of what stands for the digest of a file that is not there.
# What reading a damaged file can raise.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
_PARALLEL_FROM = 64  # Starting processes takes longer than measuring fewer recordings than this.


@dataclass(frozen=True)
class Facts:
    """Facts of one recording; NaN where it cannot be decoded.

    Parameters
    ----------
    problem
        "", "undecodable" or "empty".
    detail
        The decoder's sentence about the problem.
    sample_rate
        Native, in Hz.
    channels
        Number of channels.
    seconds
        Duration.
    loudness_dbfs
        RMS over all samples of all channels, in dB relative to a full-scale square wave.
    peak
        Greatest magnitude; full scale is 1.
    clipped_share
        Share of the samples whose magnitude reaches `CLIP_LEVEL`.
    bandwidth_hz
        Frequency below which `BANDWIDTH_SHARE` of the energy lies, the mean removed.
    channel_balance_db
        Level of the first channel minus that of the second; NaN for mono.
    content
        SHA-256 of the native sample rate and the decoded samples.
    """

    problem: str = ""
    detail: str = ""
    sample_rate: float = math.nan
    channels: float = math.nan
    seconds: float = math.nan
    loudness_dbfs: float = math.nan
    peak: float = math.nan
    clipped_share: float = math.nan
    bandwidth_hz: float = math.nan
    channel_balance_db: float = math.nan
    content: str = ""


def measure(path: str) -> Facts:
    """Decode one recording and measure it.

    Parameters
    ----------
    path
        Of the recording.

    Returns
    -------
    Facts
        With a problem, and nothing else, if the recording cannot be decoded.
    """
    # The name is left out of messages, as facts are shared by files of the same bytes.
    try:
        sound = read(path, name="The file")
    except EmptyAudioError as error:
        return Facts(problem="empty", detail=str(error))
    # An OSError is a disk's that fails half-way.
    except (AudioError, OSError) as error:
        return Facts(problem="undecodable", detail=str(error))
    return describe(sound)


def gather(paths: Sequence[str], *, cache: Path | None = None, workers: int = 2) -> pd.DataFrame:
    """Measure recordings, those that are not known yet in parallel.

    Parameters
    ----------
    paths
        Of the recordings.
    cache
        Folder that keeps facts between calls; nothing is kept without it. A damaged file in it
        gives a warning and is written anew; a folder that cannot be written to gives a warning.
    workers
        Number of processes.

    Returns
    -------
    pandas.DataFrame
        One row a path, in their order; the columns are the fields of `Facts`.
    """
    digests = [_digest(path) for path in paths]
    known = _read_cache(cache)
    pairs = zip(digests, paths, strict=True)
    new = {digest: path for digest, path in pairs if digest not in known}
    if new:
        measured = dict(zip(new, _measure_all(list(new.values()), workers=workers), strict=True))
        known |= measured
        if cache is not None:
            _keep(measured, cache)
    return pd.DataFrame([asdict(known[digest]) for digest in digests])


def is_kept_whole(cache: Path) -> bool:
    """Say whether the facts that a folder keeps, if it keeps any, are what was written."""
    if not os.path.lexists(file := kept_in(cache)):
        return True
    try:
        _parse(file)
    except _DAMAGE:
        return False
    return True


def _digest(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return f"{_MISSING}{path}"


def _measure_all(paths: list[str], *, workers: int) -> list[Facts]:
    if workers == 1 or len(paths) < _PARALLEL_FROM:
        return [measure(path) for path in paths]
    # Forked children would inherit locks of other libraries' threads, some of them held.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        return list(pool.map(measure, paths, chunksize=16))


def describe(sound: Sound) -> Facts:
    """Measure a recording that is decoded already."""
    samples = sound.samples
    magnitudes = np.abs(samples)
    return Facts(
        sample_rate=sound.sample_rate,
        channels=len(samples),
        seconds=samples.shape[1] / sound.sample_rate,
        loudness_dbfs=_level_db(samples),
        peak=float(magnitudes.max()),
        clipped_share=float((magnitudes >= CLIP_LEVEL).mean()),
        bandwidth_hz=_bandwidth_hz(sound),
        channel_balance_db=_balance_db(samples),
        content=_content(sound),
    )


def spectrum(sound: Sound) -> tuple[Waveform, Waveform]:
    """Estimate the power of all channels together, the mean removed, by Welch's method.

    Returns
    -------
    numpy.ndarray, numpy.ndarray
        Frequencies in Hz, and power at each.
    """
    size = min(2048, sound.samples.shape[1])
    # One channel after the other: what welch holds is five times what it is given.
    found = [signal.welch(channel, sound.sample_rate, nperseg=size) for channel in sound.samples]
    return found[0][0], np.array([power for _, power in found]).sum(axis=0)


def _level_db(samples: Waveform) -> float:
    power = np.square(samples, dtype=np.float64).mean()
    return float(10 * np.log10(max(power, _QUIETEST)))


def _balance_db(samples: Waveform) -> float:
    return math.nan if len(samples) == 1 else _level_db(samples[0]) - _level_db(samples[1])


def _bandwidth_hz(sound: Sound) -> float:
    hertz, power = spectrum(sound)
    below = np.cumsum(power)
    if below[-1] == 0:
        return 0.0
    return float(hertz[np.searchsorted(below, BANDWIDTH_SHARE * below[-1])])


def _content(sound: Sound) -> str:
    # With its shape: one channel of 2 n samples is not two channels of n.
    head = f"{sound.sample_rate} {sound.samples.shape} ".encode()
    return hashlib.sha256(head + sound.samples.tobytes()).hexdigest()


def kept_in(cache: Path) -> Path:
    """Name the file of a folder that keeps facts."""
    return cache / f"facts-{VERSION}.json"


def _checksum(fields: object) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _read_cache(cache: Path | None) -> dict[str, Facts]:
    if cache is None or not os.path.lexists(file := kept_in(cache)):
        return {}
    try:
        return _parse(file)
    except _DAMAGE as error:
        warnings.warn(f"{file} is damaged and is written anew ({error}).", stacklevel=3)
        return {}


def _parse(file: Path) -> dict[str, Facts]:
    kept = json.loads(file.read_text("utf-8"))
    if kept["sha256"] != _checksum(kept["facts"]):
        raise ValueError("its checksum differs")
    return {digest: Facts(**fields) for digest, fields in kept["facts"].items()}


def _keep(measured: dict[str, Facts], cache: Path) -> None:
    try:
        _add_to_cache(measured, cache)
    except OSError as error:
        warnings.warn(
            f"What was measured of the recordings cannot be kept in {cache} ({error.strerror}): "
            "it is measured again next time; make room there, or mend the folder.",
            stacklevel=3,
        )


def _add_to_cache(measured: dict[str, Facts], cache: Path) -> None:
    """Keep new facts beside all that are kept by now, also by other processes."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "facts.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known: dict[str, Facts] = {}
        # Damage was told when the facts were read.
        with contextlib.suppress(*_DAMAGE):
            known = _parse(kept_in(cache))
        _write_cache(known | measured, cache)


def _write_cache(known: dict[str, Facts], cache: Path) -> None:
    fields = {key: asdict(facts) for key, facts in known.items() if not key.startswith(_MISSING)}
    text = json.dumps({"sha256": _checksum(fields), "facts": fields})
    # Renamed when whole, so that a reader never sees half a file.
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=cache) as aside:
        whole = Path(aside, "facts.json")
        whole.write_text(text, "utf-8")
        whole.replace(kept_in(cache))
