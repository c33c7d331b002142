"""A real server and a real browser: Debian's Chromium, driven by Playwright."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tools.server import serving

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
PATIENCE_MS = 120_000

expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items):
    if CHROMIUM is None:
        skip = pytest.mark.skip(reason="there is no Chromium on the path")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The address of a server that shows the shipped studies and has an empty cache."""
    folder = tmp_path_factory.mktemp("server")
    with serving(folder / "cache", log=folder / "server.log") as running:
        yield running.url


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
    # A run that has begun can pass for one that has not for a moment; its blanks give it away.
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    expect(page.locator("[data-testid=stException]")).to_have_count(0)
