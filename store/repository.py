"""The repository: opens the database for the daemon, makes it where there is none, and brings it up to date.

Rules:
1. A database that is newer, foreign, empty, damaged or cannot be written is refused with the next command, as it is.
2. Making one and bringing one up to date are store.migrating's: whoever dies in between leaves what was there.
3. The files belong to one user and nobody else reads them (mode 0600).
4. Whoever opens it here is the only writer; the lock on the directory is the caller's (design §5).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from fsm.errors import StoreError, StoreFullError
from store import refusals
from store.calls import Later
from store.connections import Connect, connect
from store.identity import identify, is_full, ours, refused, regular
from store.journal import Journal
from store.migrating import bring_up_to_date, compact, fill_states, make
from store.opening import Opening
from store.shelf import Shelf
from store.trouble import translated
from store.versions import migrations as migrations  # noqa: PLC0414 it was here, and is asked for here
from store.writer import Writer


def open_store(
    path: Path,
    on_full: Callable[[bool], None] | None = None,
    later: Later | None = None,
    connect: Connect = connect,
) -> Journal:
    """Open or make the database at `path`; raises StoreError that says what to do, StoreFullError to try again."""
    try:
        made = _prepare(path, connect)
        db = connect(path)
        try:
            opening = _bring_up_to_date(db, path, made=made)
            lineage = identify(db, path).lineage
            compacted = compact(db, lineage)
            writer = Writer(db, lineage)
            writer.collect_all()
            reading = connect(path)
            reading.execute("PRAGMA query_only = ON")
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise _told(error, path) from None
    journal = Journal(writer, Shelf(reading), on_full, later)
    journal.opening = Opening(path, opening.made, opening.migrated, compacted)
    return journal


def _prepare(path: Path, connect: Connect) -> bool:
    """See to the file and its mode before SQLite does, whose mode depends on the umask; answers whether it was made."""
    folder = path.parent
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a directory: make it (mode 0700), or name another with --state")
    found = regular(path)
    if found is None:
        make(path, connect)
        return True
    if not found.st_size:
        raise refusals.empty(path)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
        if found.st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise refusals.unwritable(path, error.strerror or str(error)) from None
    return False


def _bring_up_to_date(db: sqlite3.Connection, path: Path, *, made: bool) -> Opening:
    """Check that it is ours, and run what is missing."""
    version = ours(db, path)
    identify(db, path)
    migrated = bring_up_to_date(db, path, version)
    if db.execute("PRAGMA journal_mode = WAL").fetchall()[0][0] != "wal":
        raise StoreError(f"{path} is on a file system without shared memory: use a local disk for the state directory")
    db.execute("PRAGMA journal_size_limit = 67108864")
    fill_states(db)
    return Opening(path, made, migrated)


def _told(error: sqlite3.Error, path: Path) -> StoreError | StoreFullError:
    """A full disk is told apart even where SQLite only says that a file beside the database cannot be opened."""
    said = translated(error, str(path))
    full = isinstance(said, StoreFullError) or is_full(path.parent)
    return StoreFullError() if full else refused(error, path)
