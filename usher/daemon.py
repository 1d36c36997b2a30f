"""The daemon: where every room meets; it composes, starts, waits, and stops in order.

Rules:
1. Nothing is decided here: the engines do that. Nothing is translated here: the adapters do that.
2. It ends cleanly on a wish (INT, TERM) and with a failure when the store fails, since a restart is the tested path.
3. It starts from the database alone: every node goes on where it was.
4. Stopping: take no work, let requests under way end for a moment, finish what is being committed, log out.
5. What it is among other ushers, if there is an election, is usher.cluster.cluster's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from fsm.events import Operator
from fsm.ports import Clock, Vault
from fsm.reasons import Reason
from fsm.runtime.engine import Answer
from fsm.snapshot import Snapshot
from store.entries import FleetEntry
from store.journal import Journal
from transport.startups import Startup
from transport.wire.decisions import Decision, Kind
from usher.cluster.cluster import Cluster
from usher.cluster.kept import marked, shared_as
from usher.demand.plan import note
from usher.denied import Denial, after, refuse_unknown
from usher.intake import refusal, stranded
from usher.network import Way
from usher.networks.engines import Engines
from usher.networks.fleets import Fleets
from usher.networks.member import Common, Given, Member
from usher.networks.owners import Elsewhere, Owners
from usher.terms import NEVER, Led

GRACE: Final = 2.0
"""Seconds that requests under way have to end when the daemon stops."""


async def _nothing() -> None:
    """What is done before the journal closes, where nobody asked for anything."""


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
        first = Member(networks[0], common)
        self.members = (first, *(Member(given, common) for given in networks[1:]))
        self.fleets = Fleets({member.name: member.network.fleet for member in self.members}, clock.now)
        engines = {member.name: member.engine for member in self.members}
        self.owners.employ(engines)
        self.engine = Engines(engines, self.owners, journal.load, self._no_use)
        self.paused: FleetEntry | None = None
        self.denied: tuple[Denial, ...] = ()
        journal.on_broken = self._fatal
        self.taken_up = 0
        self.closing: Callable[[], Awaitable[None]] = _nothing  # when nothing moves any more, before the journal closes
        self.cluster = None if first.network.gate is None else self._cluster(networks[0].outside.way, first)

    def left_open(self) -> int:
        """How many effects an earlier process left open that a start takes up."""
        nodes = [effect.node for effect, _ in self.journal.open_effects()]
        found = [snapshot for node in nodes if (snapshot := self.journal.load(node)) is not None]
        return sum(self.owners.of(snapshot) is not None for snapshot in found)

    async def start(
        self,
        paused: FleetEntry | None = None,
        last: Led = NEVER,
        decided: Iterable[tuple[Decision, int]] = (),
        denied: Iterable[Decision] = (),
    ) -> None:
        """Take up what the database holds and begin.

        `paused` is the pause that is in force, `last` the last term, `decided` what operators of the cluster decided,
        `denied` what denies names now.
        """
        self.refuse(*denied)
        if self.cluster is not None:
            self.cluster.stand_by()
        if paused is not None:
            self._pause(paused)
        self.engine.start()
        self.taken_up = self.engine.active
        self._discover()
        for member in self.members:
            await member.network.start()
        if self.cluster is not None:
            await self.cluster.start(last, decided)

    async def stop(self) -> int:
        """Stop in order; answers how many requests under way were given up."""
        for member in self.members:
            member.network.pause(paused=True)
        if self.cluster is not None:
            await self.cluster.stop()
        given_up = await self.engine.stop(GRACE)
        await asyncio.gather(*(member.network.close() for member in self.members))
        await self.closing()
        await self.journal.close()
        return given_up

    async def pause(self, name: str, reason: str) -> None:
        """Take no work and send nothing new, durably, until resumed."""
        if self.cluster is not None:
            await self.cluster.council.fleet(Kind.PAUSE, name, reason)
            return
        entry = FleetEntry(self.clock.now(), "pause", name, reason)
        await self.journal.fleet(entry)
        self._pause(entry)

    async def resume(self, name: str, reason: str) -> None:
        """Go on, durably."""
        if self.cluster is not None:
            await self.cluster.council.fleet(Kind.RESUME, name, reason)
            return
        await self.journal.fleet(FleetEntry(self.clock.now(), "resume", name, reason))
        self.stand(None)

    async def deny(self, kind: Kind, patterns: Sequence[str], name: str, reason: str) -> None:
        """Refuse the names that have one of these patterns, or no more, durably; raises NotDeniedError."""
        refuse_unknown(kind, patterns, [denial.pattern for denial in self.denied])
        if self.cluster is not None:
            for pattern in patterns:
                await self.cluster.council.names(kind, pattern, name, reason)
            return
        now = self.clock.now()
        for pattern in patterns:
            await self.journal.fleet(FleetEntry(now, kind.value, name, reason, marked(pattern)))
            self.refuse(Decision(kind, pattern, now, "", self.journal.lineage, name, reason))

    def refuse(self, *decisions: Decision) -> None:
        """Refuse names, or refuse them no more, by decisions that are durable (usher.cluster.council.Carried)."""
        self.denied = after(self.denied, decisions, self.journal.lineage)
        for member in self.members:
            member.intake.deny(self.denied)

    def ask(self, node: str, wish: Operator) -> Answer:
        """An operator's wish for a node; the answer comes when it is durable."""
        council = self.cluster.council if self.cluster is not None else None
        if council is not None and (kind := shared_as(council.register, node, wish.verb)) is not None:
            return council.node(kind, node, wish)
        return self.carry(node, wish)

    def stand(self, paused: FleetEntry | None) -> None:
        """Be paused by this, which is durable, or not at all (usher.cluster.council.Carried)."""
        if paused is not None:
            self._pause(paused)
            return
        self.paused = None
        self.engine.release(Reason.PAUSED)
        self._discover()

    def _no_use(self, network: str, snapshot: Snapshot, wish: Operator) -> str:
        """Why a wish for a node at rest in this network is no use; empty if it may be."""
        return self.fleets.refuses(network, snapshot, wish) or stranded(self.refused(snapshot.node), snapshot, wish)

    async def plan(self, name: str, reason: str, arguments: Mapping[str, Any], nodes: Sequence[str]) -> int:
        """Note a plan, or more of it, durably; answers which."""
        return await note(self.journal, self.clock.now(), name, reason, arguments, nodes)

    async def discover(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Who is in the fleet now, in each network that can be asked or in the chosen one."""
        return await self.fleets.search(arguments)

    def carry(self, node: str, wish: Operator) -> Answer:
        """A wish, straight to the engines (usher.cluster.council.Carried)."""
        return self.engine.ask(node, wish)

    def heard(self, node: str) -> Startup | None:
        """What the newest startup event under this name said, in whichever network; anybody may have sent it."""
        found = [heard for each in self.members if (heard := each.network.lifecycle.startups.of(node)) is not None]
        return max(found, key=lambda heard: heard.at, default=None)

    def elsewhere(self, node: str) -> Elsewhere | None:
        """The newest sighting under this name in a network that does not have the node; None if there was none."""
        return self.owners.elsewhere(node)

    def refused(self, node: str) -> str:
        """What refuses this name in its network, or in every one if it is no node's; empty if it is taken in."""
        snapshot = self.journal.load(node)
        owner = self.owners.of(snapshot) if snapshot is not None else None
        asked = [member for member in self.members if member.name == owner] or self.members
        return refusal({member.name: member.intake for member in asked}, node)

    @property
    def observes(self) -> bool:
        """Whether it only looks on, and touches nothing."""
        return self.members[0].policy.observe

    def full(self, is_full: bool) -> None:
        """The disk is full, or it is not any more (law 8)."""
        (self.engine.hold if is_full else self.engine.release)(Reason.DISK_FULL)

    def restoring(self, is_held: bool) -> None:
        """The database is being restored: what is sent now would not be known afterwards."""
        (self.engine.hold if is_held else self.engine.release)(Reason.RESTORED)

    def works(self, member: Member) -> bool:
        """Whether all is as it should be with a network: it takes work, or stands by in an election that there is."""
        stands = self.cluster is None or not self.cluster.leadership.trouble
        return stands and not member.engine.holds - {Reason.STANDBY}

    @property
    def ready(self) -> bool:
        """Whether that is so in one network at least."""
        return any(self.works(member) for member in self.members)

    def _pause(self, entry: FleetEntry) -> None:
        self.paused = entry
        self.engine.hold(Reason.PAUSED)
        self._discover()

    def _discover(self) -> None:
        """Discover unless paused or standing by."""
        for member in self.members:
            member.network.pause(paused=self.paused is not None or Reason.STANDBY in member.engine.holds)

    def _cluster(self, way: Way, member: Member) -> Cluster:
        def follow(epoch: int) -> None:
            self.epoch = epoch

        return Cluster(
            way,
            member,
            self.journal,
            self.clock,
            self,
            working=self._discover,
            epoch=follow,
            fatal=self._fatal,
        )

    def _fatal(self, error: BaseException) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
