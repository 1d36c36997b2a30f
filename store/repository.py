"""The repository: opens the database for the daemon, makes it where there is none, and brings it up to date.

Rules:
1. A database that is newer, foreign, damaged or cannot be written is refused with the next step, never made anew.
2. Making one and each migration is one transaction: whoever dies in between leaves what was there.
3. The files belong to one user and nobody else reads them (mode 0600).
4. Whoever opens it here is the only writer; the lock on the directory is the caller's (design §5).
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fsm.errors import StoreError
from fsm.states import FACTS
from store.calls import Later
from store.connections import APPLICATION_ID, Connect, connect, pragma
from store.journal import Journal
from store.shelf import Shelf
from store.trouble import translated
from store.versions import migrations as migrations  # noqa: PLC0414 it was here, and is asked for here
from store.writer import Writer

_IDENTITY: Final = "INSERT INTO meta VALUES (1, ?, 0, CAST(strftime('%s', 'now') AS INTEGER) * 1000)"


def open_store(
    path: Path,
    on_full: Callable[[bool], None] | None = None,
    later: Later | None = None,
    connect: Connect = connect,
) -> Journal:
    """Open or make the database at `path`; raises StoreError that says what to do."""
    _prepare(path)
    try:
        db = connect(path)
        try:
            lineage = _bring_up_to_date(db, path)
            writer = Writer(db, lineage)
            writer.collect_all()
            reading = connect(path)
            reading.execute("PRAGMA query_only = ON")
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise StoreError(str(translated(error, str(path)))) from None
    return Journal(writer, Shelf(reading), on_full, later)


def _prepare(path: Path) -> None:
    """See to the file and its mode before SQLite does, whose mode depends on the umask."""
    folder = path.parent
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a directory: make it (mode 0700), or name another with --state")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        step = "give it and its directory to the user that runs usher, or name another with --state"
        raise StoreError(f"{path} cannot be written ({error.strerror}): {step}") from None


def _bring_up_to_date(db: sqlite3.Connection, path: Path) -> str:
    """Check that it is ours, run what is missing, and answer the lineage."""
    known = migrations()
    version = pragma(db, "user_version")
    _check(db, path, version, max(known))
    if db.execute("PRAGMA journal_mode = WAL").fetchall()[0][0] != "wal":
        raise StoreError(f"{path} is on a file system without shared memory: use a local disk for the state directory")
    db.execute("PRAGMA journal_size_limit = 67108864")
    for number, file in known.items():
        if number > version:
            _migrate(db, number, file.read_text(encoding="utf-8"))
    _fill_states(db)
    rows = db.execute("SELECT lineage FROM meta").fetchall()
    if len(rows) != 1:
        raise StoreError(f"{path} has no identity: it is damaged, restore a backup")
    return str(rows[0][0])


def _check(db: sqlite3.Connection, path: Path, version: int, newest: int) -> None:
    tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchall()[0][0]
    if (tables or version) and pragma(db, "application_id") != APPLICATION_ID:
        raise StoreError(f"{path} is another program's database: move it away, or name another directory with --state")
    if version > newest:
        step = "run the usher that wrote it, or a newer one; or restore a backup from before the update"
        raise StoreError(f"{path} has schema version {version}, this usher knows {newest}: {step}")
    if tables and not version:
        raise StoreError(f"{path} has no schema version: it is damaged, restore a backup")


def _migrate(db: sqlite3.Connection, number: int, text: str) -> None:
    """One file, with what it cannot know, in one transaction."""
    try:
        db.executescript(f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};")
        if number == 1:
            db.execute(_IDENTITY, (secrets.token_hex(8),))
        db.commit()
    except BaseException:
        db.rollback()
        raise


def _fill_states(db: sqlite3.Connection) -> None:
    """The lookup table follows fsm.states; a state that is not used any more stays, since history names it."""
    wanted = {str(state): fact for state, fact in FACTS.items()}
    if wanted.items() <= dict(db.execute("SELECT state, fact FROM states")).items():
        return
    db.execute("BEGIN IMMEDIATE")
    statement = "INSERT INTO states VALUES (?, ?) ON CONFLICT (state) DO UPDATE SET fact = excluded.fact"
    db.executemany(statement, wanted.items())
    db.commit()
