"""An engine on a store in memory, with a performer that does as a test says; every law is looked at on the way."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from fsm.codec import decode_snapshot
from fsm.demand import SENDS
from fsm.effects import SPECS, TO_NODES, Effect, Intent, Port
from fsm.events import (
    Ack,
    Body,
    Certainty,
    Done,
    Event,
    Failed,
    HelperFacts,
    HintKind,
    InventoryFacts,
    JwtFacts,
    KeyFacts,
    Operator,
    PairFacts,
    Payload,
    Sent,
    Sighting,
    TokenFacts,
    Verb,
    Verdict,
    WrapFacts,
)
from fsm.machine import Decision, Rejected
from fsm.policy import Policy
from fsm.ports import Outcome
from fsm.reasons import Reason
from fsm.runtime.engine import Engine
from fsm.runtime.observer import Transition
from fsm.snapshot import Snapshot
from fsm.states import State
from fsm.unit import Unit
from store.entries import Status
from tests.fakes.clock import JumpingClock, JumpingLoop, sent_over, settle
from tests.fakes.store import MemoryStore

POLICY = Policy(signer="ab12")
DIGEST = sha256(b"").hexdigest()
CONNECTION = "c1"
NODE = "n1.example.net"

Answer = Outcome | Exception
Script = Callable[[Intent], "Answer | Awaitable[Answer]"]


def done(intent: Intent, facts: Payload | None = None, sent: Sent | None = None) -> Outcome:
    """The effect succeeded."""
    return Outcome(Done(intent.effect, intent.id, facts or FACTS[intent.effect], sent))


def failed(
    intent: Intent,
    certainty: Certainty = Certainty.UNKNOWN,
    reason: Reason = Reason.NO_ANSWER,
    *,
    transient: bool = True,
    sent: Sent | None = None,
) -> Outcome:
    """The effect did not succeed."""
    return Outcome(Failed(intent.effect, intent.id, certainty, reason, "", transient, sent))


FACTS: Mapping[Effect, Payload] = {
    Effect.FETCH_JWT: JwtFacts(DIGEST, "3MN", provisions_by_default=True),
    Effect.FETCH_INVENTORY: InventoryFacts(DIGEST, "0.30.0", upgradable=False),
    Effect.NEW_KEY: KeyFacts("1c" * 32, "/etc/choria"),
    Effect.RUN_HELPER: HelperFacts(DIGEST, Verdict.CONFIGURE, ""),
    Effect.SIGN_TOKEN: TokenFacts("2Qx", DIGEST, 1_900_000_000, "ab12"),
    Effect.EXCHANGE_KEY: PairFacts("6a" * 8, "7b" * 8),
    Effect.WRAP_KEY: WrapFacts(DIGEST),
    Effect.CONFIGURE: Ack("Reconfigured", DIGEST),
    Effect.RESTART: Ack("Restarting"),
    Effect.SHUTDOWN: Ack("Shutting down"),
    **dict.fromkeys((Effect.LOOK, Effect.LOOK_IN_FLEET), Sighting(present=False)),
    **dict.fromkeys(SENDS, Ack("Restarting after 11s")),
}
"""What each effect brings when all goes well."""


class LawfulStore(MemoryStore):
    """Refuses what no invariant allows: a snapshot that is not sound (9); seq (2) and open effects (3) it refuses too.

    `commits` may name what the next commit of a node raises instead.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refusals: dict[str, Exception] = {}

    def killed(self) -> None:
        """The process ends: what it has handed over and what is not durable yet never was."""
        self._waiting.clear()

    def commit(self, unit: Unit) -> asyncio.Future[None]:
        assert unit.snapshot.sound(), unit
        error = self.refusals.pop(unit.snapshot.node, None)
        if error is not None:
            refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused
        return super().commit(unit)


class Performer:
    """Does as it is told for an effect, else what goes well; looks at invariant 4 and 8 each time."""

    def __init__(self, store: MemoryStore, clock: JumpingClock, changed: Callable[[], None]) -> None:
        self._store, self._clock, self._changed = store, clock, changed
        self.scripts: dict[Effect, Script] = {}
        self.calls: list[Intent] = []
        self.running: Counter[Port] = Counter()
        self.most: Counter[Port] = Counter()

    def named(self, effect: Effect) -> list[str]:
        """The nodes for which an effect was carried out, in order."""
        return [intent.id.node for intent in self.calls if intent.effect is effect]

    async def perform(self, intent: Intent, snapshot: Snapshot) -> Outcome:
        """As the port says."""
        assert self._store.effects[intent.id.node] == (intent, Status.STARTED), "it acts before the commit"
        assert self._store.load(intent.id.node) == snapshot
        assert intent.id.epoch == self._store.epoch, "an effect of an older epoch"
        self.calls.append(intent)
        self._changed()
        port = SPECS[intent.effect].port
        self.running[port] += 1
        self.most[port] = max(self.most[port], self.running[port])
        try:
            answer = self.scripts.get(intent.effect, self._well)(intent)
            if isinstance(answer, Awaitable):
                answer = await answer
        finally:
            self.running[port] -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _well(self, intent: Intent) -> Outcome:
        sent = sent_over(self._clock, CONNECTION) if SPECS[intent.effect].port in TO_NODES else None
        return done(intent, sent=sent)


@dataclass
class Watcher:
    """An observer that keeps what it is told, sees that it is durable, and can be waited with."""

    store: MemoryStore
    moves: list[Transition] = field(default_factory=list)
    rejections: list[tuple[str, Event, Rejected]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    crashes: list[tuple[str, Exception]] = field(default_factory=list)
    raises: Exception | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    states: dict[str, State] = field(default_factory=dict)

    def __post_init__(self) -> None:
        held = map(decode_snapshot, self.store.bodies.values())
        self.states.update((snapshot.node, snapshot.state) for snapshot in held)

    def moved(self, transition: Transition) -> None:
        after = transition.decision.snapshot
        assert after.node in self.store.bodies
        self.states[after.node] = after.state
        self.moves.append(transition)
        self.changed.set()
        if self.raises is not None:
            raise self.raises

    def rejected(self, node: str, event: Event, rejected: Rejected) -> None:
        self.rejections.append((node, event, rejected))
        self.changed.set()

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        self.outcomes.append(outcome)
        self.changed.set()

    def crashed(self, node: str, error: Exception) -> None:
        self.crashes.append((node, error))
        self.changed.set()


_living: list[Rig] = []


class Rig:
    """One engine with all that it needs; another may be begun on the same store."""

    def __init__(
        self,
        clock: JumpingClock,
        store: LawfulStore | None = None,
        policy: Policy = POLICY,
        limits: Mapping[Port, int] | None = None,
    ) -> None:
        self.clock = clock
        self.store = store or LawfulStore()
        self.store.epoch += 1
        self.watcher = Watcher(self.store)
        self.performer = Performer(self.store, clock, self.watcher.changed.set)
        self.fatal: list[BaseException] = []
        self.engine = Engine(
            self.store, clock, self.performer, policy, self.store.epoch, self.watcher, self._fatal, limits
        )
        _living.append(self)

    async def end(self) -> None:
        """Nothing of it goes on after its test."""
        self.store.release()
        self.engine.hold(Reason.STOPPING)
        await self.engine.executor.finish(0)
        self.engine._over = True
        await settle()

    def _fatal(self, error: BaseException) -> None:
        self.fatal.append(error)
        self.watcher.changed.set()

    def seen(self, *nodes: str, kind: HintKind = HintKind.LISTED) -> None:
        """Discovery lists these."""
        for node in nodes:
            self.engine.hints.add(node, kind)

    def post(self, node: str, body: Body) -> None:
        self.engine.post(node, body)

    async def ask(self, node: str, verb: Verb) -> Decision | Rejected:
        """An operator's wish."""
        return await self.engine.ask(node, Operator(verb, "anna", "a test"))

    def state(self, node: str = NODE) -> State:
        return self.watcher.states.get(node, State.UNSEEN)

    def snapshot(self, node: str = NODE) -> Snapshot:
        snapshot = self.store.load(node)
        assert snapshot is not None
        return snapshot

    def states(self) -> Counter[State]:
        return Counter(self.watcher.states.values())

    def rows(self, node: str = NODE) -> list[str]:
        """What happened to a node, by the names of the rows."""
        return [move.decision.row.name for move in self.watcher.moves if move.before.node == node]

    async def until(self, condition: Callable[[], bool], within: float = 86_400.0) -> None:
        """Wait for a condition, which is looked at after each thing that is told; seconds of virtual time."""
        async with asyncio.timeout(within):
            while not condition():
                self.watcher.changed.clear()
                await self.watcher.changed.wait()

    async def until_state(self, state: State, node: str = NODE) -> None:
        await self.until(lambda: self.state(node) is state)

    async def until_all(self, state: State, count: int, within: float = 86_400.0) -> None:
        await self.until(lambda: self.states()[state] == count, within)


def names(count: int, what: str = "n") -> list[str]:
    """So many names."""
    return [f"{what}{number:04d}.example.net" for number in range(count)]


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test in virtual time; it is given a `rig` if it asks for one."""
    wanted = inspect.signature(test)

    async def body(*args: Any, **values: Any) -> None:
        if "rig" in wanted.parameters:
            values["rig"] = Rig(JumpingClock())
        try:
            await test(*args, **values)
        finally:
            while _living:
                await _living.pop().end()

    @functools.wraps(test)
    def run(*args: Any, **values: Any) -> None:
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            runner.run(body(*args, **values))

    run.__signature__ = wanted.replace(parameters=[one for name, one in wanted.parameters.items() if name != "rig"])  # type: ignore[attr-defined]
    del run.__wrapped__  # type: ignore[attr-defined]
    return run
