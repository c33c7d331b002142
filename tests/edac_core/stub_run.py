"""Stands for ``edac run``: notes that it was made, keeps a journal and stays until it is told."""

import os
import sys
import time
from pathlib import Path

from edac_core.studies.journal import Event, journal, only_writer
from edac_core.studies.plan import load_plan

MADE, END = "made", "end"


def stay(cache, record):
    record(Event("planned", "tiny", 0, 1, {"workers": 1}))
    while not (cache / END).exists():
        time.sleep(0.02)
    record(Event("done", "tiny", 1, 1))


def main():
    plan, cache = load_plan(Path(sys.argv[1])), Path(sys.argv[2])
    with (cache / MADE).open("a") as made:
        made.write(f"{os.getpid()}\n")
    with only_writer(cache), journal(cache, plan) as record:
        stay(cache, record)


if __name__ == "__main__":
    main()
