"""Many sessions of one server at once."""

import asyncio
import contextlib
import io
import os
import random
import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import soundfile

from edac_core.audio import SAMPLE_RATE
from edac_core.datasets.synthetic import synthesize
from tools.crowd import Visitor
from tools.server import serving

COMPARE = "compare?study=cnn&model=cnn&run=1&compared=int8-none-0~int8-polynomial-90"
UPLOADER = "A cough as wav, flac, mp3, ogg, webm, m4a"
SESSIONS, SECONDS = 50, 120
UPLOADING = 5
READING_SECONDS = 6.0
FURTHER_CYCLES = 500
VISITORS, AT_ONCE, FIRST_VISITORS = 500, 10, 150
MOVES, UPLOADS_EVERY, PADDING = 2, 5, 1_000_000
# How long the server keeps a session whose tab was closed; by default two minutes.
KEPT_SECONDS = 2
LEVEL = 1.1
MB = 1e6


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crowd")
    options = ["--server.disconnectedSessionTTL", str(KEPT_SECONDS)]
    with serving(folder / "cache", log=folder / "server.log", options=options) as running:
        yield running


def run(coroutine):
    """Run it in a thread: in this one, tests in a browser may have a loop that runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def cough(seed, *, tail=0):
    """A WAV file; bytes after its end make it another file with the same sound."""
    file = io.BytesIO()
    soundfile.write(file, synthesize(seed % 2, seed=seed), SAMPLE_RATE, "PCM_16", format="WAV")
    return file.getvalue() + bytes(tail)


def said(visitor):
    return sorted({text for text in visitor.texts if "call this" in text or "calls it" in text})


async def answer_to(visitor, seed, *, tail):
    await visitor.upload(UPLOADER, f"cough {seed}.wav", cough(seed, tail=tail))
    assert visitor.errors == []
    return said(visitor)


@contextlib.asynccontextmanager
async def comparing(url):
    async with Visitor(url, COMPARE) as visitor:
        await visitor.choose("Recording from", "Upload")
        yield visitor


def test_sessions_at_once_hear_what_each_would_hear_alone(server):
    async def compare():
        async with contextlib.AsyncExitStack() as stack:
            visitors = [await stack.enter_async_context(comparing(server.url)) for _ in range(4)]
            together = await asyncio.gather(
                *(answer_to(visitor, seed, tail=2) for seed, visitor in enumerate(visitors))
            )
            alone = [await answer_to(visitors[0], seed, tail=4) for seed in range(4)]
            return together, alone

    together, alone = run(compare())
    assert together == alone
    assert all(together)
    assert len({tuple(answer) for answer in together}) > 1


def test_sliders_of_sessions_at_once_do_not_move_each_other(server):
    async def slide(position):
        async with Visitor(server.url) as visitor:
            for step in (0, 1, position):
                await visitor.slide("Sparsity", step)
            assert visitor.errors == []
            return visitor.query, visitor.widget("slider", "Sparsity").proto.options[position]

    async def slide_all():
        return await asyncio.gather(*(slide(position) for position in range(2, 8)))

    found = run(slide_all())
    for query, option in found:
        level = re.search(r"sparsity=([0-9.]+)", query)[1]
        assert f"{float(level):g} %" == option.replace("\N{NO-BREAK SPACE}", " ")
    assert len({query for query, _ in found}) == 6


async def read(chance):
    await asyncio.sleep(chance.expovariate(1 / READING_SECONDS))


async def move_sliders(url, chance, end):
    taken = []
    async with Visitor(url) as visitor:
        while time.monotonic() < end:
            await read(chance)
            taken.append(await visitor.slide("Sparsity", chance.randrange(16)))
        return taken, visitor.errors


async def score_uploads(url, chance, end):
    taken = []
    async with comparing(url) as visitor:
        while time.monotonic() < end:
            await read(chance)
            data = cough(chance.randrange(1000))
            taken.append(await visitor.upload(UPLOADER, "cough.wav", data))
        return taken, visitor.errors


def memory(server):
    """Return the bytes that the server and its workers hold, once nobody is there any more."""
    time.sleep(KEPT_SECONDS + 1)
    # What was kept for a while is let go of when the next visitor leaves.
    assert run(slide_on(server.url, cycles=1)) == []
    process = psutil.Process(server.pid)
    family = [process, *process.children(recursive=True)]
    return sum(each.memory_info().rss for each in family)


async def crowd(url, *, seconds):
    end = time.monotonic() + seconds
    tasks = [
        (score_uploads if number < UPLOADING else move_sliders)(url, random.Random(number), end)
        for number in range(SESSIONS)
    ]
    return await asyncio.gather(*tasks)


async def slide_on(url, *, cycles):
    async with Visitor(url) as visitor:
        for cycle in range(cycles):
            await visitor.slide("Sparsity", cycle % 16)
        return visitor.errors


async def come_and_go(url, *, numbers):
    """Have visitors come, look, some of them upload, and leave; return what they saw go wrong."""
    places = asyncio.Semaphore(AT_ONCE)

    async def visit(number):
        async with places, Visitor(url) as visitor:
            for move in range(MOVES):
                await visitor.slide("Sparsity", number + move)
        if number % UPLOADS_EVERY:
            return visitor.errors
        async with places, comparing(url) as uploading:
            # The bytes after its end are in the upload and in nothing that is made from it.
            await uploading.upload(UPLOADER, "cough.wav", cough(number, tail=PADDING))
            return [*visitor.errors, *uploading.errors]

    found = await asyncio.gather(*(visit(number) for number in numbers))
    return [error for errors in found for error in errors]


def record(record_property, figures):
    """Note figures beside the load of the machine that they were taken on."""
    for name, figure in (figures | {"load average": os.getloadavg()[0]}).items():
        record_property(name, f"{figure:.3f}")


@pytest.mark.nightly
def test_fifty_sessions_are_answered_and_leave_nothing_behind(server, record_property):
    found = run(crowd(server.url, seconds=SECONDS))
    assert [errors for _, errors in found if errors] == []
    uploads = [seconds for taken, _ in found[:UPLOADING] for seconds in taken]
    moves = [seconds for taken, _ in found[UPLOADING:] for seconds in taken]
    before = memory(server)
    assert run(slide_on(server.url, cycles=FURTHER_CYCLES)) == []
    after = memory(server)
    figures = {
        "moves": len(moves),
        "median move": statistics.median(moves),
        "p95 of moves": np.quantile(moves, 0.95),
        "uploads": len(uploads),
        "p95 of uploads": np.quantile(uploads, 0.95),
        "MB before": before / MB,
        "MB after": after / MB,
    }
    record(record_property, figures)
    assert min(len(taken) for taken, _ in found) > 0
    assert np.quantile([*moves, *uploads], 0.95) < 1.5
    assert after < LEVEL * before


@pytest.mark.nightly
def test_visitors_who_come_and_go_leave_nothing_behind(server, record_property):
    assert run(come_and_go(server.url, numbers=range(FIRST_VISITORS))) == []
    before = memory(server)
    numbers = range(FIRST_VISITORS, FIRST_VISITORS + VISITORS)
    assert run(come_and_go(server.url, numbers=numbers)) == []
    after = memory(server)
    record(record_property, {"MB before": before / MB, "MB after": after / MB})
    assert after < LEVEL * before
