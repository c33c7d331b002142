"""Does one thing in many processes at the same instant, or is killed at every step of it.

A script, so that what it needs is imported once and the processes are forked from one with no
threads: ``python at_once.py WHAT COUNT CACHE``. It prints what each process had to say, as JSON.
"""

import contextlib
import dataclasses
import io
import itertools
import json
import os
import signal
import sys
from pathlib import Path

import stub_run

from edac_core import cli
from edac_core.errors import EdacError
from edac_core.studies import launch
from edac_core.studies.journal import Event, journal, only_writer, run_folder
from edac_core.studies.plan import parse_plan
from edac_core.studies.watch import find_runs, read_run

PLAN = parse_plan(
    {
        "name": "tiny",
        "title": "Tiny",
        "data": {"dataset": "synthetic"},
        "training": {"models": ["cnn"]},
    }
)
REFUSED = "refused"
WATCHED = ("open", "os.rename", "os.remove", "os.mkdir", "fcntl.flock", "subprocess.Popen")


def line(event):
    return json.dumps({"at": 100.0, **dataclasses.asdict(event)}) + "\n"


def stub_command(folder, cache):
    return [sys.executable, stub_run.__file__, str(folder / "plan.toml"), str(cache)]


def start(cache):
    launch._command = stub_command
    return launch.start(PLAN, cache=cache)


def look(cache):
    run = read_run(run_folder(cache, "tiny"))
    return [run.phase, run.ended]


def run(cache):
    """Run a plan from the command line; what a run does is left to a stub."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        status = cli.main(["run", str(cache / "plan.toml"), "--cache", str(cache), "--quiet"])
    if status:
        with (cache / REFUSED).open("a") as refused:
            refused.write("one\n")
    return [status, said.getvalue()]


def before_run():
    from edac_core.studies import run as run_module  # noqa: PLC0415 - so does Dask

    def stub(plan, store, *, cache, listener, **_options):
        stub_run.stay(cache, listener)
        return run_module.Summary(plan.name, 1, 1, 0)

    run_module._run = stub


def in_processes(action, count, cache):
    """Fork, let all begin at once, and return what the action returned or was refused with."""
    gate, opener = os.pipe()
    answers = [_forked(action, cache, gate, opener) for _ in range(count)]
    os.close(opener)
    return [json.loads(Path(f"/dev/fd/{answer}").read_text()) for answer in answers]


def _forked(action, cache, gate, opener):
    answer, out = os.pipe()
    if os.fork():
        os.close(out)
        return answer
    os.close(opener)
    os.read(gate, 1)
    try:
        said = action(cache)
    except EdacError as error:
        said = str(error)
    os.write(out, json.dumps(said).encode())
    os._exit(0)


def killed_at_each_step(action, cache):
    """Kill a process at its first step, another at its second, until one gets through."""
    seen = []
    survived = False
    while not survived:
        steps = len(seen)
        here = cache / str(steps)
        _leave_finished_run(here)
        pid = os.fork()
        if not pid:
            _die_after(steps, here)
            action(here)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        found = [[run.phase, run.jobs] for run in find_runs(here)]
        action(here)
        again = [[run.phase, run.jobs] for run in find_runs(here)]
        seen.append([found, again])
        survived = os.WIFEXITED(status)
    return seen


def _leave_finished_run(cache):
    cache.mkdir(parents=True)
    with journal(cache, PLAN) as record:
        record(Event("done", "tiny", 2, 2))


def _die_after(steps, folder):
    left = itertools.count(steps, -1)

    def hook(event, arguments):
        here = event in {"fcntl.flock", "subprocess.Popen"} or str(folder) in str(arguments[:1])
        if event in WATCHED and here and next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def keep_journal(cache):
    with only_writer(cache), journal(cache, PLAN) as record:
        record(Event("planned", "tiny", 0, 3, {"workers": 1}))
        record(Event("done", "tiny", 3, 3))


def launch_nothing(cache):
    launch._command = lambda *_: ["true"]
    pid = launch.start(PLAN, cache=cache)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def main():
    what, count, cache = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if what == "run":
        before_run()
    if what in {"keep_journal", "launch_nothing"}:
        said = killed_at_each_step(globals()[what], cache)
    else:
        said = in_processes(globals()[what], count, cache)
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
