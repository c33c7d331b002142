"""The tables of a store, and what takes a store of an earlier version to them.

`schema.sql` makes the tables of a new store. Whoever changes them raises `VERSION` and adds a step
to `_STEPS`, which is never changed again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

VERSION = 2

_NEW = Path(__file__).with_name("schema.sql")

# Each takes a store to the next version; the first starts from version 1. Programs that wrote
# version 1 added tables without raising it, so some of the first step's may be there.
_STEPS = (
    """
    CREATE TABLE IF NOT EXISTS trainings (
      key TEXT PRIMARY KEY,
      job TEXT NOT NULL REFERENCES jobs (key)
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS variants_at_a_glance ON variants (
      job, precision, key, auc, auc_low, auc_high, uar, raw_bytes, zip_bytes, weights_total,
      nonzero_weights
    );
    CREATE TABLE IF NOT EXISTS refusals (
      job TEXT NOT NULL REFERENCES jobs (key),
      precision TEXT NOT NULL,
      reason TEXT NOT NULL,
      PRIMARY KEY (job, precision)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS sensitivities (
      job TEXT NOT NULL REFERENCES jobs (key),
      layer TEXT NOT NULL,
      weights INTEGER NOT NULL,
      sparsity REAL NOT NULL,
      precision TEXT NOT NULL,
      auc REAL NOT NULL,
      auc_before REAL NOT NULL,
      loss REAL NOT NULL,
      loss_before REAL NOT NULL,
      recordings INTEGER NOT NULL,
      PRIMARY KEY (job, layer, sparsity, precision)
    );
    """,
)


def script() -> str:
    """Return the statements that make a new store's tables."""
    return _NEW.read_text("utf-8")


def has_table(database: sqlite3.Connection, name: str) -> bool:
    """Say whether a database has a table."""
    found = database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    return found is not None


def version_of(database: sqlite3.Connection) -> int:
    """Return the version of a store's tables; 0 if it has none yet.

    Raises
    ------
    sqlite3.DatabaseError
        If there is no telling.
    """
    if not has_table(database, "meta"):
        return 0
    found = database.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    if found is None or not str(found[0]).isdecimal():
        raise sqlite3.DatabaseError("it does not say of which version its tables are")
    return int(found[0])


def bring_up_to_date(database: sqlite3.Connection) -> None:
    """Make the tables of a new store, or take those of an earlier version to this one.

    All of it happens or nothing, and once only however many processes ask for it at a time.
    """
    if version_of(database) >= VERSION:
        return
    with database:
        database.execute("BEGIN IMMEDIATE")
        found = version_of(database)
        scripts = (script(),) if found == 0 else _STEPS[found - 1 :]
        for statement in _statements("".join(scripts)):
            database.execute(statement)
        database.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (str(VERSION),))


def _statements(script: str) -> Iterator[str]:
    """Divide a script; sqlite3 runs a whole one outside of transactions only."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
