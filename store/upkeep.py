"""Upkeep: what is done to the whole database file, with the writer's connection and nobody else writing.

Rules:
1. Each function is a job for Journal.maintain: outside of a transaction when it begins and when it ends.
2. Whatever it does is undone if the process dies within it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from store.connections import pragma, transaction

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """The file's bytes before and after; whether a reader kept the log from being emptied."""

    before: int
    after: int
    log_kept: bool


def vacuum(db: sqlite3.Connection) -> Vacuumed:
    """Write the database anew without free pages, and empty its log."""
    before = _size(db)
    db.execute("VACUUM")
    busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]
    return Vacuumed(before, _size(db), bool(busy))


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many entries of a page were changed, how many nobody can open, and after which key the next page begins."""

    changed: int
    lost: int
    after: tuple[Any, ...] | None = None

    def __add__(self, other: Resealed) -> Resealed:
        """Both together."""
        return Resealed(self.changed + other.changed, self.lost + other.lost)


Change = Callable[[tuple[Any, ...], bytes], bytes | None]
"""Of an entry's key and bytes, its bytes from now on; None if nobody can open it."""
_KEYS: Final = {"vault": ("node", "generation", "name"), "blobs": ("digest",)}


def reseal(
    table: str, after: tuple[Any, ...], header: bytes, change: Change
) -> Callable[[sqlite3.Connection], Resealed]:
    """The job that changes a page of entries which do not begin with this header, in one transaction."""
    keys = _KEYS[table]
    names, marks = ", ".join(keys), ", ".join("?" * len(keys))
    beyond = f"({names}) > ({marks}) AND" if after else ""
    select = f"SELECT {names}, data FROM {table} WHERE {beyond} substr(data, 1, ?) <> ? ORDER BY {names} LIMIT ?"  # noqa: S608 constants of this room
    update = f"UPDATE {table} SET data = ? WHERE ({names}) = ({marks})"  # noqa: S608 likewise

    def job(db: sqlite3.Connection) -> Resealed:
        with transaction(db):
            rows = db.execute(select, (*after, len(header), header, _PAGE)).fetchall()
            told = [(change(tuple(key), data), *key) for *key, data in rows]
            anew = [row for row in told if row[0] is not None]
            db.executemany(update, anew)
        following = tuple(rows[-1][:-1]) if len(rows) == _PAGE else None
        return Resealed(len(anew), len(told) - len(anew), following)

    return job


def _size(db: sqlite3.Connection) -> int:
    return pragma(db, "page_count") * pragma(db, "page_size")
