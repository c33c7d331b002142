"""What the server does as it is started, without a setting: seen from outside, over HTTP."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from dashboard.frame import PAGES
from dashboard.player import encoded
from edac_core.datasets.synthetic import synthesize
from edac_core.locations import PROJECT
from tools.crowd import Visitor
from tools.server import serving

COMPARE = "compare?study=cnn&model=cnn&run=1&compared=int8-none-0"
UPLOADER = "A cough as wav, flac, mp3, ogg, webm, m4a"
ELSEWHERE = "http://elsewhere.example"
MEBIBYTE = 2**20
MULTIPART = "multipart/form-data; boundary=x"
CALLS = "CALLS_NOTED_IN"
# Imported by every Python process that the server starts: notes whom they call or look up.
NOTE_CALLS = f"""
import json, os, sys

def note(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        kind, found = arguments[0].type.name, arguments[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        kind, found = "name", arguments[0]
    else:
        return
    host = found[0] if isinstance(found, tuple) else found
    with open(os.environ["{CALLS}"], "a") as file:
        file.write(json.dumps([event, kind, str(host)]) + "\\n")

sys.addaudithook(note)
"""
# How Streamlit learns this machine's own address: connecting a datagram socket sends nothing.
ASKS_THE_KERNEL = ("socket.connect", "SOCK_DGRAM", "8.8.8.8")
HERE = ("127.0.0.1", "None", "/")


class Witness(Visitor):
    """A visitor who keeps all that is sent to it, but what says where the session itself is."""

    def _take(self, message):
        if message.WhichOneof("type") != "new_session":
            self.__dict__.setdefault("heard", []).append(message.SerializeToString())
        super()._take(message)


def run(coroutine):
    """Run it in a thread: in this one, tests in a browser may have a loop that runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(folder):
    (folder / "noting").mkdir()
    (folder / "noting" / "sitecustomize.py").write_text(NOTE_CALLS)
    path = [str(folder / "noting"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        "PYTHONPATH": os.pathsep.join(path),
        CALLS: str(folder / "calls"),
        "EDAC_DATA_DIR": str(folder / "no data"),
    }
    with serving(folder / "cache", log=folder / "log", environment=environment) as running:
        yield running


@pytest.fixture
def calls(folder):
    """Say whom the server and its workers called: calls() -> {(event, kind, host)}."""
    return lambda: {tuple(json.loads(line)) for line in (folder / "calls").read_text().splitlines()}


def family(server):
    process = psutil.Process(server.pid)
    return [process, *process.children(recursive=True)]


def sockets_of(server):
    return [found for each in family(server) for found in each.net_connections("inet")]


def listening(server):
    return {found.laddr.ip for found in sockets_of(server) if found.status == psutil.CONN_LISTEN}


async def look(url, path="", *, as_visitor=Visitor):
    async with as_visitor(url, path) as visitor:
        return visitor


def test_it_listens_to_this_machine_only(server):
    assert listening(server) == {"127.0.0.1"}


def test_it_keeps_its_defaults_when_started_from_a_folder_with_others(tmp_path):
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text(
        '[server]\naddress = "0.0.0.0"\nallowedHosts = ["*"]\n[client]\nshowErrorDetails = "full"\n'
    )
    with serving(tmp_path / "cache", log=tmp_path / "log", folder=tmp_path) as running:
        assert listening(running) == {"127.0.0.1"}
        assert run(knock(running.url, origin=None, name="elsewhere.example")) == 403


async def uploading(url, *, as_visitor=Visitor):
    async with as_visitor(url, COMPARE) as visitor:
        await visitor.choose("Recording from", "Upload")
        return visitor


def test_make_app_chooses_the_port_and_leaves_the_address_alone():
    make = ["make", "--dry-run", "--assume-old=requirements.txt", "app", "PORT=9123"]
    said = subprocess.run(make, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert "streamlit run app.py --server.port 9123" in said
    assert "address" not in said


@contextlib.asynccontextmanager
async def place_for_upload(url):
    """A place for a file that the page gives out, and the cookie and token of its session."""
    async with Visitor(url, COMPARE) as visitor:
        await visitor.choose("Recording from", "Upload")
        place = await visitor._place_for("cough.wav")
        yield url + place.upload_url, visitor._xsrf


def put(address, *, token=None, cookie=None, kind=None, **content):
    """Hand in a file; return the status, or 413 where the server hangs up amid what is too much."""
    headers = {"X-Xsrftoken": token, "Content-Type": kind}
    try:
        return requests.put(
            address, timeout=180, headers={name: text for name, text in headers.items() if text},
            cookies={"_streamlit_xsrf": cookie} if cookie else {}, **content,
        ).status_code  # fmt: skip
    except requests.ConnectionError:
        return 413


def in_pieces(data, *, size):
    """A multipart body whose length is not announced."""
    start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="cough.wav"\r\n\r\n'
    yield start
    for begin in range(0, size, MEBIBYTE):
        yield data[begin : begin + MEBIBYTE]
    yield b"\r\n--x--\r\n"


def test_more_than_ten_megabytes_are_refused_and_the_page_says_so(server):
    async def upload():
        async with place_for_upload(server.url) as (address, token):
            mine = {"token": token, "cookie": token}
            answers = [
                put(address, files={"file": bytes(size)}, **mine)
                for size in (10 * MEBIBYTE - 1024, 10 * MEBIBYTE + 1)
            ]
            body = in_pieces(bytes(12 * MEBIBYTE), size=12 * MEBIBYTE)
            return [*answers, put(address, data=body, kind=MULTIPART, **mine)]

    assert run(upload()) == [204, 413, 413]
    widget = run(uploading(server.url)).widget("file_uploader", UPLOADER).proto
    assert widget.max_upload_size_mb == 10
    assert "At most 10 MB" in widget.help


def test_an_upload_without_the_token_of_the_page_is_refused(server):
    async def upload():
        async with place_for_upload(server.url) as (address, token):
            tried = ({}, {"token": token}, {"cookie": token}, {"token": "2|a|b|1", "cookie": token})
            answers = [put(address, files={"file": b"RIFF"}, **each) for each in tried]
            gone = requests.delete(address, timeout=180, cookies={"_streamlit_xsrf": token})
            rightly = put(address, files={"file": b"RIFF"}, token=token, cookie=token)
            return answers, gone.status_code, rightly

    answers, deleted, rightly = run(upload())
    assert answers == [403] * 4
    assert deleted == 403
    assert rightly == 204


async def knock(url, *, origin, name="127.0.0.1"):
    """Try to open a session as a page of some origin does; return the status of the answer."""
    port = int(url.rpartition(":")[2])
    try:
        async with connect(
            f"ws://{name}:{port}/_stcore/stream", subprotocols=["streamlit"],
            origin=origin, host="127.0.0.1", port=port,
        ):  # fmt: skip
            return 101
    except InvalidStatus as refusal:
        return refusal.response.status_code


def test_a_page_from_elsewhere_opens_no_session_and_reads_nothing(server):
    port = server.url.rpartition(":")[2]
    assert run(knock(server.url, origin=server.url)) == 101
    assert run(knock(server.url, origin=ELSEWHERE)) == 403
    answer = requests.get(
        f"{server.url}/_stcore/health", headers={"Origin": ELSEWHERE}, timeout=180
    )
    assert "Access-Control-Allow-Origin" not in answer.headers
    # A name that was made to lead here: to the browser, page and server are then of one origin.
    rebound = f"http://elsewhere.example:{port}"
    assert run(knock(server.url, origin=rebound, name="elsewhere.example")) == 403


def test_no_page_that_frames_it_may_steer_it(server):
    told = requests.get(f"{server.url}/_stcore/host-config", timeout=180).json()
    assert told["allowedOrigins"] == []
    assert told["metricsUrl"] == ""


@pytest.mark.parametrize("path", ["interact", "mcp"])
def test_no_program_may_drive_it(server, path):
    answer = requests.post(f"{server.url}/_stcore/agent/{path}", json={}, timeout=180)
    assert "does not serve the agent API" in answer.text


def test_visits_uploads_and_refusals_call_nobody(server, calls):
    async def visit():
        for page in PAGES[1:]:
            await look(server.url, Path(page.script).stem)
        async with Visitor(server.url, COMPARE) as visitor:
            await visitor.choose("Recording from", "Upload")
            await visitor.upload(UPLOADER, "cough.wav", encoded(synthesize(1, seed=3)))
            assert visitor.errors == []
        return await knock(server.url, origin=ELSEWHERE)

    assert run(visit()) == 403
    assert {call for call in calls() if not call[2].startswith(HERE)} == {ASKS_THE_KERNEL}
    assert {found.raddr.ip for found in sockets_of(server) if found.raddr} <= {"127.0.0.1"}


def test_what_the_page_itself_loads_comes_from_the_server(server):
    page = requests.get(server.url, timeout=180).text
    loaded = re.findall(r"""(?:src|href)=["']([^"']*)""", page)
    assert loaded
    assert [address for address in loaded if re.match(r"(https?:)?//", address)] == []


@pytest.fixture
def broken(tmp_path):
    """A server whose page of papers raises, with a message that nobody should read."""
    copy = tmp_path / "copy"
    shutil.copytree(PROJECT / "pages", copy / "pages")
    shutil.copytree(PROJECT / ".streamlit", copy / ".streamlit")
    shutil.copy(PROJECT / "app.py", copy)
    (copy / "pages" / "papers.py").write_text("raise RuntimeError('unsaid', __file__)\n")
    with serving(tmp_path / "cache", log=tmp_path / "log", app=copy / "app.py") as running:
        yield running


def test_a_page_that_raises_shows_a_sentence_and_no_trace(broken, tmp_path):
    visitor = run(look(broken.url, "papers", as_visitor=Witness))
    (error,) = visitor.errors
    assert "encountered an error" in error
    sent = b"".join(visitor.heard)
    for secret in (b"unsaid", b"RuntimeError", b"Traceback", b".py", str(tmp_path).encode()):
        assert secret not in sent
    assert "unsaid" in (tmp_path / "log").read_text()


def test_a_store_that_is_broken_is_a_sentence_and_no_trace(tmp_path, folder, server):
    # Of the running server: it looks for studies anew at every visit.
    (folder / "cache").mkdir(exist_ok=True)
    store = folder / "cache" / "studies.sqlite"
    store.write_bytes(b"no database" * 999)
    try:
        visitor = run(look(server.url, as_visitor=Witness))
    finally:
        store.unlink()
    assert visitor.errors == []
    sent = b"".join(visitor.heard)
    assert b"study store in" in sent
    for secret in (b"Traceback", b"Error:", b".py"):
        assert secret not in sent
