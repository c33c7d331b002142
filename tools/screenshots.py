"""Make pictures of every page, light and dark, wide and narrow: ``make screenshots``."""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

from dashboard import frame
from edac_core.locations import PROJECT
from tools.server import serving

IMAGES = PROJECT / "docs" / "images"
FIRST_PAGE = "tradeoffs"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = {1440: 900, 390: 844}
"""Widths of the window, and how high it is at least."""

TALLEST = 5_000
HEAVIEST = 300_000
"""A picture gets fewer colours until it has no more bytes than this, or the fewest colours."""

PATIENCE_SECONDS = 300
STILL_SECONDS = 3.0
"""A page that has not changed for so long is settled."""

_LOOK_EVERY_MS = 500
_COLOURS = (256, 128, 64, 32)
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking",
          "--disable-component-update", "--disable-sync", "--no-first-run")  # fmt: skip

# What the page is like: equal answers, one after the other, mean that it has settled.
_LOOK = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const named = (names) => all(names.map((name) => `[data-testid=${name}]`).join(","));
  const main = document.querySelector("[data-testid=stMain]");
  const app = document.querySelector("[data-testid=stApp]");
  return {
    working: app?.getAttribute("data-test-script-state") !== "notRunning"
      || named(["stSkeleton", "stSpinner", "stProgress"]).length > 0
      || named(["stPlotlyChart"]).some((chart) => !chart.querySelector(".main-svg"))
      || all("img").some((image) => !image.complete),
    failed: named(["stException"]).length > 0,
    height: main?.scrollHeight ?? 0,
    text: document.body.innerText,
  };
}"""


@dataclass(frozen=True)
class Shot:
    """A picture to make: of which page, in which colours and how wide."""

    page: frame.Page
    scheme: Literal["light", "dark"]
    width: int

    @property
    def path(self) -> str:
        """The page's path in the address."""
        return "" if self.page is frame.PAGES[0] else PurePosixPath(self.page.script).stem

    @property
    def file(self) -> str:
        """The picture's name."""
        return f"{self.path or FIRST_PAGE}-{self.scheme}-{self.width}.png"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the pictures; return 1 if a page failed or did not settle, 2 without a browser."""
    options = _options(arguments)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        _say("There is no Chromium on the path: install it (Debian: apt-get install chromium).")
        return 2
    # Ended from outside, it still ends its server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    wanted = shots(options.only)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as aside, sync_playwright() as playwright:
        cache = options.cache or Path(aside, "cache")
        with serving(cache, log=Path(aside, "server.log")) as server:
            browser = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
            problems = [make(shot, browser, url=server.url, out=options.out) for shot in wanted]
            browser.close()
    return 1 if any(problems) else 0


def shots(only: Sequence[str] = ()) -> list[Shot]:
    """Return what pictures there are to make.

    Parameters
    ----------
    only
        Pages as files are named after them; all if empty.
    """
    every = [
        Shot(page, scheme, width)
        for page, scheme, width in itertools.product(frame.PAGES, SCHEMES, WIDTHS)
    ]
    return [shot for shot in every if not only or (shot.path or FIRST_PAGE) in only]


def make(shot: Shot, browser: Browser, *, url: str, out: Path) -> str:
    """Make one picture.

    Returns
    -------
    str
        What was wrong with the page; empty if nothing was.
    """
    with contextlib.closing(
        browser.new_context(
            viewport={"width": shot.width, "height": WIDTHS[shot.width]}, color_scheme=shot.scheme
        )
    ) as context:
        page = context.new_page()
        try:
            page.goto(f"{url}/{shot.path}")
            problem = settle(page) or _stretch(page, shot)
            data = encode(page.screenshot())
        except Error as error:
            problem = error.message.splitlines()[0]
            _say(f"{shot.file}: {problem}")
            return problem
    (out / shot.file).write_bytes(data)
    _say(f"{shot.file}: {len(data) / 1e3:.0f} kB{problem and f', but {problem}'}")
    return problem


def settle(page: Page, *, still: float = STILL_SECONDS, patience: float = PATIENCE_SECONDS) -> str:
    """Wait until a page does nothing any more; return what is wrong with it, if anything.

    Parameters
    ----------
    page
        That is being loaded.
    still, patience
        Seconds that it has to stay as it is, and to wait at most.
    """
    end, seen, since = time.monotonic() + patience, None, time.monotonic()
    while time.monotonic() < end:
        look = page.evaluate(_LOOK)
        if look["failed"]:
            return "the page shows an exception"
        if look["working"] or look != seen:
            seen, since = look, time.monotonic()
        elif time.monotonic() - since >= still:
            return ""
        page.wait_for_timeout(_LOOK_EVERY_MS)
    return f"the page is still at work after {patience:g} s"


def encode(png: bytes, *, heaviest: int = HEAVIEST) -> bytes:
    """Return a picture with a palette, of as many colours as the bytes allow."""
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("RGB")
    data = b""
    for colours in _COLOURS:
        file = io.BytesIO()
        # Not dithered: what is even stays even, and small.
        reduced = picture.quantize(colours, dither=Image.Dither.NONE)
        reduced.save(file, "PNG", optimize=True)
        data = file.getvalue()
        if len(data) <= heaviest:
            break
    return data


def _stretch(page: Page, shot: Shot) -> str:
    """Make the window as tall as what the page holds, which scrolls inside; then settle again."""
    tall = int(page.evaluate(_LOOK)["height"])
    height = min(max(tall, WIDTHS[shot.width]), TALLEST)
    page.set_viewport_size({"width": shot.width, "height": height})
    return settle(page)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = [shot.path or FIRST_PAGE for shot in shots()]
    parser = argparse.ArgumentParser(prog="python -m tools.screenshots", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], choices=sorted(set(names)), metavar="PAGE",
                        help=f"of {', '.join(dict.fromkeys(names))}")  # fmt: skip
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder of the pictures")
    parser.add_argument("--cache", type=Path, help="folder of studies beside the shipped ones")
    return parser.parse_args(arguments)


def _say(text: str) -> None:
    sys.stdout.write(re.sub(r"\s+", " ", text) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
