"""The keeper: takes checkpoints of both chains while usher works, and has them sent away.

Rules:
1. One at the start, one after so many rows, one after so long, one at a clean stop; none where nothing is new.
2. A checkpoint is durable before it is told: to the log, then to the site's command.
3. What goes wrong (a full disk, a command) is said and counted, and tried again with the next: it never stops usher.
4. A key takes over with a checkpoint that both sign; one that was lost is said, in the log and the fleet's journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Final

from fsm.effects import Intent
from fsm.errors import StoreError, StoreFullError
from fsm.events import Event
from fsm.machine import Rejected
from fsm.ports import Clock, Outcome
from fsm.runtime.observer import Transition
from store.checkpoints import Checkpoint, newest, take
from store.entries import FleetEntry
from store.journal import Journal
from usher import logs
from usher.audit.exported import document
from usher.audit.keys import AuditKeyError, AuditKeys
from usher.audit.sending import Sending
from usher.config.audit import AuditSettings
from usher.metrics.families import Family

LOST: Final = "audit-key-lost"
PATIENCE: Final = 5.0
"""Seconds that the checkpoint of a stop may wait for the disk."""
_logger = logging.getLogger("usher")


class Keeper:
    """An Observer that counts rows; `await begin()` at the start, `await end()` before the journal closes."""

    def __init__(
        self, keys: AuditKeys, settings: AuditSettings, clock: Clock, families: Mapping[str, Family] | None = None
    ) -> None:
        """Hold the keys; nothing is taken yet. Without `families` nothing is counted."""
        self.keys, self._settings, self._clock, self._families = keys, settings, clock, families
        self.sending = Sending(
            settings.command, settings.timeout, partial(self._count, "usher_checkpoint_command_failures_total")
        )
        self._journal: Journal | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._lock = asyncio.Lock()  # one key signs at a time
        self._rows = 0

    async def begin(self, journal: Journal) -> None:
        """See which key signed last, and take the first checkpoint; raises StoreError where the database fails."""
        await self.take_up(journal)
        self._turn("start")

    async def take_up(self, journal: Journal) -> None:
        """See which key signed last, and have it hand over if another one signs now; raises StoreError."""
        self._journal = journal
        await self._succeed(journal, await journal.maintain(newest))

    async def end(self) -> None:
        """Take the last one, and let the command have it."""
        if self._journal is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=PATIENCE + self._settings.timeout)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._taken("stop")
        except TimeoutError:
            logs.say(_logger, logging.WARNING, "the checkpoint of this stop was not taken: the disk did not answer")
        await self._sent()

    async def take(self, why: str) -> Checkpoint:
        """One now, whether anything is new or not; raises StoreError, StoreFullError."""
        made = await self._one(why, always=True)
        assert made is not None  # noqa: S101 only `always` leaves none out
        await self._sent()
        return made

    async def rotate(self, fresh: AuditKeys) -> Checkpoint:
        """Have the first of these keys take over from the second; raises StoreError, StoreFullError."""
        async with self._lock:
            made = await self._hand_over(fresh)
            self.keys = _alone(fresh)
        await self._sent()
        return made

    # -- Observer -----------------------------------------------------------------------------------------------------

    def moved(self, transition: Transition) -> None:
        """Count a row."""
        self._rows += 1
        if self._rows >= self._settings.rows:
            self._turn("rows")

    def rejected(self, node: str, event: Event, rejected: Rejected) -> None:
        """Nothing was written."""

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        """Its event is counted when it is durable."""

    def crashed(self, node: str, error: Exception) -> None:
        """Nothing was written."""

    # -- taking them --------------------------------------------------------------------------------------------------

    def _turn(self, why: str) -> None:
        """Take one, unless that is under way; the next is due an interval from now."""
        if self._journal is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._settings.interval, self._turn, "interval")
        if self._task is not None and not self._task.done():
            return
        self._task = asyncio.create_task(self._told(why))

    async def _told(self, why: str) -> None:
        await self._taken(why)
        await self._sent()

    async def _taken(self, why: str) -> None:
        """Take one if anything is new; whatever goes wrong is said."""
        try:
            await self._one(why, always=False)
        except (StoreError, StoreFullError) as error:
            self._rows = 0  # not at every row from now on
            self._count("usher_checkpoint_failures_total")
            logs.say(_logger, logging.ERROR, f"a checkpoint could not be taken, the next one covers more: {error}")

    async def _one(self, why: str, *, always: bool) -> Checkpoint | None:
        assert self._journal is not None  # noqa: S101 begin comes first
        async with self._lock:
            self._rows = 0
            job = take(self.keys.public, self.keys.sign, self._clock.wall(), why, unless_covered=not always)
            made = await self._journal.maintain(job)
        if made is not None:
            self._made(made)
        return made

    def _made(self, checkpoint: Checkpoint) -> None:
        self._count("usher_checkpoints_total")
        logs.say(_logger, logging.INFO, "checkpoint", **document(checkpoint))
        self.sending.put(checkpoint)

    async def _sent(self) -> None:
        await self.sending.send()
        if self._families is not None:
            self._families["usher_checkpoints_unsent"].set(len(self.sending))

    def _count(self, name: str) -> None:
        if self._families is not None:
            self._families[name].add()

    # -- keys ---------------------------------------------------------------------------------------------------------

    async def _succeed(self, journal: Journal, last: Checkpoint | None) -> None:
        """The key that signs follows the one that signed last."""
        keys = self.keys
        in_charge = (last.successor or last.key) if last is not None else keys.public
        if in_charge == keys.public:
            self.keys = _alone(keys)
        elif keys.before is not None and in_charge == keys.before.public_hex:
            await self.rotate(keys)
        else:
            said = f"the audit key {in_charge} is not at hand: {keys.public} signs from now on, without its consent"
            await journal.fleet(FleetEntry(self._clock.wall(), LOST, "usher", said))
            logs.say(_logger, logging.ERROR, said, key_file=str(keys.place.path))

    async def _hand_over(self, keys: AuditKeys) -> Checkpoint:
        assert self._journal is not None  # noqa: S101 begin comes first
        assert keys.before is not None  # noqa: S101 the caller has looked
        before = keys.before.public_hex
        job = take(before, keys.hand_over, self._clock.wall(), "rotated", successor=keys.public)
        made = await self._journal.maintain(job)
        assert made is not None  # noqa: S101 only unless_covered leaves one out
        self._made(made)
        return made


def _alone(keys: AuditKeys) -> AuditKeys:
    """Without the key before; where the file cannot be written both stay in it, which the next start tries again."""
    try:
        return keys.alone()
    except AuditKeyError as error:
        logs.say(_logger, logging.WARNING, f"the seed of the audit key before could not be removed: {error}")
        return keys
