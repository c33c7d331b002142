"""How soon the first page stands, and how soon it follows the slider, in a real browser.

Of the shipped study, of made-up ones of more and more variants, and of a page that loads a file and
scores the test set with it after each move; each run has a server of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks import made_up, naive_page
from benchmarks.contest import Say, answer, random_examples, take_turns
from edac_core.frontends import get_frontend
from edac_core.locations import PROJECT, SHIPPED
from edac_core.models import get_model
from edac_core.studies.store import Store
from tools.server import Server, serving

VARIANTS = (1_000, 10_000, 100_000)
MOVES = 10
_PATIENCE_SECONDS = 60
_SHIPPED, _NAIVE = "shipped", "naive"
_STUDY, _PRECISION, _METHOD = "cnn", "int8", "polynomial"
_TEST_SET = 192
_TITLES = {_SHIPPED: "the shipped study", _NAIVE: "one file, scored anew"}
# The slider itself waits a fifth of a second for the next key before it tells the server.
_TIMING = """
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function(...args) {
  window.sent = performance.now();
  window.first ??= window.sent;
  send.apply(this, args);
};
"""
_FIGURE = """() => [...document.querySelectorAll('[data-testid=stMetric]')]
  .find(metric => metric.innerText.includes('Weights left'))?.innerText"""
_CHANGED = f"before => ({_FIGURE})() !== before ? performance.now() - window.sent : false"
_SINCE_REQUEST = "() => [performance.now(), performance.now() - window.first]"


def measure(*, runs: int, say: Say) -> dict[str, Any]:
    """Time all pages in turns, each time with a fresh server."""
    say("First page of the shipped study, of large ones, and one that scores again ...")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        put_files(folder / _NAIVE)
        for variants in VARIANTS:
            made_up.build(_made(folder / str(variants)), variants=variants)
        answers = take_turns(__name__, _PAGES, folder, runs=runs, say=say)
    return {"pages": answers}


def table(found: dict[str, Any]) -> Table:
    """Show medians of each page."""
    shown = Table(
        "page of", "first page (s)", "of it the script (s)", "its processor time (s)",
        "after a move (ms)", "server (MB)", "TensorFlow", title="The first page (medians)",
    )  # fmt: skip
    for name, given in found["pages"].items():
        moves = [seconds for one in given for seconds in one["moves"]]
        shown.add_row(
            title_of(name),
            f"{statistics.median(one['seconds'] for one in given):.2f}",
            f"{statistics.median(one['script_seconds'] for one in given):.2f}",
            f"{statistics.median(one['cpu_seconds'] for one in given):.2f}",
            f"{1e3 * statistics.median(moves):.0f}",
            f"{max(one['megabytes'] for one in given):.0f}",
            "imported" if any(one["tensorflow"] for one in given) else "not imported",
        )
    return shown


def title_of(page: str) -> str:
    """Return a page's name for people."""
    return f"{int(page):,} variants" if page.isdecimal() else _TITLES[page]


def put_files(folder: Path) -> None:
    """Put the int8 files of the shipped study's first run, and a test set, for the naive page.

    The features are random: what scoring them takes depends on no value.
    """
    shape = get_frontend(get_model(_STUDY).frontend).shape
    examples = random_examples(shape, size=_TEST_SET)
    np.savez(_made(folder) / naive_page.TEST_SET, features=examples.features,
             labels=examples.labels)  # fmt: skip
    with contextlib.closing(Store(SHIPPED, readonly=True)) as store:
        rows = store.variants(_STUDY)
        rows = rows[rows["precision"].eq(_PRECISION) & rows["method"].eq(_METHOD)]
        rows = rows[rows["has_model"]].drop_duplicates("sparsity")
        for row in rows.to_dict("records"):
            (folder / f"{row['sparsity']}.tflite").write_bytes(store.model(row["sha256"]))


def main() -> int:
    """Open a page and answer with its times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("page", choices=_PAGES)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as empty,
        _PAGES[options.page](options.folder, Path(empty)) as server,
    ):
        query = f"?study={made_up.NAME}" if options.page.isdecimal() else ""
        timed = _browse(f"{server.url}/{query}", server.pid)
        answer(timed | _process(server.pid))
    return 0


def _serve_shipped(folder: Path, empty: Path) -> AbstractContextManager[Server]:  # noqa: ARG001 - as the others
    return serving(empty, log=empty / "server.log")


def _serve_naive(folder: Path, empty: Path) -> AbstractContextManager[Server]:
    found = {naive_page.FOLDER: str(folder / _NAIVE), "PYTHONPATH": str(PROJECT)}
    app = Path(naive_page.__file__)
    return serving(empty, log=empty / "server.log", app=app, environment=found)


def _serve_large(variants: str, folder: Path, empty: Path) -> AbstractContextManager[Server]:
    return serving(folder / variants, log=empty / "server.log")


_PAGES: dict[str, Callable[[Path, Path], AbstractContextManager[Server]]] = {
    _SHIPPED: _serve_shipped,
    **{str(one): functools.partial(_serve_large, str(one)) for one in VARIANTS},
    _NAIVE: _serve_naive,
}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _browse(url: str, server: int) -> dict[str, Any]:
    """Time the first page until its last table stands, then moves of the slider.

    `seconds` are since the browser asked for the page, `script_seconds` since the browser, having
    loaded Streamlit's own program, asked for what our script draws; `cpu_seconds` is what the
    server worked for it, whatever else the machine did.
    """
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415 - of no other stage

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(1e3 * _PATIENCE_SECONDS)
        page.add_init_script(_TIMING)
        before = _cpu_seconds(server)
        page.goto(url)
        app = page.locator("[data-testid=stApp]")
        expect(page.get_by_test_id("stDataFrame")).to_be_visible(timeout=1e3 * _PATIENCE_SECONDS)
        expect(app).to_have_attribute("data-test-script-state", re.compile("notRunning|stopped"))
        page_ms, script_ms = page.evaluate(_SINCE_REQUEST)
        worked = _cpu_seconds(server) - before
        moves = [_move(page) for _ in range(MOVES)]
        browser.close()
    return {"seconds": page_ms / 1e3, "script_seconds": script_ms / 1e3, "cpu_seconds": worked,
            "moves": moves}  # fmt: skip


def _move(page: Any) -> float:
    """Move the slider by a step; return the seconds from telling the server to the new figure."""
    page.get_by_role("slider").focus()
    before = page.evaluate(_FIGURE)
    page.keyboard.press("ArrowLeft")
    moved = page.wait_for_function(_CHANGED, arg=before).json_value() / 1e3
    page.wait_for_timeout(700)
    return float(moved)


def _cpu_seconds(pid: int) -> float:
    """Return how long a process has run on a processor, in its own code and the kernel's."""
    after_name = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _process(pid: int) -> dict[str, Any]:
    """Return what a process holds in memory, and whether it has loaded TensorFlow."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    resident = int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])
    mapped = Path(f"/proc/{pid}/maps").read_text("utf-8")
    return {"megabytes": resident / 1e3, "tensorflow": "tensorflow" in mapped}


if __name__ == "__main__":
    sys.exit(main())
