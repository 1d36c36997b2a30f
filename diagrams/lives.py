"""Lives: nodes driven through the machine, by `decide` and nothing else, to every place where usher could be killed.

Rules:
1. A place is found, never written down: what the table can open or await, a search from the first hint on comes upon.
2. What a restart does is asked of the machine: `interruption` closes what was open, `decide` takes it from there.
3. Chance is taken away, so that the same table gives the same lives: every wait is the longest that it can be.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from fsm import pairing, quiet
from fsm.effects import STEPS, Condition, Effect, Fact, Feature
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
from fsm.machine import Decision, decide
from fsm.policy import Policy
from fsm.reasons import Reason
from fsm.recovery import interruption
from fsm.rows import Row
from fsm.snapshot import Doing, Snapshot, unseen
from fsm.states import State

START: Final = 1_800_000_000_000
_LATER: Final = 500
_LONGEST: Final = bytes(16)
"""The entropy with which every wait is as long as it can be (fsm.retry.spread)."""
_FOLLOWED: Final = 8
_DIGEST: Final = "4e" * 32
GONE: Final = Sighting(present=False)
SAME: Final = Sighting(present=True, age=86_400_000)
NEW: Final = Sighting(present=True, age=0)

ANSWERS: Final[Mapping[Effect, tuple[Payload, ...]]] = {
    Effect.FETCH_JWT: (JwtFacts(_DIGEST, "jti", provisions_by_default=True),),
    Effect.FETCH_INVENTORY: (InventoryFacts(_DIGEST, "0.30.0", upgradable=False),),
    Effect.NEW_KEY: (KeyFacts("0a" * 32, "/etc/choria"),),
    Effect.NEW_CSR: (CsrFacts(_DIGEST, "5f" * 32, "/etc/choria/ssl"),),
    Effect.RUN_HELPER: (
        *(HelperFacts(_DIGEST, verdict, "") for verdict in Verdict),
        HelperFacts(_DIGEST, Verdict.CONFIGURE, "", key=True),
    ),
    Effect.SIGN_TOKEN: (TokenFacts("token", _DIGEST, 1_900_000_000, ""),),
    Effect.EXCHANGE_KEY: (PairFacts("6a" * 8, "7b" * 8),),
    Effect.WRAP_KEY: (WrapFacts(_DIGEST),),
    Effect.CONFIGURE: (Ack("Wrote 9 lines", _DIGEST),),
    Effect.RESTART: (Ack("restarting"),),
    Effect.SHUTDOWN: (Ack("shutting down"),),
    Effect.LOOK: (GONE, SAME, NEW),
    Effect.SEND_REPROVISION: (Ack("restarting"),),
    Effect.SEND_RESTART: (Ack("restarting"),),
    Effect.SEND_SHUTDOWN: (Ack("shutting down"),),
    Effect.LOOK_IN_FLEET: (GONE, SAME, NEW),
}
"""What each effect can bring, what goes well first."""
DEMANDS: Final = (Verb.REPROVISION, Verb.RESTART, Verb.SHUTDOWN)
"""What an operator can ask of a node in the fleet."""
FAILURES: Final = (
    (Certainty.REFUSED, Reason.REFUSED, True),
    (Certainty.REFUSED, Reason.REFUSED, False),
    (Certainty.REFUSED, Reason.LOCK_HELD, True),
    (Certainty.REFUSED, Reason.KEY_NOT_DECRYPTED, False),
    (Certainty.UNKNOWN, Reason.NO_ANSWER, True),
    (Certainty.NOT_DELIVERED, Reason.ABSENT, True),
    (Certainty.NOT_SENT, Reason.DISCONNECTED, True),
)


@dataclass(frozen=True, slots=True)
class Life:
    """A node at a moment: its snapshot, the time, the policy, and the row that brought it there."""

    policy: Policy
    snapshot: Snapshot
    at: int = START
    row: Row | None = None
    epoch: int = 1

    def post(self, body: Body) -> Life | None:
        """The life after this event; None if it changes nothing."""
        return self.take(Event(self.at, _LONGEST, body, self.epoch))

    def take(self, event: Event) -> Life | None:
        """The same, of an event that is whole."""
        decision = decide(self.snapshot, event, self.policy)
        if not isinstance(decision, Decision):
            return None
        return replace(self, snapshot=decision.snapshot, at=event.at, row=decision.row)

    def later(self, milliseconds: int) -> Life:
        """Time passes."""
        return replace(self, at=self.at + milliseconds)

    def due(self) -> Life | None:
        """What it awaits comes, or its turn."""
        awaited = self.snapshot.awaited
        if awaited is None:
            return self.post(Due(DueKind.ADMIT))
        return replace(self, at=max(self.at, awaited.at)).post(Due(awaited.kind, awaited.at))

    def done(self, facts: Payload) -> Life | None:
        """The open effect succeeds."""
        doing, identity = self.snapshot.open, self.snapshot.effect_id()
        sent = Sent(self.at, f"c{self.epoch}")
        return None if doing is None or identity is None else self.post(Done(doing.effect, identity, facts, sent))

    def fails(self, certainty: Certainty, reason: Reason, *, transient: bool = True) -> Life | None:
        """The open effect does not succeed."""
        doing, identity = self.snapshot.open, self.snapshot.effect_id()
        if doing is None or identity is None:
            return None
        sent = None if certainty is Certainty.NOT_SENT else Sent(self.at, f"c{self.epoch}")
        return self.post(Failed(doing.effect, identity, certainty, reason, "", transient, sent))


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What a restart makes of a life.

    `first` is the node when the row `rows[0]` has closed what was open, `last` when something is open again or it
    rests; `rows` are all that fired on the way, `waited` the milliseconds from the restart to that.
    """

    before: Life
    first: Life
    last: Life
    rows: tuple[Row, ...]
    certainty: Certainty

    @property
    def waited(self) -> int:
        """Milliseconds from the restart until the next effect is open."""
        return self.last.at - self.first.at

    @property
    def opened(self) -> Effect | None:
        """The effect that is open then."""
        return self.last.snapshot.open.effect if self.last.snapshot.open else None

    @property
    def repeated(self) -> bool:
        """Whether that is the same step again, under the same number and with the same order."""
        return _order(self.before.snapshot.open) == _order(self.last.snapshot.open)

    @property
    def tries(self) -> int:
        """How many tries the restart cost."""
        before, after = self.before.snapshot.open, self.last.snapshot.open
        return after.tries - before.tries if before and after and self.repeated else 0

    @property
    def held_back(self) -> tuple[int, tuple[Effect, ...]]:
        """For how many milliseconds which effects may not open, since the interrupted request may still be alive."""
        snapshot, at = self.first.snapshot, self.first.at
        if pairing.forbids(snapshot.pairing, Effect.EXCHANGE_KEY, at) and snapshot.pairing is not None:
            return snapshot.pairing.until - at, (Effect.EXCHANGE_KEY,)
        known = (effect for effect in Effect if effect not in _foreign(self.before))
        forbidden = tuple(effect for effect in known if quiet.forbids(snapshot.quiet, effect, snapshot.facts, at))
        return (snapshot.quiet.until - at if snapshot.quiet and forbidden else 0), forbidden

    @property
    def anew(self) -> bool:
        """Whether a new generation began."""
        return self.last.snapshot.generation != self.before.snapshot.generation


def killed(life: Life, *, started: bool, down: int = 0) -> Aftermath:
    """Usher is killed while an effect is open, and starts again after `down` milliseconds."""
    closing, epoch = interruption(life.snapshot, started=started), life.epoch + 1
    if closing is None:
        raise ValueError("nothing is open")
    first = replace(life, epoch=epoch).take(Event(life.at + down, _LONGEST, closing, epoch))
    if first is None or first.row is None:
        raise ValueError("the table does not take it")
    last, rows = _followed(first)
    return Aftermath(life, first, last, (first.row, *rows), closing.certainty)


def _foreign(life: Life) -> frozenset[Effect]:
    """The effects of features that are off, and of facts that do not hold."""
    helper = life.snapshot.facts.helper
    facts: frozenset[Condition] = frozenset({Fact.HELPER_KEY} if helper and helper.key else ())
    steps = [step for phase in STEPS.values() for step in phase]
    holding = life.policy.features | facts
    return frozenset(step.effect for step in steps if step.when is not None and step.when not in holding)


def _order(doing: Doing | None) -> tuple[Effect, int, int, bytes] | None:
    return (doing.effect, doing.seq, doing.at, doing.entropy) if doing else None


def _followed(life: Life) -> tuple[Life, tuple[Row, ...]]:
    """The life once something is open or nothing is awaited any more, and the rows that fired on the way."""
    rows: list[Row] = []
    while life.snapshot.awaited is not None and len(rows) < _FOLLOWED:
        after = life.due()
        if after is None or after.row is None:
            break
        life = after
        rows.append(after.row)
    return life, tuple(rows)


# -- the search -------------------------------------------------------------------------------------------------------


@cache
def places() -> tuple[Life, ...]:
    """One life for each state, open or planned effect, due time and row that leads there, the nearest first."""
    found: dict[object, Life] = {}
    waiting = deque(Life(Policy(features=features), unseen("web1.example.net")) for features in ways())
    while waiting:
        for after in _next(waiting.popleft()):
            if _place(after) not in found:
                found[_place(after)] = after
                waiting.append(after.later(_LATER))
    return tuple(found.values())


def ways() -> tuple[frozenset[Feature], ...]:
    """The sets of features that are driven: the token's reading, with each of the others."""
    return tuple(frozenset({Feature.JWT, feature}) for feature in Feature if feature is not Feature.JWT)


@cache
def openings() -> Mapping[tuple[State, Effect], Life]:
    """For each effect in each state in which it can be open, the nearest life where it is; in the order of both."""
    found: dict[tuple[State, Effect], Life] = {}
    for life in places():
        doing = life.snapshot.open
        if doing is not None:
            found.setdefault((life.snapshot.state, doing.effect), life)
    states, effects = list(State), list(Effect)
    return dict(sorted(found.items(), key=lambda item: (states.index(item[0][0]), effects.index(item[0][1]))))


@cache
def waits() -> tuple[Life, ...]:
    """One life for each state, due time and row that set it."""
    found = [life for life in places() if life.snapshot.awaited is not None]
    states = list(State)
    return tuple(sorted(found, key=lambda life: states.index(life.snapshot.state)))


def _next(life: Life) -> Iterator[Life]:
    snapshot = life.snapshot
    if snapshot.open is not None:
        steps = [life.done(facts) for facts in ANSWERS[snapshot.open.effect]]
        steps += [life.fails(certainty, reason, transient=transient) for certainty, reason, transient in FAILURES]
    elif snapshot.awaited is not None or snapshot.waiting_for_admission:
        steps = [life.due()]
    else:
        steps = [life.post(Hint(HintKind.LISTED)), *(life.post(Operator(verb, "root", "why")) for verb in DEMANDS)]
    yield from (after for after in steps if after is not None)


def _place(life: Life) -> object:
    snapshot, awaited = life.snapshot, life.snapshot.awaited
    doing, looks, parting = snapshot.doing, snapshot.looks, snapshot.parting
    step = (doing.effect, doing.open) if doing else None
    sent = (min(parting.count, 3), parting.acknowledged, looks.gone > 0, looks.silent, snapshot.quiet is None)
    key = (snapshot.facts.helper is not None and snapshot.facts.helper.key, min(snapshot.facts.pairs, 3))
    due = awaited.kind if awaited else None
    return life.policy.features, snapshot.state, step, due, life.row, sent, min(snapshot.absences, 3), key
