"""A real server and a real browser: Debian's Chromium, driven by Playwright."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

PROJECT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
PATIENCE_MS = 30_000

expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items):
    if CHROMIUM is None:
        skip = pytest.mark.skip(reason="there is no Chromium on the path")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(skip)


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(cache, log):
    """Run the app as `streamlit run app.py` does, with a cache of its own; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port),
               "--server.headless", "true"]  # fmt: skip
    environment = {**os.environ, "EDAC_CACHE_DIR": str(cache)}
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait(20)


def wait_for(url, process, log):
    for _ in range(600):
        if process.poll() is not None:
            pytest.fail(f"The server ended: {log.read_text()}")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/_stcore/health"):
            return
        time.sleep(0.1)
    pytest.fail(f"The server does not answer: {log.read_text()}")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The address of a server that shows the shipped studies and has an empty cache."""
    folder = tmp_path_factory.mktemp("server")
    with serving(folder / "cache", folder / "server.log") as url:
        yield url


@pytest.fixture
def serve():
    """Give tests `serving`, for servers of their own: with serve(cache, log) as url."""
    return serving


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(
        viewport={"width": 1440, "height": 900},
        accept_downloads=True,
        permissions=["microphone"],
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    yield page
    context.close()


@pytest.fixture
def visit(server, page):
    """Open a path and wait until the page has run: visit("compare?study=cnn")."""

    def _visit(path=""):
        page.goto(f"{server}/{path}")
        settled(page)
        return page

    return _visit


@pytest.fixture
def settle():
    """Give tests `settled`: settle(page)."""
    return settled


def settled(page):
    """Wait until the script behind a page is done, and see that it raised nothing."""
    expect(page.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", re.compile("notRunning|stopped")
    )
    expect(page.locator("[data-testid=stException]")).to_have_count(0)
