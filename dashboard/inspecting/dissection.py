"""What model files are made of, computed apart, once for all sessions."""

from __future__ import annotations

import streamlit as st

from dashboard.workers import workers
from edac_core.dissection import footprint_of, operator_times_of, spreads_of, tensors_of
from edac_core.measure.parts import Footprint, OperatorTimes, Spread, Tensor
from edac_core.verdicts import ModelFile

SECONDS = 120
"""The largest network's float32 file alone takes 20 s to unpack."""


def read_tensors(file: ModelFile) -> tuple[Tensor, ...]:
    """List a file's constants.

    Raises
    ------
    EdacError
        If the file is missing, damaged, or takes too long.
    """
    return _tensors(file.sha256, file)


def read_spreads(file: ModelFile, baseline: ModelFile | None) -> tuple[Spread, ...]:
    """Count how a file's weights are spread, beside those of its baseline; raises as above."""
    return _spreads(file.sha256, baseline.sha256 if baseline else "", file, baseline)


def read_footprint(file: ModelFile) -> Footprint:
    """Estimate what a file asks of a device; raises as above."""
    return _footprint(file.sha256, file)


def measure_operators(file: ModelFile, *, again: bool = False) -> OperatorTimes:
    """Time a file's operators on this machine, once unless asked `again`; raises as above."""
    if again:
        _operators.clear(file.sha256, file)
    return _operators(file.sha256, file)


def are_measured(file: ModelFile) -> bool:
    """Say whether a file's operators were timed before."""
    return file.sha256 in _measured()


# Keyed by content: a file is the same in whichever store it lies.
@st.cache_resource(max_entries=256, show_spinner="Taking the file to pieces")
def _tensors(sha256: str, _file: ModelFile) -> tuple[Tensor, ...]:  # noqa: ARG001 - for the cache
    return workers().call(tensors_of, _file, seconds=SECONDS, subject=_subject(_file))


@st.cache_resource(max_entries=256, show_spinner="Comparing its weights with the baseline's")
def _spreads(
    sha256: str,  # noqa: ARG001 - for the cache
    baseline_sha256: str,  # noqa: ARG001 - for the cache
    _file: ModelFile,
    _baseline: ModelFile | None,
) -> tuple[Spread, ...]:
    return workers().call(spreads_of, _file, _baseline, seconds=SECONDS, subject=_subject(_file))


@st.cache_resource(max_entries=256, show_spinner="Trying which runtimes take it")
def _footprint(sha256: str, _file: ModelFile) -> Footprint:  # noqa: ARG001 - for the cache
    return workers().call(footprint_of, _file, seconds=SECONDS, subject=_subject(_file))


@st.cache_resource(max_entries=256, show_spinner="Timing each operator")
def _operators(sha256: str, _file: ModelFile) -> OperatorTimes:
    found = workers().call(operator_times_of, _file, seconds=SECONDS, subject=_subject(_file))
    _measured().add(sha256)
    return found


@st.cache_resource(show_spinner=False)
def _measured() -> set[str]:
    return set()


def _subject(file: ModelFile) -> str:
    return f"The model file {file.sha256[:12]}"
