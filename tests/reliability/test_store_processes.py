"""Many processes at one store: all that is written is there, and nobody reads half of it."""

import contextlib
import sqlite3
import subprocess
import sys

import appending

from edac_core.studies.store import Store


def test_ten_processes_append_200_results_each_and_readers_see_whole_ones(tmp_path):
    done = subprocess.run(
        [sys.executable, appending.__file__, tmp_path],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    with contextlib.closing(Store(tmp_path, readonly=True, live=True)) as store:
        jobs = appending.look(store)
        assert len(jobs) == appending.WRITERS * appending.JOBS == 2_000
        for sha in store.variants(appending.STUDY)["sha256"].unique():
            store.model(sha)
    with contextlib.closing(sqlite3.connect(tmp_path / Store.DATABASE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for table in ("jobs", "variants", "groups"):
            (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert count == 2_000 * {"jobs": 1, "variants": 2, "groups": 4}[table]
    assert len(list((tmp_path / "models").iterdir())) == 10 * 4 * 2
