"""The identity of a database file: whether it is one of usher's, which one, and whether this usher reads it.

Rules:
1. A file is looked at before SQLite touches it: what is no file of ours is refused as it is.
2. Looking writes nothing and makes nothing: the connection is read-only.
3. What cannot be used is refused in the words of store.refusals.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from fsm.errors import StoreError, StoreFullError
from store import refusals
from store.connections import APPLICATION_ID, BUSY, pragma
from store.trouble import translated
from store.versions import migrations

_BROKEN: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR}
_SHORT: Final = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
"""What SQLite also says where it finds no room for the files that it needs to read."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A database of usher: schema version, lineage, epoch, when it was made (ms), nodes, and the chains' lengths."""

    version: int
    lineage: str
    epoch: int
    created: int
    nodes: int
    rows: int
    entries: int


def regular(path: Path) -> os.stat_result | None:
    """The file at `path`, links followed; None if nothing is there; raises StoreError for what is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise refusals.no_file(path, "a link to nothing") from None
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise refusals.no_file(path, "a link that leads to itself") from None
        raise refusals.unreadable(path, error.strerror or str(error)) from None
    if not stat.S_ISREG(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "a pipe, socket or device"
        raise refusals.no_file(path, what)
    return found


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; raises sqlite3.Error."""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A database of usher to read, whatever its version; raises StoreError that says what to do."""
    db = look(path)
    try:
        ours(db, path)
        yield db
    except sqlite3.Error as error:
        raise refused(error, path, reading=True) from None
    finally:
        db.close()


def look(path: Path) -> sqlite3.Connection:
    """A connection that reads the file at `path`, whosever it is; raises StoreError that says what to do."""
    found = regular(path)
    if found is None:
        raise StoreError(f"there is no database at {path}: start usher run once, or name its directory with --state")
    if not found.st_size:
        raise refusals.empty(path)
    try:
        path.open("rb").close()
        return read_only(path)
    except OSError as error:
        raise refusals.unreadable(path, error.strerror or str(error)) from None
    except sqlite3.Error as error:
        raise refused(error, path, reading=True) from None


def refused(error: sqlite3.Error, path: Path, *, reading: bool = False) -> StoreError:
    """What SQLite says of a file, in our words; one who only reads is not told to have it given to him."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    said = translated(error, str(path))
    if isinstance(said, StoreFullError) or (code in _SHORT and is_full(path.parent)):
        return StoreError(f"{path}: the disk is full, so not even a reader can open it: make room")
    if code == sqlite3.SQLITE_NOTADB:
        return refusals.no_database(path, reading=reading)
    if code in _BROKEN:
        return refusals.damaged(path, str(error))
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return (refusals.unreadable if reading else refusals.unwritable)(path, str(error))
    if code == sqlite3.SQLITE_CANTOPEN:
        return refusals.unreadable(path, str(error))
    return said


def is_full(folder: Path) -> bool:
    """Whether the disk of a directory has no room: SQLite cannot make its files beside the database there."""
    try:
        return os.statvfs(folder).f_bavail == 0
    except OSError as error:
        return error.errno == errno.ENOSPC


def ours(db: sqlite3.Connection, path: Path) -> int:
    """The schema version of a database of usher; raises StoreError for any other, sqlite3.Error."""
    version = pragma(db, "user_version")
    if pragma(db, "application_id") != APPLICATION_ID:
        raise refusals.foreign(path)
    newest = max(migrations())
    if version > newest:
        raise refusals.newer(path, version, newest)
    if version < 1:
        raise refusals.damaged(path, "it has no schema version")
    return version


def identify(db: sqlite3.Connection, path: Path) -> Identity:
    """Which database it is; raises StoreError, sqlite3.Error."""
    version = ours(db, path)
    found = db.execute("SELECT lineage, epoch, created FROM meta").fetchall()
    if len(found) != 1:
        raise refusals.damaged(path, "it has no identity")
    counts = [
        db.execute(f"SELECT {what}").fetchall()[0][0]
        for what in (
            "count(*) FROM nodes WHERE state <> 'unseen'",
            "coalesce(max(position), 0) FROM history",
            "coalesce(max(position), 0) FROM journal",
        )
    ]
    return Identity(version, *found[0], *counts)
