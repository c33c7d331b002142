"""Networks and their training; TensorFlow is imported here and in `compress` only.

Importing this package does not import TensorFlow: a `ModelSpec` says what a network needs, and
its ``build`` imports TensorFlow when it is called.
"""

from collections.abc import Mapping
from pathlib import Path

from edac_core.errors import PlanError
from edac_core.models.cnn import CNN
from edac_core.models.cnn_lstm import CNN_LSTM
from edac_core.models.custom import SUFFIX as DEFINITION_SUFFIX
from edac_core.models.custom import define, read_definition
from edac_core.models.dense import DENSE_A, DENSE_B, DENSE_C
from edac_core.models.spec import ModelSpec

__all__ = ["DEFINITION_SUFFIX", "MODELS", "ModelSpec", "get_model", "resolve"]

MODELS: Mapping[str, ModelSpec] = {
    spec.name: spec for spec in (CNN, CNN_LSTM, DENSE_A, DENSE_B, DENSE_C)
}
"""The papers' networks by name."""


def get_model(name: str, *, definition: str = "") -> ModelSpec:
    """Return the specification of a network.

    Parameters
    ----------
    name
        One of `MODELS`, or that of the network which `definition` defines.
    definition
        The text of a model's file; empty for the papers' networks.

    Raises
    ------
    PlanError
        If there is no such network.
    """
    if definition:
        return define(definition)
    try:
        return MODELS[name]
    except KeyError:
        known = ", ".join(MODELS)
        raise PlanError(
            f"There is no model {name!r}; choose from: {known}, or give a Python file of your own."
        ) from None


def resolve(entry: str) -> tuple[ModelSpec, str]:
    """Return the network that a plan's entry means, and the text that defines it, if a file does.

    Raises
    ------
    PlanError
        If there is no such network, its file fails, or it takes the name of another.
    """
    if not entry.endswith(DEFINITION_SUFFIX):
        return get_model(entry), ""
    definition = read_definition(Path(entry))
    try:
        spec = get_model(entry, definition=definition)
    except PlanError as error:
        raise PlanError(f"The model file {entry} is not usable. {error}") from error
    if spec.name in MODELS:
        raise PlanError(
            f"The model of {entry} is called {spec.name!r}, as one that is here; rename it."
        )
    return spec, definition
