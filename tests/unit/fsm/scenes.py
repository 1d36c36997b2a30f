"""A node's life, told event by event: what the tests of the table are written in."""

from __future__ import annotations

from dataclasses import dataclass, field

from fsm.effects import Effect, Feature
from fsm.events import (
    Ack,
    Body,
    Certainty,
    CsrFacts,
    Done,
    Due,
    DueKind,
    Event,
    Failed,
    HelperFacts,
    Hint,
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
from fsm.machine import Decision, Rejected, decide
from fsm.policy import Policy
from fsm.quiet import configuration
from fsm.reasons import Reason
from fsm.recovery import interruption
from fsm.snapshot import Snapshot, unseen
from fsm.states import State

NOW = 1_795_202_697_000
GONE = Sighting(present=False)
OLD = Sighting(present=True, age=3_600_000)
NEW = Sighting(present=True, age=1_000)
KEY = "0a" * 32
X509 = Policy(features=frozenset({Feature.JWT, Feature.PKI}))
"""A network whose nodes have certificates."""
CARRIED = Policy(features=frozenset({Feature.JWT}))
"""A network whose helper supplies certificates, and the keys for them."""


@dataclass
class Scene:
    """One node, from the first hint on; time moves only when something says so."""

    policy: Policy = field(default_factory=Policy)
    snapshot: Snapshot = field(default_factory=lambda: unseen("web1.example.net"))
    now: int = NOW
    connection: str = "c1"
    epoch: int = 1
    entropy: bytes = bytes(16)
    last: Decision | Rejected | None = None
    supplied: bool = False

    def post(self, body: Body) -> Scene:
        """Something happens now."""
        self.last = decide(self.snapshot, Event(self.now, self.entropy, body, self.epoch), self.policy)
        if isinstance(self.last, Decision):
            self.snapshot = self.last.snapshot
        return self

    def later(self, milliseconds: int) -> Scene:
        """Time passes."""
        self.now += milliseconds
        return self

    def hint(self, kind: HintKind = HintKind.LISTED) -> Scene:
        """Somebody says something about the node."""
        return self.post(Hint(kind))

    def asks(self, verb: Verb, plan: int = 0, *, force: bool = False) -> Scene:
        """An operator asks for something."""
        return self.post(Operator(verb, "root", "because", plan, force))

    def due(self) -> Scene:
        """What the node waits for comes."""
        awaited = self.snapshot.awaited
        if awaited is None:
            return self.post(Due(DueKind.ADMIT))
        self.now = max(self.now, awaited.at)
        return self.post(Due(awaited.kind, awaited.at))

    def done(self, facts: Payload | None = None) -> Scene:
        """The open effect succeeds."""
        doing, identity = self.snapshot.open, self.snapshot.effect_id()
        assert doing is not None
        assert identity is not None
        return self.post(Done(doing.effect, identity, facts or self.usual(doing.effect), self.sent()))

    def fails(self, certainty: Certainty, reason: Reason = Reason.NO_ANSWER, *, transient: bool = True) -> Scene:
        """The open effect does not succeed."""
        doing, identity = self.snapshot.open, self.snapshot.effect_id()
        assert doing is not None
        assert identity is not None
        return self.post(Failed(doing.effect, identity, certainty, reason, "so it said", transient, self.sent()))

    def sent(self) -> Sent:
        """A request that was sent just now."""
        return Sent(self.now, self.connection)

    def crash(self, *, started: bool = True) -> Scene:
        """Usher is killed and starts again."""
        self.epoch, self.connection = self.epoch + 1, self.connection + "+"
        closing = interruption(self.snapshot, started=started)
        return self.post(closing) if closing else self

    def usual(self, effect: Effect) -> Payload:  # noqa: C901, PLR0911 one answer for each effect
        """What an effect brings where all goes well."""
        match effect:
            case Effect.FETCH_JWT:
                return JwtFacts("1b" * 32, "jti", provisions_by_default=True)
            case Effect.FETCH_INVENTORY:
                return InventoryFacts("2c" * 32, "0.30.2", upgradable=False)
            case Effect.NEW_KEY:
                return KeyFacts(KEY, "/etc/choria")
            case Effect.NEW_CSR:
                return CsrFacts("5f" * 32, KEY, "/etc/choria/ssl")
            case Effect.RUN_HELPER:
                return helper(Verdict.CONFIGURE, key=self.supplied)
            case Effect.SIGN_TOKEN:
                return TokenFacts("token", "3d" * 32, 1_826_738_754, self.policy.signer)
            case Effect.EXCHANGE_KEY:
                return PairFacts("6a" * 8, "7b" * 8)
            case Effect.WRAP_KEY:
                return WrapFacts(f"{self.snapshot.facts.pairs:064x}")
            case Effect.CONFIGURE:
                return Ack("Wrote 9 lines", configuration(self.snapshot.facts))
            case Effect.RESTART | Effect.SHUTDOWN:
                return Ack("after 2s")
            case Effect.SEND_REPROVISION | Effect.SEND_RESTART | Effect.SEND_SHUTDOWN:
                return Ack("after 9s")
            case Effect.LOOK | Effect.LOOK_IN_FLEET:
                return GONE

    def until(self, effect: Effect) -> Scene:
        """All goes well until this effect is open."""
        for _ in range(40):
            if self.snapshot.open is not None and self.snapshot.open.effect is effect:
                return self
            self.go_on()
        raise AssertionError(f"{effect} never opens: {self.snapshot}")

    def to(self, state: State) -> Scene:
        """All goes well until this fact holds."""
        for _ in range(40):
            if self.snapshot.state is state:
                return self
            self.go_on()
        raise AssertionError(f"{state} is never reached: {self.snapshot}")

    def go_on(self) -> Scene:
        """What comes next where all goes well."""
        if self.snapshot.open is not None:
            return self.done()
        if self.snapshot.awaited is not None or self.snapshot.waiting_for_admission:
            return self.due()
        return self.hint()

    # -- what the tests ask --

    @property
    def row(self) -> str:
        """The row that fired or ignored."""
        assert self.last is not None
        assert self.last.row is not None
        return self.last.row.name

    @property
    def state(self) -> State:
        """Where the node is."""
        return self.snapshot.state

    @property
    def doing(self) -> Effect | None:
        """The open effect."""
        return self.snapshot.open.effect if self.snapshot.open else None

    @property
    def wait(self) -> tuple[DueKind, int]:
        """What is awaited, and in how many milliseconds."""
        assert self.snapshot.awaited is not None
        return self.snapshot.awaited.kind, self.snapshot.awaited.at - self.now


def helper(verdict: Verdict, *, keeps: bool = False, key: bool = False) -> HelperFacts:
    """What a helper answers."""
    return HelperFacts("4e" * 32, verdict, "a word", keeps, key)


def through(effect: Effect) -> Scene:
    """A node for which this effect is open, in its first generation."""
    if effect in {Effect.EXCHANGE_KEY, Effect.WRAP_KEY}:
        return Scene(CARRIED, supplied=True).until(effect)
    return (Scene(X509) if effect is Effect.NEW_CSR else Scene()).until(effect)


def reached(state: State) -> Scene:
    """A node of which this fact holds, in its first generation."""
    return Scene().to(state)
