"""Run a study: make a plan, start it, watch it, stop it."""

from __future__ import annotations

from dashboard import frame


def main() -> None:
    """Draw the page."""
    frame.begin("pages/run.py")


main()
