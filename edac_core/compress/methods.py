"""The methods by name, and chains of them. Importing this imports no TensorFlow.

A *recipe* is a chain of methods, written ``width-distilled:0.9+polynomial:0.5+cluster-16``: the
number is the share of the weights that reach a step which the step removes. A method that removes
weights but has no number takes the sparsity of the level it is used for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from edac_core.errors import PlanError

Place = Literal["anywhere", "first", "last", "alone"]

JOINT = "+"
_AT = ":"


@dataclass(frozen=True, kw_only=True)
class Method:
    """Something that can be done to a network.

    Parameters
    ----------
    title
        Its name for people.
    explanation
        What it does, in half a sentence.
    removes
        Whether it removes a share of the weights.
    place
        Where in a chain it can be.
    """

    title: str
    explanation: str
    removes: bool = True
    place: Place = "anywhere"


METHODS: Mapping[str, Method] = {
    "polynomial": Method(
        title="polynomial schedule",
        explanation="the smallest weights are set to zero, little by little",
    ),
    "constant": Method(
        title="constant schedule",
        explanation="the smallest weights are set to zero, all at once",
    ),
    "sensitive": Method(
        title="polynomial schedule by layer",
        explanation="as polynomial, and more where the network minds less",
    ),
    "movement": Method(
        title="movement pruning",
        explanation="weights that training moves towards zero are set to zero",
    ),
    "block": Method(
        title="blocks of weights",
        explanation="blocks of four weights are set to zero and left out of the float32 file",
        place="last",
    ),
    "structured-norm": Method(
        title="whole units, by norm",
        explanation="the units with the smallest weights are taken out",
    ),
    "structured-taylor": Method(
        title="whole units, by Taylor",
        explanation="the units that the loss depends on least are taken out",
    ),
    "width": Method(
        title="a smaller network",
        explanation="the same architecture with fewer units, trained from scratch",
        place="first",
    ),
    "width-distilled": Method(
        title="a smaller network, taught",
        explanation="fewer units, trained from scratch on what the full network answers",
        place="first",
    ),
    "rewritten": Method(
        title="exact rewrites",
        explanation="the same function by a faster graph",
        removes=False,
        place="alone",
    ),
    "round-to-zero": Method(
        title="rounded to zero",
        explanation="weights below half an int8 step are set to zero, without training",
        removes=False,
    ),
    "compaction": Method(
        title="dead units taken out",
        explanation="units that pruning left dead are taken out and their constants folded away",
        removes=False,
    ),
    "cluster-16": Method(
        title="16 shared values",
        explanation="each layer's weights share 16 values",
        removes=False,
        place="last",
    ),
    "cluster-32": Method(
        title="32 shared values",
        explanation="each layer's weights share 32 values",
        removes=False,
        place="last",
    ),
    "qat": Method(
        title="trained for 8 bits",
        explanation="fine-tuned while it is computed as in 8 bits",
        removes=False,
        place="last",
    ),
}
"""What can be done to a trained network; constant and polynomial are the papers'."""

GRADUAL = ("polynomial", "sensitive", "movement", "block")
"""Methods that follow the polynomial schedule."""


@dataclass(frozen=True)
class Step:
    """One link of a recipe: a method, and the share of the weights it removes (0 if none)."""

    method: str
    sparsity: float = 0.0


def parse_recipe(text: str, *, sparsity: float | None = None) -> tuple[Step, ...]:
    """Read a recipe.

    Parameters
    ----------
    text
        Methods joined by ``+``, each with its sparsity behind a colon where it needs one.
    sparsity
        What a method that removes weights, and has no number of its own, removes.

    Raises
    ------
    PlanError
        If a method is unknown, has a number it cannot have or lacks one, or stands where it
        cannot.
    """
    steps = tuple(_step(part.strip(), text, sparsity) for part in text.split(JOINT))
    _check_places(steps, text)
    return steps


def takes_levels(text: str) -> bool:
    """Whether a recipe takes the sparsity of a level: one of its methods removes, unnumbered.

    Raises
    ------
    PlanError
        If more than one does, or the recipe is no recipe.
    """
    parse_recipe(text, sparsity=0.5)
    open_steps = [part for part in text.split(JOINT)
                  if _AT not in part and METHODS[part.strip()].removes]  # fmt: skip
    if len(open_steps) > 1:
        raise PlanError(
            f"The recipe {text!r} has several methods without a sparsity of their own; write "
            f"{open_steps[0].strip()}{_AT}0.9, for example."
        )
    return bool(open_steps)


def method_name(text: str) -> str:
    """Return the name of a recipe's levels: without its number, if it has but one.

    ``movement:0.95`` is the level 0.95 of ``movement``.
    """
    steps = parse_recipe(text, sparsity=0.5)
    if sum(METHODS[step.method].removes for step in steps) > 1:
        return text
    return JOINT.join(step.method for step in steps)


def total_sparsity(steps: Sequence[Step]) -> float:
    """Return the share of all weights that steps remove together."""
    # Rounded, so that 1 - (1 - 0.9) is 0.9 again.
    return round(1 - math.prod(1 - step.sparsity for step in steps), 12)


def write_recipe(steps: Sequence[Step]) -> str:
    """Write a recipe so that `parse_recipe` reads it back."""
    return JOINT.join(
        f"{step.method}{_AT}{step.sparsity!r}" if step.sparsity else step.method for step in steps
    )


def _step(part: str, text: str, sparsity: float | None) -> Step:
    name, at, number = part.partition(_AT)
    if name not in METHODS:
        raise PlanError(
            f"There is no method {name!r} (in {text!r}); choose from: {', '.join(METHODS)}."
        )
    if not METHODS[name].removes:
        if at:
            raise PlanError(f"The method {name!r} removes no weights; write it without {part!r}.")
        return Step(name)
    if not at and sparsity is None:
        raise PlanError(f"The recipe {text!r} does not say how much {name!r} removes.")
    return replace(Step(name), sparsity=_number(number, part) if at else float(sparsity or 0))


def _number(number: str, part: str) -> float:
    try:
        sparsity = float(number)
    except ValueError:
        sparsity = math.nan
    if not 0 < sparsity < 1:
        raise PlanError(f"In {part!r}, {number!r} is not a fraction between 0 and 1.")
    return sparsity


def _check_places(steps: Sequence[Step], text: str) -> None:
    last = len(steps) - 1
    for index, step in enumerate(steps):
        place = METHODS[step.method].place
        if not {"anywhere": True, "first": index == 0, "last": index == last, "alone": last == 0}[
            place
        ]:
            raise PlanError(f"In the recipe {text!r}, {step.method!r} can only be {place}.")
