"""What all stages share: contestants in processes of their own, and features that stand for any."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from edac_core.locations import PROJECT
from edac_core.models.examples import Examples

SEED = 1234
Say = Callable[[str], None]

_TUNING = ("TF_ENABLE_ONEDNN_OPTS", "TF_ONEDNN_USE_SYSTEM_ALLOCATOR")


class ContestantError(RuntimeError):
    """A contestant's process ended without a result."""


def run_alone(module: str, *arguments: object) -> Any:
    """Run a module in a process of its own, and return what it answered.

    Parameters and what is raised are those of `run_module`; the module calls `answer`.
    """
    return json.loads(run_module(module, *arguments).splitlines()[-1])


def run_module(module: str, *arguments: object) -> str:
    """Run a module in a process of its own.

    TensorFlow's tuning is left out of its environment, so that a contestant has what it sets
    itself, or what TensorFlow decides.

    Parameters
    ----------
    module
        Run as ``python -m``.
    *arguments
        Of its command line.

    Returns
    -------
    str
        What it wrote to its standard output.

    Raises
    ------
    ContestantError
        If it fails; the message ends in what it wrote to its standard error.
    """
    finished = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", module, *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=PROJECT, env=_environment(),
    )  # fmt: skip
    if finished.returncode:
        raise ContestantError(
            f"{module} ended with status {finished.returncode}; mend what it complains of:\n"
            f"{finished.stderr}"
        )
    return finished.stdout


def answer(result: Any) -> None:
    """Hand plain values to the process that called `run_alone`."""
    sys.stdout.write(json.dumps(result) + "\n")


def take_turns(
    module: str, contestants: Iterable[str], *arguments: object, runs: int, say: Say
) -> dict[str, list[Any]]:
    """Run each contestant several times, in turns, so that the machine's moods fall on all alike.

    Parameters
    ----------
    module
        Takes the contestant's name as its first argument and answers with a mapping that has
        `seconds`.
    contestants
        Names.
    *arguments
        The module's other arguments.
    runs
        Of each contestant.
    say
        Takes a line for people after each run.

    Returns
    -------
    dict
        The answers of each contestant.
    """
    answers: dict[str, list[Any]] = {name: [] for name in contestants}
    for _ in range(runs):
        for name, given in answers.items():
            given.append(run_alone(module, name, *arguments))
            say(f"  {name}: {given[-1]['seconds']:.2f} s")
    return answers


def seconds_of(answers: dict[str, list[Any]]) -> dict[str, list[float]]:
    """Return the seconds of each contestant's runs."""
    return {name: [one["seconds"] for one in given] for name, given in answers.items()}


def random_examples(shape: tuple[int, ...], *, size: int, seed: int = SEED) -> Examples:
    """Draw examples of a front-end's shape, half of them positive; the time depends on no value."""
    features = np.random.default_rng(seed).standard_normal((size, *shape), np.float32)
    return Examples(features, np.arange(size) % 2)


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _TUNING}
    return inherited | {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
