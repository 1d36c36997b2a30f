"""Restoring: a backup becomes the database with a lineage of its own; a death at any moment is completed."""

# ruff: noqa: ASYNC240 these tests are about files

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from fsm.effects import Effect
from fsm.errors import StoreError
from fsm.states import State
from store.audit import audit
from store.backup import back_up
from store.entries import FleetEntry
from store.reader import open_reader
from store.refusals import UnusableError
from store.repository import open_store
from store.restoring import RESTORED, stage, take_in
from tests.fakes.units import AT, Life

ENTRY = FleetEntry(AT, RESTORED, "anna", "the disk was lost")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usher.db"


async def backed_up(path: Path) -> Path:
    """A database with two nodes, of which the backup has one; the backup."""
    journal, life = open_store(path), Life("n1")
    await journal.begin_epoch()
    await journal.commit(life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT))
    backup = path.with_name("backup.db")
    back_up(path, backup)
    await journal.commit(Life("n2").unit(State.DISCOVERED))
    await journal.commit(life.unit(State.INVENTORIED, opens=Effect.NEW_KEY))
    await journal.close()
    return backup


def nodes(path: Path) -> list[str]:
    with open_reader(path) as reader:
        return [node.node for node in reader.nodes().nodes]


async def test_a_backup_becomes_the_database_and_what_was_there_is_kept(path: Path):
    backup = await backed_up(path)
    staged = stage(backup, path, ENTRY)
    assert nodes(path) == ["n1", "n2"], "nothing is touched before it is put in place"
    assert take_in(path)
    assert not take_in(path)
    assert staged.kept is not None
    left = {file.name for file in path.parent.iterdir() if file.stat().st_size}
    assert left == {"backup.db", "usher.db", staged.kept.name}
    assert nodes(path) == ["n1"]
    assert nodes(staged.kept) == ["n1", "n2"]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_it_has_a_lineage_of_its_own_and_both_verify(path: Path):
    backup = await backed_up(path)
    first = stage(backup, path, ENTRY)
    take_in(path)
    journal = open_store(path)
    assert journal.lineage == first.lineage != first.identity.lineage
    await journal.begin_epoch()
    await journal.commit(Life("n3", 2).unit(State.DISCOVERED))
    await journal.close()
    again = path.with_name("again.db")
    back_up(path, again)
    for number in range(2):  # twice without a row between them
        stage(again, path, ENTRY)
        take_in(path)
        back_up(path, again := path.with_name(f"again-{number}.db"))
    journal = open_store(path)
    await journal.commit(Life("n4", 2).unit(State.DISCOVERED))
    await journal.close()
    verdict = audit(path)
    assert verdict.sound, verdict.fault
    with open_reader(path) as reader:
        rows = reader.rows("SELECT DISTINCT lineage FROM history")
        entry = reader.last(RESTORED)
    assert len(rows) == 3
    assert entry is not None
    assert (entry.name, entry.reason) == ("anna", "the disk was lost")
    said = orjson.loads(entry.payload or b"")
    assert said["backup"].endswith("again-0.db")
    assert len(said["sha256"]) == 64


@pytest.mark.parametrize("statement", [
    "UPDATE lineages SET position = position + 1 WHERE why = 'restored'",
    "UPDATE meta SET lineage = '0123456789abcdef'",
    "DELETE FROM lineages WHERE why = 'restored'",
])  # fmt: skip
async def test_a_lineage_that_is_not_where_it_was_is_found(path: Path, statement: str):
    backup = await backed_up(path)
    stage(backup, path, ENTRY)
    take_in(path)
    journal = open_store(path)
    await journal.commit(Life("n3", 2).unit(State.DISCOVERED))
    await journal.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
        db.commit()
    assert not audit(path).sound


async def test_what_the_lost_timeline_may_have_sent_counts_as_sent(path: Path):
    backup = await backed_up(path)
    with closing(sqlite3.connect(backup)) as db:
        assert db.execute("SELECT status FROM effects").fetchall() == [("intended",)]
    stage(backup, path, ENTRY)
    take_in(path)
    journal = open_store(path)
    assert [started for _, started in journal.open_effects()] == [True]
    await journal.close()


class Died(BaseException):
    """Instead of SIGKILL."""


class Dying:
    """An audit hook that dies at the nth change of a name below a directory."""

    folder = ""
    left = 0

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if self.left and event in {"os.rename", "os.remove"} and str(args[0]).startswith(self.folder):
            self.left -= 1
            if not self.left:
                raise Died


@pytest.fixture(scope="session")
def dying() -> Dying:
    import sys  # noqa: PLC0415 for the hook alone, which cannot be taken away again

    hook = Dying()
    sys.addaudithook(hook)
    return hook


@pytest.fixture
def dies(dying: Dying, tmp_path: Path) -> Iterator[Dying]:
    dying.folder = str(tmp_path)
    yield dying
    dying.left = 0


@pytest.mark.parametrize("nth", range(1, 7))
@pytest.mark.parametrize("damaged", [False, True])
async def test_a_death_while_it_is_put_in_place_is_completed(path: Path, dies: Dying, nth: int, *, damaged: bool):
    backup = await backed_up(path)
    if damaged:  # what cannot be opened keeps its log beside it
        path.write_bytes(b"no database at all" * 1000)
        path.with_name("usher.db-wal").write_bytes(b"frames that nobody can read")
    before = path.read_bytes()
    staged = stage(backup, path, ENTRY)
    dies.left = nth
    try:
        take_in(path)
    except Died:
        take_in(path)
    dies.left = 0
    assert nodes(path) == ["n1"]
    assert staged.kept is not None
    assert staged.kept.read_bytes() == before
    if damaged:
        assert staged.kept.with_name(f"{staged.kept.name}-wal").read_bytes() == b"frames that nobody can read"
    await open_store(path).close()
    assert audit(path).sound


@pytest.mark.parametrize("nth", range(1, 4))
async def test_a_death_while_it_is_prepared_touches_nothing(path: Path, dies: Dying, nth: int):
    backup = await backed_up(path)
    dies.left = nth
    try:
        stage(backup, path, ENTRY)
    except Died:
        dies.left = 0
        assert not path.with_name("usher.db.incoming").exists()
    dies.left = 0
    assert nodes(path) == ["n1", "n2"]
    stage(backup, path, ENTRY)
    take_in(path)
    assert nodes(path) == ["n1"]


async def test_where_nothing_is_a_backup_is_put(path: Path):
    backup = await backed_up(path)
    path.unlink()
    assert stage(backup, path, ENTRY).kept is None
    take_in(path)
    assert nodes(path) == ["n1"]


async def test_a_log_without_its_database_is_not_taken_for_that_of_the_copy(path: Path):
    backup = await backed_up(path)
    journal = open_store(path)
    await journal.commit(Life("n9", 1).unit(State.DISCOVERED))
    log = path.with_name("usher.db-wal").read_bytes()
    await journal.close()
    path.unlink()
    path.with_name("usher.db-wal").write_bytes(log)
    stage(backup, path, ENTRY)
    take_in(path)
    assert nodes(path) == ["n1"]
    await open_store(path).close()
    assert audit(path).sound
    (kept,) = path.parent.glob("usher.db.before-restore-*-wal")
    assert kept.read_bytes() == log


async def test_what_is_no_backup_is_refused_before_anything_is_touched(path: Path, tmp_path: Path):
    backup = await backed_up(path)
    before, whole = path.read_bytes(), backup.read_bytes()
    wrong = tmp_path / "wrong.db"

    def refused(words: str) -> None:
        with pytest.raises(StoreError, match=words):
            stage(wrong, path, ENTRY)
        left = {file.name for file in tmp_path.iterdir()} - {"wrong.db", "wrong.db-shm", "wrong.db-wal"}
        assert left == {"usher.db", "backup.db"}
        assert path.read_bytes() == before

    refused("there is no database at")
    wrong.write_bytes(b"")
    refused("is empty")
    wrong.write_bytes(b"a text" * 1000)
    refused("no SQLite database")
    wrong.write_bytes(whole[: len(whole) // 2 // 4096 * 4096])
    refused("damaged")
    spoilt = bytearray(whole)
    spoilt[5 * 4096 + 100 : 6 * 4096] = os.urandom(3996)
    wrong.write_bytes(spoilt)
    refused("damaged")
    shutil.copy(backup, wrong)
    with closing(sqlite3.connect(wrong)) as db:
        db.execute("PRAGMA user_version = 9")
    refused("schema version 9, this usher knows")
    with closing(sqlite3.connect(wrong)) as db:
        db.execute("PRAGMA application_id = 1")
    refused("another program's database")


async def test_an_edited_backup_is_refused(path: Path):
    backup = await backed_up(path)
    with closing(sqlite3.connect(backup)) as db:
        db.execute("DROP TRIGGER history_changes")
        db.execute("UPDATE history SET target = 'gone'")
        db.commit()
    with pytest.raises(StoreError, match="its envelope was changed; restore another backup"):
        stage(backup, path, ENTRY)
    assert not path.with_name("usher.db.incoming").exists()


async def test_a_waiting_copy_that_cannot_be_read_is_said_and_touches_nothing(path: Path):
    backup = await backed_up(path)
    stage(backup, path, ENTRY)
    path.with_name("usher.db.incoming").write_bytes(b"nothing of use" * 100)
    with pytest.raises(StoreError, match="remove it to go on with the database that is there"):
        take_in(path)
    assert nodes(path) == ["n1", "n2"]


def test_an_unusable_database_says_what_is_wrong_with_it(tmp_path: Path):
    (tmp_path / "x.db").write_bytes(b"a text" * 1000)
    with pytest.raises(UnusableError) as caught:
        stage(tmp_path / "x.db", tmp_path / "usher.db", ENTRY)
    assert caught.value.what == "is no SQLite database"
