"""An older database: what a version-1 usher would have left where this one was killed.

Rules:
1. It is made by that version's own schema file, and holds the rows of the tables that it had.
2. What is not sealed in that version and sealed now is garbage to it: the migration drops it, which is its promise.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from store.repository import migrations


def make_older(path: Path, version: int = 1) -> None:
    """Turn the database at `path`, which nobody has open, into one of that version."""
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    made = path.with_name("older.db")
    with closing(sqlite3.connect(made, isolation_level=None)) as older:
        for number, file in migrations().items():
            if number <= version:
                older.executescript(f"{file.read_text(encoding='utf-8')}\nPRAGMA user_version = {number};")
        older.execute("PRAGMA journal_mode = WAL").fetchall()
        older.execute("ATTACH ? AS newer", (str(path),))
        older.execute("BEGIN")
        for (table,) in older.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'").fetchall():
            columns = ", ".join(row[1] for row in older.execute(f"PRAGMA main.table_info({table})"))
            older.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}")  # noqa: S608
        older.execute("COMMIT")
    for name in (f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    made.replace(path)
    made.with_name("older.db-wal").unlink(missing_ok=True)
    made.with_name("older.db-shm").unlink(missing_ok=True)
