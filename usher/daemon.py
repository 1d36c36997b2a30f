"""The daemon: where every room meets; it composes, starts, waits, and stops in order.

Rules:
1. Nothing is decided here: the engine does that. Nothing is translated here: the adapters do that.
2. It ends cleanly on a wish (INT, TERM) and with a failure when the store fails, since a restart is the tested path.
3. It starts from the database alone: every node goes on where it was.
4. Stopping: take no work, let requests under way end for a moment, finish what is being committed, log out.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fsm.effects import Intent, Port
from fsm.events import Event, HintKind, Operator
from fsm.machine import Rejected
from fsm.policy import Policy
from fsm.ports import Clock, Outcome, Vault
from fsm.reasons import Reason
from fsm.runtime.engine import Answer, Engine
from fsm.runtime.observer import Observer, Transition
from security.peers import PeerSeal
from store.entries import FleetEntry
from store.journal import Journal
from transport.reports import Report
from transport.startups import Startup
from transport.wire.decisions import Decision, Kind
from usher.cluster.council import Council
from usher.cluster.kept import shared_as
from usher.cluster.peers import Peers
from usher.demand.plan import note
from usher.demand.searching import search
from usher.effects.hand import Hand
from usher.effects.performer import Effects
from usher.effects.site import Ports, SiteFacts
from usher.effects.tokens import Tokens
from usher.harmless import NOTHING_MORE, Harmless
from usher.leading import Leadership
from usher.network import Network, Told, Way
from usher.rotation.rotation import Live
from usher.terms import NEVER, Led

GRACE: Final = 2.0
"""Seconds that requests under way have to end when the daemon stops."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What the daemon is given of the world: everything but the database and the broker's replies.

    `secrets` are the site's own, and `harmless` says which of a node's values may be shown.
    """

    clock: Clock
    way: Way
    ports: Callable[[Network, Hand], Ports]
    tokens: Tokens = field(repr=False)
    inject: bool
    limits: Mapping[Port, int]
    live: Live
    secrets: Collection[str] = field(default=(), repr=False)
    harmless: Harmless = NOTHING_MORE


async def _nothing() -> None:
    """What is done before the journal closes, where nobody asked for anything."""


class Chorus:
    """An observer made of several, told in order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        """Hold them."""
        self._observers = observers

    def moved(self, transition: Transition) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.moved(transition)

    def rejected(self, node: str, event: Event, rejected: Rejected) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.rejected(node, event, rejected)

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.ended(intent, outcome, seconds)

    def crashed(self, node: str, error: Exception) -> None:
        """Pass on."""
        for observer in self._observers:
            observer.crashed(node, error)


class Daemon:
    """Usher at work on one journal and one broker."""

    def __init__(
        self,
        outside: Outside,
        journal: Journal,
        vault: Vault,
        policy: Policy,
        epoch: int,
        observers: Sequence[Observer],
        told: Callable[[Callable[[str, HintKind], None], Callable[[bool], None]], Told],
    ) -> None:
        """Compose; nothing moves before `start`. `told` makes the network's listeners around the engine's two."""
        self.journal, self.policy, self.epoch, self.clock = journal, policy, epoch, outside.clock
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        listeners = told(self._hint, self.way_open)
        self.network = Network(outside.way, listeners, outside.clock)
        ports = outside.ports(self.network, Hand(journal, vault))
        facts = SiteFacts(outside.tokens, journal.lineage, outside.inject, outside.secrets, outside.harmless)
        self.engine = Engine(
            journal, outside.clock, Effects(ports, facts), policy, epoch, Chorus(observers), self._fatal, outside.limits
        )
        self.paused: FleetEntry | None = None
        journal.on_broken = self._fatal
        self.taken_up = 0
        self.closing: Callable[[], Awaitable[None]] = _nothing  # when nothing moves any more, before the journal closes
        self.leadership = self._leadership(outside.way)
        self.council: Council | None = None
        self.peers: Peers | None = None
        if self.leadership is not None:
            self.council = Council(outside.way.election_name, outside.clock, journal, self)
            seal = PeerSeal(lambda: outside.way.credentials.password)
            usher = secrets.token_hex(8)
            self.peers = Peers(usher, self.leadership, self.council, seal, outside.clock, listeners.discards)

    async def start(
        self,
        paused: FleetEntry | None = None,
        last: Led = NEVER,
        decided: Iterable[tuple[Decision, int]] = (),
    ) -> None:
        """Take up what the database holds and begin.

        `paused` is the pause that is in force, `last` the last term, `decided` what operators of the cluster decided.
        """
        self.engine.hold(Reason.DISCONNECTED)
        if self.leadership is not None:
            self.engine.hold(Reason.STANDBY)
        if paused is not None:
            self._pause(paused)
        self.engine.start()
        self.taken_up = self.engine.active
        self._discover()
        await self.network.start()
        await self._stand(last, decided)

    async def stop(self) -> int:
        """Stop in order; answers how many requests under way were given up."""
        self.network.pause(paused=True)
        if self.peers is not None and self.council is not None:
            self.peers.stop()
            self.council.stop()
        if self.leadership is not None:
            self.engine.hold(Reason.STOPPING)
            await self.leadership.stop()
        given_up = await self.engine.stop(GRACE)
        await self.network.close()
        await self.closing()
        await self.journal.close()
        return given_up

    async def pause(self, name: str, reason: str) -> None:
        """Take no work and send nothing new, durably, until resumed."""
        if self.council is not None:
            await self.council.fleet(Kind.PAUSE, name, reason)
            return
        entry = FleetEntry(self.clock.now(), "pause", name, reason)
        await self.journal.fleet(entry)
        self._pause(entry)

    async def resume(self, name: str, reason: str) -> None:
        """Go on, durably."""
        if self.council is not None:
            await self.council.fleet(Kind.RESUME, name, reason)
            return
        await self.journal.fleet(FleetEntry(self.clock.now(), "resume", name, reason))
        self.stand(None)

    def ask(self, node: str, wish: Operator) -> Answer:
        """An operator's wish for a node; the answer comes when it is durable."""
        if self.council is not None and (kind := shared_as(self.council.register, node, wish.verb)) is not None:
            return self.council.node(kind, node, wish)
        return self.carry(node, wish)

    def stand(self, paused: FleetEntry | None) -> None:
        """Be paused by this, which is durable, or not at all (usher.cluster.council.Carried)."""
        if paused is not None:
            self._pause(paused)
            return
        self.paused = None
        self.engine.release(Reason.PAUSED)
        self._discover()

    async def plan(self, name: str, reason: str, arguments: Mapping[str, Any], nodes: Sequence[str]) -> int:
        """Note a plan, or more of it, durably; answers which."""
        return await note(self.journal, self.clock.now(), name, reason, arguments, nodes)

    async def discover(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Who is in the fleet now."""
        return await search(self.network.fleet, arguments)

    def carry(self, node: str, wish: Operator) -> Answer:
        """A wish, straight to the engine (usher.cluster.council.Carried)."""
        return self.engine.ask(node, wish)

    def heard(self, node: str) -> Startup | None:
        """What the newest startup event under this name said; anybody may have sent it."""
        return self.network.lifecycle.startups.of(node)

    def follow(self, policy: Policy) -> None:
        """Decide by another policy from the next event on; it is remembered durably."""
        self.policy = policy
        self.engine.follow(policy)

    def full(self, is_full: bool) -> None:
        """The disk is full, or it is not any more (law 8)."""
        (self.engine.hold if is_full else self.engine.release)(Reason.DISK_FULL)

    def restoring(self, is_held: bool) -> None:
        """The database is being restored: what is sent now would not be known afterwards."""
        (self.engine.hold if is_held else self.engine.release)(Reason.RESTORED)

    def way_open(self, is_open: bool) -> None:
        """The way to the nodes opened or closed."""
        (self.engine.release if is_open else self.engine.hold)(Reason.DISCONNECTED)

    @property
    def ready(self) -> bool:
        """Whether all is as it should be: it takes work, or stands by in an election that there is."""
        stands = self.leadership is None or not self.leadership.trouble
        return stands and not self.engine.holds - {Reason.STANDBY}

    @property
    def reports(self) -> Mapping[str, Report]:
        """The newest report of each connection."""
        return self.network.reports

    def _pause(self, entry: FleetEntry) -> None:
        self.paused = entry
        self.engine.hold(Reason.PAUSED)
        self._discover()

    async def _stand(self, last: Led, decided: Iterable[tuple[Decision, int]]) -> None:
        """Take part in the election, and in what the ushers of the cluster decide."""
        lease = self.network.lease
        if self.leadership is None or self.council is None or self.peers is None or lease is None:
            return
        self.council.start(decided, self._fatal)
        await self.peers.start(lease, self.journal.lineage)
        election = self.network.election(lease, self.leadership.changed, self.leadership.heard_of)
        await self.leadership.start(election, last)

    def _hint(self, node: str, kind: HintKind) -> None:
        if Reason.STANDBY not in self.engine.holds:  # who leads hears it too; whoever wins discovers
            self.engine.hints.add(node, kind)

    def _discover(self) -> None:
        """Discover unless paused or standing by."""
        self.network.pause(paused=self.paused is not None or Reason.STANDBY in self.engine.holds)

    def _leadership(self, way: Way) -> Leadership | None:
        network = self.network
        if network.gate is None:
            return None

        def follow(epoch: int) -> None:
            self.epoch = epoch

        return Leadership(
            way.election_name,
            way.caller.sender,
            self.clock,
            self.engine,
            self.journal,
            network.gate,
            network.tracked,
            take_back=network.rpc.take_back,
            working=self._discover,
            epoch=follow,
            fatal=self._fatal,
        )

    def _fatal(self, error: BaseException) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
