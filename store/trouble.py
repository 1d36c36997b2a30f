"""Trouble: SQLite's errors in the words of the port.

Rules:
1. No error of sqlite3 leaves this room.
2. A full disk is told apart from everything else: it passes, the rest ends the process.
3. A message says what to do next.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from fsm.errors import StoreError, StoreFullError

_IOERR_SHMSIZE: Final = sqlite3.SQLITE_IOERR | (19 << 8)  # the index of the WAL could not grow
_NEXT: Final = {
    sqlite3.SQLITE_BUSY: "another program holds the database locked: end it, only usher may write there",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: restore a backup",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database: restore a backup, or move it away to begin anew",
    sqlite3.SQLITE_READONLY: "the file cannot be written: give it and its directory to the user that runs usher",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened: look at the owner and mode of it and of its directory",
    sqlite3.SQLITE_IOERR: "the disk failed: look at the system's log",
}


def translated(error: sqlite3.Error, where: str = "") -> StoreError | StoreFullError:
    """The port's error for one of SQLite's; `where` names what was being done."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    if code & 0xFF == sqlite3.SQLITE_FULL or code == _IOERR_SHMSIZE:
        return StoreFullError()
    said = f"{where}: {error}" if where else str(error)
    step = _NEXT.get(code & 0xFF)
    return StoreError(f"{said}; {step}" if step else said)
