"""Opening the database: what is made, and what is refused with the next step."""

# ruff: noqa: ASYNC240 these tests are about files

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from fsm.errors import StoreError
from fsm.states import State
from store.connections import APPLICATION_ID
from store.reader import open_reader
from store.repository import migrations, open_store
from tests.fakes.units import Life


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usher.db"


async def made(path: Path) -> bytes:
    """A database with one node in it; its bytes."""
    journal = open_store(path)
    await journal.commit(Life().unit(State.DISCOVERED))
    await journal.close()
    return path.read_bytes()


def change(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


async def test_a_new_database_has_what_it_needs(path: Path):
    journal = open_store(path)
    assert len(journal.lineage) == 16
    assert journal.epoch == 0
    pragma = {
        name: journal._writer._db.execute(f"PRAGMA {name}").fetchall()[0][0]
        for name in (
            "journal_mode",
            "synchronous",
            "foreign_keys",
            "application_id",
            "user_version",
        )
    }
    assert pragma == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "application_id": APPLICATION_ID,
        "user_version": max(migrations()),
    }  # fmt: skip
    assert journal._writer._db.execute("SELECT count(*) FROM states").fetchall() == [(len(State),)]
    assert journal._writer._db.execute("PRAGMA wal_autocheckpoint").fetchall() == [(0,)]
    await journal.close()


async def test_nobody_else_reads_the_files(path: Path):
    before = os.umask(0)
    try:
        journal = open_store(path)
        await journal.commit(Life().unit(State.DISCOVERED))
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"usher.db": 0o600, "usher.db-wal": 0o600, "usher.db-shm": 0o600}
    await journal.close()


async def test_a_mode_that_is_too_wide_is_narrowed(path: Path):
    await made(path)
    path.chmod(0o644)
    await open_store(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_databases_differ(tmp_path: Path):
    lineages = set()
    for name in ("a", "b"):
        journal = open_store(tmp_path / name)
        lineages.add(journal.lineage)
        await journal.close()
    assert len(lineages) == 2


async def test_an_empty_file_was_a_database_and_is_not_made_anew(path: Path):
    path.touch()
    refused(path, "is empty, what was in it is lost: restore a backup .* or remove it to begin anew: rm ")


async def test_a_database_of_nobody_is_not_taken(path: Path):
    change(path, "CREATE TABLE gone (x)")
    change(path, "DROP TABLE gone")
    refused(path, "another program's database")


async def test_a_log_without_its_database_is_not_put_under_a_new_one(path: Path):
    path.with_name("usher.db-wal").write_bytes(b"frames")
    with pytest.raises(StoreError, match=r"is missing, but its log .* or remove the log to begin anew: rm "):
        open_store(path)
    assert not path.exists()


async def test_what_a_death_while_it_was_made_left_is_no_obstacle(path: Path):
    for left in ("usher.db.new", "usher.db.new-journal"):
        path.with_name(left).write_bytes(b"half of it")
    await open_store(path).close()
    assert [file.name for file in path.parent.iterdir()] == ["usher.db"]


@pytest.mark.parametrize("link", ["usher.db", "nowhere"])
async def test_a_link_that_leads_nowhere_is_refused(path: Path, link: str):
    path.symlink_to(link)
    for opened in (open_store, open_reader):
        with pytest.raises(StoreError, match=r"is no file \(a link .*\): move it away \(mv .*\), or name"):
            opened(path)


def refused(path: Path, words: str) -> None:
    """Opening fails with these words, and the file is as it was."""
    before = path.read_bytes()
    with pytest.raises(StoreError, match=words):
        open_store(path)
    assert path.read_bytes() == before


async def test_a_newer_database_is_refused(path: Path):
    await made(path)
    change(path, "PRAGMA user_version = 9")
    refused(path, "schema version 9, this usher knows 3: run the usher that wrote it")


async def test_a_foreign_database_is_refused(path: Path):
    change(path, "CREATE TABLE theirs (x)")
    refused(path, "another program's database: move it away")


async def test_a_file_that_is_no_database_is_refused(path: Path):
    path.write_bytes(b"not a database, but long enough to look like one at first sight" * 20)
    refused(path, "is no SQLite database: restore a backup .* or move it away to begin anew: mv ")


async def test_a_truncated_database_is_refused(path: Path):
    whole = await made(path)
    path.write_bytes(whole[: len(whole) // 2 // 4096 * 4096])
    refused(path, r"is damaged \(.*\): restore a backup \(usher db restore BACKUP --reason WHY --state /")


async def test_a_database_without_identity_is_refused(path: Path):
    await made(path)
    change(path, "DELETE FROM meta")
    with pytest.raises(StoreError, match="no identity"):
        open_store(path)


async def test_a_directory_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(StoreError, match=r"nowhere is not a directory: make it .* --state"):
        open_store(tmp_path / "nowhere" / "usher.db")


async def test_a_directory_in_its_place_is_refused(path: Path):
    path.mkdir()
    with pytest.raises(StoreError, match=r"is no file \(a directory\): move it away \(mv "):
        open_store(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes whatever it likes")
async def test_a_read_only_database_is_refused(path: Path):
    await made(path)
    path.chmod(0o400)
    refused(path, r"cannot be written .* give it")


async def test_a_state_that_is_new_joins_the_lookup_table(path: Path):
    await made(path)
    change(path, "DELETE FROM states WHERE state = 'gone'")
    change(path, "UPDATE states SET fact = 'as it was said before' WHERE state = 'failed'")
    await open_store(path).close()
    with open_reader(path) as reader:
        facts = {row["state"]: row["fact"] for row in reader.rows("SELECT * FROM states")}
    assert len(facts) == len(State)
    assert facts["failed"].startswith("it could not be provisioned")
