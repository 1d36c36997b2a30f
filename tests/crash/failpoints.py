"""The failpoints: where a process can die so that it matters, and for which effects each of them exists.

Rules:
1. A member is a place in the life of one effect, or of the database; its sentence says what is durable there.
2. The matches are exhaustive: a member that they do not know, or that has no way to die, fails its test.
3. The tests and the matrix go over `list(Failpoint)`: a new member is a new test by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

from fsm.effects import SPECS, STEPS, Effect, Fact, Feature, Port, steps
from fsm.policy import Policy
from usher.simulator.networks import Kind


class Failpoint(Enum):
    """Where the process dies; the value is the sentence that says what is durable at that moment."""

    AFTER_INTENT = "the intent is committed and in memory; it is not marked as started"
    BEFORE_SEND = "the effect is marked as started; nothing of the request has left the process"
    AFTER_SEND = "the broker has read the request; its answer is not known"
    AFTER_REPLY = "the helper has answered; nobody but the dying process knows what"
    BEFORE_OUTCOME = "all statements that close the effect have run; COMMIT has not"
    IN_BATCH = "half of the statements of a batch have run, and their pages are in the log already"
    AFTER_COMMIT = "COMMIT has returned; memory, timers, metrics and the log line do not know yet"
    IN_MIGRATION = "an older database is being brought up to date: its backup, its statements, its COMMIT"
    IN_CHECKPOINT = "the pages of the log are being written back into the database"

    @property
    def label(self) -> str:
        """What the matrix calls it."""
        return self.name.lower().replace("_", " ")


_THROUGH: Final = {effect for state in STEPS for effect in steps(state, Policy().features)}
_CERTIFIED: Final = frozenset({Feature.JWT, Feature.PKI, Fact.HELPER_KEY})
_OTHERWISE: Final = {Effect.FETCH_INVENTORY, Effect.RESTART, Effect.LOOK}
"""What is done to a node with a certificate as it is to one with a token."""
_ALL: Final[dict[Kind, set[Effect]]] = {
    Kind.ISSUER: _THROUGH | {Effect.SHUTDOWN},
    Kind.X509: {effect for state in STEPS for effect in steps(state, _CERTIFIED)} - _OTHERWISE,
}
EFFECTS: Final = {kind: tuple(effect for effect in Effect if effect in chosen) for kind, chosen in _ALL.items()}
"""What is done to a node of each fleet that is simulated here, and the shutdown that a helper may wish."""


def effects_of(failpoint: Failpoint, kind: Kind = Kind.ISSUER) -> tuple[Effect, ...]:
    """For which effects of a fleet a failpoint exists: each of them is a cell of the matrix.

    No database of schema version 1 has nodes with certificates: they are not migrated.
    """
    match failpoint:
        case Failpoint.BEFORE_SEND | Failpoint.AFTER_SEND:
            return tuple(effect for effect in EFFECTS[kind] if SPECS[effect].port is Port.RPC)
        case Failpoint.AFTER_REPLY:
            return (Effect.RUN_HELPER,)
        case Failpoint.IN_MIGRATION:
            return EFFECTS[kind] if kind is Kind.ISSUER else ()
        case (
            Failpoint.AFTER_INTENT
            | Failpoint.BEFORE_OUTCOME
            | Failpoint.IN_BATCH
            | Failpoint.AFTER_COMMIT
            | Failpoint.IN_CHECKPOINT
        ):
            return EFFECTS[kind]
        case _:
            assert_never(failpoint)


def sample_of(failpoint: Failpoint) -> Effect:  # noqa: PLR0911 one answer a member
    """At which effect the sample of `make test` dies there; all of them in one life, in the order of its effects.

    None of them is the restart: one that was marked and not sent would have its node wait for a minute.
    """
    match failpoint:
        case Failpoint.AFTER_INTENT | Failpoint.IN_MIGRATION:
            return Effect.FETCH_JWT
        case Failpoint.BEFORE_SEND:
            return Effect.FETCH_INVENTORY
        case Failpoint.AFTER_SEND | Failpoint.BEFORE_OUTCOME:
            return Effect.NEW_KEY
        case Failpoint.AFTER_REPLY:
            return Effect.RUN_HELPER
        case Failpoint.IN_BATCH:
            return Effect.SIGN_TOKEN
        case Failpoint.AFTER_COMMIT:
            return Effect.CONFIGURE
        case Failpoint.IN_CHECKPOINT:
            return Effect.LOOK
        case _:
            assert_never(failpoint)


@dataclass(frozen=True, slots=True)
class Death:
    """A death that is to be died: where, at which effect, at which of its occurrences in that process (from 1)."""

    failpoint: Failpoint
    effect: Effect
    nth: int

    def words(self) -> list[str]:
        """The arguments of `python -m tests.crash.victim`."""
        return [self.failpoint.name, self.effect.value, str(self.nth)]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the matrix: one life of a fleet, in which the daemon dies at one failpoint of one effect."""

    failpoint: Failpoint
    effect: Effect
    kind: Kind = Kind.ISSUER

    @property
    def retires(self) -> bool:
        """Whether the helper has the nodes shut down, so that there is a shutdown to die at."""
        return self.effect is Effect.SHUTDOWN

    def __str__(self) -> str:
        """For people."""
        return f"{self.kind}: {self.failpoint.label} x {self.effect.value}"


CELLS: Final = tuple(
    Cell(failpoint, effect, kind) for kind in Kind for failpoint in Failpoint for effect in effects_of(failpoint, kind)
)
SAMPLE: Final = (
    Death(Failpoint.AFTER_SEND, Effect.NEW_CSR, 2),
    Death(Failpoint.AFTER_REPLY, Effect.RUN_HELPER, 2),
    Death(Failpoint.AFTER_SEND, Effect.EXCHANGE_KEY, 2),
    Death(Failpoint.BEFORE_OUTCOME, Effect.WRAP_KEY, 1),
    Death(Failpoint.AFTER_SEND, Effect.CONFIGURE, 2),
)
"""What the sample of `make test` dies of a fleet with certificates, in one life."""
