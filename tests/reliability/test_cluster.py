"""Runs on Dask clusters that share nothing with the run but a network.

Hosts are network namespaces joined by a bridge. The folder that holds the run's cache is an empty
one of their own on each of them, so what they know came through Dask.
"""

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import dask
import numpy as np
import pytest
import stubs

from edac_core.errors import ClusterError
from edac_core.locations import PROJECT
from edac_core.studies import run as run_module
from edac_core.studies.run import run_study
from edac_core.studies.store import Store

WEIGHT_BYTES = 2_000_000
SHAPE = (400, 1000, 1)
DATA_BYTES = 18 * 4 * 400 * 1000
SLACK = 6_000_000
HOST_SECONDS = 6
SETTINGS = {
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "12s",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": f"{HOST_SECONDS}s",
}


class Host:
    """A network namespace; its processes see an empty folder where this machine has `hidden`."""

    def __init__(self, name, number, network, hidden):
        self.name, self.address = name, f"{network}.{number}"
        self.space, self.link = f"edac-{os.getpid()}-{name}", f"e{os.getpid()}v{number}"
        self._hidden, self._processes = hidden, []
        ip("netns", "add", self.space)
        ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        ip("link", "set", self.link, "master", bridge_name(), "up")
        ip("-n", self.space, "address", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            ip("-n", self.space, "link", "set", device, "up")

    def start(self, *command):
        apart = (
            'mount --make-rprivate / && mount -t tmpfs none "$1" && hostname "$2" && cd "$1" '
            '&& shift 2 && exec "$@"'
        )
        inside = ["ip", "netns", "exec", self.space, "unshare", "--mount", "--uts", "--pid",
                  "--mount-proc",
                  "--fork", "--kill-child", "sh", "-c", apart, "sh",
                  str(self._hidden), self.name]  # fmt: skip
        self._processes.append(start([*inside, *command], self._hidden))

    def received(self):
        """Return how many bytes came in over its network."""
        found = ip("-n", self.space, "-stats", "-json", "link", "show", "eth0")
        (device,) = json.loads(found)
        return device["stats64"]["rx"]["bytes"]

    def unplug(self):
        ip("link", "set", self.link, "down")

    def kill(self):
        for process in self._processes:
            process.kill()
            process.wait()

    def remove(self):
        self.kill()
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("link", "delete", self.link)
        ip("netns", "delete", self.space)


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def bridge_name():
    return f"e{os.getpid()}b"


def start(command, folder):
    path = os.pathsep.join([str(PROJECT), str(PROJECT / "tests" / "edac_core")])
    own = {"PYTHONPATH": path, "TMPDIR": str(folder), "HOME": str(folder),
           "EDAC_DATA_DIR": str(folder / "none"), "PATH": os.environ["PATH"]}  # fmt: skip
    with (folder.parent / "cluster.log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env={**own, **SETTINGS}, stdout=log, stderr=log
        )  # fmt: skip


def scheduler_command(address):
    return [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard",
            "--host", address, "--port", "8786"]  # fmt: skip


def worker_command(scheduler, name, *options):
    return [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--name", name,
            "--nthreads", "1", "--nworkers", "1", "--no-dashboard", "--memory-limit", "0",
            *options]  # fmt: skip


def can_make_hosts():
    """Say why there can be no network namespaces here; nothing if there can."""
    missing = [tool for tool in ("ip", "unshare", "mount") if shutil.which(tool) is None]
    if missing:
        return f"network namespaces need {', '.join(missing)} (Debian: iproute2, util-linux)"
    trial = f"edac-trial-{os.getpid()}"
    try:
        ip("netns", "add", trial)
        ip("netns", "delete", trial)
        ip("link", "add", bridge_name(), "type", "bridge")
        ip("link", "delete", bridge_name())
    except subprocess.CalledProcessError as error:
        return f"network namespaces cannot be made here: {error.stderr.strip()}"
    return ""


@pytest.fixture
def hosts(tmp_path):
    """Three hosts on one network, with a scheduler and two workers; its address is theirs[0]'s."""
    if reason := can_make_hosts():
        pytest.skip(reason)
    hidden = tmp_path / "this-machine"
    hidden.mkdir()
    network = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
    with contextlib.ExitStack() as stack:
        ip("link", "add", bridge_name(), "type", "bridge")
        stack.callback(ip, "link", "delete", bridge_name())
        ip("address", "add", f"{network}.1/24", "dev", bridge_name())
        ip("link", "set", bridge_name(), "up")
        made = []
        for number, name in enumerate(("scheduler", "worker1", "worker2"), 2):
            made.append(Host(name, number, network, hidden))
            stack.callback(made[-1].remove)
        scheduler, *workers = made
        scheduler.start(*scheduler_command(scheduler.address))
        for worker in workers:
            worker.start(*worker_command(f"tcp://{scheduler.address}:8786", worker.name))
        yield made


@pytest.fixture
def study(monkeypatch, tmp_path):
    """Return a function that runs a plan of stub jobs on a scheduler, and says where they ran."""
    cache = tmp_path / "this-machine" / "cache"
    inputs = {}

    def prepare(_usable, *, seed, **_options):
        return inputs.setdefault(seed, stubs.inputs_of(seed, shape=SHAPE))

    monkeypatch.setattr(run_module, "open_data", lambda *_a, **_k: stubs.Data())
    monkeypatch.setattr(run_module, "prepare", prepare)
    monkeypatch.setattr(run_module, "measure_latencies", lambda *_a, **_k: None)

    def run(plan, address, *, listener=None, resources=None, **options):
        cache.mkdir(parents=True, exist_ok=True)
        perform = functools.partial(stubs.perform, weight_bytes=WEIGHT_BYTES, **options)
        monkeypatch.setattr(run_module, "perform", perform)
        return run_study(
            plan, cache=cache, scheduler=address, listener=listener or (lambda _event: None),
            resources=resources,
        )  # fmt: skip

    def hosts():
        with contextlib.closing(Store(cache)) as store:
            return [environment["worker"] for environment in store.jobs("tiny")["environment"]]

    run.cache, run.hosts = cache, hosts
    return run


def levels(count):
    return stubs.plan(*(round(0.5 + index / 1000, 3) for index in range(count)))


def address_of(host):
    address = f"tcp://{host.address}:8786"
    wait_for_workers(address, 2)
    return address


def wait_for_workers(address, count, *, seconds=120):
    from distributed import Client  # noqa: PLC0415 - as the run does

    with (
        dask.config.set({"distributed.comm.timeouts.connect": f"{seconds}s"}),
        Client(address, set_as_default=False) as client,
    ):
        client.wait_for_workers(count, timeout=seconds)


def test_a_study_runs_on_hosts_that_share_no_folder_and_data_go_out_once(hosts, study):
    scheduler, *workers = hosts
    address = address_of(scheduler)
    before = {host.name: host.received() for host in hosts}
    summary = study(levels(12), address, unseen=study.cache, seconds=0.2)
    received = {host.name: host.received() - before[host.name] for host in hosts}
    assert (summary.computed, summary.failed) == (13, 0)
    assert set(study.hosts()) == {"worker1", "worker2"}
    # The scheduler: recordings once, the baseline's weights once from the worker and once to it.
    assert DATA_BYTES < received["scheduler"] < DATA_BYTES + 2 * WEIGHT_BYTES + SLACK
    for worker in workers:
        assert received[worker.name] < DATA_BYTES + WEIGHT_BYTES + SLACK


@pytest.mark.parametrize("accident", ["unplug", "kill"])
def test_a_host_that_drops_out_loses_nothing(hosts, study, accident):
    scheduler, _, lost = hosts
    told = []

    def listen(event):
        told.append(event)
        if event.kind == "finished" and event.done == 3:
            getattr(lost, accident)()

    summary = study(levels(12), address_of(scheduler), listener=listen, seconds=0.3)
    assert (summary.computed, summary.failed) == (13, 0)
    assert len(study.hosts()) == 13
    again = [event for event in told if event.kind == "retrying"]
    assert {event.detail["reason"] for event in again} <= {
        "its worker process ended (the cluster lost it)"
    }


@pytest.fixture
def loopback(tmp_path):
    """Start a scheduler on the loopback; return its address and a function that starts workers."""
    folder = tmp_path / "apart"
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        file = folder / "scheduler.json"
        started = start(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard",
             "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)], folder,
        )  # fmt: skip
        stack.callback(started.wait)
        stack.callback(started.kill)
        deadline = time.monotonic() + 120
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]

        def worker(name, *options, path=None):
            command = worker_command(address, name, "--no-nanny", "--host", "127.0.0.1", *options)
            if path is not None:
                command = ["env", f"PYTHONPATH={path}{os.pathsep}{PROJECT}", *command]
            process = start(command, folder)
            stack.callback(process.wait)
            stack.callback(process.kill)

        yield Loopback(address, worker, started.kill)


@dataclass(frozen=True)
class Loopback:
    """A scheduler's address; `worker` starts one, `end` kills the scheduler."""

    address: str
    worker: Callable[..., None]
    end: Callable[[], None]


def test_jobs_that_ask_for_a_gpu_go_to_workers_that_offer_one(loopback, study):
    address, worker = loopback.address, loopback.worker
    worker("cpu")
    worker("gpu", "--resources", "GPU=1")
    wait_for_workers(address, 2)
    with pytest.raises(ClusterError, match=r"No worker of tcp.* offers the resource FPGA=1: start"):
        study(levels(1), address, resources={"FPGA": 1})
    study(levels(6), address, resources={"GPU": 1}, seconds=0.05)
    assert set(study.hosts()) == {"gpu"}
    shutil.rmtree(study.cache)
    study(levels(8), address, seconds=0.2)
    assert set(study.hosts()) == {"cpu", "gpu"}


@pytest.mark.filterwarnings("ignore:Mismatched versions found")
def test_a_worker_with_other_code_or_libraries_is_refused(loopback, study, tmp_path):
    address, worker = loopback.address, loopback.worker
    copied = tmp_path / "copied"
    shutil.copytree(PROJECT / "edac_core", copied / "edac_core")
    with (copied / "edac_core" / "runtime.py").open("a") as file:
        file.write("\nOTHER = 1\n")
    information = copied / "numpy-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    worker("same")
    worker("other", path=copied)
    wait_for_workers(address, 2)
    sentence = (
        r"The worker tcp://\S+ of tcp://\S+ cannot do this run's jobs \(edac_core \w{12} where the "
        rf"run has \w{{12}}, numpy 1\.0 where the run has {np.__version__}\): install the same"
    )
    with pytest.raises(ClusterError, match=sentence):
        study(levels(1), address)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "no-protocol://x", "127.0.0.1"])
def test_a_scheduler_that_is_not_there_is_one_sentence(study, address):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "500ms"}),
        pytest.raises(ClusterError, match=f"The scheduler {address} cannot be reached"),
    ):
        study(levels(1), address)


def test_a_scheduler_that_ends_is_one_sentence_and_what_is_finished_is_kept(loopback, study):
    loopback.worker("only")
    wait_for_workers(loopback.address, 1)

    def listen(event):
        if event.kind == "finished" and event.done == 3:
            loopback.end()

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "500ms"}),
        pytest.raises(
            ClusterError, match=f"The scheduler of {loopback.address} does not answer any more"
        ),
    ):
        study(levels(12), loopback.address, listener=listen, seconds=0.05)
    assert len(study.hosts()) >= 3
