"""The dashboard behind nginx, set up with the very lines of docs/deploying.md."""

import asyncio
import contextlib
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from playwright.sync_api import sync_playwright
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from dashboard.player import encoded
from edac_core.datasets.synthetic import synthesize
from edac_core.locations import PROJECT
from tools.crowd import Visitor
from tools.server import free_port, serving

PROGRAMS = [name for name in ("nginx", "openssl") if shutil.which(name) is None]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(bool(PROGRAMS), reason=f"not on the path: {', '.join(PROGRAMS)}"),
]
NAME = "coughs.example.org"
COMPARE = "compare?study=cnn&model=cnn&run=1&compared=int8-none-0"
UPLOADER = "A cough as wav, flac, mp3, ogg, webm, m4a"
PATHS = ("", COMPARE, "listen", "run", "inspect?study=cnn", "papers", "data")
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
PATIENCE_SECONDS = 180


def run(coroutine):
    """Run it in a thread: in this one, tests in a browser may have a loop that runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def documented():
    """The first block for nginx in the document: the whole server."""
    text = (PROJECT / "docs" / "deploying.md").read_text("utf-8")
    return re.search(r"```nginx\n(.*?)```", text, re.DOTALL)[1]


def replaced(text, **replacements):
    for old, new in replacements.items():
        assert old in text
        text = text.replace(old, new)
    return text


def configuration(folder, *, port, backend):
    site = replaced(
        documented(),
        **{
            f"https://{NAME}": f"https://localhost:{port}",
            NAME: "localhost",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/ssl/certs/coughs.pem": f"{folder}/certificate.pem",
            "/etc/ssl/private/coughs.key": f"{folder}/key.pem",
            "http://127.0.0.1:8501": backend,
        },
    )
    spool = "\n".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
    return (
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{spool}\n{site}\n}}\n"
    )


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


@contextlib.contextmanager
def nginx(folder, *, port, backend):
    make_certificate(folder)
    (folder / "nginx.conf").write_text(configuration(folder, port=port, backend=backend))
    process = subprocess.Popen(["nginx", "-p", folder, "-c", folder / "nginx.conf"])
    try:
        wait_for(f"https://localhost:{port}/", process, folder)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def wait_for(url, process, folder):
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, (folder / "errors").read_text()
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(url, verify=folder / "certificate.pem", timeout=PATIENCE_SECONDS)
        time.sleep(0.05)
    raise AssertionError("nginx does not answer")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("proxy")


@pytest.fixture(scope="module")
def server(folder):
    """The dashboard itself, which knows the name that visitors see."""
    names = {"STREAMLIT_SERVER_ALLOWED_HOSTS": f"{NAME} localhost"}
    with serving(folder / "cache", log=folder / "log", environment=names) as running:
        yield running.url


@pytest.fixture(scope="module")
def proxy(server, folder):
    """The address of nginx before the dashboard."""
    port = free_port()
    with nginx(folder, port=port, backend=server):
        yield f"https://localhost:{port}"


@pytest.fixture(autouse=True)
def trusted(folder, proxy, monkeypatch):
    """Have this process trust the certificate."""
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(folder / "certificate.pem"))


async def knock(url, *, origin, name="localhost"):
    """Try to open a session under a name of the server; return the status of the answer."""
    scheme, _, address = url.replace("http", "ws", 1).partition("://")
    port = int(address.rpartition(":")[2])
    try:
        async with connect(
            f"{scheme}://{name}:{port}/_stcore/stream", subprotocols=["streamlit"],
            origin=origin, host="127.0.0.1", port=port,
        ):  # fmt: skip
            return 101
    except InvalidStatus as refusal:
        return refusal.response.status_code


def test_sliders_move_and_uploads_are_scored_through_it(proxy):
    async def visit():
        async with Visitor(proxy) as visitor:
            await visitor.slide("Sparsity", 3)
            assert "sparsity=" in visitor.query
            assert visitor.errors == []
        async with Visitor(proxy, COMPARE) as visitor:
            await visitor.choose("Recording from", "Upload")
            await visitor.upload(UPLOADER, "cough.wav", encoded(synthesize(1, seed=3)))
            assert visitor.errors == []
            return visitor.texts

    assert any("call this" in text or "calls" in text for text in run(visit()))


def test_the_dashboard_opens_sessions_under_the_names_that_it_was_told(server):
    port = server.rpartition(":")[2]
    found = {
        name: run(knock(server, origin=f"http://{name}:{port}", name=name))
        for name in (NAME, "elsewhere.example")
    }
    assert found == {NAME: 101, "elsewhere.example": 403}


def test_it_refuses_pages_from_elsewhere_large_files_and_numbers(proxy):
    assert run(knock(proxy, origin=proxy)) == 101
    assert run(knock(proxy, origin="https://elsewhere.example")) == 403
    put = requests.put(f"{proxy}/_stcore/upload_file/a/b", data=bytes(12 * 2**20), timeout=60)
    assert put.status_code == 413
    assert requests.get(f"{proxy}/_stcore/metrics", timeout=60).status_code == 404


def test_it_adds_the_headers_that_keep_a_page_to_itself(proxy):
    answer = requests.get(proxy, timeout=60)
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    cookie = requests.get(f"{proxy}/_stcore/health", timeout=60).headers["Set-Cookie"]
    assert "secure" in cookie.lower()


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the path")
def test_a_browser_shows_all_pages_and_asks_nobody_else(proxy):
    complaints, asked = [], set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: asked.add(request.url))
        for path in PATHS:
            page.goto(f"{proxy}/{path}")
            page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
            page.locator("h3").first.wait_for()
            assert page.locator('[data-testid="stException"]').count() == 0
        browser.close()
    assert [text for text in complaints if "Content Security Policy" in text] == []
    assert {url for url in asked if not url.startswith((proxy, "data:", "blob:"))} == set()
