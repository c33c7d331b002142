"""Runs of a small study that are killed at a write point, and gone on with; see test_crashes.

Started as a program, `crashing.py RECORDINGS`, it reads requests, a line of JSON each, and answers
each with a line. It imports what a run needs once and forks a child for each run:

    {"folder": F}               a run that nobody disturbs; answers {"points": [names], "status": 0}
    {"folder": F, "kill": 7}    a run that is killed at point 7; answers {"status": -9}
    {"folder": F, "deny": 7, "error": 28}
                                a run for which from point 7 on whatever would write to the store
                                fails with this errno; answers {"refusal": [exception, its message]}

With `--prepared` the audit and the features are known from the start, and nothing of them is
written.

Every call that changes what is on the disk is a point, in the order of the run: those of Python as
its audit hooks, its raw files and `os.fsync` tell them; those of SQLite by its own interface for
replacing system calls, which SQLite is tested by. A run is killed before the call, or, as a point
of its own, when half of what a call writes is written.

Jobs, latencies and features are made up, the same in every run; all that writes is the product's.
"""

import _sqlite3
import builtins
import contextlib
import ctypes
import dataclasses
import io
import json
import os
import signal
import sys
import tempfile
from collections import deque
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import stored

from edac_core import frontends
from edac_core.datasets import audit
from edac_core.measure.latency import Latency
from edac_core.studies import execution, latencies, run
from edac_core.studies.attempts import Failed
from edac_core.studies.plan import parse_plan
from edac_core.studies.store import JobResult

FAILS, REFUSED = 0.9, 0.75
"""Sparsity of the level that fails, and of one that has no int8 variant."""

_CHANGING = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.link")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Points:
    """Counts points, and kills this process at one of them, or fails from one on."""

    def __init__(self, folder, *, kill=None, deny=None, error=0):
        self.names = []
        self._folder, self._kill, self._deny, self._error = folder, kill, deny, error

    def reach(self, name, path=""):
        """Pass a point, or not."""
        path = Path(os.fspath(path))
        self.names.append(f"{name} {path.name}".strip())
        if len(self.names) - 1 == self._kill:
            os.kill(os.getpid(), signal.SIGKILL)
        denied = self._deny is not None and len(self.names) > self._deny
        if denied and self._is_of_store(path) and not _frees(name):
            raise OSError(self._error, os.strerror(self._error), str(path))

    def write(self, name, path, data, write):
        """Write at two points: before all of it, and after half of it."""
        self.reach(name, path)
        if len(self.names) == self._kill:
            write(data[: len(data) // 2])
        self.reach(f"half {name}", path)
        return write(data)

    def hear(self, event, arguments):
        """Take an event of Python's audit for a point if it changes the disk."""
        if event in _CHANGING:
            self.reach(event, arguments[0])
        elif event == "open" and isinstance(arguments[0], str | os.PathLike):
            path, _, flags = arguments
            if self._folder in Path(path).parents and flags & _WRITING:
                self.reach("open", path)

    def _is_of_store(self, path):
        models = self._folder / "models"
        return path.name.startswith("studies.sqlite") or models in (path, path.parent)


def _frees(name):
    return name in {"os.remove", "sqlite unlink"}


def _path_of(descriptor):
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def watch(points):
    """Make points of what Python and SQLite write; for the rest of this process."""
    sys.addaudithook(points.hear)
    synced = os.fsync

    def fsync(descriptor):
        points.reach("fsync", _path_of(descriptor))
        synced(descriptor)

    os.fsync = fsync
    io.open = builtins.open = _opener(points, io.open)
    _watch_sqlite(points)


def _opener(points, plain):
    class Raw(io.FileIO):
        def write(self, data):
            return points.write("write", _path_of(self.fileno()), bytes(data), super().write)

    def watched(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, **options):
        if not set(mode) & set("wax+"):
            return plain(file, mode, buffering, encoding, errors, newline, **options)
        raw = Raw(file, mode.replace("b", "").replace("t", ""), **options)
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    return watched


class _Vfs(ctypes.Structure):
    """The beginning of SQLite's `sqlite3_vfs`; see its sqlite3.h."""

    _fields_ = [
        ("version", ctypes.c_int), ("file_size", ctypes.c_int), ("longest_path", ctypes.c_int),
        *((name, ctypes.c_void_p) for name in ("next", "name", "data")),
        *((f"method{number}", ctypes.c_void_p) for number in range(13)),
        ("set_call", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p,
                                      ctypes.c_void_p)),
        ("get_call", ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)),
    ]  # fmt: skip


_INT, _SIZE, _OFFSET, _TEXT = ctypes.c_int, ctypes.c_size_t, ctypes.c_int64, ctypes.c_char_p
_CALLS = {
    "pwrite": (ctypes.c_ssize_t, _INT, ctypes.c_void_p, _SIZE, _OFFSET),
    "pwrite64": (ctypes.c_ssize_t, _INT, ctypes.c_void_p, _SIZE, _OFFSET),
    "write": (ctypes.c_ssize_t, _INT, ctypes.c_void_p, _SIZE),
    "ftruncate": (_INT, _INT, _OFFSET),
    "fallocate": (_INT, _INT, _OFFSET, _OFFSET),
    "unlink": (_INT, _TEXT),
    "open": (_INT, _TEXT, _INT, _INT),
}
_NAMED = ("open", "unlink")
_KEPT = []  # C holds pointers to what Python would throw away.


def _watch_sqlite(points):
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    vfs = library.sqlite3_vfs_find(None)
    for name, types in _CALLS.items():
        address = vfs.contents.get_call(vfs, name.encode())
        if address:
            kind = ctypes.CFUNCTYPE(*types, use_errno=True)
            replacement = kind(_watched_call(points, name, kind(address)))
            _KEPT.append(replacement)
            vfs.contents.set_call(vfs, name.encode(), ctypes.cast(replacement, ctypes.c_void_p))


def _watched_call(points, name, plain):
    def written(descriptor, data, size, *offset):
        def write(part):
            return plain(descriptor, ctypes.cast(part, ctypes.c_void_p), len(part), *offset)

        whole = ctypes.string_at(data, size)
        return points.write(f"sqlite {name}", _path_of(descriptor), whole, write)

    def changed(file, *arguments):
        if name != "open" or arguments[0] & os.O_CREAT:
            points.reach(f"sqlite {name}", os.fsdecode(file) if name in _NAMED else _path_of(file))
        return plain(file, *arguments)

    def failing(*arguments):
        try:
            return (written if "write" in name else changed)(*arguments)
        except OSError as error:
            ctypes.set_errno(error.errno)
            return -1

    return failing


@dataclasses.dataclass(frozen=True)
class _Loudest:
    """A front-end of six numbers; those of ComParE make a thousand points more of the same kind."""

    name = "compare"
    revision = 1
    libraries = ()
    shape = (6,)

    def __call__(self, waveform):
        return np.sort(waveform)[:6].astype(np.float32)


class _Future:
    """What is there already: data that was sent, or what became of a job."""

    status = "finished"

    def __init__(self, result):
        self._result = result

    def result(self):
        return self._result


class _Cluster:
    """Does at once, in this process, what Dask's would have done by workers."""

    threads, resources = None, {}

    @property
    def client(self):
        return self

    def submit(self, _attempt, _perform, job, inputs, *_arguments, **_options):
        return _Future(_made_up(job, inputs.result()))

    def send(self, data):
        return _Future(data)

    def slots(self):
        return 2

    def listen(self, *_arguments):
        pass

    def require_workers(self, _listener):
        pass


class _Queue(deque):
    add = deque.append

    def __iter__(self):
        while self:
            yield self.popleft()


def _made_up(job, inputs):
    if job.sparsity == FAILS:
        return Failed("it diverged")
    # What float16 makes of both schedules is the same file.
    contents = {
        name: f"{job.model} {job.sparsity} {'' if name == 'float16' else job.method} {name}"
        for name in job.precisions
        if (name, job.sparsity) != ("int8", REFUSED)
    }
    made = [_variant(inputs.record, name, content) for name, content in contents.items()]
    refused = {name: "wrong results" for name in job.precisions if name not in contents}
    weights = b"npz" * 2_000 if job.is_baseline else None
    return JobResult(tuple(made), job.sparsity, 1.5, ({"loss": 0.7},), weights, {}, refused)


def _variant(record, precision, content, known={}):  # noqa: B006 - kept from the first run on
    if content not in known:
        known[content] = stored.make_variant(record, precision, content.encode())
    return known[content]


def _latencies(models, _inputs, *, calls):
    return {key: Latency(len(model), len(model) + 1, 2.0, calls) for key, model in models.items()}


def fake_the_computing():
    """Replace what takes long and writes nothing by what is soon made up."""
    frontends.FRONTENDS[_Loudest.name] = _Loudest
    run.connect = lambda *_, **_options: contextlib.nullcontext(_Cluster())
    execution.as_completed = _Queue
    latencies.measure_latency = _latencies
    run._outlook = lambda *_: []
    audit.metadata_auc = lambda _: pd.DataFrame(columns=["property", "auc", "n"])


def write_recordings(folder):
    """Write 24 short recordings and the CSV file that lists them."""
    rows = ["path,label,group,split"]
    for number in range(24):
        noise = np.random.default_rng(number).normal(0, 0.1, 2_500)
        soundfile.write(folder / f"{number}.wav", noise, 22_050)
        name = ("train", "train", "validation", "test")[number // 2 % 4]
        rows.append(f"{number}.wav,{number % 2},{'ab'[number // 8 % 2]},{name}")
    (folder / "mine.csv").write_text("\n".join(rows))


def plan(folder):
    """Name the study: a baseline and three levels of two schedules, three precisions."""
    return parse_plan(
        {
            "name": "crashed",
            "title": "Crashed",
            "data": {"dataset": "folder", "path": str(folder / "mine.csv")},
            "training": {"models": ["dense_a"], "epochs": 1},
            "compression": {
                "sparsities": [0.5, REFUSED, FAILS],
                "precisions": ["float32", "float16", "int8"],
            },
        }
    )


def _run(folder, recordings):
    run.run_study(plan(recordings), cache=folder, workers=1, listener=lambda _: None)


def _in_child(recordings, folder, **how):
    """Run the study in a child; return its points if it came to the end, or why it did not."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        points = Points(folder, **how)
        watch(points)
        told = {}
        try:
            _run(folder, recordings)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test judges it
            told = {"refusal": [type(error).__name__, str(error)]}
        os.write(writer, json.dumps({**told, "points": points.names}).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = json.loads(pipe.read() or "{}")
    _, status = os.waitpid(child, 0)
    return {**told, "status": os.waitstatus_to_exitcode(status)}


def remember(module, name):
    """Make a function return what it returned first, and write nothing."""
    first, found = getattr(module, name), []

    def remembered(*arguments, **options):
        if not found:
            found.append(first(*arguments, **options))
        return found[0]

    setattr(module, name, remembered)


def main():
    """Answer requests until there are no more."""
    recordings = Path(sys.argv[1])
    fake_the_computing()
    if "--prepared" in sys.argv:
        remember(run, "open_data")
        remember(run, "prepare")
    with tempfile.TemporaryDirectory() as folder:  # What is imported and kept is so before forks.
        _run(Path(folder), recordings)
    for line in sys.stdin:
        asked = json.loads(line)
        told = _in_child(recordings, Path(asked.pop("folder")), **asked)
        print(json.dumps(told), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
