"""Calls made in processes apart: what hangs, dies or grows there is stopped, and the caller lives.

A decoder, an interpreter or a library as large as TensorFlow has no place in a process that serves
many people. A worker here is a plain child, ``python -m edac_core.apart``, that is sent functions
by name; nothing of the caller's main module is imported into it. It lives on between calls, so that
what a function keeps (a loaded model, an imported library) is there for the next.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from typing import Any, TypeVar

from edac_core.errors import ApartError, EdacError

T = TypeVar("T")

_GIBIBYTE = 2**30
_STARTING_SECONDS = 120
_BEGUN = "begun"


class Workers:
    """A few worker processes, started when they are first needed.

    Threads may share it: a call takes a free worker or waits for one.

    Parameters
    ----------
    processes
        How many calls can go on at once.
    memory
        Bytes that one worker may hold; what needs more is an ApartError.

    Examples
    --------
    >>> workers = Workers(processes=1)
    >>> workers.call(math.factorial, 5, seconds=10)  # doctest: +SKIP
    120
    """

    def __init__(self, *, processes: int = 2, memory: int = 4 * _GIBIBYTE) -> None:
        self._memory = memory
        self._used = False
        # The worker that was used last is used next: it has most in its caches.
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(processes):
            self._free.put(None)

    @property
    def used(self) -> bool:
        """Whether anything was ever called in them."""
        return self._used

    def call(
        self,
        function: Callable[..., T],
        *arguments: Any,
        seconds: float,
        subject: str = "The work",
    ) -> T:
        """Call a function in a worker.

        Parameters
        ----------
        function
            Of a module that the worker can import too.
        arguments
            For it; they and the result are copied between processes.
        seconds
            The worker is killed if the call takes longer; starting a worker is not counted.
        subject
            What error messages are about, such as the name of a file.

        Raises
        ------
        ApartError
            If the call takes too long or too much memory, ends its worker, or no worker can be
            started for it.
        EdacError
            If the function raises it.
        """
        self._used = True
        worker = _if_alive(self._free.get())
        kept: _Worker | None = None
        try:
            worker = worker or _started(self._memory, subject=subject)
            answer = worker.ask((function, arguments), seconds=seconds, subject=subject)
            kept = worker
        finally:
            if kept is None and worker is not None:
                worker.kill()
            self._free.put(kept)
        result: T = _unwrapped(answer, subject=subject, memory=self._memory)
        return result

    def close(self) -> None:
        """End the workers that are free; a later call starts one anew."""
        free = []
        with contextlib.suppress(queue.Empty):
            while True:
                free.append(self._free.get_nowait())
        for worker in free:
            if worker is not None:
                worker.kill()
            self._free.put(None)


class _Worker:
    """One child and the pipe to it."""

    def __init__(self, memory: int) -> None:
        self._pipe, theirs = Pipe()
        command = [sys.executable, "-m", __spec__.name, str(theirs.fileno()), str(memory)]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=child_environment()
        )
        theirs.close()

    def ask(self, message: Any, *, seconds: float, subject: str) -> tuple[str, Any]:
        try:
            self._pipe.send(message)
            # A new worker starts Python and imports the function's module: that is not its time.
            if not self._pipe.poll(_STARTING_SECONDS):
                raise ApartError(
                    f"The process for {subject} did not start within {_STARTING_SECONDS} s: try "
                    "again later, when the machine has less to do."
                )
            self._pipe.recv()
            answer: tuple[str, Any] = self._receive(seconds=seconds, subject=subject)
        except (EOFError, OSError) as error:
            raise ApartError(
                f"{subject} ended the process that worked on it ({self._ending()}): "
                "try something else."
            ) from error
        return answer

    def _receive(self, *, seconds: float, subject: str) -> Any:
        if not self._pipe.poll(seconds):
            raise ApartError(
                f"{subject} took longer than {seconds:g} s and was stopped: "
                "try again, or with something smaller."
            )
        return self._pipe.recv()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    def _ending(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        return f"exit status {self._process.poll()}"


def _if_alive(worker: _Worker | None) -> _Worker | None:
    """Let go of a worker that ended since its last call, so that the next one is not blamed."""
    if worker is None or worker.is_alive:
        return worker
    worker.kill()
    return None


def _started(memory: int, *, subject: str) -> _Worker:
    try:
        return _Worker(memory)
    except OSError as error:
        raise ApartError(
            f"No process could be started for {subject} ({error.strerror}): try again later, when "
            "the machine has less to do."
        ) from error


def child_environment() -> dict[str, str]:
    """Return variables by which a child finds what this process can import, wherever it began."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _unwrapped(answer: tuple[str, Any], *, subject: str, memory: int) -> Any:
    kind, value = answer
    if kind == "error":
        raise value
    if kind == "memory":
        raise ApartError(
            f"{subject} needs more than the {memory / _GIBIBYTE:.2g} GiB of memory that it may "
            "take: try something smaller."
        )
    if kind == "unforeseen":
        sentence, trace = value
        raise ApartError(f"{subject} could not be worked on ({sentence}).") from RuntimeError(trace)
    return value


def serve(pipe: Connection) -> None:
    """Answer calls until the other end closes the pipe."""
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            function, arguments = pipe.recv()
            pipe.send(_BEGUN)
            pipe.send(_answer(function, arguments))


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        return "value", function(*arguments)
    except EdacError as error:
        return "error", error
    except MemoryError:
        return "memory", None
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller must hear of it
        return "unforeseen", (f"{type(error).__name__}: {error}", traceback.format_exc())


def _limit_memory(count: int) -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not on every system

        resource.setrlimit(resource.RLIMIT_DATA, (count, count))


def _end_with_parent() -> None:
    """End a call that is under way when the caller's process is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            threading.Event().wait(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    _limit_memory(int(sys.argv[2]))
    _end_with_parent()
    serve(Connection(int(sys.argv[1])))
