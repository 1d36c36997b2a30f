"""The place: whether the database that is open is still the file at its path.

Rules:
1. A file that was removed or replaced is written to no more: what is committed there nobody would find again.
2. What it holds is saved beside it before the process ends, if there is room.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
import time
from pathlib import Path

from fsm.errors import StoreError, StoreFullError
from store.backup import copy


class Place:
    """The file of a connection, as it was when it was opened."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Note which file it is."""
        self._db = db
        self._path = db.execute("PRAGMA database_list").fetchall()[0][2]
        self._file = self._found()

    def check(self) -> None:
        """Raises StoreError if the file is not there any more, or another one is."""
        if self._found() != self._file:
            raise StoreError(self._gone())

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 at every batch: a third of the time of Path.stat
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _gone(self) -> str:
        path = Path(self._path)
        what = "was replaced by another file" if os.path.lexists(path) else "was removed"
        said = f"{path} {what} while usher had it open: nothing is written to it any more"
        saved = path.with_name(f"{path.name}.saved-{time.time_ns() // 1_000_000}")
        try:
            copy(self._db, path, saved)
        except (StoreError, StoreFullError, sqlite3.Error) as error:
            return f"{said}; what it held could not be saved ({error}): restore a backup with usher db restore"
        state = shlex.quote(str(path.parent))
        return (
            f"{said}; what it held was saved, put it back with: "
            f"usher db restore {shlex.quote(str(saved))} --reason WHY --state {state}"
        )
