"""Compare on a cough: what the variants say of one recording."""

from __future__ import annotations

from dashboard import frame


def main() -> None:
    """Draw the page."""
    frame.begin("pages/compare.py")


main()
