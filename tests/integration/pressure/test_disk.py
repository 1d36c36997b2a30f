"""A full disk under the real store and the real engine: work stops, is tried again, and nothing is lost (law 8)."""

from __future__ import annotations

import asyncio
import sqlite3
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import pytest

from fsm.effects import SPECS, Intent, Port
from fsm.events import HintKind, Sent
from fsm.machine import Rejected
from fsm.policy import Policy
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.runtime.clock import SystemClock
from fsm.runtime.engine import Engine
from fsm.runtime.observer import Transition
from fsm.snapshot import Snapshot
from fsm.states import State
from store import connections
from store.journal import Journal
from store.reader import open_reader
from store.repository import open_store
from tests.fakes.runtime import CONNECTION, done, names
from tests.patience import PATIENCE
from usher.logs import Lines

FLEET = 25
MOMENT = 0.01


class Disk:
    """What all connections of a test share: where the disk is full, and how often that was hit."""

    def __init__(self) -> None:
        self.full = ""
        self.hit: Counter[str] = Counter()

    def meets(self, what: str) -> None:
        if what == self.full:
            self.hit[what] += 1
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error


def connecting(disk: Disk) -> Any:
    """store.connections.connect with connections that this disk is under."""

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            disk.meets("begin" if sql.startswith("BEGIN") else "checkpoint" if "wal_checkpoint" in sql else "statement")
            return super().execute(sql, *values)

        def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
            disk.meets("batch")
            return super().executemany(sql, *values)

        def commit(self) -> None:
            disk.meets("commit")
            super().commit()

    return partial(connections.connect, kind=Connection)


class Well:
    """A performer for which all goes well, a moment later."""

    async def perform(self, intent: Intent, snapshot: Snapshot) -> Outcome:
        del snapshot
        await asyncio.sleep(0)
        sent = Sent(SystemClock().now(), CONNECTION) if SPECS[intent.effect].port is Port.RPC else None
        return done(intent, sent=sent)


@dataclass
class Stage:
    """An engine on a real database whose disk can be full."""

    disk: Disk
    engine: Engine
    journal: Journal
    fullness: list[bool]
    fatal: list[BaseException]
    states: dict[str, State] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def moved(self, transition: Transition) -> None:
        self.states[transition.before.node] = transition.decision.snapshot.state
        self.rows[transition.decision.row.name] += 1
        self.changed.set()

    def rejected(self, node: str, event: Any, rejected: Rejected) -> None:
        """Nothing."""

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        """Nothing."""

    def crashed(self, node: str, error: Exception) -> None:
        self.fatal.append(error)

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def staged(path: Path) -> AsyncIterator[Stage]:
    disk, fullness, fatal = Disk(), [], []
    loop = asyncio.get_running_loop()
    stage: list[Stage] = []

    def on_full(is_full: bool) -> None:
        fullness.append(is_full)
        engine = stage[0].engine
        (engine.hold if is_full else engine.release)(Reason.DISK_FULL)
        stage[0].changed.set()

    journal = open_store(path, on_full, lambda _, call: loop.call_later(MOMENT, call), connecting(disk))
    epoch = await journal.begin_epoch()
    policy = Policy(signer="ab12", look_delay=10)
    await journal.remember_policy(policy.hash, policy.document(), 0)

    class Telling:
        def __getattr__(self, name: str) -> Any:
            return getattr(stage[0], name)

    engine = Engine(journal, SystemClock(), Well(), policy, epoch, Telling(), fatal.append)  # type: ignore[arg-type]
    stage.append(Stage(disk, engine, journal, fullness, fatal))
    engine.start()
    try:
        yield stage[0]
    finally:
        disk.full = ""
        await engine.stop(1.0)
        await journal.close()


@pytest.mark.parametrize("where", ["begin", "batch", "commit"])
async def test_full_in_the_middle_of_everything_and_then_not(tmp_path: Path, where: str):
    async with staged(tmp_path / "usher.db") as stage:
        fleet, late = names(FLEET), names(FLEET, "late")
        for node in fleet:
            stage.engine.hints.add(node, HintKind.STARTUP)
        await stage.until(lambda: stage.rows["inventoried"] > 0)
        stage.disk.full = where
        await stage_tries(stage, where, 3)
        assert stage.fullness == [True]
        assert stage.engine.holds == {Reason.DISK_FULL}
        for node in late:
            stage.engine.hints.add(node, HintKind.STARTUP)
        moved = sum(stage.rows.values())
        hit = stage.disk.hit[where]
        await stage_tries(stage, where, hit + 3)
        assert sum(stage.rows.values()) == moved, "nothing moves that is not durable"
        assert len(stage.engine.hints) == FLEET
        stage.disk.full = ""
        await stage.until(lambda: Counter(stage.states.values()) == {State.PROVISIONED: 2 * FLEET})
        assert stage.fullness == [True, False]
        assert (stage.engine.holds, stage.fatal) == (frozenset(), [])
        assert not {"fail", "try-again", "absent"} & stage.rows.keys()
    with open_reader(tmp_path / "usher.db") as reader:
        gaps = reader.rows("SELECT node FROM history GROUP BY node HAVING max(seq) != count(*)")
        assert list(gaps) == []
        assert reader.counts() == {State.PROVISIONED: 2 * FLEET}


async def stage_tries(stage: Stage, where: str, least: int) -> None:
    """Until it was tried so often: the journal tries by itself, and tells nobody."""
    async with asyncio.timeout(PATIENCE):
        while stage.disk.hit[where] < least:  # noqa: ASYNC110 as above
            await asyncio.sleep(0)


async def test_full_at_a_checkpoint_stops_nobody(tmp_path: Path):
    async with staged(tmp_path / "usher.db") as stage:
        stage.disk.full = "checkpoint"
        stage.journal._writer._frames = 1_000_000  # the log has grown past its size
        for node in names(FLEET):
            stage.engine.hints.add(node, HintKind.STARTUP)
        await stage.until(lambda: Counter(stage.states.values()) == {State.PROVISIONED: FLEET})
        assert stage.disk.hit["checkpoint"] > 0
        assert (stage.fullness, stage.fatal) == ([], [])


async def test_stopping_on_a_full_disk_ends_and_the_next_start_goes_on(tmp_path: Path):
    path = tmp_path / "usher.db"
    async with staged(path) as stage:
        for node in names(FLEET):
            stage.engine.hints.add(node, HintKind.STARTUP)
        await stage.until(lambda: stage.rows["enrolled"] > 0)
        stage.disk.full = "commit"
        await stage.until(lambda: stage.fullness == [True])
        await stage.engine.stop(0.0)
        await stage.journal.close()
        held = dict(stage.states)
    async with staged(path) as stage:
        assert {node: stage.engine._snapshot(node).state for node in held} == held
        await stage.until(lambda: stage.engine.active == 0)
        for node in names(FLEET):
            assert stage.engine._snapshot(node).state is State.PROVISIONED


@pytest.fixture
def full() -> TextIO:
    """A file on a device that is always full."""
    try:
        return Path("/dev/full").open("a")
    except OSError:
        pytest.skip("this system has no /dev/full")


async def test_a_log_on_a_full_disk_costs_its_lines_and_nothing_else(full: TextIO):
    lines = Lines(full, plain=False, close=True)
    document = {"level": "info", "msg": "x" * 1000, "time": "now", "component": "test"}
    for _ in range(100):
        lines.write(document)
    await asyncio.sleep(0)
    tracemalloc.start()
    for _ in range(5000):
        lines.write(document)
        await asyncio.sleep(0)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lines._waiting == []
    assert grown < 200_000, "5 MB were logged"
    lines.close()
