"""How soon the first page stands, and how soon it follows the slider, in a real browser.

Of the shipped study and of one of 100,000 made-up variants; each run has a server of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks import made_up
from benchmarks.contest import Say, answer, take_turns
from tools.server import serving

VARIANTS = 100_000
MOVES = 10
_PATIENCE_SECONDS = 60
_STUDIES = {"shipped": "", "large": f"?study={made_up.NAME}"}
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
    """Time both studies in turns, each time with a fresh server."""
    say(f"First page of a study of {VARIANTS:,} variants, and of the shipped one ...")
    with tempfile.TemporaryDirectory() as folder:
        count = made_up.build(Path(folder), variants=VARIANTS)
        answers = take_turns(__name__, _STUDIES, folder, runs=runs, say=say)
    return {"variants": count, "studies": answers}


def table(found: dict[str, Any]) -> Table:
    """Show medians of each study."""
    shown = Table(
        "study", "first page (s)", "of it the script (s)", "its processor time (s)",
        "after a move (ms)", "server (MB)", "TensorFlow",
        title=f"The first page, {found['variants']:,} variants if large",
    )  # fmt: skip
    for name, given in found["studies"].items():
        moves = [seconds for one in given for seconds in one["moves"]]
        shown.add_row(
            name,
            f"{statistics.median(one['seconds'] for one in given):.2f}",
            f"{statistics.median(one['script_seconds'] for one in given):.2f}",
            f"{statistics.median(one['cpu_seconds'] for one in given):.2f}",
            f"{1e3 * statistics.median(moves):.0f}",
            f"{max(one['megabytes'] for one in given):.0f}",
            "imported" if any(one["tensorflow"] for one in given) else "not imported",
        )
    return shown


def main() -> int:
    """Open the page of a study and answer with its times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("study", choices=_STUDIES)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        cache = options.folder if options.study == "large" else Path(empty)
        with serving(cache, log=Path(empty, "server.log")) as server:
            timed = _browse(f"{server.url}/{_STUDIES[options.study]}", server.pid)
            answer(timed | _process(server.pid))
    return 0


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
