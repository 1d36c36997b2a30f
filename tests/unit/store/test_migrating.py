"""Migrations: from every released schema, after a backup that is named, in one step; nothing unsealed is left."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from fsm.errors import StoreError, StoreFullError
from fsm.states import State
from store import integrity
from store.audit import audit
from store.backup import digested
from store.connections import connect
from store.folding import fold
from store.identity import read_only
from store.reader import open_reader
from store.repository import migrations, open_store

HERE = Path(__file__).parent / "databases"
VERSIONS = range(1, max(migrations()))
CANARY = b"CANARY"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usher.db"


def older(path: Path, version: int) -> None:
    """A database of that version, as its usher left it, with remains of deleted rows in its free pages."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript((HERE / f"version_{version}.sql").read_text(encoding="utf-8"))
        db.execute("PRAGMA journal_mode = WAL")
        db.executemany(
            "INSERT INTO vault VALUES ('x', 1, ?, ?)", [(str(number), b"CANARY-deleted" * 300) for number in range(40)]
        )
        db.execute("DELETE FROM vault WHERE node = 'x'")


def held(path: Path) -> bool:
    """Whether a canary is anywhere in the database's files."""
    files = [path, *(path.with_name(path.name + more) for more in ("-wal", "-shm", "-journal"))]
    return any(CANARY in file.read_bytes() for file in files if file.exists())


def version(path: Path) -> int:
    with closing(read_only(path)) as db:
        found: int = db.execute("PRAGMA user_version").fetchall()[0][0]
    return found


def tables(path: Path) -> dict[str, list[Any]]:
    """What must not change."""
    with closing(read_only(path)) as db:
        return {
            table: db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608 names from here
            for table in ("history", "nodes", "effects", "policies")
        }


def test_there_is_a_database_of_every_released_version():
    assert [(HERE / f"version_{number}.sql").exists() for number in VERSIONS] == [True] * len(VERSIONS)


@pytest.mark.parametrize("number", VERSIONS)
async def test_it_goes_on_where_every_node_was(path: Path, number: int):
    older(path, number)
    before = tables(path)
    journal = open_store(path)
    assert journal.opening is not None
    migrated = journal.opening.migrated
    assert migrated is not None
    assert (migrated.was, migrated.now) == (number, max(migrations()))
    assert tables(path) == before
    assert len(list(journal.active())) == 6
    assert [started for _, started in journal.open_effects()] == [True, False, False]
    await journal.close()
    verdict = audit(path)
    assert verdict.sound, verdict.fault
    with closing(read_only(path)) as db:
        assert list(integrity.structure(db)) == list(integrity.statements(db)) == list(integrity.snapshots(db)) == []
        folded = fold(db)
    assert (folded.fault, folded.left_alone, folded.nodes) == (None, 0, 8)
    with open_reader(path) as reader:
        assert reader.counts()[State.PROVISIONED] == 1


@pytest.mark.parametrize("number", VERSIONS)
async def test_there_is_a_backup_and_the_journal_of_the_fleet_names_it(path: Path, number: int):
    older(path, number)
    before = tables(path)
    journal = open_store(path)
    assert journal.opening is not None
    assert journal.opening.migrated is not None
    backup = journal.opening.migrated.backup
    await journal.close()
    assert backup.path.parent == path.parent / "backups"
    assert backup.path.name.startswith("usher-2")
    assert f"-v{number}-" in backup.path.name
    assert backup.path.stat().st_mode & 0o777 == 0o600
    assert backup.path.parent.stat().st_mode & 0o777 == 0o700
    assert version(backup.path) == number
    assert tables(backup.path) == before
    with open_reader(path) as reader:
        entry = reader.last("migrated")
    assert entry is not None
    assert str(backup.path) in entry.reason
    said = orjson.loads(entry.payload or b"")
    assert said == {"from": number, "to": max(migrations()), "backup": str(backup.path), "sha256": backup.digest}


async def test_what_version_1_did_not_seal_is_left_in_the_backup_alone(path: Path):
    older(path, 1)
    assert held(path)
    journal = open_store(path)
    assert not held(path), "while it is open, with its log"
    assert journal.opening is not None
    assert journal.opening.compacted is True
    said = str(journal.opening.migrated)
    assert "which still holds what version 1 did not seal" in said
    await journal.close()
    assert not held(path)
    backup = next((path.parent / "backups").iterdir())
    assert CANARY in backup.read_bytes()
    assert b"CANARY-deleted" not in backup.read_bytes(), "a backup holds rows, and no remains"
    again = open_store(path)
    assert again.opening is not None
    assert (again.opening.migrated, again.opening.compacted) == (None, None)
    await again.close()


class DiedError(Exception):
    """Instead of SIGKILL."""


def full() -> sqlite3.OperationalError:
    """What SQLite says of a full disk."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


class Faulty(sqlite3.Connection):
    """Raises at the statement that begins so, once it was reached; `after`: when it has run."""

    at = ""
    after = False
    error: Callable[[], Exception] = DiedError

    def execute(self, statement: str, values: Iterable[Any] = (), /) -> sqlite3.Cursor:
        struck = bool(self.at) and statement.startswith(self.at)
        if struck and not self.after:
            raise type(self).error()
        done = super().execute(statement, values)
        if struck:
            raise type(self).error()
        return done

    def executescript(self, script: str, /) -> sqlite3.Cursor:
        done = super().executescript(script)
        if self.at == "SCRIPT":
            raise type(self).error()
        return done

    def commit(self) -> None:
        if self.at == "COMMIT" and not self.after:
            raise type(self).error()
        super().commit()
        if self.at == "COMMIT":
            raise type(self).error()


def faulty(where: str, error: Callable[[], Exception], *, late: bool = False) -> Callable[[Path], sqlite3.Connection]:
    """How to connect so that it strikes there."""
    kind = type("Struck", (Faulty,), {"at": where, "after": late, "error": staticmethod(error)})
    return partial(connect, kind=kind)


@pytest.mark.parametrize(
    ("where", "late", "then"),
    [
        ("VACUUM INTO", False, 1),
        ("VACUUM INTO", True, 1),
        ("SCRIPT", False, 1),
        ("COMMIT", False, 1),
        ("COMMIT", True, 3),
        ("PRAGMA wal_checkpoint", True, 3),
        ("PRAGMA wal_checkpoint", False, 3),
    ],
)
async def test_a_death_leaves_old_or_new_and_the_next_start_does_the_rest(
    path: Path, where: str, then: int, *, late: bool
):
    older(path, 1)
    before = tables(path)
    with pytest.raises(DiedError):
        open_store(path, connect=faulty(where, DiedError, late=late))
    assert version(path) == then
    assert tables(path) == before
    journal = open_store(path)
    assert version(path) == max(migrations())
    assert not held(path)
    await journal.close()
    assert audit(path).sound
    assert not [file for file in (path.parent / "backups").iterdir() if file.name.startswith(".")]


@pytest.mark.parametrize("where", ["VACUUM INTO", "SCRIPT", "COMMIT"])
async def test_a_full_disk_touches_nothing_and_may_be_tried_again(path: Path, where: str):
    older(path, 1)
    before = tables(path)
    with pytest.raises(StoreFullError):
        open_store(path, connect=faulty(where, full))
    assert version(path) == 1
    assert tables(path) == before
    await open_store(path).close()
    assert version(path) == max(migrations())


async def test_no_room_to_write_it_anew_does_not_stop_the_start(path: Path):
    older(path, 1)
    kind = faulty("PRAGMA wal_checkpoint(TRUNCATE)", full)
    journal = open_store(path, connect=kind)
    assert journal.opening is not None
    assert journal.opening.compacted is False
    await journal.close()
    journal = open_store(path)
    assert journal.opening is not None
    assert journal.opening.compacted is True
    await journal.close()


async def test_a_reader_keeps_the_log_and_the_next_start_empties_it(path: Path):
    older(path, 1)
    with closing(read_only(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM nodes").fetchall()
        journal = open_store(path)
        assert journal.opening is not None
        assert journal.opening.compacted is False
        await journal.close()
    journal = open_store(path)
    assert journal.opening is not None
    assert journal.opening.compacted is True
    assert not held(path)
    await journal.close()


async def test_a_backup_that_cannot_be_written_is_said_and_nothing_is_migrated(path: Path):
    older(path, 1)
    (path.parent / "backups").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="backups"):
        open_store(path)
    assert version(path) == 1


async def test_starts_that_die_again_and_again_leave_one_backup(path: Path):
    older(path, 1)
    for _ in range(3):
        with pytest.raises(DiedError):
            open_store(path, connect=faulty("COMMIT", DiedError, late=False))
    (backup,) = (path.parent / "backups").iterdir()
    journal = open_store(path)
    assert journal.opening is not None
    assert journal.opening.migrated is not None
    assert journal.opening.migrated.backup.path == backup
    assert journal.opening.migrated.backup.digest == digested(backup)
    await journal.close()


async def test_a_backup_of_another_moment_or_a_damaged_one_is_not_taken_for_this_one(path: Path):
    older(path, 1)
    with pytest.raises(DiedError):
        open_store(path, connect=faulty("COMMIT", DiedError, late=False))
    (backup,) = (path.parent / "backups").iterdir()
    backup.write_bytes(b"x" * backup.stat().st_size)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE meta SET epoch = epoch + 1")
    journal = open_store(path)
    assert journal.opening is not None
    assert journal.opening.migrated is not None
    assert journal.opening.migrated.backup.path != backup
    await journal.close()
