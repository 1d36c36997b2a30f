"""Upkeep: what is done to the whole database file, with the writer's connection and nobody else writing.

Rules:
1. Each function is a job for Journal.maintain: outside of a transaction when it begins and when it ends.
2. Whatever it does is undone if the process dies within it.
"""

from __future__ import annotations

import sqlite3

from store.connections import pragma


def vacuum(db: sqlite3.Connection) -> tuple[int, int]:
    """Write the database anew without free pages, and the log back; its sizes before and after, in bytes."""
    before = _size(db)
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return before, _size(db)


def _size(db: sqlite3.Connection) -> int:
    return pragma(db, "page_count") * pragma(db, "page_size")
