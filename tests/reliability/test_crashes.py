"""A study run that is killed, or refused space, at any write ends as an undisturbed one."""

import contextlib
import errno
import itertools
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys

import crashing
import pytest

from edac_core import cli
from edac_core.studies.store import Store

EVERY = 29
"""Ordinary tests kill at one point of each kind and every so-many-th, nightly ones at all."""

VARIANTS = 3 * 3 + 2 * 2
"""Of the baseline and two levels all precisions, of two levels no int8; two levels fail."""

MODELS = VARIANTS - 2
"""The float16 files of one schedule are those of the other."""

_WHEN = {"created", "when"}


class Runner:
    """Asks `crashing.py` for runs."""

    def __init__(self, folder, *options):
        crashing.write_recordings(folder)
        self._process = subprocess.Popen(
            [sys.executable, crashing.__file__, folder, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, folder):
        """Run undisturbed; return the names of the points."""
        told = self._ask(folder=str(folder))
        assert told["status"] == 0
        assert "refusal" not in told
        return told["points"]

    def deny(self, folder, point, error):
        """Run until something cannot be written; return how the run ended."""
        return self._ask(folder=str(folder), deny=point, error=error).get("refusal")

    def kill(self, folder, point):
        """Run until killed; say whether the run came so far."""
        told = self._ask(folder=str(folder), kill=point)
        assert told["status"] in (0, -signal.SIGKILL)
        return told["status"] != 0

    def _ask(self, **asked):
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        with self._process as process:
            process.stdin.close()


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    with contextlib.closing(Runner(tmp_path_factory.mktemp("audio"), "--prepared")) as found:
        yield found


@pytest.fixture(scope="module")
def preparing(tmp_path_factory):
    with contextlib.closing(Runner(tmp_path_factory.mktemp("audio"))) as found:
        yield found


def contents(folder):
    """Return all rows of all tables of a store, without times, and its files."""
    with contextlib.closing(sqlite3.connect(folder / Store.DATABASE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        rows = {name: _rows(database, name) for (name,) in names}
    files = {path.name: path.read_bytes() for path in (folder / "models").iterdir()}
    return {**rows, "files": files}


def _rows(database, table):
    cursor = database.execute(f'SELECT * FROM "{table}"')
    columns = [column[0] for column in cursor.description]
    return sorted(
        tuple(value for name, value in zip(columns, row, strict=True) if name not in _WHEN)
        for row in cursor
    )


def table(folder, capsys):
    """Return what `edac table` prints; all runs are as fast."""
    capsys.readouterr()
    assert cli.main(["table", "crashed", "--csv", "--cache", str(folder)]) == 0
    return capsys.readouterr().out


def one_of_each_kind(points):
    """Choose one point of each kind, and every so-many-th."""
    kinds = {re.sub(r"(?<=[.-])\w{8,}|\w{64}|\d+", "", name): at for at, name in enumerate(points)}
    return sorted({*kinds.values(), *range(0, len(points), EVERY)})


def assert_goes_on_from(chosen, points, runner, whole, tmp_path, capsys):
    """Kill a run at each point and go on with it; compare with one that nobody disturbed."""
    expected, printed = contents(whole), table(whole, capsys)
    folder = tmp_path / "killed"
    for point in chosen:
        assert runner.kill(folder, point), points[point]
        runner.run(folder)
        assert contents(folder) == expected, points[point]
        assert table(folder, capsys) == printed, points[point]
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def whole(runner, tmp_path_factory):
    """A run that nobody disturbed, and its points."""
    folder = tmp_path_factory.mktemp("whole") / "cache"
    return folder, runner.run(folder)


def test_an_undisturbed_run_has_every_variant_once(whole):
    folder, points = whole
    found = contents(folder)
    assert len(found["variants"]) == VARIANTS
    assert len(found["latencies"]) == VARIANTS
    assert len(found["files"]) == MODELS
    assert {row[3] for row in found["variants"]} == {name[:64] for name in found["files"]}
    assert [len(found[name]) for name in ("jobs", "failures", "refusals")] == [5, 2, 2]
    # Points of each sort: the database, its log, a model file, its name, the journal.
    for sort in ("sqlite pwrite.* studies.sqlite", "half sqlite pwrite.*-wal", "write .part-",
                 "half write .part-", "fsync .part-", "os.rename .part-", "fsync models",
                 "open events.jsonl"):  # fmt: skip
        assert any(re.match(sort, name) for name in points), sort


def test_a_run_that_is_killed_at_some_writes_ends_as_an_undisturbed_one(
    runner, whole, tmp_path, capsys
):
    folder, points = whole
    assert_goes_on_from(one_of_each_kind(points), points, runner, folder, tmp_path, capsys)


@pytest.mark.nightly
def test_a_run_that_is_killed_at_any_write_ends_as_an_undisturbed_one(
    runner, whole, tmp_path, capsys
):
    folder, points = whole
    assert_goes_on_from(range(len(points)), points, runner, folder, tmp_path, capsys)


def of_preparing(points):
    """Return the numbers of the points at which recordings are looked at and features written."""
    first = next(at for at, name in enumerate(points) if "facts.lock" in name)
    last = max(at for at, name in enumerate(points) if "features.sqlite" in name)
    return range(first, last + 1)


def test_a_run_that_is_killed_while_it_prepares_ends_as_an_undisturbed_one(
    preparing, tmp_path, capsys
):
    points = preparing.run(tmp_path / "whole")
    chosen = of_preparing(points)[:: 2 * EVERY]
    assert_goes_on_from(chosen, points, preparing, tmp_path / "whole", tmp_path, capsys)


@pytest.mark.nightly
def test_a_run_that_is_killed_at_any_write_of_its_preparation_ends_as_an_undisturbed_one(
    preparing, tmp_path, capsys
):
    points = preparing.run(tmp_path / "whole")
    chosen = of_preparing(points)
    assert_goes_on_from(chosen, points, preparing, tmp_path / "whole", tmp_path, capsys)


def test_a_run_that_is_killed_again_and_again_gets_to_its_end(runner, whole, tmp_path, capsys):
    folder, points = whole
    for times in itertools.count(1):
        if not runner.kill(tmp_path / "killed", len(points) // 4):
            break
        assert times < len(points)
    assert times > 2
    assert contents(tmp_path / "killed") == contents(folder)
    assert table(tmp_path / "killed", capsys) == table(folder, capsys)


DENIALS = {"disk full": errno.ENOSPC, "permission denied": errno.EACCES, "read-only": errno.EROFS}


@pytest.mark.parametrize("error", DENIALS.values(), ids=DENIALS)
def test_what_cannot_be_written_is_one_sentence_and_costs_nothing_that_was_there(
    runner, whole, tmp_path, error
):
    """From a point on the store cannot be written to; then it can be again."""
    whole_folder, points = whole
    expected = contents(whole_folder)
    chosen = [at for at in one_of_each_kind(points) if at % 3 == error % 3]
    for point in chosen:
        folder = tmp_path / f"denied {point}"
        refusal = runner.deny(folder, point, error)
        assert not list(folder.rglob(".part-*")), points[point]
        # What is written last folds the log into the database, which the next reader may do.
        if refusal is not None:
            assert_one_sentence(refusal, folder)
            runner.run(folder)
        assert contents(folder) == expected, points[point]


def assert_one_sentence(refusal, folder):
    name, sentence = refusal
    assert name == "StoreError", refusal
    assert sentence.startswith(f"The study store in {folder} cannot be used: ")
    assert "free space, or mend or remove it" in sentence
    assert "\n" not in sentence
