"""Dying: a connection that watches what the journal writes, and the two ports that send, each with its way to die.

Rules:
1. The product runs unchanged: what dies is a sqlite3.Connection, an Rpc or a Helper that the daemon was given.
2. Death is SIGKILL to ourselves: no handler, no finally, no flush.
3. An occurrence is counted where it can be seen: effects that are opened, marked or closed by the statements of
   store/statements.py, requests by their agent and action.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, Final

from fsm.effects import Effect
from fsm.ports import Helper, HelperCall, HelperReply, Reply, Request, Rpc
from store import statements as sql
from store.connections import connect
from tests.crash.failpoints import Death, Failpoint
from transport.connection import Connection as Broker

ACTIONS: Final = {
    "jwt": Effect.FETCH_JWT,
    "inventory": Effect.FETCH_INVENTORY,
    "gen25519": Effect.NEW_KEY,
    "gencsr": Effect.NEW_CSR,
    "configure": Effect.CONFIGURE,
    "restart": Effect.RESTART,
    "shutdown": Effect.SHUTDOWN,
    "daemon_stats": Effect.LOOK,
}
"""The requests of each effect that a node is asked for; a new one is missing here with a KeyError."""
ALSO: Final = {"jwt": Effect.EXCHANGE_KEY, "daemon_stats": Effect.CONFIGURE}
"""What else makes such a request, of a node with a certificate."""
_SOON: Final = 5.0
_FEW_PAGES: Final = 8
_AT_ONCE: Final = 1e-5
"""Seconds after which the loop's thread gives way to the one that kills while the log is written back."""
_KNOWN: Final = "SELECT effect FROM effects WHERE node = ? AND opened = ?"
_CHECKPOINT: Final = "PRAGMA wal_checkpoint(PASSIVE)"


def die() -> None:
    """Be gone."""
    os.kill(os.getpid(), signal.SIGKILL)


class Fate:
    """The death that this process dies, and how far it is from it."""

    def __init__(self, death: Death) -> None:
        """Begin at the first occurrence; `started` is the effect that was last marked as started, of each node."""
        self.death = death
        self._left = death.nth
        self.started: dict[str, Effect] = {}

    def strikes(self, failpoint: Failpoint, effect: Effect) -> bool:
        """Count an occurrence; whether it is the one."""
        if (failpoint, effect) != (self.death.failpoint, self.death.effect) or self._left == 0:
            return False
        self._left -= 1
        return self._left == 0


class Watched(sqlite3.Connection):
    """The writer's connection; `fate` is set by `watched` before anything runs on it."""

    fate: Fate
    _at_commit: Failpoint | None = None
    _migrates = False

    def executemany(self, statement: str, rows: Any, /) -> sqlite3.Cursor:
        """Run a statement of a batch; half of it where the process dies in the middle of a batch."""
        given = list(rows)
        for failpoint, effect in self._seen(statement, given):
            if not self.fate.strikes(failpoint, effect):
                continue
            if failpoint is Failpoint.IN_BATCH:
                super().executemany(statement, given[: max(len(given) // 2, 1)])
                die()
            self._at_commit = failpoint
        return super().executemany(statement, given)

    def execute(self, statement: str, values: Any = (), /) -> sqlite3.Cursor:
        """Run one statement; one that marks an effect as started is where its intent is all there is."""
        if statement is sql.START_EFFECT:
            effect = self.fate.started[values[0]] = self._effect(*values[:2])
            if self.fate.strikes(Failpoint.AFTER_INTENT, effect):
                die()
        if statement.startswith("VACUUM"):  # the backup before a migration, and the file that is written anew after it
            self._step_of_a_migration()
            self._migrates = True
        return super().execute(statement, values)

    def executescript(self, script: str, /) -> sqlite3.Cursor:
        """Run a migration, statement after statement: each of them is a place to die at."""
        for statement in statements(script):
            self._migrates = True
            self._step_of_a_migration()
            super().execute(statement)
        return self.cursor()

    def commit(self) -> None:
        """COMMIT, on the worker's thread; die before it, after it, or while the log is written back after it."""
        if self._migrates:
            self._step_of_a_migration()
        if self._at_commit is Failpoint.BEFORE_OUTCOME:
            die()
        super().commit()
        if self._at_commit is Failpoint.AFTER_COMMIT:
            die()
        if self._at_commit is Failpoint.IN_CHECKPOINT:
            self._die_while_it_writes_back()
        if self._migrates:
            self._step_of_a_migration()
            self._migrates = False

    def _seen(self, statement: str, rows: Sequence[sql.Row]) -> Iterator[tuple[Failpoint, Effect]]:
        """Which failpoints the rows of a statement are an occurrence of."""
        if statement is sql.OPEN_EFFECT:
            for row in rows:
                yield Failpoint.IN_BATCH, Effect(str(row[6]))
        elif statement is sql.CLOSE_EFFECT:
            for row in rows:
                effect = self._effect(row[-2], row[-1])
                for failpoint in (Failpoint.BEFORE_OUTCOME, Failpoint.AFTER_COMMIT, Failpoint.IN_CHECKPOINT):
                    yield failpoint, effect

    def _effect(self, node: object, opened: object) -> Effect:
        return Effect(super().execute(_KNOWN, (node, opened)).fetchall()[0][0])

    def _step_of_a_migration(self) -> None:
        if self.fate.strikes(Failpoint.IN_MIGRATION, self.fate.death.effect):
            die()

    def _die_while_it_writes_back(self) -> None:
        path = Path(super().execute("PRAGMA database_list").fetchall()[0][2])
        before = path.stat().st_mtime_ns
        sys.setswitchinterval(_AT_ONCE)
        Thread(target=_die_when_it_changes, args=(path, before), daemon=True).start()
        super().execute(_CHECKPOINT).fetchall()
        die()  # it was over before the other thread saw it


def _die_when_it_changes(path: Path, before: int) -> None:
    while path.stat().st_mtime_ns == before:
        pass
    die()


def statements(script: str) -> Iterator[str]:
    """The statements of a script; a trigger, which has semicolons of its own, is one."""
    text = ""
    for part in re.split(r"(?<=;)", script):
        text += part
        if sqlite3.complete_statement(text):
            yield text
            text = ""


def watched(fate: Fate, path: Path) -> sqlite3.Connection:
    """A connection as the store opens it, with a fate; its cache is small, so that a batch reaches the log early."""
    db = connect(path, Watched)
    assert isinstance(db, Watched)
    db.fate = fate
    if fate.death.failpoint is Failpoint.IN_BATCH:
        sqlite3.Connection.execute(db, f"PRAGMA cache_size = {_FEW_PAGES}")
    return db


class DyingRpc:
    """The port Rpc over the real one; it dies before a request, or when the broker has read it."""

    def __init__(self, rpc: Rpc, broker: Broker, fate: Fate) -> None:
        """Hold the real port and the connection that it sends over."""
        self._rpc, self._broker, self._fate = rpc, broker, fate
        self._dying: list[object] = []

    async def call(self, request: Request) -> Reply:
        """Ask, as long as we live; raises CallError."""
        effect = self._effect(request)
        if self._fate.strikes(Failpoint.BEFORE_SEND, effect):
            die()
        if not self._fate.strikes(Failpoint.AFTER_SEND, effect):
            return await self._rpc.call(request)
        sending = asyncio.ensure_future(self._rpc.call(request))
        await asyncio.sleep(0)
        await flush(self._broker)
        die()
        return await sending

    def _effect(self, request: Request) -> Effect:
        """What a request is for: both halves of a secret, and the token, are fetched by the same one."""
        started = self._fate.started.get(request.node)
        exchanged = request.action == "jwt" and started is Effect.EXCHANGE_KEY
        return started if exchanged else ACTIONS[request.action]


async def flush(broker: Broker) -> None:
    """Until the broker has read what was handed over: nothing waits here, and a PING behind it is answered."""
    login = broker._login
    assert login is not None, "no request is made without a login"
    while login.waiting:  # noqa: ASYNC110 the flusher writes at the loop's next turn, and says so nowhere
        await asyncio.sleep(0)
    await login.settle(_SOON)


class DyingHelper:
    """The port Helper over another; it dies when that one has answered."""

    def __init__(self, helper: Helper, fate: Fate) -> None:
        """Hold the helper."""
        self._helper, self._fate = helper, fate

    async def run(self, call: HelperCall) -> HelperReply:
        """Ask it, as long as we live; raises HelperError."""
        reply = await self._helper.run(call)
        if self._fate.strikes(Failpoint.AFTER_REPLY, Effect.RUN_HELPER):
            die()
        return reply
