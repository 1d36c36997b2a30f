"""Migrating: a new database is made, and an old one is brought up to date, each in one step or not at all.

Rules:
1. A new database has its name only when it is whole; whoever dies before leaves nothing that looks like one.
2. Before a migration there is a backup on the disk, whose name the log and the journal of the fleet say.
3. All migrations and their entry in the journal of the fleet are one transaction: old or new, nothing between.
4. After a migration the file is written anew, so that nothing of what was dropped is left in it or in its log; what
   death or a full disk prevents is done at the next start.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from pathlib import Path
from typing import Final

import orjson

from fsm.errors import StoreError, StoreFullError
from fsm.states import FACTS
from store import refusals
from store.backup import Backup, copy, default_name, make_room, standing, synced, unwritten
from store.connections import Connect, transaction
from store.entries import FleetEntry
from store.identity import Identity, identify
from store.opening import Migrated
from store.trouble import translated
from store.upkeep import vacuum
from store.versions import migrations
from store.writer import Writer

MIGRATED: Final = "migrated"
VACUUM: Final = "vacuum"
_IDENTITY: Final = "INSERT INTO meta VALUES (1, '{}', 0, CAST(strftime('%s', 'now') AS INTEGER) * 1000);"
_LAST: Final = "SELECT kind FROM journal WHERE kind = ? OR kind = ? ORDER BY position DESC LIMIT 1"


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def make(path: Path, connect: Connect) -> None:
    """A new database at `path`, where nothing is; raises StoreError, StoreFullError, sqlite3.Error."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:  # a reader leaves an empty one
        raise refusals.orphaned(path)
    unfinished = path.with_name(f"{path.name}.new")
    try:
        for left in ("", "-journal", "-wal", "-shm"):
            unfinished.with_name(unfinished.name + left).unlink(missing_ok=True)
        unfinished.touch(mode=0o600, exist_ok=False)
        unfinished.chmod(0o600)
        db = connect(unfinished)
        try:
            db.executescript(_script(0))
            db.commit()
        finally:
            db.close()
        synced(unfinished)
        unfinished.rename(path)
        synced(path.parent)
    except OSError as error:
        full = unwritten(error, path)
        raise full if isinstance(full, StoreFullError) else _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> StoreError:
    return refusals.unwritable(path, error.strerror or str(error))


def bring_up_to_date(db: sqlite3.Connection, path: Path, version: int) -> Migrated | None:
    """Run what is missing, after a backup; raises StoreError, StoreFullError, sqlite3.Error: then nothing changed."""
    newest = max(migrations())
    if version == newest:
        return None
    make_room(path.parent)
    identity = identify(db, path)
    backup = _kept(path.parent, identity) or copy(db, path, default_name(path.parent, identity, now()))
    done = Migrated(version, newest, backup)
    migrate(db, version, done.backup.identity.lineage, str(done), {"backup": str(backup.path), "sha256": backup.digest})
    return done


def _kept(folder: Path, identity: Identity) -> Backup | None:
    """The backup of a start that died after it, so that a crash loop does not fill the disk; a damaged one is none."""
    try:
        return standing(folder, identity)
    except (StoreError, OSError):
        return None


def migrate(db: sqlite3.Connection, version: int, lineage: str, why: str, more: dict[str, object]) -> None:
    """From a version to the newest, with an entry of the journal of the fleet, in one transaction; sqlite3.Error."""
    writer = Writer(db, lineage)
    payload = orjson.dumps({"from": version, "to": max(migrations()), **more})
    try:
        db.executescript(_script(version))
        writer.fleet(FleetEntry(now(), MIGRATED, "usher", why, payload))
        db.commit()
    except BaseException:
        db.rollback()
        raise


def _script(version: int) -> str:
    """The files above a version, with what they cannot know, without an end of their transaction."""
    parts = ["BEGIN IMMEDIATE;"]
    for number, file in migrations().items():
        if number > version:
            parts.append(file.read_text(encoding="utf-8"))
            if number == 1:
                parts.append(_IDENTITY.format(secrets.token_hex(8)))
    return "\n".join([*parts, f"PRAGMA user_version = {max(migrations())};"])


def compact(db: sqlite3.Connection, lineage: str) -> bool | None:
    """After a migration: write the file anew and note it; False if that must wait, None if it is done already."""
    last = db.execute(_LAST, (MIGRATED, VACUUM)).fetchall()
    if not last or last[0][0] != MIGRATED:
        return None
    try:
        done = vacuum(db)
    except sqlite3.Error as error:
        if isinstance(translated(error), StoreFullError):
            return False
        raise
    if done.log_kept:
        return False
    document = {"before": done.before, "after": done.after}
    entry = FleetEntry(
        now(), VACUUM, "usher", "nothing of the older version is left in the file", orjson.dumps(document)
    )
    with transaction(db):
        Writer(db, lineage).fleet(entry)
    return True


def fill_states(db: sqlite3.Connection) -> None:
    """The lookup table follows fsm.states; a state that is not used any more stays, since history names it."""
    wanted = {str(state): fact for state, fact in FACTS.items()}
    if wanted.items() <= dict(db.execute("SELECT state, fact FROM states")).items():
        return
    statement = "INSERT INTO states VALUES (?, ?) ON CONFLICT (state) DO UPDATE SET fact = excluded.fact"
    with transaction(db):
        db.executemany(statement, wanted.items())
