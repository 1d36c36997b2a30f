"""The daemon: where every room meets; it composes, starts, waits, and stops in order.

Rules:
1. Nothing is decided here: the engines do that. Nothing is translated here: the adapters do that.
2. It ends cleanly on a wish (INT, TERM) and with a failure when the store fails, since a restart is the tested path.
3. It starts from the database alone: every node goes on where it was.
4. Stopping: take no work, let requests under way end for a moment, finish what is being committed, log out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from fsm.events import Operator
from fsm.ports import Clock, Vault
from fsm.reasons import Reason
from fsm.runtime.engine import Answer
from store.entries import FleetEntry
from store.journal import Journal
from transport.startups import Startup
from usher.networks.engines import Engines
from usher.networks.member import Common, Given, Member
from usher.networks.owners import Elsewhere, Owners

GRACE: Final = 2.0
"""Seconds that requests under way have to end when the daemon stops."""


class Daemon:
    """Usher at work on one journal and the brokers of its networks."""

    def __init__(
        self,
        networks: Sequence[Given],
        journal: Journal,
        vault: Vault,
        epoch: int,
        clock: Clock,
        *,
        foreign: bool = False,
    ) -> None:
        """Compose, at least one network; nothing moves before `start`.

        `foreign` says that the journal may hold records of networks that are not among these.
        """
        self.journal, self.epoch, self.clock = journal, epoch, clock
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        names = [given.policy.network for given in networks]
        self.owners = Owners(names, journal.load, clock.now, foreign=foreign)
        common = Common(journal, vault, epoch, self.owners, self._fatal)
        self.members = tuple(Member(given, common) for given in networks)
        engines = {member.name: member.engine for member in self.members}
        self.owners.employ(engines)
        self.engine = Engines(engines, self.owners, journal.load)
        self.paused: FleetEntry | None = None
        journal.on_broken = self._fatal
        self.taken_up = 0

    def left_open(self) -> int:
        """How many effects an earlier process left open that a start takes up."""
        nodes = [effect.node for effect, _ in self.journal.open_effects()]
        found = [snapshot for node in nodes if (snapshot := self.journal.load(node)) is not None]
        return sum(self.owners.of(snapshot) is not None for snapshot in found)

    async def start(self, paused: FleetEntry | None = None) -> None:
        """Take up what the database holds and begin; `paused` is the pause that is in force, if one is."""
        if paused is not None:
            self._pause(paused)
        self.engine.start()
        self.taken_up = self.engine.active
        for member in self.members:
            await member.network.start()

    async def stop(self) -> int:
        """Stop in order; answers how many requests under way were given up."""
        for member in self.members:
            member.network.pause(paused=True)
        given_up = await self.engine.stop(GRACE)
        await asyncio.gather(*(member.network.close() for member in self.members))
        await self.journal.close()
        return given_up

    async def pause(self, name: str, reason: str) -> None:
        """Take no work and send nothing new in any network, durably, until resumed."""
        entry = FleetEntry(self.clock.now(), "pause", name, reason)
        await self.journal.fleet(entry)
        self._pause(entry)

    async def resume(self, name: str, reason: str) -> None:
        """Go on, durably."""
        await self.journal.fleet(FleetEntry(self.clock.now(), "resume", name, reason))
        self.paused = None
        self.engine.release(Reason.PAUSED)
        for member in self.members:
            member.network.pause(paused=False)

    def ask(self, node: str, wish: Operator) -> Answer:
        """An operator's wish for a node; the answer comes when it is durable."""
        return self.engine.ask(node, wish)

    def heard(self, node: str) -> Startup | None:
        """What the newest startup event under this name said, in whichever network; anybody may have sent it."""
        found = [heard for each in self.members if (heard := each.network.lifecycle.startups.of(node)) is not None]
        return max(found, key=lambda heard: heard.at, default=None)

    def elsewhere(self, node: str) -> Elsewhere | None:
        """The newest sighting under this name in a network that does not have the node; None if there was none."""
        return self.owners.elsewhere(node)

    def full(self, is_full: bool) -> None:
        """The disk is full, or it is not any more (law 8)."""
        (self.engine.hold if is_full else self.engine.release)(Reason.DISK_FULL)

    def restoring(self, is_held: bool) -> None:
        """The database is being restored: what is sent now would not be known afterwards."""
        (self.engine.hold if is_held else self.engine.release)(Reason.RESTORED)

    def _pause(self, entry: FleetEntry) -> None:
        self.paused = entry
        self.engine.hold(Reason.PAUSED)
        for member in self.members:
            member.network.pause(paused=True)

    def _fatal(self, error: BaseException) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
