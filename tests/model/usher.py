"""Usher as the search sees it: the pure `decide`, a journal of one snapshot, and what must hold after every commit.

Rules:
1. Everything that usher remembers is the snapshot and whether its open effect was marked as started.
2. After every decision the invariants of design §6 are checked against what really happened (`Truth` and the net).
3. Every outcome is posted twice: the second time it must be rejected.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fsm import quiet
from fsm.effects import SPECS, Effect, Feature, Intent
from fsm.events import (
    Body,
    Certainty,
    Event,
    Verdict,
)
from fsm.machine import Decision, Rejected
from fsm.pairing import PAIRS
from fsm.policy import Policy
from fsm.recovery import interruption
from fsm.snapshot import Snapshot
from fsm.states import State
from fsm.waits import wait_until_quiet
from tests.model.interpreter import REAL, Decider
from tests.model.outcomes import Outcome, outcome_event
from tests.model.world import LIFE, Mode, Request, Truth, World

ENTROPY = bytes(16)
HARMLESS = PAIRS | {Effect.NEW_KEY}
"""What changes nothing that another effect relies on, but for a half, which is looked at apart."""
APART = 5_000
"""Milliseconds between two looks that may prove that the node is gone (design §3)."""


class Broken(AssertionError):  # noqa: N818 it names what is broken
    """An invariant does not hold"""


@dataclass(frozen=True)
class Rules:
    """What is searched: a decider, a policy (its features say which kind of node), what the helper wants.

    With `supplies` the helper supplies certificate and key. Not `patient`, the search does not look for invariant 7 but
    for what comes of breaking it; without `looks_first` configure does not look before it is sent to an x509 node.

    The search notes in it which rows fired, which effects opened while a configure of the same bytes was alive, which
    row made which effect wait until quiet, and one snapshot of each kind.
    """

    decide: Decider = REAL
    policy: Policy = field(default_factory=Policy)
    verdict: Verdict = Verdict.CONFIGURE
    patient: bool = True
    looks_first: bool = True
    supplies: bool = False
    fired: set[tuple[str, State, str]] = field(default_factory=set)
    overlaps: set[tuple[str, str]] = field(default_factory=set)
    held_back: set[tuple[str, str]] = field(default_factory=set)
    kinds: dict[object, Snapshot] = field(default_factory=dict)

    @property
    def x509(self) -> bool:
        """Whether nodes have certificates."""
        return Feature.PKI in self.policy.features


X509 = Policy(features=frozenset({Feature.JWT, Feature.PKI}))
CARRIED = Policy(features=frozenset({Feature.JWT}))
"""A network whose helper supplies certificates and keys."""
"""A network whose nodes have certificates."""


def kind(snapshot: Snapshot) -> object:
    """What two snapshots must share to be of one kind: the state, and what is under way or awaited."""
    step = snapshot.doing
    due = snapshot.awaited.kind if snapshot.awaited else None
    return snapshot.state, snapshot.held, due, step and (step.effect, step.open)


def must(holds: object, number: int, what: str) -> None:
    """Invariant `number` of design §6."""
    if not holds:
        raise Broken(f"({number}) {what}")


def post(rules: Rules, world: World, body: Body) -> World:
    """Decide, check, commit."""
    event = Event(world.now, ENTROPY, body, world.epoch)
    decision = rules.decide(world.snapshot, event, rules.policy)
    if isinstance(decision, Rejected):
        rules.fired.update({(decision.row.name, world.snapshot.state, decision.row.trigger)} if decision.row else ())
        return world
    rules.kinds.setdefault(kind(decision.snapshot), decision.snapshot)
    rules.fired.add((decision.row.name, world.snapshot.state, decision.row.trigger))
    after = decision.snapshot
    if wait_until_quiet in decision.row.actions and after.doing and after.awaited and after.awaited.span:
        rules.held_back.add((decision.row.name, after.doing.effect.value))
    anew = after.generation != world.snapshot.generation
    truth = Truth() if anew else world.truth
    _check(rules, world, decision, truth)
    moved = after.effect_id() != world.snapshot.effect_id()
    return world._replace(
        snapshot=after,
        truth=truth,
        waiting=None if moved else world.waiting,
        started=False if moved else world.started,
    )


def conclude(rules: Rules, world: World, outcome: Outcome) -> World:
    """Post the outcome of the open effect, and once more."""
    body = outcome_event(rules, world.snapshot, outcome)
    after = post(rules, world._replace(truth=_learnt(world, outcome)), body)
    again = rules.decide(after.snapshot, Event(world.now, ENTROPY, body, world.epoch), rules.policy)
    must(isinstance(again, Rejected), 3, "an outcome that came twice was taken twice")
    return after


def crash(rules: Rules, world: World) -> World:
    """Usher is killed and starts again: what it held in memory is lost."""
    reborn = world._replace(epoch=world.epoch + 1, connection=world.connection + 1, waiting=None)
    closing = interruption(world.snapshot, started=world.started)
    must((closing is None) == (world.snapshot.open is None), 8, "a start leaves no effect of an older epoch open")
    if closing is None:
        return reborn._replace(started=False)
    certainty = Certainty.INTERRUPTED if world.started else Certainty.NOT_SENT
    after = reborn._replace(truth=_learnt(world, Outcome(certainty)))
    return post(rules, after, closing)._replace(started=False)


# -- outcomes ---------------------------------------------------------------------------------------------------------


def _learnt(world: World, outcome: Outcome) -> Truth:  # noqa: PLR0911 one line for each fact
    truth, doing = world.truth, world.snapshot.open
    effect = doing.effect if doing else None
    answered = outcome.certainty is None and not outcome.reply.refusal
    gone = (*truth.gone, (outcome.sent.at, outcome.sent.connection))[-2:] if outcome.sent else ()
    if outcome.certainty is None and outcome.reply.nobody:
        return truth._replace(gone=gone, silent=0) if effect in {Effect.LOOK, Effect.RESTART} else truth
    if effect is Effect.CONFIGURE and answered:
        return truth._replace(configured=True)
    if effect is Effect.RESTART and answered:
        return truth._replace(parted=2, gone=(), silent=0)
    if effect is Effect.RESTART and outcome.certainty in {Certainty.UNKNOWN, Certainty.INTERRUPTED}:
        return truth._replace(parted=1, gone=(), silent=0)
    if effect is Effect.LOOK and answered:
        return truth._replace(gone=(), silent=0)
    if effect is Effect.LOOK and outcome.certainty is Certainty.UNKNOWN:
        return truth._replace(gone=(), silent=truth.silent + 1)
    return truth


# -- the invariants ---------------------------------------------------------------------------------------------------


def _check(rules: Rules, world: World, decision: Decision, truth: Truth) -> None:
    before, after = world.snapshot, decision.snapshot
    must(after.seq == before.seq + 1, 2, "seq is dense")
    must(after.sound(), 9, "at rest, held, waiting for admission, or exactly one of a due time and an open effect")
    moved = after.effect_id() != before.effect_id()
    closes = decision.closes.id if decision.closes else None
    must(closes == (before.effect_id() if moved else None), 3, "what was open is closed before anything opens")
    opened = decision.opens.id if decision.opens else None
    must(opened == (after.effect_id() if moved else None), 3, "what is open was opened by this decision")
    if decision.opens is not None:
        young = world.now - after.facts.at < rules.policy.facts_max_age
        assert young or not after.facts.at or after.state is State.PROVISIONED, "the search leaves out the facts' age"
        must(decision.opens.id.epoch == world.epoch, 8, "no effect of an older epoch")
        if rules.patient:
            _check_quiet(rules, world, after, decision.opens)
    if after.state is State.PROVISIONED and State.PROVISIONED not in {before.state, before.failed_from}:
        _check_evidence(after, truth, rules.policy.silent_looks)


def _check_evidence(after: Snapshot, truth: Truth, wanted: int) -> None:
    must(truth.configured, 5, "provisioned without an acknowledged configure in this generation")
    must(truth.parted, 5, "provisioned without a restart")
    if after.evidence == "silence":
        must(
            truth.parted == 2 and truth.silent >= wanted,
            5,
            "silence counts after an acknowledged restart, again and again",
        )
        return
    must(len(truth.gone) == 2, 5, "gone counts when two looks in a row say so")
    (first, one), (second, other) = truth.gone
    must(one == other, 5, "gone counts over one connection")
    must(second - first >= APART, 5, "gone counts when the looks are 5 s apart")


def _check_quiet(rules: Rules, world: World, after: Snapshot, opens: Intent) -> None:
    if opens.effect is Effect.EXCHANGE_KEY:
        for request in world.net:
            must(request.effect not in PAIRS or not alive(world, request), 7, f"beside {request.effect}")
    if not SPECS[opens.effect].changes_node or opens.effect is Effect.NEW_KEY:
        return
    same = quiet.configuration(after.facts)
    for request in world.net:
        if request.effect in HARMLESS or not alive(world, request):
            continue
        harmless = request.effect is Effect.CONFIGURE and request.configuration == same
        if harmless and opens.effect in {Effect.CONFIGURE, Effect.RESTART}:
            rules.overlaps.add((opens.effect.value, request.effect.value))
            continue
        raise Broken(f"(7) {opens.effect} opens while an unanswered {request.effect} is alive")


def check_start(world: World) -> None:
    """Invariant 6 of an x509 node that starts: its certificate is for the key that it holds.

    One way to lose such a node is its own, and no provisioner can close it: it is being provisioned anew with an
    older configuration on its disk, has made its new key, and restarts by itself before it gets the certificate.
    """
    node = world.node
    between = not node.ours and not world.truth.configured
    must(node.mode is not Mode.DEAD or between, 6, "the certificate is for another key: the node is dead")


def alive(world: World, request: Request) -> bool:
    """Whether a request in the net can still be carried out."""
    for_the_lost = request.effect is Effect.CONFIGURE and request.sent <= world.node.lost
    there = request.process in {0, world.node.process} and not for_the_lost
    return there and world.now < request.sent + LIFE
