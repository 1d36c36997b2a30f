"""Events: everything that can happen to a node, with the time and the entropy of the moment when it was posted.

Rules:
1. An event is a frozen value; deciding on it needs no clock and no randomness (law 2).
2. A body's trigger is its column in the table; the effect of an outcome is a guard, not a column.
3. What an outcome brings is a payload (fsm.payloads).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from fsm.effects import Effect, EffectId
from fsm.frozen import quick
from fsm.payloads import (
    Ack,
    CsrFacts,
    HelperFacts,
    InventoryFacts,
    JwtFacts,
    KeyFacts,
    PairFacts,
    Payload,
    Sighting,
    TokenFacts,
    Verdict,
    WrapFacts,
)
from fsm.reasons import Reason

__all__ = [
    "FREE",
    "OUTCOMES",
    "PERHAPS",
    "Ack",
    "Body",
    "Certainty",
    "CsrFacts",
    "Done",
    "Due",
    "DueKind",
    "Event",
    "Failed",
    "HelperFacts",
    "Hint",
    "HintKind",
    "InventoryFacts",
    "JwtFacts",
    "KeyFacts",
    "Operator",
    "PairFacts",
    "Payload",
    "Sent",
    "Sighting",
    "TokenFacts",
    "Trigger",
    "Verb",
    "Verdict",
    "WrapFacts",
]


class Certainty(StrEnum):
    """How sure it is that an effect did not succeed (law 5).

    INTERRUPTED is as uncertain as UNKNOWN, and no fault of the node: usher ended, or the way to the broker broke.
    """

    NOT_SENT = "not_sent"
    NOT_DELIVERED = "not_delivered"
    REFUSED = "refused"
    INVALID = "invalid"
    INTERRUPTED = "interrupted"
    UNKNOWN = "unknown"


FREE: Final = frozenset({Certainty.NOT_SENT, Certainty.INTERRUPTED})
"""No fault of the node: it costs no try."""
PERHAPS: Final = frozenset({Certainty.UNKNOWN, Certainty.INTERRUPTED, Certainty.INVALID})
"""It may have happened."""


class HintKind(StrEnum):
    """What a hint was; each brings a look forward and proves nothing (law 7)."""

    STARTUP = "startup"
    LISTED = "listed"
    REGISTRATION = "registration"
    SHUTDOWN = "shutdown"
    SERVER_STARTUP = "server_startup"
    SECOND_ANSWER = "second_answer"


class DueKind(StrEnum):
    """What a node waits for; ADMIT has no time, its turn comes."""

    ADMIT = "admit"
    STEP = "step"
    LOOK = "look"
    RETRY = "retry"


class Verb(StrEnum):
    """What an operator can ask for a node; TAKEOVER is usher's own, who was elected after another led."""

    RETRY = "retry"
    FORGET = "forget"
    QUARANTINE = "quarantine"
    RELEASE = "release"
    REPROVISION = "reprovision"
    RESTART = "restart"
    SHUTDOWN = "shutdown"
    TAKEOVER = "takeover"


class Trigger(StrEnum):
    """The columns of the table."""

    DONE = "done"
    FAILED = "failed"
    HINT_STARTUP = "hint_startup"
    HINT_LISTED = "hint_listed"
    HINT_REGISTRATION = "hint_registration"
    HINT_SHUTDOWN = "hint_shutdown"
    HINT_SERVER_STARTUP = "hint_server_startup"
    HINT_SECOND_ANSWER = "hint_second_answer"
    DUE_ADMIT = "due_admit"
    DUE_STEP = "due_step"
    DUE_LOOK = "due_look"
    DUE_RETRY = "due_retry"
    OPERATOR_RETRY = "operator_retry"
    OPERATOR_FORGET = "operator_forget"
    OPERATOR_QUARANTINE = "operator_quarantine"
    OPERATOR_RELEASE = "operator_release"
    OPERATOR_REPROVISION = "operator_reprovision"
    OPERATOR_RESTART = "operator_restart"
    OPERATOR_SHUTDOWN = "operator_shutdown"
    OPERATOR_TAKEOVER = "operator_takeover"


_HINTS: Final = {kind: Trigger(f"hint_{kind}") for kind in HintKind}
_DUES: Final = {kind: Trigger(f"due_{kind}") for kind in DueKind}
_VERBS: Final = {verb: Trigger(f"operator_{verb}") for verb in Verb}


@quick
@dataclass(frozen=True, slots=True)
class Sent:
    """When a request was handed to which connection: `at` in milliseconds since 1970, `connection` names one login.

    `leaps` says by how much the clock had been set by then (fsm.leaps).
    """

    at: int
    connection: str
    leaps: int = 0


@quick
@dataclass(frozen=True, slots=True)
class Done:
    """The open effect succeeded."""

    effect: Effect
    id: EffectId
    facts: Payload
    sent: Sent | None = None
    trigger: ClassVar[Trigger] = Trigger.DONE


@quick
@dataclass(frozen=True, slots=True)
class Failed:
    """The open effect did not succeed, with how certain that is; `transient` says that trying again may help."""

    effect: Effect
    id: EffectId
    certainty: Certainty
    reason: Reason
    detail: str = ""
    transient: bool = True
    sent: Sent | None = None
    trigger: ClassVar[Trigger] = Trigger.FAILED


@quick
@dataclass(frozen=True, slots=True)
class Hint:
    """Somebody said something about the node; it may be forged."""

    kind: HintKind

    @property
    def trigger(self) -> Trigger:
        """The column of the table."""
        return _HINTS[self.kind]


@quick
@dataclass(frozen=True, slots=True)
class Due:
    """The time that the snapshot waited for has come (`at` is the snapshot's own due time), or its turn (0)."""

    kind: DueKind
    at: int = 0

    @property
    def trigger(self) -> Trigger:
        """The column of the table."""
        return _DUES[self.kind]


@quick
@dataclass(frozen=True, slots=True)
class Operator:
    """An operator's wish; `plan` is when a plan was begun that asks many (milliseconds; 0: none), `force` insists."""

    verb: Verb
    name: str
    reason: str
    plan: int = 0
    force: bool = False

    @property
    def trigger(self) -> Trigger:
        """The column of the table."""
        return _VERBS[self.verb]


Body = Done | Failed | Hint | Due | Operator
OUTCOMES: Final = (Done, Failed)
"""What ends an effect, for isinstance: there a union would be made anew at each question."""


@quick
@dataclass(frozen=True, slots=True)
class Event:
    """A body, the time at which it was posted (milliseconds since 1970), 16 bytes drawn then, and the epoch.

    `leaps` says by how much the clock had been set by then (milliseconds, fsm.leaps).
    """

    at: int
    entropy: bytes
    body: Body
    epoch: int = 0
    leaps: int = 0
