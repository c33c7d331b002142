"""A user's own network: a Python file that defines a `ModelSpec` called ``MODEL``.

The file's text is part of a job's configuration, and so of its key, and travels to the workers
with it.
"""

from __future__ import annotations

import functools
import sys
import types
from pathlib import Path
from typing import get_args

from edac_core.errors import PlanError
from edac_core.frontends import FRONTENDS
from edac_core.models.spec import Keep, ModelSpec

SUFFIX = ".py"
_NAME = "MODEL"


def read_definition(path: Path) -> str:
    """Return the text of a model's file.

    Raises
    ------
    PlanError
        If it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(
            f"The model file {path} cannot be read ({error}); check the path."
        ) from error


@functools.cache
def define(source: str) -> ModelSpec:
    """Run the text of a model's file and return the network it defines.

    It is run as any Python file is: run only what you trust.

    Parameters
    ----------
    source
        The text.

    Raises
    ------
    PlanError
        If it fails, or does not define a usable ``MODEL``.
    """
    module = types.ModuleType("edac_user_model")
    # Dataclasses and pickles look their module up by its name.
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, "<model file>", "exec"), module.__dict__)  # noqa: S102 - the user's own
    except Exception as error:
        raise PlanError(f"It fails ({type(error).__name__}: {error}); mend it.") from error
    return _checked(getattr(module, _NAME, None))


def _checked(spec: object) -> ModelSpec:
    if not isinstance(spec, ModelSpec):
        raise PlanError(
            f"It defines no {_NAME} of type ModelSpec but {spec!r}; see the guide "
            "docs/own-model.md."
        )
    if spec.keep not in get_args(Keep):
        listed = ", ".join(map(repr, get_args(Keep)))
        raise PlanError(f"The model {spec.name!r} keeps {spec.keep!r}; choose from: {listed}.")
    if spec.frontend not in FRONTENDS:
        listed = ", ".join(FRONTENDS)
        raise PlanError(
            f"The model {spec.name!r} wants the front-end {spec.frontend!r}; choose from: {listed}."
        )
    return spec
