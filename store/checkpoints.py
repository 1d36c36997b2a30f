"""Checkpoints: where both chains stand, signed, so that who cuts or replaces the database is found out.

Rules:
1. A checkpoint is taken in a transaction of its own, between two batches: it covers exactly what is committed.
2. What is signed is the stored text, byte for byte: canonical JSON (sorted keys, no spaces, ASCII).
3. Numbers are dense and each names the digest of the one before: one that was taken away leaves a gap.
4. Who signs is not this room's: it is given a function from the text to signatures.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from store.chain import START
from store.connections import pragma, transaction
from store.tables import named

FORMAT: Final = "usher checkpoint 1"
COLUMNS: Final = "number, at, position, fleet_position, key, document, signature, successor, countersigned"
_LAST: Final = "SELECT number, document FROM checkpoints ORDER BY number DESC LIMIT 1"
_HEAD: Final = "SELECT position, hash FROM {} ORDER BY position DESC LIMIT 1"
_COUNTS: Final = "SELECT state, count(*) FROM nodes GROUP BY state"
_INSERT: Final = f"INSERT INTO checkpoints ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 a constant
_FLOOR: Final = "SELECT max(position) FROM floor"


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed, a public key (64 hex characters), and its 64 bytes; at a rotation also the key that takes over."""

    key: str
    signature: bytes
    successor: str | None = None
    countersigned: bytes | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint as it is stored; `document` is the text that was signed."""

    number: int
    at: int
    position: int
    fleet_position: int
    key: str
    document: bytes
    signature: bytes
    successor: str | None = None
    countersigned: bytes | None = None

    @property
    def digest(self) -> str:
        """The hex SHA-256 of its text, which the next checkpoint names."""
        return sha256(self.document).hexdigest()

    def says(self) -> dict[str, Any]:
        """Its text, read; raises ValueError if it is no text of a checkpoint."""
        said = json.loads(self.document)
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise ValueError(f"it is not of the format {FORMAT!r}")
        return said


Sign = Callable[[bytes], Signed]
"""Signs a text."""


def canonical(said: Mapping[str, Any]) -> bytes:
    """The one text of a document: sorted keys, no spaces, ASCII."""
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode("ascii")


def take(
    key: str, sign: Sign, now: int, why: str, *, successor: str | None = None, unless_covered: bool = False
) -> Callable[[sqlite3.Connection], Checkpoint | None]:
    """The job for Journal.maintain that takes one; None where nothing is new and `unless_covered` asks that of it.

    `key` is the public key that `sign` signs with, `successor` the one that takes over; `now` in milliseconds.
    """

    def job(db: sqlite3.Connection) -> Checkpoint | None:
        with transaction(db):
            said = _standing(db) | {"at": now, "why": why, "key": key, "successor": successor}
            if unless_covered and _covered(db, said):
                return None
            made = _signed(canonical(said), said, sign)
            db.execute(_INSERT, tuple(getattr(made, name) for name in COLUMNS.split(", ")))
        return made

    return job


def _standing(db: sqlite3.Connection) -> dict[str, Any]:
    """What a checkpoint says, as far as the database knows it."""
    lineage, epoch = db.execute("SELECT lineage, epoch FROM meta").fetchall()[0]
    (position, head), (entries, entries_head) = _head(db, "history"), _head(db, "journal")
    last = db.execute(_LAST).fetchall()
    return {
        "format": FORMAT,
        "schema": pragma(db, "user_version"),
        "number": last[0][0] + 1 if last else 1,
        "previous": sha256(last[0][1]).hexdigest() if last else "",
        "lineage": lineage,
        "epoch": epoch,
        "history": {"position": position, "hash": head.hex(), "floor": db.execute(_FLOOR).fetchall()[0][0] or 0},
        "journal": {"position": entries, "hash": entries_head.hex()},
        "tables": named(db),
        "nodes": dict(sorted(db.execute(_COUNTS).fetchall())),
    }


def _head(db: sqlite3.Connection, table: str) -> tuple[int, bytes]:
    rows = db.execute(_HEAD.format(table)).fetchall()
    return rows[0] if rows else (0, START)


def _covered(db: sqlite3.Connection, said: Mapping[str, Any]) -> bool:
    """Whether the newest checkpoint is of this key and of this very place."""
    last = db.execute(_LAST).fetchall()
    if not last:
        return False
    before = json.loads(last[0][1])
    names = ("lineage", "history", "journal", "tables", "key", "successor")
    return all(before.get(name) == said[name] for name in names)


def _signed(document: bytes, said: Mapping[str, Any], sign: Sign) -> Checkpoint:
    by = sign(document)
    return Checkpoint(
        said["number"],
        said["at"],
        said["history"]["position"],
        said["journal"]["position"],
        by.key,
        document,
        by.signature,
        by.successor,
        by.countersigned,
    )


def newest(db: sqlite3.Connection) -> Checkpoint | None:
    """The last one; None before the first."""
    rows = db.execute(f"SELECT {COLUMNS} FROM checkpoints ORDER BY number DESC LIMIT 1").fetchall()  # noqa: S608 a constant
    return Checkpoint(*rows[0]) if rows else None
