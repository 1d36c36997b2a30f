"""Opening: what was done to the database before it could be used, for the log.

Rules:
1. Frozen values; nothing here asks the database.
2. Each says itself in one sentence, with what an operator has to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from store.backup import Backup


@dataclass(frozen=True, slots=True)
class Migrated:
    """It was brought from one schema version to another, after a backup."""

    was: int
    now: int
    backup: Backup

    def __str__(self) -> str:
        """What happened, and where the copy of before is."""
        said = f"schema version {self.was} became {self.now}; before that it was copied to {self.backup.path}"
        if self.was == 1:
            said += ", which still holds what version 1 did not seal: keep it as you keep a key, or remove it"
        return said


@dataclass(frozen=True, slots=True)
class Opening:
    """What opening did: `made` a new database at `path`, `migrated` it, `compacted` it after a migration.

    `compacted` is None where there was nothing to compact, False where it could not be done and will be at the next
    start.
    """

    path: Path
    made: bool = False
    migrated: Migrated | None = None
    compacted: bool | None = None
