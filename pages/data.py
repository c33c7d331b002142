"""Data: what a data set holds, and what it can fool a classifier with."""

from __future__ import annotations

from dashboard import frame


def main() -> None:
    """Draw the page."""
    frame.begin("pages/data.py")


main()
