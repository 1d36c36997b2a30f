"""Connections: how the database is opened, the same way for everyone who writes to it.

Rules:
1. What SQLite forgets between connections is set here, once: durability, triggers, who checkpoints.
2. Transactions are the caller's own: nothing begins one unasked, and whoever begins one ends it, whatever happens.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

APPLICATION_ID: Final = 0x75736872  # "ushr"
BUSY: Final = 2.0
"""Seconds that a statement waits for a lock that somebody else holds."""
_SETTINGS: Final = (
    "foreign_keys = ON",
    "recursive_triggers = ON",
    "wal_autocheckpoint = 0",
    "synchronous = FULL",
    "secure_delete = ON",  # what is dropped from the vault is in no free page, whatever SQLite was built with
)

Database = sqlite3.Connection
"""What a job of maintenance is given, for whoever passes it on without knowing what it is."""
Connect = Callable[[Path], sqlite3.Connection]


def connect(path: Path, kind: type[sqlite3.Connection] = sqlite3.Connection) -> sqlite3.Connection:
    """A connection to the database at `path`, of that class; raises sqlite3.Error."""
    db = sqlite3.connect(
        path, timeout=BUSY, isolation_level=None, check_same_thread=False, cached_statements=64, factory=kind
    )
    for setting in _SETTINGS:
        db.execute(f"PRAGMA {setting}")
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, and nobody else writes meanwhile; raises sqlite3.Error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.commit()
    except BaseException:
        db.rollback()
        raise


def pragma(db: sqlite3.Connection, name: str) -> int:
    """A number that a PRAGMA answers."""
    return int(db.execute(f"PRAGMA {name}").fetchall()[0][0])
