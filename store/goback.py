"""Going back: what would be lost if a backup took the place of the database.

Rules:
1. A backup counts only if its last row is a row of this history, with the same link.
2. It reads, and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from store.identity import Identity, identify, opened

_TABLES: Final = "SELECT table_version, count(*) FROM history GROUP BY table_version ORDER BY 1"
_SINCE: Final = "SELECT count(*), count(DISTINCT node) FROM history WHERE position > ?"
_LINK: Final = "SELECT hash, at FROM history WHERE position = ?"


@dataclass(frozen=True, slots=True)
class Written:
    """Which database it is, and how many rows of history each version of the table decided."""

    identity: Identity
    tables: dict[int, int]


@dataclass(frozen=True, slots=True)
class Lost:
    """Rows of history, and of how many nodes, since the backup's last row (its time in milliseconds), or at all."""

    rows: int
    nodes: int
    since: int | None


def written(path: Path) -> Written:
    """What is in the database; raises StoreError."""
    with opened(path) as db:
        return Written(identify(db, path), dict(db.execute(_TABLES).fetchall()))


def lost(path: Path, backup: Path | None) -> Lost:
    """What has happened since the backup: all of it without one, or if it is of another history; raises StoreError."""
    position, link = 0, []
    if backup is not None:
        with opened(backup) as before:
            position = identify(before, backup).rows
            link = before.execute(_LINK, (position,)).fetchall()
    with opened(path) as db:
        same = bool(link) and db.execute(_LINK, (position,)).fetchall() == link
        rows, nodes = db.execute(_SINCE, (position if same else 0,)).fetchall()[0]
    return Lost(rows, nodes, link[0][1] if same else None)
