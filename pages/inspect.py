"""Inspect a variant: what a file is made of and where it errs."""

from __future__ import annotations

from dashboard import frame


def main() -> None:
    """Draw the page."""
    frame.begin("pages/inspect.py")


main()
