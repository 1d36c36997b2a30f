"""The journal: batches, a disk that is full, and what is left in the tables."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fsm.effects import Effect
from fsm.errors import StoreError, StoreFullError
from fsm.events import Certainty
from fsm.reasons import Reason
from fsm.states import State
from store.entries import FleetEntry
from store.journal import Journal
from store.reader import open_reader
from store.repository import open_store
from store.writer import CHECKPOINT_AT, COLLECT_AT, Writer
from tests.fakes.units import AT, Life, blob


@dataclass
class Hands:
    """Holds what was put off until the test wants it, and what was said about the disk."""

    later: list[Callable[[], None]] = field(default_factory=list)
    full: list[bool] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def call_later(self, delay: float, callback: Callable[[], None], /) -> object:
        assert delay > 0
        self.later.append(callback)
        self.heard.set()
        return None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usher.db"


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def journal(path: Path, hands: Hands) -> AsyncIterator[Journal]:
    made = open_store(path, hands.full.append, hands.call_later)
    yield made
    await made.close()


def rows(path: Path, query: str) -> list[Any]:
    """What another program would see."""
    db = sqlite3.connect(path)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def limit(journal: Journal, pages: int) -> None:
    """Make the disk as small as this; 0 asks for the pages that are in use."""
    db = journal._writer._db
    if not pages:
        pages = db.execute("PRAGMA page_count").fetchall()[0][0]
    db.execute(f"PRAGMA max_page_count = {pages}").fetchall()


async def test_the_order_of_the_calls_is_the_order_of_the_rows(journal: Journal, path: Path):
    lives = [Life(f"n{number}") for number in range(100)]
    await asyncio.gather(*(journal.commit(life.unit(State.DISCOVERED)) for life in lives))
    found = rows(path, "SELECT position, node FROM history ORDER BY position")
    assert found == [(number + 1, f"n{number}") for number in range(100)]


async def test_more_than_fits_into_one_batch(journal: Journal):
    life = Life()
    await asyncio.gather(*(journal.commit(life.unit(State.DISCOVERED)) for _ in range(700)))
    assert journal.load("n1.example.net") == life.snapshot


async def test_effects_end_as_they_ended(journal: Journal, path: Path):
    life = Life()
    await journal.commit(life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT))
    await journal.commit(life.unit(opens=Effect.FETCH_JWT, certainty=Certainty.UNKNOWN, reason=Reason.NO_ANSWER))
    await journal.commit(life.unit(opens=Effect.FETCH_INVENTORY))
    await journal.commit(life.unit(State.FAILED, abandons=True))
    found = rows(path, "SELECT opened, effect, status, certainty, reason, closed_at FROM effects ORDER BY position")
    assert found == [
        (1, "fetch_jwt", "failed", "unknown", "no_answer", AT + 2),
        (2, "fetch_jwt", "done", None, None, AT + 3),
        (3, "fetch_inventory", "abandoned", None, None, AT + 4),
    ]


async def test_a_full_disk_loses_nothing(journal: Journal, hands: Hands):
    life = Life()
    await journal.commit(life.unit(State.DISCOVERED))
    limit(journal, 0)
    waiting = [journal.commit(life.unit(blobs=[blob(bytes([number]) * 9000)])) for number in range(5)]
    await hands.heard.wait()
    assert hands.full == [True]
    assert not any(future.done() for future in waiting)
    waiting.append(journal.commit(life.unit()))
    hands.heard.clear()
    hands.later.pop()()
    await hands.heard.wait()
    assert hands.full == [True]
    limit(journal, 100_000)
    hands.later.pop()()
    await asyncio.gather(*waiting)
    assert hands.full == [True, False]
    assert journal.load("n1.example.net") == life.snapshot


async def test_closing_while_the_disk_is_full_ends(journal: Journal, hands: Hands):
    life = Life()
    limit(journal, 0)
    waiting = journal.commit(life.unit(State.DISCOVERED, blobs=[blob(b"x" * 90_000)]))
    await hands.heard.wait()
    await journal.close()
    with pytest.raises(StoreFullError):
        await waiting
    hands.later.pop()()  # comes late, does nothing


async def test_after_a_full_disk_the_chain_verifies(journal: Journal, hands: Hands, path: Path):
    life = Life()
    limit(journal, 0)
    waiting = journal.commit(life.unit(State.DISCOVERED, blobs=[blob(b"x" * 90_000)]))
    await hands.heard.wait()
    limit(journal, 100_000)
    hands.later.pop()()
    await waiting
    await journal.fleet(FleetEntry(AT, "pause", "root", "full"))
    with open_reader(path) as reader:
        assert [row.position for row in reader.history("n1.example.net")] == [1]


async def test_a_second_writer_ends_it(journal: Journal, path: Path):
    life = Life()
    await journal.commit(life.unit(State.DISCOVERED))
    rows_changed = sqlite3.connect(path)
    rows_changed.execute("UPDATE nodes SET seq = 5")
    rows_changed.commit()
    rows_changed.close()
    with pytest.raises(StoreError, match="n1") as caught:
        await journal.commit(life.unit())
    assert caught.value.seq == 2


async def test_a_program_that_holds_the_database_locked_is_spoken_of(journal: Journal, path: Path):
    journal._writer._db.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program holds the database locked: end it"):
        await journal.commit(Life().unit(State.DISCOVERED))
    other.close()


async def test_an_unknown_state_is_refused_by_the_database(journal: Journal, path: Path):
    other = sqlite3.connect(path)
    other.execute("PRAGMA foreign_keys = OFF")
    other.execute("DELETE FROM states WHERE state = 'restarted'")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        await journal.commit(Life().unit(State.RESTARTED))


async def test_what_a_number_cannot_hold_is_refused(journal: Journal):
    with pytest.raises(StoreError, match="n1"):
        await journal.commit(Life("n1", epoch=2**70).unit(State.DISCOVERED))


async def test_blobs_without_a_reference_are_collected(journal: Journal, path: Path):
    life, shared = Life("other"), blob(b"shared")
    await journal.commit(life.unit(State.DISCOVERED, blobs=[shared]))
    lives = [Life(f"n{number}") for number in range(COLLECT_AT)]
    brought = [life.unit(State.DISCOVERED, blobs=[blob(life.snapshot.node.encode()), shared]) for life in lives]
    await asyncio.gather(*(journal.commit(unit) for unit in brought))
    await asyncio.gather(*(journal.commit(life.unit(State.PROVISIONED, drop=True)) for life in lives))
    await journal.commit(life.unit())
    assert rows(path, "SELECT data FROM blobs") == [(b"shared",)]


async def test_what_was_left_loose_is_collected_at_the_next_start(journal: Journal, path: Path):
    life, data = Life(), blob(b"inventory")
    await journal.commit(life.unit(State.DISCOVERED, blobs=[data]))
    await journal.commit(life.unit(State.PROVISIONED, drop=True))
    await journal.close()
    again = open_store(path)
    assert again.blob(data.digest) is None
    await again.close()


async def test_the_log_is_written_back(journal: Journal, path: Path):
    life, size = Life(), os.path.getsize(path)  # noqa: PTH202, ASYNC240 a test may look at a file
    for _ in range(3):
        await asyncio.gather(*(journal.commit(life.unit(State.DISCOVERED)) for _ in range(1500)))
    assert os.path.getsize(path) > size  # noqa: PTH202, ASYNC240 likewise


async def test_it_goes_on_where_it_was(journal: Journal, path: Path):
    life = Life()
    assert await journal.begin_epoch() == 1
    await journal.commit(life.unit(State.DISCOVERED, opens=Effect.FETCH_JWT))
    await journal.close()
    again = open_store(path)
    assert (again.lineage, again.epoch) == (journal.lineage, 1)
    assert list(again.active()) == [life.snapshot]
    assert await again.begin_epoch() == 2
    await again.commit(life.unit(State.DISCOVERED))
    await again.fleet(FleetEntry(AT, "resume", "root", "done"))
    await again.close()


async def test_a_policy_is_kept_once(journal: Journal, path: Path):
    await journal.remember_policy("0123", b'{"strict":false}', AT)
    await journal.remember_policy("0123", b'{"strict":false}', AT + 5)
    assert rows(path, "SELECT hash, document, first_used FROM policies") == [("0123", b'{"strict":false}', AT)]


class Flaky(Writer):
    """A writer whose disk refuses the first commits with these errors, and the first write-back."""

    errors: list[StoreError | StoreFullError]
    write_back: StoreError | None = None

    def commit(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        super().commit()

    def checkpoint(self) -> None:
        if self.write_back is not None:
            raise self.write_back
        super().checkpoint()


@pytest.fixture
async def flaky(journal: Journal, hands: Hands) -> AsyncIterator[tuple[Journal, Flaky]]:
    writer = Flaky(journal._writer._db, journal.lineage)
    writer.errors = []
    made = Journal(writer, journal._shelf, hands.full.append, hands.call_later)
    yield made, writer
    await made.close()


async def test_a_disk_that_is_full_at_the_commit_loses_nothing(flaky: tuple[Journal, Flaky], hands: Hands, path: Path):
    journal, writer = flaky
    writer.errors = [StoreFullError()]
    life = Life()
    waiting = [journal.commit(life.unit(State.DISCOVERED)) for _ in range(3)]
    await hands.heard.wait()
    assert rows(path, "SELECT count(*) FROM history") == [(0,)]
    hands.later.pop()()
    await asyncio.gather(*waiting)
    assert hands.full == [True, False]
    assert rows(path, "SELECT position FROM history") == [(1,), (2,), (3,)]


async def test_a_disk_that_fails_at_the_commit_ends_it(flaky: tuple[Journal, Flaky], path: Path):
    journal, writer = flaky
    writer.errors = [StoreError("disk I/O error")]
    waiting = [journal.commit(Life(name).unit(State.DISCOVERED)) for name in ("a", "b")]
    for future in waiting:
        with pytest.raises(StoreError, match="disk I/O error"):
            await future
    with pytest.raises(StoreError, match="disk I/O error"):
        await journal.begin_epoch()
    assert rows(path, "SELECT count(*) FROM history") == [(0,)]


async def test_a_log_that_cannot_be_written_back_ends_it(flaky: tuple[Journal, Flaky]):
    journal, writer = flaky
    writer.write_back = StoreError("disk I/O error")
    writer._frames = CHECKPOINT_AT
    await journal.commit(Life("a").unit(State.DISCOVERED))
    with pytest.raises(StoreError, match="disk I/O error"):
        await journal.commit(Life("b").unit(State.DISCOVERED))


async def test_a_bug_is_heard_by_whoever_waits(journal: Journal):
    with pytest.raises(StoreError, match="ZeroDivisionError"):
        await journal._job(lambda: 1 // 0)
