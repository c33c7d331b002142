"""Papers: what was published beside what was measured here."""

from __future__ import annotations

from dashboard import frame


def main() -> None:
    """Draw the page."""
    frame.begin("pages/papers.py")


main()
