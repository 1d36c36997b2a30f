"""A member: one network at work: its engine, its connections, and what both are made of.

Rules:
1. Nothing is shared with another network but the journal, the vault and the loop: what fails here is held here.
2. Its engine goes on while its own way to the nodes stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fsm.effects import Intent, Port
from fsm.events import Event, HintKind
from fsm.machine import Rejected
from fsm.policy import Policy
from fsm.ports import Clock, Outcome, Store, Vault
from fsm.reasons import Reason
from fsm.runtime.engine import Engine
from fsm.runtime.observer import Observer, Transition
from store.journal import Journal
from transport.reports import Discards, Report
from usher.effects.hand import Hand
from usher.effects.observing import Observing
from usher.effects.performer import Effects
from usher.effects.site import Ports, SiteFacts
from usher.effects.tokens import Tokens
from usher.harmless import NOTHING_MORE, Harmless
from usher.intake import Intake
from usher.network import Network, Told, Way
from usher.networks.owners import ELSEWHERE, Owners
from usher.networks.share import Share
from usher.rotation.known import Known
from usher.rotation.rotation import Live


@dataclass(frozen=True, slots=True)
class Outside:
    """What a network is given of the world: everything but the database and the broker's replies.

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
    secrets: Known = field(default_factory=Known, repr=False)
    harmless: Harmless = NOTHING_MORE


@dataclass(frozen=True, slots=True)
class Given:
    """What a network begins with; `observers` are told what happens in it, `told` makes the listeners of its broker.

    `told` takes what it has to tell the engine: names that were seen, and whether the way is open.
    """

    outside: Outside
    policy: Policy
    observers: Sequence[Observer]
    told: Callable[[Callable[[str, HintKind], None], Callable[[bool], None]], Told]


@dataclass(frozen=True, slots=True)
class Common:
    """What all networks have in common; `fatal` has the process end."""

    journal: Journal
    vault: Vault
    epoch: int
    owners: Owners
    fatal: Callable[[BaseException], None]


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


class Member:
    """One network: `start` and `close` are for its connections, its engine is started with the others."""

    def __init__(self, given: Given, common: Common) -> None:
        """Compose; nothing moves yet."""
        outside, journal = given.outside, common.journal
        self.name: Final = given.policy.network
        self.policy, self.clock, self.journal = given.policy, outside.clock, journal
        self._told = given.told(self._hint, self._way_open)
        self.network = Network(outside.way, self._told, outside.clock)
        ports = outside.ports(self.network, Hand(journal, common.vault))
        facts = SiteFacts(outside.tokens, journal.lineage, outside.inject, outside.secrets, outside.harmless)
        self._owners = common.owners
        effects = Effects(ports, facts)
        store: Store = Share(journal, lambda snapshot: common.owners.of(snapshot) == self.name)
        self.engine = Engine(
            store, outside.clock, Observing(effects) if given.policy.observe else effects, given.policy, common.epoch,
            Chorus(given.observers), common.fatal, outside.limits, self._may if common.owners.needed else _anybody,
        )  # fmt: skip
        self.engine.hold(Reason.DISCONNECTED)
        self.intake = outside.intake
        self.intake.on_change = self._take_in
        self._take_in()

    @property
    def discards(self) -> Discards:
        """Where what its brokers deliver in vain is counted."""
        return self._told.discards

    @property
    def reports(self) -> Mapping[str, Report]:
        """The newest report of each connection."""
        return self.network.reports

    def follow(self, policy: Policy) -> None:
        """Decide by another policy from the next event on; it is remembered durably."""
        self.policy = policy
        self.engine.follow(policy)

    def _way_open(self, is_open: bool) -> None:
        """The way to the nodes opened or closed."""
        (self.engine.release if is_open else self.engine.hold)(Reason.DISCONNECTED)

    def _hint(self, node: str, kind: HintKind) -> None:
        if Reason.STANDBY in self.engine.holds:
            return  # who leads hears it too; whoever wins discovers
        refused = self.intake.refuses(node)
        if refused and kind is not HintKind.SECOND_ANSWER:  # that is of one in flight, who must not be configured then
            self._told.discards.count(refused)
        else:
            self.engine.hints.add(node, kind)

    def _take_in(self) -> None:
        self.engine.admission.follow(lambda node: bool(self.intake.refuses(node)), self.intake.per_minute)

    def _may(self, node: str) -> bool:
        """Whether a sighting is this engine's affair; if not it is counted."""
        if self._owners.may(node, self.name):
            return True
        self._told.discards.count(ELSEWHERE)
        return False


def _anybody(_node: str) -> bool:
    """Where there is one network alone, every name is its own."""
    return True
