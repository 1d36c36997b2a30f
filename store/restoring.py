"""Restoring: a backup becomes the database, with a lineage of its own, and what was there is kept.

Rules:
1. Nothing that is there is touched before the backup is checked, copied, prepared and durable under its waiting name.
2. Whoever finds a file under that name puts it in place: a death at any moment is completed at the next start.
3. What was there is moved, with its log, to a name that was said; it is never deleted.
4. What the lost timeline may have sent counts as sent: every open effect of the backup is marked as started.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from fsm.errors import StoreError, StoreFullError
from store.audit import audit
from store.backup import copy, digested, synced, unwritten
from store.connections import connect, transaction
from store.entries import FleetEntry
from store.identity import Identity, identify, look, opened
from store.migrating import migrate
from store.reader import open_reader
from store.trouble import translated
from store.versions import migrations
from store.writer import Writer

RESTORED: Final = "restored"
INCOMING: Final = ".incoming"
_OPEN_EFFECTS: Final = "UPDATE effects SET status = 'started' WHERE status = 'intended'"
_LINEAGE: Final = "INSERT INTO lineages (lineage, position, fleet_position, at, why) VALUES (?, ?, ?, ?, 'restored')"
_AFTER: Final = """
SELECT coalesce((SELECT max(position) FROM history), 0) + 1, coalesce((SELECT max(position) FROM journal), 0) + 1
"""


@dataclass(frozen=True, slots=True)
class Staged:
    """A backup that waits to become the database: its digest, what it is, its new lineage.

    What is there now will be kept as `kept_as`; `kept` is that name if there is a database.
    """

    backup: Path
    digest: str
    identity: Identity
    lineage: str
    kept_as: Path
    kept: Path | None


def stage(backup: Path, database: Path, entry: FleetEntry, go_on: Callable[[], bool] = lambda: True) -> Staged:
    """Check the backup and have a copy of it wait beside the database; raises StoreError, StoreFullError.

    `entry` says who restores, why and when; what is kept of it in the journal of the fleet says from which file.
    """
    identity = _checked(backup)
    waiting = incoming(database)
    unfinished = waiting.with_name(f"{waiting.name}.unfinished")
    try:
        _remove(unfinished)
        digest = digested(backup)
        with opened(backup) as db:
            copy(db, backup, unfinished, go_on)
        staged = Staged(backup, digest, identity, secrets.token_hex(8), _kept(database, entry.at), None)
        if os.path.lexists(database):
            staged = replace(staged, kept=staged.kept_as)
        _prepare(unfinished, staged, entry)
        verdict = audit(unfinished)
        if verdict.fault is not None:
            raise StoreError(f"{backup} is damaged: {verdict.fault}; restore another backup")
        synced(unfinished)
        unfinished.replace(waiting)
        synced(waiting.parent)
    except OSError as error:
        raise unwritten(error, waiting) from None
    except sqlite3.Error as error:
        raise translated(error, str(unfinished)) from None
    finally:
        with suppress(OSError):
            _remove(unfinished)
    return staged


def incoming(database: Path) -> Path:
    """Where a backup waits to be put in the place of the database."""
    return database.with_name(database.name + INCOMING)


def take_in(database: Path) -> bool:
    """Put the backup that waits in place, if one does; raises StoreError, StoreFullError. The database is not open."""
    waiting = incoming(database)
    if not waiting.exists():
        return False
    try:
        kept = _planned(waiting)
        _put_away(database, database.with_name(kept))
        waiting.replace(database)
        synced(database.parent)
    except OSError as error:
        raise unwritten(error, database) from None
    return True


def _checked(backup: Path) -> Identity:
    """Ours, not newer, and whole."""
    with opened(backup) as db:
        identity = identify(db, backup)
        said = db.execute("PRAGMA integrity_check(1)").fetchall()[0][0]
        if said != "ok":
            raise StoreError(f"{backup} is damaged ({said}): restore another backup")
    return identity


def _kept(database: Path, at: int) -> Path:
    """The name under which what is there now will be kept."""
    stamp = datetime.fromtimestamp(at // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    stem = f"{database.name}.before-restore-{stamp}"
    names = [database.with_name(stem), *(database.with_name(f"{stem}-{number}") for number in range(2, 1000))]
    return next(name for name in names if not os.path.lexists(name))


def _prepare(copied: Path, staged: Staged, entry: FleetEntry) -> None:
    """Bring the copy up to date and give it its lineage, in which the entry is the first; raises sqlite3.Error."""
    with closing(connect(copied)) as db:
        before = staged.identity
        payload = {
            "backup": str(staged.backup),
            "sha256": staged.digest,
            "kept": staged.kept_as.name,
            "lineage": staged.lineage,
            "before": before.lineage,
            "made": before.created,
        }
        if before.version < max(migrations()):
            migrate(db, before.version, before.lineage, f"{staged.backup} was of schema version {before.version}", {})
        with transaction(db):
            position, fleet_position = db.execute(_AFTER).fetchall()[0]
            db.execute(_LINEAGE, (staged.lineage, position, fleet_position, entry.at))
            db.execute("UPDATE meta SET lineage = ?", (staged.lineage,))
            db.execute(_OPEN_EFFECTS)
            Writer(db, staged.lineage).fleet(replace(entry, kind=RESTORED, payload=orjson.dumps(payload)))


def _planned(waiting: Path) -> str:
    """What the waiting copy says that the database is to be kept as; raises StoreError if it cannot be used."""
    try:
        with open_reader(waiting) as reader:
            entry = reader.last(RESTORED)
    except StoreError as error:
        step = f"remove it to go on with the database that is there (rm {waiting}), or restore again"
        raise StoreError(f"a backup waits to be put in place and cannot be read ({error}): {step}") from None
    document = orjson.loads(entry.payload) if entry is not None and entry.payload else {}
    return str(document.get("kept") or f"{waiting.name}.before")


def _put_away(database: Path, kept: Path) -> None:
    """Move the database and its log; done again after a death it goes on where it was. Raises OSError.

    A log is moved even if its database is gone: it must not be taken for that of the copy.
    """
    log, kept_log = (path.with_name(f"{path.name}-wal") for path in (database, kept))
    if not kept_log.exists():
        if os.path.lexists(database):
            _write_back(database)
        if log.exists():
            log.rename(kept_log)
    for left in ("-wal", "-shm", "-journal"):  # what a reader has made anew since
        database.with_name(database.name + left).unlink(missing_ok=True)
    if os.path.lexists(database):
        database.rename(kept)
    synced(database.parent)


def _write_back(database: Path) -> None:
    """Have the log written back, as far as that can be done: what is damaged is kept as it is."""
    with suppress(sqlite3.Error, StoreError, StoreFullError):
        look(database).close()
        with closing(connect(database)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _remove(path: Path) -> None:
    for left in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + left).unlink(missing_ok=True)
