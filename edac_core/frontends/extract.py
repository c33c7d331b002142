"""Recordings to features: in parallel, augmented if asked, and only once."""

import hashlib
import importlib.metadata
import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache as remembered
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from edac_core import audio, augment
from edac_core.augment import Pipeline
from edac_core.errors import AudioError, PlanError
from edac_core.frontends.base import Frontend, SpectrogramFrontend, not_installed
from edac_core.frontends.cache import ArrayCache

FloatArray = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

REVISION = 1
"""Raise it when decoding in `edac_core.audio` or the order of steps here changes."""

_CHUNK = 16

_DECODERS = ("soundfile", "av", "soxr")
_AUGMENTATION = ("audiomentations", "librosa", "numpy", "scipy")


@dataclass(frozen=True)
class _Source:
    recording: str
    path: Path
    content: str


@dataclass(frozen=True)
class _Recipe:
    """All that the features of one content depend on."""

    frontend: Frontend
    pipelines: tuple[Pipeline, ...]
    seed: int

    def keys(self, content: str) -> list[str]:
        return [self._key(content, str(pipeline)) for pipeline in self.pipelines]

    def features(self, source: _Source) -> list[FloatArray]:
        waveform = audio.load(source.path, name=source.recording)
        try:
            return self._features(waveform, seed=_seed_of(source.content, self.seed))
        except AudioError as error:
            raise AudioError(f"Recording {source.recording}: {error}") from error

    def _features(self, waveform: FloatArray, *, seed: int) -> list[FloatArray]:
        parts = [pipeline.waveform_part for pipeline in self.pipelines]
        waveforms = dict(zip(parts, augment.apply_each(waveform, parts, seed=seed), strict=True))
        if isinstance(self.frontend, SpectrogramFrontend):
            return self._by_spectrogram(self.frontend, waveforms, seed=seed)
        features = {part: self.frontend(augmented) for part, augmented in waveforms.items()}
        return [features[part] for part in parts]

    def _by_spectrogram(
        self, frontend: SpectrogramFrontend, waveforms: dict[str, FloatArray], *, seed: int
    ) -> list[FloatArray]:
        spectrograms = {part: frontend.spectrogram(each) for part, each in waveforms.items()}
        return [
            frontend.features(
                augment.apply_to_spectrogram(
                    spectrograms[pipeline.waveform_part], str(pipeline), seed=seed
                )
            )
            for pipeline in self.pipelines
        ]

    def _key(self, content: str, pipeline: str) -> str:
        versions = _versions(_DECODERS + self.frontend.libraries)
        depends_on: dict[str, object] = {
            "content": content,
            "revision": REVISION,
            "frontend": [self.frontend.name, self.frontend.revision, asdict(self.frontend)],
            "versions": versions,
        }
        if pipeline:
            others = tuple(library for library in _AUGMENTATION if library not in versions)
            depends_on["augmentation"] = [pipeline, augment.REVISION, self.seed]
            depends_on["augmentation versions"] = _versions(others)
        return _sha256(json.dumps(depends_on, sort_keys=True).encode())


def extract(
    recordings: pd.DataFrame,
    *,
    frontend: Frontend,
    pipeline: str | None = None,
    seed: int = 0,
    cache: Path | None,
    workers: int = 2,
    progress: Progress | None = None,
) -> FloatArray:
    """Compute the features of recordings.

    Parameters
    ----------
    recordings : DataFrame
        Columns `recording` (a name for messages) and `path`.
    frontend : Frontend
        From `edac_core.frontends.get_frontend`.
    pipeline : str or None
        Augmentation, as in `edac_core.augment.parse`; None for none.
    seed : int
        Of the augmentation. What a recording draws depends on this and its content alone, not
        on its row, name or the other recordings.
    cache : Path or None
        SQLite file of features computed before; None to keep nothing.
    workers : int
        Processes, started afresh without TensorFlow (a script that calls this needs its
        `if __name__ == "__main__"`); 1 computes in this process, as do 16 recordings or fewer.
    progress : callable or None
        Called in this process with the rows done and all rows, as they are done.

    Returns
    -------
    np.ndarray, shape (n, *frontend.shape), float32
        In the order of the rows.

    Raises
    ------
    AudioError
        If a recording cannot be read or decoded, is too short for the front-end, or augmentation
        leaves nothing of it.
    PlanError
        If the pipeline cannot be read, or augments the spectrogram of a front-end that has none,
        or a library that the front-end needs is not installed.
    """
    return extract_each(
        recordings,
        frontend=frontend,
        pipelines=[pipeline or ""],
        seed=seed,
        cache=cache,
        workers=workers,
        progress=progress,
    )[0]


def extract_each(
    recordings: pd.DataFrame,
    *,
    frontend: Frontend,
    pipelines: Sequence[str],
    seed: int = 0,
    cache: Path | None,
    workers: int = 2,
    progress: Progress | None = None,
) -> list[FloatArray]:
    """Compute the features of recordings under several augmentations, decoding each once.

    Parameters
    ----------
    recordings, frontend, seed, cache, workers, progress
        As in `extract`.
    pipelines : sequence of str
        As in `edac_core.augment.parse`; "" for none. Augmentations of spectrograms are applied
        inside the front-end.

    Returns
    -------
    list of np.ndarray
        One array a pipeline, each the same as from `extract`.

    Raises
    ------
    AudioError
        If a recording cannot be read or decoded, is too short for the front-end, or augmentation
        leaves nothing of it.
    PlanError
        If a pipeline cannot be read, or augments the spectrogram of a front-end that has none, or
        a library that the front-end needs is not installed.
    """
    parsed = tuple(augment.parse(pipeline) for pipeline in pipelines)
    for pipeline in parsed:
        _refuse_without_spectrogram(frontend, pipeline)
    recipe = _Recipe(frontend, parsed, seed)
    sources = [
        _identify(str(recording), Path(path))
        for recording, path in zip(recordings["recording"], recordings["path"], strict=True)
    ]
    known = _known_or_computed(
        recipe,
        sources,
        cache=ArrayCache(cache) if cache else None,
        workers=workers,
        progress=progress,
    )
    keys = [recipe.keys(source.content) for source in sources]
    return [
        np.array([known[row[at]] for row in keys], np.float32).reshape(-1, *frontend.shape)
        for at in range(len(pipelines))
    ]


def _refuse_without_spectrogram(frontend: Frontend, pipeline: Pipeline) -> None:
    if pipeline.on_spectrogram and not isinstance(frontend, SpectrogramFrontend):
        raise PlanError(
            f"Front-end {frontend.name!r} has no spectrogram for '{pipeline.on_spectrogram[0]}' "
            f"of '{pipeline}': leave it out, or choose another front-end."
        )


def _known_or_computed(
    recipe: _Recipe,
    sources: list[_Source],
    *,
    cache: ArrayCache | None,
    workers: int,
    progress: Progress | None,
) -> dict[str, FloatArray]:
    """Features by key, from the cache or computed and put there."""
    known = _cached(recipe, sources, cache=cache)
    missing = _missing(recipe, sources, known=known)
    done = len(sources) - len(missing)
    for computed in _computed(recipe, missing, workers=workers):
        known.update(computed)
        if cache:
            cache.put(computed)
        if progress:
            done += len(computed) // len(recipe.pipelines)
            progress(done, len(sources))
    return known


def _cached(
    recipe: _Recipe, sources: list[_Source], *, cache: ArrayCache | None
) -> dict[str, FloatArray]:
    if cache is None:
        return {}
    keys = {key: None for source in sources for key in recipe.keys(source.content)}
    found = cache.get(keys)
    return {key: array for key, array in found.items() if array.shape == recipe.frontend.shape}


def _missing(
    recipe: _Recipe, sources: list[_Source], *, known: dict[str, FloatArray]
) -> list[_Source]:
    """List the sources to compute, one for each content."""
    by_content = {source.content: source for source in sources}
    return [
        source
        for source in by_content.values()
        if not all(key in known for key in recipe.keys(source.content))
    ]


def _computed(
    recipe: _Recipe, sources: list[_Source], *, workers: int
) -> Iterator[dict[str, FloatArray]]:
    """Features by key, a chunk of sources at a time, in any order."""
    chunks = [sources[at : at + _CHUNK] for at in range(0, len(sources), _CHUNK)]
    # Processes take longer to start than one chunk takes to compute.
    if workers == 1 or len(chunks) <= 1:
        yield from (_compute(recipe, chunk) for chunk in chunks)
    else:
        yield from _computed_in_processes(recipe, chunks, workers=workers)


def _computed_in_processes(
    recipe: _Recipe, chunks: list[list[_Source]], *, workers: int
) -> Iterator[dict[str, FloatArray]]:
    # A forked child of a process that runs threads, as TensorFlow's do, may deadlock.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(min(workers, len(chunks)), mp_context=context)
    try:
        futures = [executor.submit(_compute, recipe, chunk) for chunk in chunks]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise AudioError(
            "A process that computes features has ended, as one that takes too much memory is "
            "killed: run again with fewer workers."
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _compute(recipe: _Recipe, sources: list[_Source]) -> dict[str, FloatArray]:
    # The matrices are small: threads of BLAS would only get in the other processes' way.
    with threadpool_limits(1):
        return {
            key: features
            for source in sources
            for key, features in zip(
                recipe.keys(source.content), recipe.features(source), strict=True
            )
        }


def _identify(recording: str, path: Path) -> _Source:
    try:
        return _Source(recording, path, _sha256(path.read_bytes()))
    except OSError as error:
        raise AudioError(
            f"Recording {recording} cannot be read ({error.strerror}): check the path {path}."
        ) from error


def _seed_of(content: str, seed: int) -> int:
    return int(_sha256(f"{seed} {content}".encode())[:16], 16)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@remembered
def _versions(libraries: tuple[str, ...]) -> dict[str, str]:
    return {library: _version(library) for library in libraries}


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError as error:
        raise not_installed(library) from error
