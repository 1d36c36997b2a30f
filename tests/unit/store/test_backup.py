"""Backups: one moment of a database that is written to, whole or not there at all."""

# ruff: noqa: ASYNC240 these tests are about files

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fsm.errors import StoreError, StoreFullError
from fsm.states import State
from store.audit import audit
from store.backup import back_up, copy, default_name, digested, make_room
from store.connections import connect
from store.identity import Identity
from store.reader import open_reader
from store.repository import open_store
from tests.fakes.units import AT, Life

FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO filled SELECT i FROM n
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder / "usher.db"


def left(folder: Path) -> set[str]:
    """The files of a folder."""
    return {file.name for file in folder.iterdir()}


async def test_it_is_one_moment_while_units_go_on(path: Path, tmp_path: Path):
    journal = open_store(path)
    lives = [Life(f"n{number}") for number in range(50)]
    units = [life.unit(State.DISCOVERED) for life in lives]
    commits = [asyncio.ensure_future(journal.commit(unit)) for unit in units]
    made = [await asyncio.to_thread(back_up, path, tmp_path / f"{number}.db") for number in range(5)]
    await asyncio.gather(*commits)
    await journal.commit(lives[0].unit())
    made.append(await asyncio.to_thread(back_up, path, tmp_path / "5.db"))
    await journal.commit(lives[0].unit())
    await journal.close()
    assert [backup.identity.rows for backup in made] == sorted(backup.identity.rows for backup in made)
    assert made[-1].identity.rows == 51
    for backup in made:
        verdict = audit(backup.path)
        assert verdict.sound, verdict.fault
        assert (verdict.rows, digested(backup.path)) == (backup.identity.rows, backup.digest)
    with open_reader(made[-1].path) as reader:
        node = reader.node("n0")
    assert node is not None
    assert node.seq == 2


async def test_it_belongs_to_one_user_and_is_known_by_its_header(path: Path, tmp_path: Path):
    await open_store(path).close()
    made = back_up(path, tmp_path / "b.db")
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert made.size == made.path.stat().st_size
    assert left(tmp_path) == {"state", "b.db"}
    (tmp_path / "text").write_text("x" * 100)


async def test_nothing_is_written_over(path: Path, tmp_path: Path):
    await open_store(path).close()
    for name in ("file", "link"):
        target = tmp_path / name
        target.write_text("kept") if name == "file" else target.symlink_to(tmp_path / "nowhere")
        with pytest.raises(StoreError, match="is there already, and no backup is written over"):
            back_up(path, target)
    assert (tmp_path / "file").read_text() == "kept"
    assert left(tmp_path) == {"state", "file", "link"}


class Late(sqlite3.Connection):
    """Somebody else takes the name while the copy is made."""

    target: Path

    def execute(self, statement: str, values: object = (), /) -> sqlite3.Cursor:
        if statement.startswith("VACUUM INTO"):
            self.target.write_text("theirs")
        return super().execute(statement, values)  # type: ignore[arg-type]


async def test_a_name_that_is_taken_meanwhile_is_not_written_over(path: Path, tmp_path: Path):
    await open_store(path).close()
    kind = type("Taken", (Late,), {"target": tmp_path / "b.db"})
    with closing(connect(path, kind)) as db, pytest.raises(StoreError, match="is there already"):
        copy(db, path, tmp_path / "b.db")
    assert (tmp_path / "b.db").read_text() == "theirs"
    assert left(tmp_path) == {"state", "b.db"}


class Full(sqlite3.Connection):
    """The disk of the copy is full."""

    def execute(self, statement: str, values: object = (), /) -> sqlite3.Cursor:
        if statement.startswith("VACUUM INTO"):
            super().execute(statement, values)  # type: ignore[arg-type]
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return super().execute(statement, values)  # type: ignore[arg-type]


async def test_a_full_disk_leaves_nothing(path: Path, tmp_path: Path):
    await open_store(path).close()
    with closing(connect(path, Full)) as db, pytest.raises(StoreFullError):
        copy(db, path, tmp_path / "b.db")
    assert left(tmp_path) == {"state"}


async def test_one_that_is_to_end_leaves_nothing(path: Path, tmp_path: Path):
    journal = open_store(path)
    await journal.maintain(lambda db: db.execute("CREATE TABLE filled (x)"))
    await journal.maintain(lambda db: db.execute(FILL))
    await journal.close()
    with pytest.raises(StoreError, match="interrupted"):
        back_up(path, tmp_path / "b.db", lambda: False)
    assert left(tmp_path) == {"state"}


async def test_where_it_cannot_be_written_is_said_with_the_user(path: Path, tmp_path: Path):
    await open_store(path).close()
    with pytest.raises(StoreError, match=r"nowhere/b\.db cannot be written .* that the user .* may write to"):
        back_up(path, tmp_path / "nowhere" / "b.db")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        back_up(path, tmp_path / "file" / "b.db")


def test_a_name_says_when_of_which_version_and_of_which_database(tmp_path: Path):
    identity = Identity(2, "0123456789abcdef", 1, AT, 0, 0, 0)
    name = default_name(tmp_path, identity, AT)
    assert name == tmp_path / "backups" / "usher-20261120T184000Z-v2-0123456789abcdef.db"
    make_room(tmp_path)
    name.write_text("")
    assert default_name(tmp_path, identity, AT).name == "usher-20261120T184000Z-v2-0123456789abcdef-2.db"


def test_copies_that_were_never_finished_are_removed(tmp_path: Path):
    make_room(tmp_path)
    (tmp_path / "backups" / ".usher.db.partial").write_text("half")
    (tmp_path / "backups" / "whole.db").write_text("all")
    make_room(tmp_path)
    assert left(tmp_path / "backups") == {"whole.db"}


async def test_a_damaged_database_is_not_copied_as_if_it_were_whole(path: Path, tmp_path: Path):
    journal = open_store(path)
    await asyncio.gather(*(journal.commit(Life(f"n{number}").unit(State.DISCOVERED)) for number in range(300)))
    await journal.close()
    with closing(sqlite3.connect(path)) as db:
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'nodes'").fetchall()[0][0]
    spoilt = bytearray(path.read_bytes())
    spoilt[(page - 1) * 4096 : page * 4096] = bytes([0xEE]) * 4096
    path.write_bytes(spoilt)
    with pytest.raises(StoreError):
        back_up(path, tmp_path / "b.db")
    assert left(tmp_path) == {"state"}
