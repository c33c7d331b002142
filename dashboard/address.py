"""The page's address is its state: a link reopens what its sender saw.

What the viewer does with a widget wins over the address; an address that the page did not write
itself (a link, the browser's back button) wins over the widgets. A page that is opened by the
navigation, with nothing in its address, goes on with what was chosen on the page before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

T = TypeVar("T")

SEPARATOR = "~"
"""Stands between several choices of one field; it needs no escaping in an address."""

MOST_NAMED = 6
"""A complaint names no more options than this."""

_WRITTEN, _ASKED, _COMPLAINTS, _TOUCHED = "_written", "_asked", "_complaints", "_touched"
_CARRIED, _BY_LINK = "_carried", "_by_link"


@dataclass(frozen=True)
class Field:
    """One choice of the page: its key in the address and how it is named and written there.

    Where the choice is `omitted`, it does not stand in the address.
    """

    key: str
    noun: str
    write: Callable[..., str] = str
    same: Callable[[str, str], bool] = str.__eq__
    omitted: object = None


def arrive(fields: Sequence[Field]) -> None:
    """Note what the address asks for, if it is not what the page itself wrote there."""
    state = st.session_state
    touched = state.pop(_TOUCHED, False)
    asked = {field.key: st.query_params.get(field.key) for field in fields}
    written = state.get(_WRITTEN)
    if touched:
        # The touch may have cut short the run that a link began: what that had not settled stays.
        state[_COMPLAINTS] = {}
        return
    # A page may write some of its fields only: where an upload is chosen there is no sample.
    if written is not None and asked == {key: written.get(key) for key in asked}:
        state[_ASKED] = {}
        return
    state[_BY_LINK] = any(text is not None for text in asked.values())
    known = asked if state[_BY_LINK] else state.get(_CARRIED, {})
    state[_ASKED] = {key: known[key] for key in asked if known.get(key) is not None}
    state[_COMPLAINTS] = {}
    for field in fields:
        state.pop(field.key, None)


def touch() -> None:
    """Note that the viewer changed a widget; use as its `on_change`."""
    st.session_state[_TOUCHED] = True


def settle(field: Field, options: Sequence[T], *, default: T) -> T:
    """Choose what a widget shows: what the address asks, what stood there, or the default.

    A value that is not among the options is replaced; one from the address leaves a complaint.
    """
    state = st.session_state
    asked = state.get(_ASKED, {}).pop(field.key, None)
    if asked is not None:
        state[field.key] = _option_written(field, options, asked, default=default)
    if state.get(field.key) not in options:
        state[field.key] = default
    chosen: T = state[field.key]
    return chosen


def settle_many(field: Field, options: Sequence[str], *, default: Sequence[str]) -> list[str]:
    """Choose what a widget of several choices shows, as `settle` does for one.

    In the address they stand joined by `SEPARATOR`; those that are not here are left out, with a
    complaint about the first. An empty choice is one, unless nothing of what was asked is here.
    """
    state = st.session_state
    asked = state.get(_ASKED, {}).pop(field.key, None)
    if asked is not None:
        parts = [part for part in asked.split(SEPARATOR) if part]
        unknown = [part for part in parts if part not in options]
        if unknown and state[_BY_LINK]:
            _complain(field, options, unknown[0])
        known = [part for part in parts if part in options]
        state[field.key] = list(default) if parts and not known else known
    shown = [part for part in state.get(field.key, default) if part in options]
    if not shown and state.get(field.key, default):
        shown = list(default)
    state[field.key] = shown
    return shown


def settle_text(field: Field, read: Callable[[str], T], *, default: T, offered: str) -> T:
    """Choose what a widget shows, as `settle` does, where there is no list of options.

    `read` turns what stands in the address into a value or raises a ValueError; `offered` says in
    a complaint what would have done.
    """
    state = st.session_state
    asked = state.get(_ASKED, {}).pop(field.key, None)
    if asked is not None:
        try:
            state[field.key] = read(asked)
        except ValueError:
            state[field.key] = default
            if state[_BY_LINK]:
                _complain_text(field, asked, offered=offered, instead=field.write(default))
    chosen: T = state.setdefault(field.key, default)
    return chosen


def standing(field: Field) -> Any:
    """Return what a settled widget shows; give it to the widget as its default too.

    Streamlit tells the browser only once of a value that a script set. Where a second run
    overtakes the first before the browser has drawn, that is lost, and the browser would draw,
    and send back as the viewer's choice, the widget's own default.
    """
    return st.session_state.get(field.key)


def position(field: Field, options: Sequence[object]) -> int:
    """Return where the value of `standing` is among a widget's options, the first if nowhere."""
    return options.index(standing(field)) if standing(field) in options else 0


def asks_for(field: Field) -> bool:
    """Say whether the address, or the page before, asks for something that is not settled yet."""
    return field.key in st.session_state.get(_ASKED, {})


def complaints() -> list[str]:
    """Return a sentence for each part of the address that could not be followed."""
    return list(st.session_state[_COMPLAINTS].values())


def write(fields: Sequence[Field]) -> None:
    """Write the choices into the address."""
    state = st.session_state
    told = [field for field in fields if state[field.key] != field.omitted]
    written = {field.key: field.write(state[field.key]) for field in told}
    keys = {field.key for field in fields}
    others = {key: text for key, text in state.get(_CARRIED, {}).items() if key not in keys}
    state[_ASKED] = {}
    state[_WRITTEN] = written
    state[_CARRIED] = others | written
    if st.query_params.to_dict() != written:
        st.query_params.from_dict(written)


def _option_written(field: Field, options: Sequence[T], text: str, *, default: T) -> T:
    for option in options:
        if field.same(field.write(option), text):
            return option
    if st.session_state[_BY_LINK]:
        written = [field.write(option) for option in options]
        _complain(field, written, text, instead=f": showing “{field.write(default)}” instead")
    return default


def _complain(field: Field, options: Sequence[str], text: str, *, instead: str = "") -> None:
    more = f" and {len(options) - MOST_NAMED} more" if len(options) > MOST_NAMED else ""
    offered = ", ".join(options[:MOST_NAMED]) + more
    st.session_state[_COMPLAINTS][field.key] = (
        f"The address asks for {field.noun} “{text[:60]}”, which is not here{instead} "
        f"(there is {offered})."
    )


def _complain_text(field: Field, text: str, *, offered: str, instead: str) -> None:
    st.session_state[_COMPLAINTS][field.key] = (
        f"The address asks for {field.noun} “{text[:60]}”, which is not {offered}: showing "
        f"“{instead}” instead."
    )
