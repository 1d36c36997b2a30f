"""Two engines on one store in memory, as a daemon with two networks has them; every law is looked at on the way."""

from __future__ import annotations

from dataclasses import dataclass, field

from fsm.effects import Effect, Intent
from fsm.errors import CallError
from fsm.events import HintKind, Operator, Sighting, Verb
from fsm.policy import Policy
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.runtime.engine import Answer, Engine
from fsm.snapshot import Snapshot
from tests.fakes.clock import JumpingClock, sent_over
from tests.fakes.rpc import FakeRpc
from tests.fakes.runtime import CONNECTION, LawfulStore, Performer, Watcher, done
from usher.networks.engines import Engines
from usher.networks.fleets import Fleets
from usher.networks.owners import Owners
from usher.networks.share import Share

EAST, WEST = "east", "west"


class Within(Performer):
    """A performer of one network: it is asked for nobody who is not there, or is looked for there."""

    def __init__(self, network: str, store: LawfulStore, clock: JumpingClock, watcher: Watcher) -> None:
        super().__init__(store, clock, watcher.changed.set)
        self._network = network
        self.there: set[str] = set()
        self.scripts[Effect.LOOK] = self._look

    async def perform(self, intent: Intent, snapshot: Snapshot) -> Outcome:
        assert intent.effect is Effect.LOOK or snapshot.network == self._network, "the node of another network"
        return await super().perform(intent, snapshot)

    def _look(self, intent: Intent) -> Outcome:
        return self.gone(intent) if intent.id.node not in self.there else self._found(intent)

    def gone(self, intent: Intent) -> Outcome:
        """Nobody is there."""
        return done(intent, Sighting(present=False), sent_over(self._clock, CONNECTION))

    def _found(self, intent: Intent) -> Outcome:
        return done(intent, Sighting(present=True, age=3_600_000), sent_over(self._clock, CONNECTION))


@dataclass
class Way(FakeRpc):
    """The way to one network's provisioned servers, of which these answer."""

    present: list[str] | CallError = field(default_factory=list)
    closed: str = ""

    async def names(self) -> list[str]:
        if isinstance(self.present, CallError):
            raise self.present
        return self.present


class Pair:
    """Engines for `networks` on one store; another pair on the same store is the next start."""

    def __init__(self, clock: JumpingClock, store: LawfulStore | None = None, *networks: str) -> None:
        self.clock, self.store = clock, store or LawfulStore()
        self.store.epoch += 1
        self.watcher = Watcher(self.store)
        self.fatal: list[BaseException] = []
        self.refused: list[tuple[str, str]] = []
        names = networks or (EAST, WEST)
        self.owners = Owners(names, self.store.load, clock.now, foreign=True)
        self.performers = {name: Within(name, self.store, clock, self.watcher) for name in names}
        self.each = {name: self._engine(name) for name in names}
        self.owners.employ(self.each)
        self.fleets = {name: Way(clock) for name in names}
        refuses = Fleets(self.fleets, clock.now).refuses
        self.engines = Engines(self.each, self.owners, self.store.load, refuses)

    def _engine(self, name: str) -> Engine:
        def may(node: str) -> bool:
            if self.owners.may(node, name):
                return True
            self.refused.append((name, node))
            return False

        store = Share(self.store, lambda snapshot: self.owners.of(snapshot) == name)
        policy = Policy(signer="ab12", network=name)
        performer = self.performers[name]
        return Engine(
            store, self.clock, performer, policy, self.store.epoch, self.watcher, self.fatal.append, None, may
        )

    def start(self) -> Pair:
        self.engines.start()
        return self

    def seen(self, network: str, *nodes: str, kind: HintKind = HintKind.LISTED) -> None:
        """Discovery lists these there."""
        for node in nodes:
            self.each[network].hints.add(node, kind)

    def ask(self, node: str, verb: Verb) -> Answer:
        return self.engines.ask(node, Operator(verb, "anna", "a test"))

    def snapshot(self, node: str) -> Snapshot:
        found = self.store.load(node)
        assert found is not None
        return found

    def rows(self, node: str) -> list[str]:
        return [move.decision.row.name for move in self.watcher.moves if move.before.node == node]

    def in_hand(self, node: str) -> list[str]:
        """The networks whose engines have it in their hands."""
        return [name for name, engine in self.each.items() if not engine.resting(node)]

    async def end(self) -> None:
        """The process ends: what is not durable never was."""
        for engine in self.each.values():
            engine._die(SystemExit())
        self.store.killed()
        for engine in self.each.values():
            engine.hold(Reason.STOPPING)
            await engine.executor.finish(0)
