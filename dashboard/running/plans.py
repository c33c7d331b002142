"""A study's plan as a form: what it holds, what fills it, and the plan that it makes."""

from __future__ import annotations

import contextlib
import itertools
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import format as write
from dashboard.recordings import datasets_here
from dashboard.theme import METHODS as METHOD_LOOKS
from dashboard.theme import PRECISIONS as PRECISION_LOOKS
from dashboard.theme import model_title
from edac_core.compress import PRECISIONS, SCHEDULES
from edac_core.compress.methods import METHODS
from edac_core.datasets import DATASETS, options_of
from edac_core.errors import PlanError
from edac_core.locations import PROJECT
from edac_core.models import MODELS
from edac_core.studies.plan import (
    DECAY_ENDS,
    GRAPHS,
    PROTOCOLS,
    STARTS,
    Plan,
    load_plan,
    parse_plan,
    toml_line,
)

READY_MADE = PROJECT / "plans"
FIRST = "quick"
CHOSEN = "plan_ready_made"
_KEPT, _FOLLOWED = "_plan_kept", "_plan_followed"
_FOLDER = "folder"
_TITLES = {
    "covid19-cough": "COVID-19 cough",
    "coswara": "Coswara",
    "coughvid": "COUGHVID",
    "urtic": "URTIC",
    "folder": "Your recordings",
    "synthetic": "Synthetic coughs",
}
_PROTOCOL_HELP = (
    "**clean**: nobody is in two sets, and only training recordings are augmented. **paper**: the "
    "sets are made as each network's paper made them, which is optimistic."
)
_START_WORDS = {"baseline": "the baseline", "previous": "the level before it"}


def ready_made() -> list[str]:
    """Return the names of the plans that come along and that the form can show."""
    return [path.stem for path in sorted(READY_MADE.glob("*.toml")) if _read(path) is not None]


def begin() -> None:
    """Fill the form: as an address asks, as it was left on the way to another page, or anew."""
    state = st.session_state
    asked = st.query_params.get("plan")
    if asked in ready_made() and state.get(_FOLLOWED) != asked:
        state[_FOLLOWED] = asked
        _fill(asked)
    elif _KEPT not in state:
        _fill(FIRST)
    for key, value in state[_KEPT].items():
        state.setdefault(key, value)


def keep() -> None:
    """Note what stands in the form, which Streamlit forgets when another page is shown."""
    state = st.session_state
    state[_KEPT] = {key: state.get(key, old) for key, old in state[_KEPT].items()}


def draw_form() -> None:
    """Draw all fields."""
    st.selectbox(
        "Start from", ready_made(), key=CHOSEN, on_change=_fill_chosen,
        help="A plan that comes along; choosing one fills the form.",
    )  # fmt: skip
    with st.grid(2, min_column_width=240):
        st.text_input("Title", key="plan_title", max_chars=120)
        st.text_input(
            "Name", key="plan_name", max_chars=60,
            help="Letters, digits, - and _. A study of the same name is gone on with.",
        )  # fmt: skip
        st.selectbox(
            "Data set", DATASETS, key="plan_dataset", format_func=_described_dataset,
            on_change=_forget_data_settings,
        )  # fmt: skip
        st.segmented_control(
            "Protocol", PROTOCOLS, key="plan_protocol", required=True, help=_PROTOCOL_HELP
        )
    _draw_data()
    _draw_networks()
    with st.expander("More settings"):
        _draw_more()


def content() -> dict[str, Any]:
    """Return the tables of the plan that the form describes, not checked yet.

    Raises
    ------
    PlanError
        If a list of numbers, or the data set's settings, cannot be read.
    """
    state = st.session_state
    data = {
        "dataset": state["plan_dataset"],
        "protocol": state["plan_protocol"],
        "split_seeds": _whole_numbers("Split seeds", state["plan_split_seeds"]),
        "path": state["plan_path"].strip() or None,
        "options": _options(state["plan_options"]),
    }
    training = {
        "models": list(state["plan_models"]),
        "seeds": _whole_numbers("Training seeds", state["plan_seeds"]),
        "epochs": state["plan_epochs"],
        "patience": state["plan_patience"],
        "batch_size": state["plan_batch_size"],
    }
    compression = {
        "schedules": list(state["plan_schedules"]),
        "methods": list(state["plan_methods"]),
        "recipes": _recipes(state["plan_recipes"]),
        "sparsities": _fractions(state["plan_sparsities"]),
        "precisions": list(state["plan_precisions"]),
        "epochs": state["plan_tuning_epochs"],
        "training_epochs": state["plan_smaller_epochs"],
        "frequency": state["plan_frequency"],
        "start": state["plan_start"],
        "initial_sparsity": round(state["plan_initial_sparsity"] / 100, 12),
        "decay_end": state["plan_decay_end"],
        "graph": state["plan_graph"],
    }
    return {
        "name": state["plan_name"].strip(),
        "title": state["plan_title"].strip() or state["plan_name"].strip(),
        "data": data,
        "training": training,
        "compression": compression,
        "latency_calls": state["plan_latency_calls"],
    }


def planned() -> Plan:
    """Return the plan that the form describes.

    Raises
    ------
    PlanError
        If it is not possible; the sentence names what is not.
    """
    plan = parse_plan(content())
    known = options_of(plan.data.dataset)
    if unknown := [key for key in plan.data.options if key not in known]:
        offered = f"it takes: {', '.join(known)}" if known else "it has none, leave it out"
        raise PlanError(f"Data set {plan.data.dataset!r} has no setting {unknown[0]!r}; {offered}.")
    return plan


def missing_data(plan: Plan) -> str | None:
    """Say in a sentence that a plan's recordings are not on this machine, if they are not."""
    name = plan.data.dataset
    if plan.data.path or name in datasets_here():
        return None
    if name == _FOLDER:
        return "Say where the CSV file is that lists your recordings."
    return (
        f"The recordings of {_TITLES[name]} are not on this machine. To fetch them, or to be told "
        "how, run:"
    )


def _fill_chosen() -> None:
    _fill(st.session_state[CHOSEN])


def _forget_data_settings() -> None:
    """Another data set lies elsewhere and takes other settings."""
    st.session_state["plan_path"] = st.session_state["plan_options"] = ""


def _fill(name: str) -> None:
    plan = _read(READY_MADE / f"{name}.toml")
    if plan is None:
        return
    values = {CHOSEN: name, **_values(plan)}
    st.session_state[_KEPT] = values
    for key, value in values.items():
        st.session_state[key] = value


def _values(plan: Plan) -> dict[str, Any]:
    """Return what stands in each field of the form for a plan."""
    return {
        "plan_name": plan.name,
        "plan_title": plan.title,
        "plan_dataset": plan.data.dataset,
        "plan_protocol": plan.data.protocol,
        "plan_split_seeds": _listed(plan.data.split_seeds),
        "plan_path": plan.data.path or "",
        "plan_options": _settings(plan.data.options),
        "plan_models": list(plan.training.models),
        "plan_seeds": _listed(plan.training.seeds),
        "plan_epochs": plan.training.epochs,
        "plan_patience": plan.training.patience,
        "plan_batch_size": plan.training.batch_size,
        "plan_schedules": list(plan.compression.schedules),
        "plan_methods": list(plan.compression.methods),
        "plan_recipes": _settings(plan.compression.recipes),
        "plan_sparsities": _listed(
            [write.per_cent_in_address(sparsity) for sparsity in plan.compression.sparsities]
        ),
        "plan_precisions": list(plan.compression.precisions),
        "plan_tuning_epochs": plan.compression.epochs,
        "plan_smaller_epochs": plan.compression.training_epochs,
        "plan_frequency": plan.compression.frequency,
        "plan_start": plan.compression.start,
        "plan_initial_sparsity": 100 * plan.compression.initial_sparsity,
        "plan_decay_end": plan.compression.decay_end,
        "plan_graph": plan.compression.graph,
        "plan_latency_calls": plan.latency_calls,
    }


def _read(path: Path) -> Plan | None:
    """Read a plan; None of one with a network of one's own, whose file would be executed here."""
    with contextlib.suppress(
        OSError, ValueError, RecursionError, PlanError, AttributeError, TypeError
    ):
        tables = tomllib.loads(path.read_text("utf-8"))
        if set(tables.get("training", {}).get("models", ())) <= set(MODELS):
            return load_plan(path)
    return None


def _draw_data() -> None:
    name = st.session_state["plan_dataset"]
    takes = _takes(name)
    if name == _FOLDER or takes:
        with st.grid(2, min_column_width=240):
            if name == _FOLDER:
                st.text_input(
                    "CSV file", key="plan_path", placeholder="/home/me/coughs/mine.csv",
                    help="On the machine that runs this page; with the columns path and label.",
                )  # fmt: skip
            if takes:
                st.text_input(
                    "Settings of the data set", key="plan_options", placeholder=takes,
                    help=f"Of this data set: {takes}.",
                )  # fmt: skip


def _other_methods() -> list[str]:
    """List the methods beside magnitude pruning, and the chains that the chosen plan has."""
    alone = [name for name in METHODS if name not in SCHEDULES]
    chains = st.session_state.get("plan_methods") or []
    return alone + [name for name in chains if name not in alone]


def _draw_networks() -> None:
    st.pills(
        "Networks", list(MODELS), key="plan_models", selection_mode="multi", format_func=model_title
    )
    st.pills(
        "Precisions", PRECISIONS, key="plan_precisions", selection_mode="multi",
        help=_explained(PRECISION_LOOKS, PRECISIONS),
    )  # fmt: skip
    with st.grid(2, min_column_width=240):
        st.pills(
            "Magnitude pruning, by schedule", SCHEDULES, key="plan_schedules",
            selection_mode="multi", help=_explained(METHOD_LOOKS, SCHEDULES),
        )  # fmt: skip
        st.multiselect(
            "Other methods", _other_methods(), key="plan_methods", placeholder="None",
            help=_explained(METHOD_LOOKS, _other_methods()),
        )  # fmt: skip
    st.text_input(
        "Sparsities in per cent", key="plan_sparsities", placeholder="50, 90, 95",
        help="Shares of the weights that pruning sets to zero. The unpruned baseline is always "
        "measured.",
    )  # fmt: skip
    with st.grid(4, min_column_width=130):
        st.text_input(
            "Split seeds", key="plan_split_seeds",
            help="Each is another choice of test recordings. Three or more say how much of a "
            "difference is luck.",
        )  # fmt: skip
        st.text_input(
            "Training seeds", key="plan_seeds",
            help="Each is another start of the training; the papers vary this one.",
        )  # fmt: skip
        _ask_count(
            "Epochs", key="plan_epochs",
            help_text="Most epochs of a baseline's training; empty: as the network's paper did.",
        )  # fmt: skip
        _ask_count(
            "Fine-tuning epochs", key="plan_tuning_epochs",
            help_text="Epochs of training while a level is pruned; empty: as the network's paper "
            "did.",
        )  # fmt: skip


def _ask_count(
    label: str, *, key: str, help_text: str, most: int = 10_000, otherwise: str = "paper's"
) -> None:
    """Ask for a number that may be left open; `otherwise` says what holds then."""
    st.number_input(label, 1, most, None, key=key, placeholder=otherwise, help=help_text)


def _draw_more() -> None:
    with st.grid(2, min_column_width=240):
        if st.session_state["plan_dataset"] != _FOLDER:
            st.text_input(
                "Folder of the recordings", key="plan_path", placeholder="where they are looked for"
            )
        _ask_count(
            "Patience", key="plan_patience",
            help_text="Epochs without a lower validation loss after which a baseline stops.",
        )  # fmt: skip
        _ask_count(
            "Batch size", key="plan_batch_size", most=100_000,
            help_text="Recordings a step when a network is trained from scratch.",
        )  # fmt: skip
        _ask_count(
            "Epochs of smaller networks", key="plan_smaller_epochs", otherwise="as the full one's",
            help_text="Most epochs of networks with fewer units that are trained from scratch.",
        )  # fmt: skip
        st.segmented_control(
            "Levels start from", STARTS, key="plan_start", required=True,
            format_func=_START_WORDS.__getitem__,
        )  # fmt: skip
        st.number_input(
            "Steps between mask updates", 1, 100_000, key="plan_frequency",
            help="Of the polynomial schedule.",
        )  # fmt: skip
        st.number_input(
            "Polynomial schedule starts at (per cent)", 0.0, 99.9, key="plan_initial_sparsity"
        )
        st.segmented_control(
            "Polynomial schedule ends at", DECAY_ENDS, key="plan_decay_end", required=True,
            format_func=lambda end: f"the {end.replace('update', 'mask update')}",
        )  # fmt: skip
        st.segmented_control(
            "Graph of compressed networks", GRAPHS, key="plan_graph", required=True,
            help="Rewritten: the same function by a faster graph. Published: the paper's own, "
            "which the float32 baseline always has.",
        )  # fmt: skip
        st.text_input(
            "Recipes", key="plan_recipes", placeholder="tiny = 'width:0.99+qat'",
            help="Chains of methods under names of their own; the number behind a method is the "
            "share of the weights that reach it which it removes.",
        )  # fmt: skip
        st.number_input("Timed calls a variant", 1, 100_000, key="plan_latency_calls")


def _described_dataset(name: str) -> str:
    here = name == _FOLDER or name in datasets_here()
    return _TITLES.get(name, name) + ("" if here else " (not on this machine)")


def _takes(name: str) -> str:
    """List the settings that a data set's loader takes, with their defaults."""
    defaults = options_of(name).items()
    return ", ".join(f"{key} = {'...' if value is None else value}" for key, value in defaults)


def _explained(looks: Mapping[str, Any], names: Sequence[str]) -> str:
    return "; ".join(f"**{name}**: {looks[name].help}" for name in names if name in looks) + "."


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))


def _fractions(text: str) -> list[float]:
    try:
        numbers = [float(word.strip(" %")) for word in text.split(",") if word.strip()]
    except ValueError:
        raise PlanError(
            f"Sparsities “{text[:40]}” are not numbers with commas between them; write 50, 90, 95."
        ) from None
    # Divided by 100, 99.9 is not 0.999.
    return [round(number / 100, 12) for number in numbers]


def _whole_numbers(what: str, text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",") if word.strip()]
    except ValueError:
        raise PlanError(
            f"{what} “{text[:40]}” are not whole numbers with commas between them; write 1, 2, 3."
        ) from None


def _options(text: str) -> dict[str, Any]:
    return _table(text, what="Settings of the data set")


def _recipes(text: str) -> dict[str, Any]:
    return _table(text, what="Recipes")


def _settings(table: Mapping[str, Any]) -> str:
    return ", ".join(itertools.starmap(toml_line, table.items()))


def _table(text: str, *, what: str) -> dict[str, Any]:
    try:
        return dict(tomllib.loads(f"table = {{ {text} }}")["table"])
    # Not only TOMLDecodeError: see `edac_core.studies.plan.load_plan`.
    except (ValueError, RecursionError):
        raise PlanError(
            f"{what} “{text[:40]}” cannot be read; write name = value, with commas between them."
        ) from None
