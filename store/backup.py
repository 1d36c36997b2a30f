"""Backups: a copy of the database as it is at one moment, while it is written to.

Rules:
1. It is one read transaction: the daemon goes on writing and nothing of that is in the copy.
2. A copy has its name only when it is whole, checked and on the disk; it never takes the place of another file.
3. Only its owner reads it (mode 0600); it holds the rows and not what deleted rows have left.
4. The key of the vault is not in it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Final

from fsm.errors import StoreError, StoreFullError
from store import refusals
from store.identity import Identity, identify, opened, read_only
from store.trouble import translated

STEPS: Final = 50_000
"""Steps of SQLite's machine between two looks whether to go on."""
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made: where, its bytes, its SHA-256 in hex, and which database it is."""

    path: Path
    size: int
    digest: str
    identity: Identity


def back_up(source: Path, target: Path, go_on: Callable[[], bool] = lambda: True) -> Backup:
    """Copy the database at `source` to `target`; raises StoreError, StoreFullError: then there is no such file.

    `go_on` is asked now and then; False ends it.
    """
    with opened(source) as db:
        return copy(db, source, target, go_on)


def copy(db: sqlite3.Connection, source: Path, target: Path, go_on: Callable[[], bool] = lambda: True) -> Backup:
    """The same with a connection to the database at `source` that is in no transaction."""
    partial = _reserve(target)
    try:
        db.set_progress_handler(lambda: not go_on(), STEPS)
        _into(db, source, partial)
        identity = _checked(partial)
        size, digest = partial.stat().st_size, digested(partial)
        publish(partial, target)
    except OSError as error:
        raise unwritten(error, target) from None
    finally:
        db.set_progress_handler(None, 0)
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return Backup(target, size, digest, identity)


def default_name(folder: Path, identity: Identity, at: int) -> Path:
    """The name in the state directory's backups: date, schema version, lineage; none that exists."""
    stamp = datetime.fromtimestamp(at // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    stem = f"usher-{stamp}-v{identity.version}-{identity.lineage}"
    backups = folder / refusals.BACKUPS
    names = [backups / f"{stem}.db", *(backups / f"{stem}-{number}.db" for number in range(2, 1000))]
    return next((name for name in names if not name.exists()), names[-1])


def standing(folder: Path, identity: Identity) -> Backup | None:
    """A backup in the state directory that is of this very moment of the database; raises OSError, StoreError."""
    for path in sorted((folder / refusals.BACKUPS).glob(f"usher-*-v{identity.version}-{identity.lineage}*.db")):
        with opened(path) as db:
            same = identify(db, path) == identity
        if same:
            return Backup(path, path.stat().st_size, digested(path), identity)
    return None


def make_room(folder: Path) -> None:
    """See to the folder for backups, mode 0700, and remove copies that were never finished; raises StoreError."""
    backups = folder / refusals.BACKUPS
    try:
        backups.mkdir(mode=0o700, exist_ok=True)
        for left in backups.glob(".*.partial"):
            left.unlink()
    except OSError as error:
        raise unwritten(error, backups) from None


def _reserve(target: Path) -> Path:
    """An empty file beside the target that only we read; raises StoreError if the target is there or cannot be made."""
    if os.path.lexists(target):
        raise StoreError(f"{target} is there already, and no backup is written over: name another file")
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise unwritten(error, target) from None
    return partial


def _into(db: sqlite3.Connection, source: Path, partial: Path) -> None:
    try:
        db.execute("VACUUM INTO ?", (str(partial),))
    except sqlite3.Error as error:
        said = translated(error, str(source))
        if isinstance(said, StoreFullError):
            raise said from None
        raise StoreError(f"{source} could not be copied to {partial.parent}: {error}") from None


def _checked(partial: Path) -> Identity:
    """The copy is whole and ours, or it is none."""
    db = read_only(partial)
    try:
        said = db.execute("PRAGMA quick_check(1)").fetchall()[0][0]
        if said != "ok":
            raise refusals.damaged(partial, said)
        return identify(db, partial)
    finally:
        db.close()


def digested(path: Path) -> str:
    """The SHA-256 of a file, in hex; raises OSError."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def publish(partial: Path, target: Path) -> None:
    """Have the file under its own name, durably, unless something has that name; raises OSError, StoreError."""
    synced(partial)
    try:
        os.link(partial, target)
    except FileExistsError:
        raise StoreError(f"{target} is there already, and no backup is written over: name another file") from None
    except OSError:  # a file system without links
        partial.rename(target)
    else:
        partial.unlink()
    synced(target.parent)


def synced(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk; raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unwritten(error: OSError, target: Path) -> StoreError | StoreFullError:
    """Why a file could not be written."""
    if error.errno in _FULL:
        return StoreFullError()
    us = refusals.user(os.geteuid())
    return StoreError(
        f"{target} cannot be written ({error.strerror}): name a file in a directory that the user {us} may write to"
    )
