"""Where a cache keeps model files, and what says that one was deleted to make room."""

from __future__ import annotations

import re
from pathlib import Path

MODELS = "models"
EVICTED = ".evicted"
"""Suffix of the mark of a model file that was deleted to make room."""

_MODEL = re.compile(r"(?P<sha256>[0-9a-f]{64})\.tflite\.xz")


def model_path(cache: Path, sha256: str) -> Path:
    """Return where a model file is, or would be."""
    return cache / MODELS / f"{sha256}.tflite.xz"


def mark_path(cache: Path, sha256: str) -> Path:
    """Return where the mark of an evicted model file is, or would be."""
    return cache / MODELS / f"{sha256}{EVICTED}"


def model_files(cache: Path) -> dict[str, Path]:
    """Return what stands where model files do, by digest."""
    entries = sorted((cache / MODELS).iterdir()) if (cache / MODELS).is_dir() else []
    matches = {path: _MODEL.fullmatch(path.name) for path in entries}
    return {match["sha256"]: path for path, match in matches.items() if match}


def is_within(path: Path, cache: Path) -> bool:
    """Say whether no link leads from a cache's folder to that of a path."""
    return path.parent.resolve().is_relative_to(cache.resolve())
