"""Which origins may connect to the server: decided here, without asking anybody."""

from __future__ import annotations

from streamlit import net_util


def ask_nobody() -> None:
    """Keep Streamlit from asking a web service for this machine's public address.

    It would do so whenever a page from elsewhere tries to connect, as it allows that address too:
    anybody's page could make this server call out, and have all its sessions wait for the answer.
    """
    net_util.get_external_ip = _not_known


def _not_known() -> str | None:
    return None
