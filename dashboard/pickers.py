"""Choosing a study, one of its networks and one of its variants; the same on every page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import address, choices, frame
from dashboard.choices import METHOD, MODEL, PRECISION, RUN, SPARSITY, STUDY, Network
from dashboard.studies import Study, find_studies, read_figures
from dashboard.theme import METHODS, PRECISIONS
from edac_core.errors import StoreError
from edac_core.studies import BASELINE

_CHOSEN = "_chosen"


def studies_here() -> list[Study]:
    """Return the studies there are; say what is wrong with a store, or how to get a first one."""
    studies, problems = find_studies()
    frame.draw_problems(problems)
    if not studies:
        frame.nothing_yet()
    return studies


def pick_study(studies: Sequence[Study]) -> Study:
    """Let the viewer choose a study."""
    by_identifier = {study.identifier: study for study in studies}
    titles = study_titles(studies)
    chosen = _picker(STUDY, "Study", list(by_identifier), write=titles.__getitem__)
    return by_identifier[chosen]


def study_titles(studies: Sequence[Study]) -> dict[str, str]:
    """Return what studies are called, by identifier.

    Those of one title are told apart: Streamlit knows an option by what is written there, and
    would go on with the last of those that look alike.
    """
    counts = Counter(study.title for study in studies)
    return {
        study.identifier: study.title
        if counts[study.title] == 1
        else f"{study.title} ({study.identifier})"
        for study in studies
    }


def pick_network(study: Study) -> Network | None:
    """Let the viewer choose one of a study's networks; None, and why, if there is none."""
    try:
        figures = read_figures(study)
    except StoreError as error:
        frame.draw_problems([str(error)])
        return None
    models = list(figures.summary["model"].unique())
    if not models:
        frame.draw_problems([
            f"The study “{study.title}” has no finished variant yet; come back when its run has "
            "got further, or choose another study."
        ])  # fmt: skip
        return None
    model = _picker(MODEL, "Model", models, write=study.title_of)
    network = Network(study, figures, model)
    return _shared(network, network.key)


# What one session's network has read and computed serves all others. Not for ever: files may be
# deleted from a store that is otherwise as it was.
@st.cache_resource(max_entries=16, ttl=300, show_spinner=False)
def _shared(
    _network: Network,
    key: object,  # noqa: ARG001 - for the cache
) -> Network:
    return _network


def pick_rest(network: Network) -> None:
    """Let the viewer choose precision and method, and settle what the slider offers."""
    precision = _picker(
        PRECISION, "Precision", network.precisions,
        default=str(network.start["precision"]),
        help="How a weight is stored. " + _explained(PRECISIONS, network.precisions),
    )  # fmt: skip
    method = _picker(
        METHOD, "Method", network.methods,
        default=choices.default_method(network),
        help="How pruning goes about it. " + _explained(METHODS, network.methods),
    )  # fmt: skip
    levels = network.levels(method=method, precision=precision)
    address.settle(SPARSITY, levels, default=choices.default_level(network, levels))
    row = network.row(method=method, sparsity=st.session_state[SPARSITY.key], precision=precision)
    numbers = [str(number) for number in range(1, len(network.runs) + 1)]
    address.settle(RUN, numbers, default=choices.default_run(network, row))


def shown_variant() -> tuple[str, ...]:
    """Return what the pickers and the slider show, as it stands in the address."""
    fields = (MODEL, PRECISION, METHOD, SPARSITY)
    return tuple(field.write(st.session_state[field.key]) for field in fields)


def choose(row: pd.Series) -> None:
    """Show another variant of the same network; for callbacks.

    Parameters
    ----------
    row : Series
        Of `Network.summary`. The unpruned one belongs to every method.
    """
    state = st.session_state
    state[PRECISION.key] = str(row["precision"])
    if row["method"] != BASELINE:
        state[METHOD.key] = str(row["method"])
    state[SPARSITY.key] = float(row["sparsity"])
    state[_CHOSEN] = True
    address.touch()


def choose_labelled(network: Network, label: int | None) -> None:
    """Show a variant by its label in the summary, if it has one; for callbacks."""
    if label is not None and label in network.summary.index:
        choose(network.labelled(label))


def follow() -> None:
    """Run the whole page again where a fragment's callback chose what its pickers show."""
    if st.session_state.pop(_CHOSEN, False):
        st.rerun()


def _picker(
    field: address.Field,
    label: str,
    options: Sequence[str],
    *,
    default: str | None = None,
    write: Callable[[str], str] = str,
    help: str | None = None,  # noqa: A002 - Streamlit's name
) -> str:
    address.settle(field, options, default=default or options[0])
    chosen = st.selectbox(
        label, options, address.position(field, options), key=field.key, format_func=write,
        help=help, on_change=address.touch,
    )  # fmt: skip
    return str(chosen)


def _explained(looks: Any, names: Sequence[str]) -> str:
    return "; ".join(f"**{name}**: {looks[name].help}" for name in names if name in looks) + "."
