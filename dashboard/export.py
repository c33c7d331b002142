"""Handing out what was chosen: the model file of a variant, or all that belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import address, frame
from dashboard import format as write
from dashboard.choices import RUN, Network
from dashboard.studies import Shelf, Study, read_figures, read_model
from dashboard.workers import workers
from edac_core.errors import EdacError
from edac_core.export import export_bundle
from edac_core.export.reproduce import export_command

MOST_BYTES = 100e6
"""Larger files are bundled from the command line only: this process would hold them twice."""

BUNDLE_SECONDS = 120
"""Seven sufficed beside a study that trained on every core; the rest is for slower machines."""

_BUNDLE_HELP = (
    "A zip of the .tflite file, a C header for microcontrollers, the front-end (parameters and "
    "plain NumPy), the operating point, ten golden inputs with expected scores, a script that "
    "checks them, every figure with its interval, a model card, and how to make it again."
)
_IN_SHORT = "The bundle has all that a device needs, golden inputs and a script that checks them."
_DAMAGED = "_damaged"
# Streamlit writes "Failed to generate file" below a button for five seconds. The page has mostly
# said why after two of them; where it cannot, as for a click on a button that was just replaced,
# that sentence is better than none.
_OUR_WORDS_FIRST = (
    "<style>@keyframes late {from {visibility: hidden}} "
    "[data-testid=stDownloadButtonError] {animation: late 2s step-end}</style>"
)
_ELSEWHERE = "This file is not in the store; {instead}."
_MAKE_IT = "run the study's plan to make it"


@dataclass(frozen=True)
class _Offer:
    """A variant's file: where it is and what a download of it is called."""

    study: Study
    variant: pd.Series
    name: str
    key: str

    def model(self) -> bytes:
        return _model(self.study, self.study.shelf.folder, str(self.variant["sha256"]))

    def bundle(self) -> bytes:
        study = self.study
        made = _bundle(study.shelf, study.name, str(self.variant["key"]), self.name)
        if isinstance(made, EdacError):
            raise made
        return made

    @property
    def too_large(self) -> bool:
        return bool(self.variant["raw_bytes"] > MOST_BYTES)


def draw_download(network: Network, row: pd.Series, *, key: str = "export") -> None:
    """Offer the file of a chosen variant, and its bundle, one a run.

    Parameters
    ----------
    network : Network
        Which the variant is of.
    row : Series
        Of `Network.summary`.
    key : str
        What distinguishes this control from others on the page.
    """
    names = network.run_titles
    place, *buttons = st.columns([5, 4, 4], vertical_alignment="bottom")
    number = place.selectbox(
        "Run", list(names), address.position(RUN, list(names)), key=RUN.key,
        format_func=names.__getitem__,
        help="Each run trained its own network; any of them is a fair sample.",
    )  # fmt: skip
    files = network.present_files(row)
    offer = None
    if number in files:
        offer = _offer(network, _of_run(network, row, number), key=key)
    _draw_buttons(buttons, offer, key=key, instead=_instead(files))


def draw_export_of(study: Study, variant: pd.Series, *, key: str) -> None:
    """Offer the file of one variant, and its bundle.

    Parameters
    ----------
    study : Study
        Where it comes from.
    variant : Series
        A row of `Store.variants`.
    key : str
        What distinguishes this control from others on the page.
    """
    network = Network(study, read_figures(study), str(variant["model"]))
    offer = _offer(network, variant, key=key) if variant["has_model"] else None
    _draw_buttons(st.columns(2), offer, key=key, instead=_MAKE_IT)


def _of_run(network: Network, row: pd.Series, number: str) -> pd.Series:
    split_seed, training_seed = network.runs[int(number) - 1]
    files = network.files(row)
    of_run = (files["split_seed"] == split_seed) & (files["training_seed"] == training_seed)
    return files[of_run].iloc[0]


def _offer(network: Network, variant: pd.Series, *, key: str) -> _Offer:
    run = network.runs.index((variant["split_seed"], variant["training_seed"])) + 1
    return _Offer(network.study, variant, f"{_name(variant)}-run{run}", key)


def _name(row: pd.Series) -> str:
    level = write.per_cent_in_address(row["sparsity"])
    return f"{row['model']}-{row['method']}-{level}-{row['precision']}"


def _draw_buttons(places: Any, offer: _Offer | None, *, key: str, instead: str) -> None:
    problem = st.session_state.pop(f"{key}{_DAMAGED}", None)
    of_model, of_bundle = places
    if problem or offer is None:
        of_model.button("Download .tflite", key=f"{key}_no_model", disabled=True, width="stretch")
        of_bundle.button("Download bundle", key=f"{key}_no_bundle", disabled=True, width="stretch")
        if problem:
            frame.draw_problems([problem])
            # Who asks again is to get another attempt.
            _bundle.clear()
        else:
            st.markdown(f":small[{_ELSEWHERE.format(instead=instead)}]")
        return
    st.html(_OUR_WORDS_FIRST)
    _draw_button(
        of_bundle, offer, offer.bundle,
        label="Download bundle", suffix=".zip", mime="application/zip",
        icon=":material/folder_zip:", help=_BUNDLE_HELP, disabled=offer.too_large,
    )  # fmt: skip
    _draw_button(
        of_model, offer, offer.model,
        label="Download .tflite", suffix=".tflite", mime="application/octet-stream",
        icon=":material/download:",
    )  # fmt: skip
    if offer.too_large:
        st.markdown(":small[A bundle this large is made from the command line:]")
        st.code(
            export_command(offer.study.name, dict(offer.variant), output=f"{offer.name}.zip"),
            language="shell",
        )
    else:
        # Where it would say that the file is elsewhere, so that nothing below moves.
        st.markdown(f":small[{_IN_SHORT}]")


def _draw_button(
    place: Any,
    offer: _Offer,
    content: Callable[[], bytes],
    *,
    label: str,
    suffix: str,
    **looks: Any,
) -> None:
    place.download_button(
        label,
        content,
        file_name=f"{offer.name}{suffix}",
        key=f"{offer.key}{suffix}",
        on_click=_try,
        args=(content, f"{offer.key}{_DAMAGED}"),
        width="stretch",
        **looks,
    )


def _instead(files: Mapping[str, str]) -> str:
    return f"the one of run {next(iter(files))} is" if files else _MAKE_IT


def _try(content: Callable[[], bytes], place: str) -> None:
    """Note why what was asked for cannot be had."""
    try:
        content()
    except EdacError as error:
        st.session_state[place] = str(error)


# The browser asks for the bytes while the page finds out whether they can be had: they are unpacked
# once, and not kept for longer than that takes.
@st.cache_resource(max_entries=1, ttl=60, show_spinner=False)
def _model(_study: Study, folder: str, sha256: str) -> bytes:  # noqa: ARG001 - for the cache
    return read_model(_study, sha256)


# As above; and both hear of the same failure.
@st.cache_resource(max_entries=2, show_spinner=False)
def _bundle(shelf: Shelf, study: str, variant: str, name: str) -> bytes | EdacError:
    try:
        return workers().call(
            export_bundle, shelf.folder, study, variant,
            seconds=BUNDLE_SECONDS, subject=f"The bundle {name}",
        )  # fmt: skip
    except EdacError as error:
        return error
