"""Studies: plans, jobs, the store of what is known, and the runner."""

from collections.abc import Mapping
from typing import Any

BASELINE = "none"
"""The method of what is as it was trained."""

SMALLER_NETWORKS = ("width", "width-distilled")
"""Methods that train just a smaller network: what every other one has to beat at equal size."""


def method_of(config: Mapping[str, Any]) -> str:
    """Return the method of a job's configuration.

    Jobs of before there were other methods than magnitude pruning have a schedule only.
    """
    return str(config.get("method") or config["schedule"])
