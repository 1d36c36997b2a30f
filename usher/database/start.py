"""The database at a start: a restore is completed, the file opened, and what was done to it is said.

Rules:
1. A full disk is waited out (law 8); everything else that keeps it from being opened ends the start, in words.
2. After a restore nothing is sent until whatever the lost timeline sent is dead: the restore's time + request_life.
3. After a restore every node that was under way begins a new generation: what became of it since is not known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from fsm.errors import StoreFullError, UsherError
from fsm.events import Operator, Verb
from fsm.ports import Clock
from fsm.reasons import Reason
from fsm.runtime.engine import Answer
from fsm.states import WORKING
from store.entries import FleetEntry
from store.journal import Journal
from store.opening import Opening
from store.reader import open_reader
from store.refusals import newest_backup, restoring
from store.restoring import RESTORED, take_in
from usher import logs
from usher.database.threads import in_thread

SETTLED: Final = "settled"
"""The entry that says that every node that was under way in a restored database begins anew."""
RETRY: Final = 1.0
"""Seconds until a start that found the disk full tries again."""
_logger = logging.getLogger("usher")


class Holding(Protocol):
    """The engine of every network."""

    def hold(self, reason: Reason) -> None:
        """Send nothing until every reason is released."""
        ...

    def release(self, reason: Reason) -> None:
        """This reason is over."""
        ...

    def ask(self, node: str, wish: Operator) -> Answer:
        """An operator's wish for a node."""
        ...


class Serving(Protocol):
    """The daemon, as far as a restore concerns it."""

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def engine(self) -> Holding:
        """Whatever moves nodes."""
        ...

    @property
    def journal(self) -> Journal:
        """Where all is written down."""
        ...


async def open_database(
    path: Path, open_: Callable[[Path, Callable[[bool], None]], Journal], on_full: Callable[[bool], None]
) -> Journal:
    """The journal, once there is room for it; a restore that waits is put in place first. Raises StoreError."""
    full = False
    while True:
        try:
            if await in_thread(partial(take_in, path)):
                logs.say(_logger, logging.WARNING, "a backup was put in the place of the database", database=str(path))
            journal = await in_thread(partial(open_, path, on_full))
        except StoreFullError:
            if not full:
                full = True
                on_full(True)
            await asyncio.sleep(RETRY)
        else:
            break
    if full:
        on_full(False)
    if journal.opening is not None:
        _say(journal.opening)
    return journal


def say_full(is_full: bool) -> None:
    """Before there is a daemon to hold."""
    if is_full:
        logs.say(_logger, logging.ERROR, "the disk of the state directory is full: the start waits for room")


def _say(opening: Opening) -> None:
    if opening.made:
        backup = newest_backup(opening.path.parent, 10**6)
        said, level = "a new database was made, it knows no node", logging.INFO
        if backup is not None:
            level = logging.WARNING
            said += f"; if there was one before, put its newest backup back: {restoring(opening.path)}"
        logs.say(_logger, level, said, database=str(opening.path))
    if opening.migrated is not None:
        logs.say(_logger, logging.WARNING, f"the database was brought up to date: {opening.migrated}")
    if opening.compacted is False:
        said = "what an older version left in the database's free pages is still there: the next start removes it"
        logs.say(_logger, logging.WARNING, f"{said}, if the disk has room and nobody reads")


class Aftermath:
    """What a restore leaves to be done at a start: `hold()` before the engine starts, `settle()` after."""

    def __init__(self, daemon: Serving, path: Path, life: int, stack: AsyncExitStack) -> None:
        """Look whether there was one; `life` is how long a request may live (milliseconds)."""
        self._daemon, self._life, self._stack = daemon, life, stack
        with open_reader(path) as reader:
            self._restored, self._last = reader.last(RESTORED), reader.last(RESTORED, SETTLED)

    def hold(self) -> None:
        """Send nothing while what the lost timeline sent may be alive."""
        if self._restored is None:
            return
        left = min(self._restored.at + self._life - self._daemon.clock.now(), self._life)
        if left <= 0:
            return
        engine = self._daemon.engine
        engine.hold(Reason.RESTORED)
        timer = asyncio.get_running_loop().call_later(left / 1000, engine.release, Reason.RESTORED)
        self._stack.callback(timer.cancel)
        logs.say(_logger, logging.WARNING, "the database was restored: nothing is sent yet", seconds=left // 1000)

    def settle(self) -> None:
        """Begin every node anew that was under way in the backup, once; in the background."""
        if self._last is None or self._last.kind != RESTORED:
            return
        task: asyncio.Task[Any] = asyncio.create_task(self._anew(self._last.name))
        self._stack.callback(task.cancel)

    async def _anew(self, name: str) -> None:
        daemon = self._daemon
        wish = Operator(Verb.REPROVISION, name, "the database was restored: what became of it since is not known")
        nodes = [snapshot.node for snapshot in daemon.journal.active() if snapshot.state in WORKING]
        try:
            await asyncio.gather(*(daemon.engine.ask(node, wish) for node in nodes))
            said = f"{len(nodes)} nodes that were under way in the backup begin anew"
            await daemon.journal.fleet(FleetEntry(daemon.clock.now(), SETTLED, "usher", said))
        except UsherError:
            return  # the process ends with it, and the next start does this again
        logs.say(_logger, logging.INFO, said)
