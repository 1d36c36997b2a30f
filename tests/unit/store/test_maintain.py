"""Maintenance: a job that has the connection to itself, while commits wait."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from threading import Event

import pytest

from fsm.errors import StoreError
from fsm.states import State
from store.repository import open_store
from store.upkeep import vacuum
from tests.fakes.units import Life
from tests.patience import PATIENCE


async def test_a_job_is_alone_and_commits_wait_in_their_order(tmp_path: Path):
    journal, began, go_on = open_store(tmp_path / "usher.db"), asyncio.Event(), Event()
    loop, order = asyncio.get_running_loop(), []

    def job(db: sqlite3.Connection) -> int:
        loop.call_soon_threadsafe(began.set)
        assert go_on.wait(PATIENCE)
        assert not db.in_transaction
        return db.execute("SELECT count(*) FROM history").fetchall()[0][0]

    first = journal.commit(Life("n1").unit(State.DISCOVERED))
    held = journal.maintain(job)
    later = journal.commit(Life("n2").unit(State.DISCOVERED))
    for name, future in (("first", first), ("job", held), ("later", later)):
        future.add_done_callback(lambda _, name=name: order.append(name))
    await began.wait()
    assert first.done()
    assert not later.done()
    go_on.set()
    assert await held == 1
    await later
    await asyncio.sleep(0)
    assert order == ["first", "job", "later"]
    await journal.close()


async def test_what_goes_wrong_is_its_own_answer_and_undone(tmp_path: Path):
    journal = open_store(tmp_path / "usher.db")

    def job(db: sqlite3.Connection) -> None:
        db.execute("BEGIN")
        db.execute("INSERT INTO vault_keys VALUES ('0123456789abcdef', 1)")
        db.execute("SELECT 1 FROM nowhere")

    with pytest.raises(StoreError, match="maintenance: no such table: nowhere"):
        await journal.maintain(job)
    with pytest.raises(ZeroDivisionError):
        await journal.maintain(lambda _: 1 / 0)
    await journal.commit(Life("n1").unit(State.DISCOVERED))
    assert journal.vault_keys() == ()
    await journal.close()


async def test_an_end_interrupts_it_and_refuses_the_next(tmp_path: Path):
    journal, began = open_store(tmp_path / "usher.db"), asyncio.Event()
    loop = asyncio.get_running_loop()

    def job(db: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(began.set)
        db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n").fetchall()

    held, following = journal.maintain(job), journal.maintain(vacuum)
    await began.wait()
    closing = asyncio.create_task(journal.close())
    with pytest.raises(StoreError, match="interrupted"):
        await held
    with pytest.raises(StoreError, match="usher is ending"):
        await following
    await closing


async def test_a_vacuum_gives_room_back(tmp_path: Path):
    journal = open_store(tmp_path / "usher.db")
    await journal.maintain(lambda db: db.execute("CREATE TABLE filled AS SELECT zeroblob(1000000) AS data"))
    await journal.maintain(lambda db: db.execute("DROP TABLE filled"))
    done = await journal.maintain(vacuum)
    assert done.before - done.after > 900_000
    assert not done.log_kept
    assert (tmp_path / "usher.db").stat().st_size == done.after
    await journal.commit(Life("n1").unit(State.DISCOVERED))
    await journal.close()
