"""Listen and look: what augmentation does to a recording, and what a network gets of it."""

from __future__ import annotations

from dashboard import frame


def main() -> None:
    """Draw the page."""
    frame.begin("pages/listen.py")


main()
