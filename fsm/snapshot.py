"""The snapshot: everything that is known of one node, in at most a kilobyte.

Rules:
1. A snapshot is frozen; a decision makes the next one.
2. It is the fold of the node's history: whatever a row needs to know stands here.
3. No blob and no secret: digests name the first, the vault holds the second.
4. A node is at rest, held, waiting for admission, or has exactly one of a due time and an open step (invariant 9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fsm.demand import Demand
from fsm.effects import Effect, EffectId
from fsm.events import DueKind
from fsm.frozen import quick
from fsm.payloads import (
    CsrFacts,
    HelperFacts,
    InventoryFacts,
    JwtFacts,
    KeyFacts,
    PairFacts,
    TokenFacts,
    WrapFacts,
)
from fsm.reasons import Reason
from fsm.states import ENDS, State


@quick
@dataclass(frozen=True, slots=True)
class Facts:
    """What this generation has learnt; `at` is the time of the first of them (milliseconds), 0 before.

    `pairs` counts the exchanges of this generation.
    """

    at: int = 0
    jwt: JwtFacts | None = None
    inventory: InventoryFacts | None = None
    key: KeyFacts | None = None
    helper: HelperFacts | None = None
    token: TokenFacts | None = None
    configured: str = ""
    csr: CsrFacts | None = None
    pair: PairFacts | None = None
    wrap: WrapFacts | None = None
    pairs: int = 0


NOTHING: Final = Facts()


@quick
@dataclass(frozen=True, slots=True)
class Doing:
    """The current step. While `open` it may be sent; otherwise it waits for its due time or is over.

    `seq`, `at`, `entropy` and `signer` belong to its first opening in this generation and stay the same when it is
    tried again; `opened` (the history row), `since` (its time) and `epoch` belong to the latest opening. `tries`
    counts openings that cost one.
    """

    effect: Effect
    seq: int
    opened: int
    epoch: int
    tries: int
    at: int
    entropy: bytes
    since: int
    open: bool
    signer: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Awaited:
    """The one due time: when (milliseconds since 1970), what for, and how long it was to wait when it was set."""

    at: int
    kind: DueKind
    span: int


@quick
@dataclass(frozen=True, slots=True)
class Quiet:
    """An unanswered request that changes the node may live until `until`.

    `connection` and `since` say where and when it was sent, `digest` names the bytes if it was a configuration.
    """

    until: int
    connection: str
    since: int
    digest: str


@quick
@dataclass(frozen=True, slots=True)
class Parting:
    """The restart or shutdown that was sent last: when, whether it was acknowledged, how many in this generation."""

    at: int = 0
    acknowledged: bool = False
    count: int = 0


@quick
@dataclass(frozen=True, slots=True)
class Looks:
    """What the looks since the parting have seen: how often in a row gone (over which connection), how often silent."""

    gone: int = 0
    connection: str = ""
    silent: int = 0


NO_PARTING: Final = Parting()
NO_LOOKS: Final = Looks()


@quick
@dataclass(frozen=True, slots=True)
class Snapshot:
    """One node.

    `since` is when it entered its state, `first` when it was first seen, `looked` when a hint last made us look
    (milliseconds since 1970). `failures` counts generations that failed in a row, `absences` how often in a row
    nobody was there, `returns` how often it came back from our own restart, `answered` whether it has ever answered.
    `let_in` is the mark of the site's token that it let us in with last, `demand` what an operator asked of it last in
    the fleet; both outlive generations. `pairing` is what an unanswered request may leave alive that has the node make
    another half of a shared secret (fsm.pairing). `network` names the one of several in which its newest generation
    began, or in which it was found since; empty where there is but one. `leaps` is by how much the clock had been set
    when the times were written (milliseconds, fsm.leaps).
    """

    node: str
    state: State = State.UNSEEN
    generation: int = 0
    seq: int = 0
    since: int = 0
    first: int = 0
    looked: int = 0
    doing: Doing | None = None
    awaited: Awaited | None = None
    facts: Facts = NOTHING
    quiet: Quiet | None = None
    parting: Parting = NO_PARTING
    looks: Looks = NO_LOOKS
    answered: bool = False
    failures: int = 0
    absences: int = 0
    returns: int = 0
    held: bool = False
    failed_from: State | None = None
    reason: Reason | None = None
    detail: str = ""
    evidence: str = ""
    provisioned_at: int = 0
    previous_key: str = ""
    previous_token: str = ""
    let_in: str = ""
    pairing: Quiet | None = None
    demand: Demand | None = None
    network: str = ""
    leaps: int = 0

    @property
    def open(self) -> Doing | None:
        """The step that may be sent now, None while nothing is under way."""
        doing = self.doing
        return doing if doing is not None and doing.open else None

    @property
    def resting(self) -> bool:
        """At rest: an end state, or no record."""
        return (self.state in ENDS or self.state is State.UNSEEN) and self.open is None and self.awaited is None

    @property
    def waiting_for_admission(self) -> bool:
        """In the waiting room."""
        return self.state is State.DISCOVERED and self.open is None and self.awaited is None

    @property
    def active(self) -> bool:
        """Something is under way, due, or its turn is to come: such nodes are kept in memory."""
        return self.awaited is not None or self.open is not None or self.state is State.DISCOVERED

    def effect_id(self) -> EffectId | None:
        """The identity of the open step."""
        doing = self.open
        if doing is None:
            return None
        return EffectId(self.node, doing.epoch, self.generation, doing.seq, doing.opened, doing.tries)

    def sound(self) -> bool:
        """Invariant 9: at rest, held, waiting for admission, or exactly one of a due time and an open step."""
        under_way = (self.open is not None) + (self.awaited is not None)
        if self.held or self.state is State.UNSEEN:
            return under_way == 0
        if self.state in ENDS or self.state is State.DISCOVERED:
            return under_way <= 1
        return under_way == 1


def unseen(node: str) -> Snapshot:
    """The snapshot of a node that nobody has seen."""
    return Snapshot(node)
