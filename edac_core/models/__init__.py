"""Networks and their training; TensorFlow is imported here and in `compress` only.

Importing this package does not import TensorFlow: a `ModelSpec` says what a network needs, and
its ``build`` imports TensorFlow when it is called.
"""

from edac_core.errors import PlanError
from edac_core.models.cnn import CNN
from edac_core.models.spec import ModelSpec

MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in (CNN,)}


def get_model(name: str) -> ModelSpec:
    """Return the specification of a network by its name.

    Raises
    ------
    PlanError
        If there is no such network.
    """
    try:
        return MODELS[name]
    except KeyError:
        known = ", ".join(sorted(MODELS))
        raise PlanError(f"There is no model {name!r}; choose one of: {known}.") from None


__all__ = ["MODELS", "ModelSpec", "get_model"]
