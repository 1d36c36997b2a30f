"""Tables: the documents of the versions of the table that rows of the history name, as they were in force.

Rules:
1. A document is kept before the first row that its version decides, and never changed or deleted: checkpoints name it.
2. One version has several documents where a later usher says the same with other words, or draws it otherwise.
3. A database whose older rows were decided before documents were kept is given those of the releases, and says so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from store.connections import transaction

DECIDED: Final = "decided"
RELEASED: Final = "released"
_OLDEST: Final = "SELECT table_version FROM history ORDER BY position LIMIT 1"
_HELD: Final = "SELECT count(*) FROM tables WHERE version = ? AND (? = '' OR digest = ?)"
_INSERT: Final = "INSERT INTO tables (version, digest, document, since, origin) VALUES (?, ?, ?, ?, ?)"
_NAMED: Final = "SELECT version, digest FROM tables ORDER BY version, digest"

Versioned = tuple[int, bytes]
"""A version and its document."""


@dataclass(frozen=True, slots=True)
class Table:
    """The document of a version, held since then (ms): it was in force, or was given as the release's (`origin`)."""

    version: int
    digest: str
    document: bytes
    since: int
    origin: str

    @property
    def sound(self) -> bool:
        """Whether the document is the one that the digest names."""
        return isinstance(self.document, bytes) and sha256(self.document).hexdigest() == self.digest


def keep(today: Versioned, released: Callable[[int], Iterable[Versioned]], at: int) -> Callable[[Any], None]:
    """The job for Journal.maintain that keeps today's document, and before it those of the releases since a version.

    The version is that of the oldest row; a release is left out if a document of its version is held. `at` in ms.
    """

    def job(db: sqlite3.Connection) -> None:
        version, document = today
        if _held(db, version, _digest(document)):
            return
        oldest = db.execute(_OLDEST).fetchall()
        with transaction(db):
            for older, text in released(oldest[0][0]) if oldest else ():
                if not _held(db, older):
                    db.execute(_INSERT, (older, _digest(text), text, at, RELEASED))
            db.execute(_INSERT, (version, _digest(document), document, at, DECIDED))

    return job


def _digest(document: bytes) -> str:
    return sha256(document).hexdigest()


def _held(db: sqlite3.Connection, version: int, digest: str = "") -> bool:
    """Whether a document of a version is held, or this one of them."""
    return bool(db.execute(_HELD, (version, digest, digest)).fetchall()[0][0])


def named(db: sqlite3.Connection) -> list[list[Any]]:
    """The version and the digest of each document, as a checkpoint says them."""
    return [list(row) for row in db.execute(_NAMED).fetchall()]
