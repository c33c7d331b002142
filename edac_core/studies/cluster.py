"""The Dask cluster of a run: worker processes of this machine, or a scheduler somewhere."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dask
from distributed import Client, Future, LocalCluster, Nanny, Status
from distributed.system import MEMORY_LIMIT

from edac_core.errors import ClusterError
from edac_core.studies.attempts import differences
from edac_core.studies.jobs import equipment
from edac_core.studies.journal import Event, Listener

LARGEST_JOB = 6 * 10**9
"""Bytes that a worker may hold on any machine that has them; the largest job takes 5 GB."""

_EXITS = "edac-exits"
_OVER_MEMORY = "worker-restart-memory"  # Dask's name for the event of a nanny that ends a worker.
_ENDING_SECONDS = 2.0
_COUNTING_SECONDS = 5.0
_SENDING_ATTEMPTS = 5
_POLL_SECONDS = 0.1
_COMING_BACK_SECONDS = 1800
# No data is spilled, nor a worker paused: TensorFlow keeps memory, and it would be for good. On a
# busy machine a process may take long to start again; Dask would give it up after 15 seconds.
_LOCAL_SETTINGS = {
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 1.0,
    "distributed.deploy.lost-worker-timeout": "1 hour",
    "distributed.comm.timeouts.connect": "5 minutes",
}

Handler = Callable[[Mapping[str, Any]], None]


class _Watched(Nanny):
    """A nanny that says how its worker process ended."""

    def _on_worker_exit_sync(self, exitcode: int) -> None:
        if self.status == Status.running:
            self.log_event(_EXITS, {"worker": self.worker_address, "exitcode": exitcode})
        super()._on_worker_exit_sync(exitcode)


class Cluster:
    """A cluster as a run needs it: how much it takes at once, and how its workers ended.

    Parameters
    ----------
    client
        Connected to the scheduler.
    name
        What error messages call it.
    resources
        What each job asks of a worker, by Dask's resources: name and amount.
    threads
        How many threads a job may use; all that its worker gives it if not said.
    memory
        Bytes that a worker may hold; what it was started with if not said.
    """

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        resources: Mapping[str, float],
        threads: int | None = None,
        memory: int | None = None,
    ) -> None:
        self.client, self.threads = client, threads
        self.resources = dict(resources)
        self._name, self._memory = name, memory
        self._endings: dict[str, str] = {}
        self._news = threading.Condition()
        self._slots, self._counted = 0, float("-inf")
        self.listen(_EXITS, self._on_exit)
        self.listen(_OVER_MEMORY, self._on_over_memory)

    def listen(self, topic: str, handler: Handler) -> None:
        """Hand everything that is logged under a topic to a function, in another thread."""
        self.client.subscribe_topic(topic, lambda event: handler(event[1]))

    def require_workers(self, listener: Listener) -> None:
        """Wait for a worker, and refuse workers that would store other results or none.

        Raises
        ------
        ClusterError
            If one has another version of the code or of a library, or none offers the resources.
        """
        if not self._workers():
            listener(Event("preparing", f"waiting for a worker of {self._name}"))
            self.client.wait_for_workers(1)
        found = self.client.run(equipment, on_error="return")
        for worker, has in found.items():
            has_gone = isinstance(has, OSError)
            if not has_gone and (unlike := differences(has, equipment())):
                raise self.unfit(worker, unlike)
        if not self.slots():
            wanted = ",".join(f"{name}={amount:g}" for name, amount in self.resources.items())
            raise ClusterError(
                f"No worker of {self._name} offers the resource {wanted}: start workers with "
                f'--resources "{wanted}", or run without --resource.'
            )

    def unfit(self, worker: str, unlike: str) -> ClusterError:
        """Return the error that a worker is no copy of this program."""
        return ClusterError(
            f"The worker {worker} of {self._name} cannot do this run's jobs ({unlike}): install "
            "the same versions there, or stop it, and run again (finished jobs are kept)."
        )

    def slots(self) -> int:
        """Return how many jobs its workers take at once; counted anew every few seconds."""
        if time.monotonic() - self._counted > _COUNTING_SECONDS:
            self._slots = sum(self._slots_of(worker) for worker in self._workers().values())
            self._counted = time.monotonic()
        return self._slots

    def send(self, data: Any) -> Future[Any]:
        """Put data on a worker, through the scheduler; others fetch it from there.

        Raises
        ------
        ClusterError
            If worker after worker is lost meanwhile.
        """
        for _ in range(_SENDING_ATTEMPTS):
            self._await_worker()
            with contextlib.suppress(OSError):  # That worker has gone, or all have.
                sent: Future[Any] = self.client.scatter(data, hash=False)
                return sent
            self.require_scheduler()
        raise ClusterError(
            f"Data could not be sent to any worker of {self._name}: look whether they have the "
            "memory for it, and run again (finished jobs are kept)."
        )

    def _await_worker(self) -> None:
        """Wait for a worker to come back, where all were lost."""
        try:
            self.client.wait_for_workers(1, timeout=_COMING_BACK_SECONDS)
        except TimeoutError as error:
            raise ClusterError(
                f"All workers of {self._name} were lost, and none came back within "
                f"{_COMING_BACK_SECONDS / 60:.0f} minutes: start workers, and run again (finished "
                "jobs are kept)."
            ) from error

    def require_scheduler(self) -> None:
        """Wait while the connection is made anew; raise a ClusterError if the scheduler is gone."""
        while self.client.status == "connecting":
            time.sleep(_POLL_SECONDS)
        if self.client.status != "running":
            raise ClusterError(
                f"The scheduler of {self._name} does not answer any more: start it and its "
                "workers, and run again (finished jobs are kept)."
            )

    def ending(self, worker: str | None) -> str:
        """Say how a worker's process ended."""
        with self._news:
            self._news.wait_for(lambda: worker in self._endings, timeout=_ENDING_SECONDS)
            return self._endings.get(worker or "", "the cluster lost it")

    def _workers(self) -> Mapping[str, Mapping[str, Any]]:
        workers: Mapping[str, Mapping[str, Any]] = self.client.scheduler_info()["workers"]
        return workers

    def _slots_of(self, worker: Mapping[str, Any]) -> int:
        offered = worker.get("resources", {})
        shares = [offered.get(name, 0) / amount for name, amount in self.resources.items()]
        return int(min([worker["nthreads"], *shares]))

    def _on_exit(self, event: Mapping[str, Any]) -> None:
        self._note(event["worker"], exit_words(event["exitcode"]))

    def _on_over_memory(self, event: Mapping[str, Any]) -> None:
        limit = f" of {self._memory / 1e9:.1f} GB" if self._memory else ""
        held = f"at {event['rss'] / 1e9:.1f} GB"
        self._note(event["worker"], f"{held}, over its memory limit{limit}")

    def _note(self, worker: str, words: str) -> None:
        with self._news:
            self._endings.setdefault(worker, words)
            self._news.notify_all()


@contextlib.contextmanager
def connect(
    scheduler: str | None, *, workers: int, resources: Mapping[str, float]
) -> Iterator[Cluster]:
    """Start workers on this machine, or connect to a scheduler.

    Parameters
    ----------
    scheduler
        Its address, or None.
    workers
        How many worker processes to start if there is none.
    resources
        What each job asks of a worker.

    Raises
    ------
    ClusterError
        If the scheduler cannot be reached.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if scheduler is None:
        with _local(workers, resources) as cluster:
            yield cluster
        return
    with _client(scheduler) as client:
        cluster = Cluster(client, name=scheduler, resources=resources)
        try:
            yield cluster
        except OSError:  # What asking a scheduler that is gone ends in.
            cluster.require_scheduler()
            raise


@contextlib.contextmanager
def _local(workers: int, resources: Mapping[str, float]) -> Iterator[Cluster]:
    memory = memory_limit(workers)
    threads = max(1, (os.cpu_count() or 1) // workers)
    with (
        dask.config.set(_LOCAL_SETTINGS),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            worker_class=_Watched,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            memory_limit=memory,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield Cluster(
            client, name="this machine", resources=resources, threads=threads, memory=memory
        )


def memory_limit(workers: int) -> int:
    """Return how many bytes a worker of this machine may hold.

    It is an equal share, but no less than `LARGEST_JOB`, as not all jobs are large at once.
    """
    return min(MEMORY_LIMIT, max(MEMORY_LIMIT // workers, LARGEST_JOB))


def _client(scheduler: str) -> Client:
    try:
        return Client(scheduler)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"The scheduler {scheduler} cannot be reached ({error}): start it with dask scheduler, "
            "or mend the address, such as tcp://host:8786."
        ) from error


def exit_words(code: int) -> str:
    """Say how a process ended, by its exit code."""
    if code >= 0:
        return f"exit status {code}"
    return f"killed by signal {-code}: {signal.strsignal(-code)}"
