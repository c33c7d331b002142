"""Ten writers of one store and two readers beside them, each a process; see test_store_processes.

`appending.py FOLDER` ends with 0 if no writer was refused and no reader saw half a job.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pandas as pd
import stored

from edac_core.studies.store import SplitRecord, Store

WRITERS, JOBS, READERS = 10, 200, 2
STUDY = "study"
PRECISIONS = ("float32", "int8")


def split():
    """Make the examples that all jobs were tested on."""
    sets = ["train"] * 2 + ["validation"] * 2 + ["test"] * 4
    table = {
        "recording": [f"r{index}" for index in range(len(sets))],
        "label": [0, 1] * 4,
        "group": ["phone", "phone", "bot", "bot"] * 2,
        "participant": None,
        "set": sets,
        "copy": "",
    }
    return SplitRecord("split-key", 1, pd.DataFrame(table))


def key(writer, number):
    """Name a job."""
    return f"job-{writer}-{number:03}"


def write(folder, writer):
    """Append jobs; every fiftieth brings new files."""
    record = split()
    with contextlib.closing(Store(folder)) as store:
        store.put_split(record)
        for number in range(JOBS):
            if number % 50 == 0:
                result = _result(record, f"{writer} {number}")
            store.put_job(key(writer, number), stored.CONFIG, record.key, result)


def _result(record, content):
    made = [stored.make_variant(record, name, f"{content} {name}".encode()) for name in PRECISIONS]
    return stored.make_result(record, variants=made)


def read(folder):
    """Look at the store over and over, until told to end."""
    running = True

    def end(*_):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, end)
    seen = set()
    while running:
        with contextlib.closing(Store(folder, readonly=True, live=True)) as store:
            found = look(store)
            assert seen <= found, seen - found
            seen = found
    assert seen


def look(store):
    """Check that every job is there with all that belongs to it; return the jobs."""
    with store.snapshot():
        jobs = set(store.jobs(STUDY)["key"])
        variants = store.variants(STUDY)
        groups = store.groups(STUDY)
    assert variants["has_model"].all()
    assert set(variants.groupby("job")["precision"].agg(tuple)) <= {PRECISIONS}
    assert set(variants["job"]) == jobs
    assert groups.groupby("variant")["n"].sum().eq(4).all()
    assert set(groups["variant"]) == set(variants["key"])
    figures = store.figures(STUDY)
    assert figures.groupby("job")["precision"].count().eq(len(PRECISIONS)).all()
    assert jobs <= set(figures["job"])
    assert figures["model"].eq("cnn").all()
    return jobs


def fork(work, *arguments):
    """Do something in a child; it ends with 1 where it fails."""
    child = os.fork()
    if not child:
        try:
            work(*arguments)
        except BaseException:  # noqa: BLE001 - told, whatever it is
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return child


def main():
    """Let all of them loose at once."""
    folder = Path(sys.argv[1])
    writers = [fork(write, folder, writer) for writer in range(WRITERS)]
    while not (Store.exists(folder) and _has_study(folder)):
        time.sleep(0.01)
    readers = [fork(read, folder) for _ in range(READERS)]
    statuses = [os.waitpid(child, 0)[1] for child in writers]
    for child in readers:
        os.kill(child, signal.SIGTERM)
    statuses += [os.waitpid(child, 0)[1] for child in readers]
    sys.exit(any(statuses))


def _has_study(folder):
    """Name a study of all jobs, so that what is asked of studies finds them."""
    with contextlib.closing(Store(folder)) as store:
        store.put_study(STUDY, title="Study", plan={}, data={})
        store.claim(STUDY, [key(writer, n) for writer in range(WRITERS) for n in range(JOBS)])
    return True


if __name__ == "__main__":
    main()
