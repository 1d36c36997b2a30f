"""The database at a start: room is waited for, a restore is completed, and what was under way begins anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fsm.errors import StoreError, StoreFullError
from fsm.events import Operator, Verb
from fsm.machine import Decision, Rejected
from fsm.reasons import Reason
from store.backup import back_up
from store.entries import FleetEntry
from store.journal import Journal
from store.reader import open_reader
from store.repository import open_store
from store.restoring import RESTORED, stage
from tests.fakes.written import write_database
from tests.patience import PATIENCE
from usher.database.start import SETTLED, Aftermath, open_database

NOW = 1_795_200_000_000
MINUTE = 60_000


async def restored(folder: Path, at: int = NOW) -> Path:
    """A database of six nodes whose backup waits to be put in place."""
    await write_database(folder, NOW)
    path = folder / "usher.db"
    back_up(path, folder / "backup.db")
    stage(folder / "backup.db", path, FleetEntry(at, RESTORED, "anna", "a drill"))
    return path


async def test_room_is_waited_for_and_said_once(tmp_path: Path):
    tried, heard = [], []

    def open_(path: Path, on_full: Callable[[bool], None]) -> Journal:
        tried.append(path)
        if len(tried) < 3:
            raise StoreFullError
        return open_store(path, on_full)

    journal = await open_database(tmp_path / "usher.db", open_, heard.append)
    assert (len(tried), heard) == (3, [True, False])
    await journal.close()


async def test_whatever_else_is_wrong_ends_the_start(tmp_path: Path):
    (tmp_path / "usher.db").mkdir()
    with pytest.raises(StoreError, match="is no file"):
        await open_database(tmp_path / "usher.db", open_store, lambda _: None)


async def test_a_signal_ends_the_wait(tmp_path: Path):
    tried = asyncio.Event()
    loop = asyncio.get_running_loop()

    def open_(_: Path, __: Callable[[bool], None]) -> Journal:
        loop.call_soon_threadsafe(tried.set)
        raise StoreFullError

    start = asyncio.create_task(open_database(tmp_path / "usher.db", open_, lambda _: None))
    await tried.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start


async def test_a_new_database_beside_backups_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    await (await open_database(tmp_path / "usher.db", open_store, lambda _: None)).close()
    assert ["a new database was made" in record.message for record in caplog.records] == [True]
    assert caplog.records[0].levelno == logging.INFO
    (tmp_path / "backups").mkdir()
    backup = tmp_path / "backups" / "usher-20261120T000000Z-v2-0123456789abcdef.db"
    back_up(tmp_path / "usher.db", backup)
    (tmp_path / "usher.db").unlink()
    caplog.clear()
    await (await open_database(tmp_path / "usher.db", open_store, lambda _: None)).close()
    assert caplog.records[0].levelno == logging.WARNING
    assert f"usher db restore {backup} --reason WHY --state {tmp_path}" in caplog.records[0].message


@dataclass
class FakeEngine:
    """fsm.runtime.engine.Engine, as far as a restore asks it: wishes are remembered, holds are kept."""

    held: set[Reason] = field(default_factory=set)
    wishes: dict[str, Operator] = field(default_factory=dict)
    broken: bool = False
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def hold(self, reason: Reason) -> None:
        self.held.add(reason)

    def release(self, reason: Reason) -> None:
        self.held.discard(reason)
        self.free.set()

    def ask(self, node: str, wish: Operator) -> asyncio.Future[Decision | Rejected]:
        self.wishes[node] = wish
        answer: asyncio.Future[Decision | Rejected] = asyncio.get_running_loop().create_future()
        if self.broken:
            answer.set_exception(StoreError("the journal is closed"))
        else:
            answer.set_result(Rejected("a fake decides nothing"))
        return answer


@dataclass
class FakeClock:
    """A clock that stands."""

    at: int

    def now(self) -> int:
        return self.at


@dataclass
class FakeDaemon:
    """usher.database.start.Serving"""

    clock: FakeClock
    engine: FakeEngine
    journal: Journal


def settled(path: Path) -> bool:
    """Whether nothing is left to be asked after the last restore."""
    with open_reader(path) as reader:
        last = reader.last(RESTORED, SETTLED)
    return last is None or last.kind == SETTLED


async def begun(path: Path, at: int, *, broken: bool = False) -> tuple[FakeEngine, set[Reason]]:
    """A start at that time: what was asked of the engine, and what held it at first."""
    journal = await open_database(path, open_store, lambda _: None)
    engine = FakeEngine(broken=broken)
    async with AsyncExitStack() as stack:
        aftermath = Aftermath(FakeDaemon(FakeClock(at), engine, journal), path, MINUTE, stack)  # type: ignore[arg-type]
        aftermath.hold()
        first = set(engine.held)
        aftermath.settle()
        while not broken and not settled(path):  # noqa: ASYNC110 what is waited for has no event
            await asyncio.sleep(0)
        await asyncio.sleep(0)
    await journal.close()
    return engine, first


async def test_nothing_is_sent_until_what_was_sent_is_dead(tmp_path: Path):
    path = await restored(tmp_path)
    assert (await begun(path, NOW + 59_000))[1] == {Reason.RESTORED}
    assert (await begun(path, NOW + 61_000))[1] == set()


async def test_a_clock_that_went_back_holds_for_no_longer_than_a_request_lives(tmp_path: Path):
    path = await restored(tmp_path, NOW + 10**9)
    journal = await open_database(path, open_store, lambda _: None)
    engine = FakeEngine()
    async with AsyncExitStack() as stack:
        Aftermath(FakeDaemon(FakeClock(NOW), engine, journal), path, 1, stack).hold()  # type: ignore[arg-type]
        assert engine.held == {Reason.RESTORED}
        await asyncio.wait_for(engine.free.wait(), PATIENCE)
    await journal.close()


async def test_what_was_under_way_begins_anew_once(tmp_path: Path):
    path = await restored(tmp_path)
    engine, _ = await begun(path, NOW)
    assert set(engine.wishes) == {"web3.example.net", "web4.example.net"}
    assert {wish.verb for wish in engine.wishes.values()} == {Verb.REPROVISION}
    assert {wish.name for wish in engine.wishes.values()} == {"anna"}
    engine, _ = await begun(path, NOW)
    assert engine.wishes == {}, "the second start"


async def test_a_death_before_all_are_asked_asks_them_again(tmp_path: Path):
    path = await restored(tmp_path)
    engine, _ = await begun(path, NOW, broken=True)
    assert engine.wishes
    engine, _ = await begun(path, NOW)
    assert len(engine.wishes) == 2


async def test_without_a_restore_nothing_is_held_or_asked(tmp_path: Path):
    await write_database(tmp_path, NOW)
    journal, engine = open_store(tmp_path / "usher.db"), FakeEngine()
    async with AsyncExitStack() as stack:
        aftermath = Aftermath(FakeDaemon(FakeClock(NOW), engine, journal), tmp_path / "usher.db", MINUTE, stack)  # type: ignore[arg-type]
        aftermath.hold()
        aftermath.settle()
        await asyncio.sleep(0)
    assert (engine.held, engine.wishes) == (set(), {})
    await journal.close()
