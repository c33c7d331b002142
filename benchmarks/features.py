"""Features of all usable recordings: by this project, and in a loop as one would write it first.

This project takes two processes, and has an empty cache once and a full one once. The loop calls
librosa, or openSMILE, for one recording after the other. Decoding counts. The operating system may
still hold the files of the recordings in memory, as their audit has just read them; reading them
takes seconds on a disk and nothing of this project.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.table import Table

from benchmarks.contest import Say, answer, run_alone
from edac_core.frontends import FRONTENDS, get_frontend
from edac_core.frontends.extract import extract

WORKERS = 2
_ASKED = {"mel_image": "40", "compare": "120 (of 1,193)"}
_CACHE = "features.sqlite"
_RECORDINGS = "recordings.csv"
_LOOP = "loop"
_ROUNDING = 1e-6

FloatArray = npt.NDArray[np.float32]


def with_cache(recordings: pd.DataFrame, *, frontend: str, folder: Path) -> dict[str, Any]:
    """Extract features as a study does; say how many were not in the cache of `folder`."""
    computed = [0]
    features = extract(
        recordings, frontend=get_frontend(frontend), cache=folder / _CACHE, workers=WORKERS,
        progress=lambda done, _: computed.append(done),
    )  # fmt: skip
    return {"features": features, "computed": computed[-1]}


def in_a_loop(recordings: pd.DataFrame, *, frontend: str, folder: Path) -> dict[str, Any]:  # noqa: ARG001 - as above
    """Compute features with the library alone."""
    one = _LOOPS[frontend]()
    features = np.stack([one(path) for path in recordings["path"]])
    return {"features": features, "computed": len(features)}


def _mfcc() -> Callable[[str], FloatArray]:
    import librosa  # noqa: PLC0415 - timed by the caller

    def one(path: str) -> FloatArray:
        samples, rate = librosa.load(path)
        samples = librosa.util.fix_length(samples, size=7 * 22_050)
        return np.asarray(librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=15).T[..., None])

    return one


def _mel_image() -> Callable[[str], FloatArray]:
    import cv2  # noqa: PLC0415 - timed by the caller
    import librosa  # noqa: PLC0415 - as above

    def one(path: str) -> FloatArray:
        samples, rate = librosa.load(path)
        start = max(0, (len(samples) - 156_027) // 2)
        samples = librosa.util.pad_center(samples[start : start + 156_027], size=156_027)
        power = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=512, fmax=8_000)
        levels = 255 * (1 + librosa.power_to_db(power, ref=np.max)[::-1] / 80)
        image = cv2.applyColorMap(np.rint(levels).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
        return np.asarray(cv2.resize(image / 255, (88, 39), interpolation=cv2.INTER_AREA))

    return one


def _compare() -> Callable[[str], FloatArray]:
    import opensmile  # noqa: PLC0415 - optional, and timed by the caller

    smile = opensmile.Smile(opensmile.FeatureSet.ComParE_2016, opensmile.FeatureLevel.Functionals)
    return lambda path: np.nan_to_num(np.asarray(smile.process_file(path), np.float32).ravel())


_LOOPS = {"mfcc": _mfcc, "mel_image": _mel_image, "compare": _compare}
CONTESTANTS = {"cold": with_cache, "warm": with_cache, _LOOP: in_a_loop}


def measure(
    usable: pd.DataFrame, *, runs: int, say: Say, frontends: Iterable[str] = tuple(FRONTENDS)
) -> dict[str, Any]:
    """Time each front-end on recordings, first with a cache that is not there yet.

    Parameters
    ----------
    usable
        Columns `recording` and `path`.
    runs
        Each with a new cache.
    say
        Takes lines for people.
    frontends
        Names.
    """
    found: dict[str, Any] = {}
    for name in frontends:
        say(f"Features {name} of {len(usable)} recordings ...")
        found[name] = {contestant: [] for contestant in CONTESTANTS}
        for _ in range(runs):
            for contestant, timed in _in_turn(usable, name).items():
                found[name][contestant].append(timed)
                say(f"  {contestant}: {timed['seconds']:.2f} s, {timed['computed']} computed")
    return {"recordings": len(usable), "processes": WORKERS, "frontends": found}


def table(found: dict[str, Any]) -> Table:
    """Show medians, and what share of the features is the loop's to a thousandth of their range."""
    shown = Table(
        "front-end", "loop (s)", "cold (s)", "warm (s)", "times faster, cold", "asked, cold (s)",
        "as the loop's",
        title=f"Features of {found['recordings']} recordings, {found['processes']} processes "
        "(medians)",
    )  # fmt: skip
    for name, given in found["frontends"].items():
        cold, warm, loop = (
            statistics.median(timed["seconds"] for timed in given[contestant])
            for contestant in CONTESTANTS
        )
        shown.add_row(
            name, f"{loop:.2f}", f"{cold:.2f}", f"{warm:.2f}", f"{loop / cold:.1f}",
            _ASKED.get(name, ""), f"{given[_LOOP][-1]['alike']:.2%}",
        )  # fmt: skip
    return shown


def main() -> int:
    """Extract features, keep them in the folder and answer with the seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("frontend", choices=FRONTENDS)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    recordings = pd.read_csv(options.folder / _RECORDINGS, dtype="str", keep_default_na=False)
    start = time.perf_counter()
    found = CONTESTANTS[options.contestant](
        recordings, frontend=options.frontend, folder=options.folder
    )
    seconds = time.perf_counter() - start
    np.save(options.folder / f"{options.contestant}.npy", found["features"])
    answer({"seconds": seconds, "computed": found["computed"]})
    return 0


def _in_turn(usable: pd.DataFrame, frontend: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        usable[["recording", "path"]].to_csv(folder / _RECORDINGS, index=False)
        found = {one: run_alone(__name__, one, frontend, folder) for one in CONTESTANTS}
        features = {one: np.load(folder / f"{one}.npy") for one in CONTESTANTS}
    found[_LOOP]["alike"] = share_alike(features["cold"], features[_LOOP])
    return found


def share_alike(ours: FloatArray, others: FloatArray) -> float:
    """Return the share of values that differ by less than a thousandth of their feature's range."""
    tolerance = 1e-3 * np.ptp(others, axis=0) + _ROUNDING
    return float(np.mean(np.abs(ours - others) <= tolerance))


if __name__ == "__main__":
    sys.exit(main())
