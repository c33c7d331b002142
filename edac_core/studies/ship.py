"""Making the store that comes with the project: whole studies, some of their model files.

``python -m edac_core.studies.ship STUDY ... --rows-only STUDY ...`` copies studies from this
machine's store to ``cache/shipped``; with ``--add`` those that are there stay.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pandas as pd

from edac_core.errors import StoreError
from edac_core.locations import SHIPPED, local_cache
from edac_core.studies import schema
from edac_core.studies.select import is_reference
from edac_core.studies.store import Store

_DROP_THE_REST = (
    "DELETE FROM studies WHERE name NOT IN (SELECT name FROM shipped)",
    "DELETE FROM study_jobs WHERE study NOT IN (SELECT name FROM shipped)",
    "DELETE FROM jobs WHERE key NOT IN (SELECT job FROM study_jobs)",
    "DELETE FROM failures WHERE job NOT IN (SELECT job FROM study_jobs)",
    "DELETE FROM variants WHERE job NOT IN (SELECT key FROM jobs)",
    "DELETE FROM groups WHERE variant NOT IN (SELECT key FROM variants)",
    "DELETE FROM refusals WHERE job NOT IN (SELECT key FROM jobs)",
    "DELETE FROM sensitivities WHERE job NOT IN (SELECT key FROM jobs)",
    "DELETE FROM trainings",
    "DELETE FROM latencies WHERE variant NOT IN (SELECT key FROM variants)",
    "DELETE FROM splits WHERE key NOT IN (SELECT split FROM jobs)",
    "UPDATE jobs SET weights = NULL",
)

_TABLES = (
    "studies", "splits", "jobs", "study_jobs", "failures", "variants", "groups", "refusals",
    "sensitivities", "latencies",
)  # fmt: skip

_SMALL_BYTES = 120e3

Choice = Callable[[pd.DataFrame], "pd.Series[bool]"]


def first_run_of_each_model(variants: pd.DataFrame) -> pd.Series[bool]:
    """Choose of each network's first run the reference, all int8 variants, and whatever is small.

    The reference is what all are compared with, unpruned and float32; small is what a
    microcontroller's flash has room for many times over.
    """
    keys = ["model", "split_seed", "training_seed"]
    first = variants[keys].sort_values(keys).drop_duplicates("model")
    in_first = variants[keys].merge(first, how="left", indicator="found")["found"].eq("both")
    small = variants["raw_bytes"] <= _SMALL_BYTES
    wanted = is_reference(variants) | (variants["precision"] == "int8") | small
    return wanted & in_first.set_axis(variants.index)


def ship(
    studies: Sequence[str],
    *,
    source: Path,
    target: Path,
    rows_only: Sequence[str] = (),
    choose: Choice = first_run_of_each_model,
    add: bool = False,
) -> int:
    """Copy studies, their rows whole, to a store that is only read from then on.

    Parameters
    ----------
    studies
        Names.
    source
        Folder of the store that has them.
    target
        Folder of the store to make; one that is there is replaced when the new one is whole.
    rows_only
        Names of further studies, of which no model file comes along.
    choose
        Says of a study's variants whose model files come along.
    add
        Keep the target's studies of other names, with their model files.

    Returns
    -------
    int
        Bytes of the new store.

    Raises
    ------
    StoreError
        If a study is unknown or not finished, a chosen model file is missing, or the new store
        cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".shipping-", dir=target.parent) as aside:
            made = Path(aside, target.name)
            _copy(studies, rows_only, source=source, target=made, choose=choose)
            if add:
                _copy_others(target, made, but={*studies, *rows_only})
            _replace(target, made, aside=Path(aside, "replaced"))
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"{target} cannot be written: {error}; free space, or choose another target."
        ) from error
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def _replace(target: Path, made: Path, *, aside: Path) -> None:
    """Put a store in the place of another, which comes back if that cannot be done."""
    if target.exists():
        target.rename(aside)
    try:
        made.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise


def _copy(
    studies: Sequence[str],
    rows_only: Sequence[str],
    *,
    source: Path,
    target: Path,
    choose: Choice,
) -> None:
    with (
        contextlib.closing(Store(source, readonly=True, live=True)) as store,
        store.snapshot(),
    ):
        chosen = {sha for study in studies for sha in _files(store, study, choose)}
        for study in rows_only:
            _refuse_unfinished(store, study)
        (target / "models").mkdir(parents=True)
        store.copy_database(target)
        for sha in sorted(chosen):
            store.model(sha)
            shutil.copy(store.model_path(sha), target / "models")
    _keep_only([*studies, *rows_only], target)


def _copy_others(target: Path, made: Path, *, but: Collection[str]) -> None:
    """Copy a store's studies of other names, with the model files that it has of them."""
    kept = made.with_name("kept")
    kept.mkdir()
    with contextlib.closing(Store(target, readonly=True)) as store:
        others = [name for name in store.studies()["name"] if name not in but]
        store.copy_database(kept)
        _keep_only(others, kept)
        with contextlib.closing(sqlite3.connect(made / Store.DATABASE)) as database:
            database.execute("ATTACH ? AS kept", (str(kept / Store.DATABASE),))
            with database:
                for table in _TABLES:
                    _insert_rows(database, table)
            models = database.execute("SELECT DISTINCT sha256 FROM kept.variants").fetchall()
        for path in (store.model_path(sha) for (sha,) in models):
            if path.is_file():
                shutil.copy(path, made / "models")


def _insert_rows(database: sqlite3.Connection, table: str) -> None:
    """Insert the rows of the attached store that are not there."""
    found = database.execute("SELECT name FROM pragma_table_info(?)", (table,))
    columns = ", ".join(f'"{name}"' for (name,) in found)
    database.execute(
        f"INSERT OR IGNORE INTO main.{table} ({columns}) "  # noqa: S608 - names of our own tables
        f"SELECT {columns} FROM kept.{table}"
    )


def _files(store: Store, study: str, choose: Choice) -> set[str]:
    _refuse_unfinished(store, study)
    variants = store.variants(study)
    return set(variants.loc[choose(variants), "sha256"])


def _refuse_unfinished(store: Store, study: str) -> None:
    jobs = len(store.jobs(study))
    if not jobs or jobs < store.planned(study):
        raise StoreError(f"Study {study!r} is not finished; run its plan to the end first.")


def _keep_only(studies: Sequence[str], target: Path) -> None:
    """Drop what belongs to no shipped study, and the baselines' weights."""
    with contextlib.closing(sqlite3.connect(target / Store.DATABASE)) as database:
        schema.bring_up_to_date(database)
        with database:
            database.execute("CREATE TEMP TABLE shipped (name TEXT)")
            database.executemany("INSERT INTO shipped VALUES (?)", [(name,) for name in studies])
            for statement in _DROP_THE_REST:
                database.execute(statement)
        database.execute("PRAGMA journal_mode = DELETE")
        database.execute("VACUUM")


def main() -> int:
    """Ship the studies named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="*")
    parser.add_argument("--rows-only", nargs="+", default=[], help="studies without model files")
    parser.add_argument("--add", action="store_true", help="keep the target's other studies")
    parser.add_argument("--source", type=Path, default=local_cache())
    parser.add_argument("--target", type=Path, default=SHIPPED)
    options = parser.parse_args()
    size = ship(
        options.studies,
        source=options.source,
        target=options.target,
        rows_only=options.rows_only,
        add=options.add,
    )
    sys.stdout.write(f"{options.target}: {size / 1e6:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
