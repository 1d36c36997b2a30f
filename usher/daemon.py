"""The daemon: where every room meets; it composes, starts, waits, and stops in order.

Rules:
1. Nothing is decided here: the engine does that. Nothing is translated here: the adapters do that.
2. It ends cleanly on a wish (INT, TERM) and with a failure when the store fails, since a restart is the tested path.
3. It starts from the database alone: every node goes on where it was.
4. Stopping: take no work, let requests under way end for a moment, finish what is being committed, log out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fsm.effects import Intent, Port
from fsm.events import Event, HintKind, Operator
from fsm.machine import Rejected
from fsm.policy import Policy
from fsm.ports import Clock, Outcome, Vault
from fsm.reasons import Reason
from fsm.runtime.engine import Answer, Engine
from fsm.runtime.observer import Observer, Transition
from store.entries import FleetEntry
from store.journal import Journal
from transport.reports import Report
from transport.startups import Startup
from usher.effects.hand import Hand
from usher.effects.observing import Observing
from usher.effects.performer import Effects
from usher.effects.site import Ports, SiteFacts
from usher.effects.tokens import Tokens
from usher.harmless import NOTHING_MORE, Harmless
from usher.intake import Intake
from usher.network import Network, Told, Way
from usher.rotation.rotation import Live

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
    intake: Intake
    secrets: Collection[str] = field(default=(), repr=False)
    harmless: Harmless = NOTHING_MORE


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
        self.intake, listeners = outside.intake, told(self._hint, self.way_open)
        self._discards = listeners.discards
        self.network = Network(outside.way, listeners, outside.clock)
        ports = outside.ports(self.network, Hand(journal, vault))
        facts = SiteFacts(outside.tokens, journal.lineage, outside.inject, outside.secrets, outside.harmless)
        effects = Effects(ports, facts)
        hand = Observing(effects) if policy.observe else effects
        self.engine = Engine(
            journal, outside.clock, hand, policy, epoch, Chorus(observers), self._fatal, outside.limits
        )
        self.intake.on_change = self._take_in
        self._take_in()
        self.paused: FleetEntry | None = None
        journal.on_broken = self._fatal
        self.taken_up = 0

    async def start(self, paused: FleetEntry | None = None) -> None:
        """Take up what the database holds and begin; `paused` is the pause that is in force, if one is."""
        self.engine.hold(Reason.DISCONNECTED)
        if paused is not None:
            self._pause(paused)
        self.engine.start()
        self.taken_up = self.engine.active
        await self.network.start()

    async def stop(self) -> int:
        """Stop in order; answers how many requests under way were given up."""
        self.network.pause(paused=True)
        given_up = await self.engine.stop(GRACE)
        await self.network.close()
        await self.journal.close()
        return given_up

    async def pause(self, name: str, reason: str) -> None:
        """Take no work and send nothing new, durably, until resumed."""
        entry = FleetEntry(self.clock.now(), "pause", name, reason)
        await self.journal.fleet(entry)
        self._pause(entry)

    async def resume(self, name: str, reason: str) -> None:
        """Go on, durably."""
        await self.journal.fleet(FleetEntry(self.clock.now(), "resume", name, reason))
        self.paused = None
        self.engine.release(Reason.PAUSED)
        self.network.pause(paused=False)

    def ask(self, node: str, wish: Operator) -> Answer:
        """An operator's wish for a node; the answer comes when it is durable."""
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
    def reports(self) -> Mapping[str, Report]:
        """The newest report of each connection."""
        return self.network.reports

    def _pause(self, entry: FleetEntry) -> None:
        self.paused = entry
        self.engine.hold(Reason.PAUSED)
        self.network.pause(paused=True)

    def _take_in(self) -> None:
        self.engine.admission.follow(lambda node: bool(self.intake.refuses(node)), self.intake.per_minute)

    def _hint(self, node: str, kind: HintKind) -> None:
        refused = self.intake.refuses(node)
        if refused and kind is not HintKind.SECOND_ANSWER:  # that is of one in flight, who must not be configured then
            self._discards.count(refused)
        else:
            self.engine.hints.add(node, kind)

    def _fatal(self, error: BaseException) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
