"""What is asked of one life: a node's history, decided again row by row.

Rules:
1. A check is a generator of violations over the moves of a life; it reads no database.
2. Each follows one sentence of design §6, in other words than the guards of the table.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fsm.effects import Effect
from fsm.events import Certainty, Done, Event, Failed, Sighting, TokenFacts
from fsm.machine import Decision
from fsm.reasons import Reason
from fsm.snapshot import Snapshot, unseen
from fsm.states import State
from store.views import HistoryView

_BY_OPERATOR: Final = frozenset({"release-provisioned"})
_PARTED: Final = frozenset({"restarted", "found-gone", "restarted-unseen"})
_PARTINGS: Final = frozenset({Effect.RESTART, Effect.SHUTDOWN})
_LEFT_UNKNOWN: Final = frozenset({Certainty.UNKNOWN, Certainty.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class Violation:
    """Which invariant (design §6), of which node, at which row of its history (0: none), and what is wrong."""

    invariant: int
    node: str
    seq: int
    what: str

    def __str__(self) -> str:
        """One line."""
        return f"invariant {self.invariant}: {self.node} row {self.seq}: {self.what}"


@dataclass(frozen=True, slots=True)
class Moved:
    """One row of history, decided again: the snapshots around it, the recorded event, what opened."""

    row: HistoryView
    event: Event
    before: Snapshot
    after: Snapshot
    decision: Decision


@dataclass
class Life:
    """A node's history as it folds."""

    node: str
    moves: list[Moved] = field(default_factory=list)

    @property
    def snapshot(self) -> Snapshot:
        """Where it ends."""
        return self.moves[-1].after if self.moves else unseen(self.node)


def steps_are_sound(life: Life) -> Iterator[Violation]:
    """Each snapshot is at rest, held, waiting for admission, or has one of a due time and an open step."""
    for move in life.moves:
        if not move.after.sound():
            yield Violation(9, life.node, move.row.seq, "neither at rest, held, waiting nor under way")


def evidence(life: Life) -> Iterator[Violation]:
    """Never provisioned without, in this generation, an acknowledged configure, a parting, and the looks."""
    configured, parted, gone, generation = False, False, 0, 0
    for move in life.moves:
        body = move.event.body
        if move.after.generation != generation:
            configured, parted, gone, generation = False, False, 0, move.after.generation
        if isinstance(body, Done) and body.effect is Effect.CONFIGURE:
            configured = True
        parted = parted or move.row.name in _PARTED
        gone = _gone(move, gone)
        arrived = move.row.target is State.PROVISIONED is not move.row.source
        if not arrived or move.row.name in _BY_OPERATOR:
            continue
        enough = gone >= 2 or move.after.evidence == "silence"
        if not (configured and parted and enough):
            missing = [
                word
                for word, had in (("a configure", configured), ("a restart", parted), ("two looks", enough))
                if not had
            ]
            yield Violation(5, life.node, move.row.seq, f"provisioned without {', '.join(missing)}")


def _gone(move: Moved, gone: int) -> int:
    """How many looks in a row found nobody; whoever is sent a restart and is not there counts as the first."""
    body = move.event.body
    if isinstance(body, Done) and isinstance(body.facts, Sighting):
        return 0 if body.facts.present else gone + 1
    return gone + (move.row.name == "restarted-unseen")


def partings(life: Life) -> Iterator[Violation]:
    """A restart or a shutdown is never sent blindly again, and not to a node that is known to have left."""
    unknown: Effect | None = None
    left, generation = False, 0
    for move in life.moves:
        body, opens = move.event.body, move.decision.opens
        if move.after.generation != generation:
            unknown, left, generation = None, False, move.after.generation
        if isinstance(body, Done) and isinstance(body.facts, Sighting):
            unknown, left = None, not body.facts.present
        elif isinstance(body, Failed) and body.effect in _PARTINGS and body.certainty in _LEFT_UNKNOWN:
            unknown = body.effect
        if opens is None or opens.effect not in _PARTINGS:
            continue
        if unknown is not None:
            yield Violation(7, life.node, move.row.seq, f"{opens.effect} while nobody knows of the {unknown} before")
        if left:
            yield Violation(7, life.node, move.row.seq, f"{opens.effect} of a node that was found gone")


def epochs(life: Life) -> Iterator[Violation]:
    """What an earlier process opened is never answered in a later one: it was closed there, and opened anew."""
    for move in life.moves:
        body = move.event.body
        if not isinstance(body, Done | Failed) or body.id.epoch == move.row.epoch:
            continue
        if isinstance(body, Failed) and body.reason is Reason.RESTARTED_US and body.sent is None:
            continue
        yield Violation(8, life.node, move.row.seq, f"{body.effect} of epoch {body.id.epoch} ended in {move.row.epoch}")


def one_credential(life: Life) -> Iterator[Violation]:
    """At most one token for each generation and key; a replacement is a row of its own."""
    signed: defaultdict[tuple[int, str], set[str]] = defaultdict(set)
    replaced: Counter[int] = Counter()
    for move in life.moves:
        body = move.event.body
        replaced[move.after.generation] += move.row.name == "sign-anew"
        if not isinstance(body, Done) or not isinstance(body.facts, TokenFacts):
            continue
        key = move.before.facts.key
        tokens = signed[move.before.generation, key.public_key if key else ""]
        tokens.add(body.facts.jti)
        if len(tokens) > 1 + replaced[move.before.generation]:
            yield Violation(12, life.node, move.row.seq, f"{len(tokens)} tokens for one key: {sorted(tokens)}")


OF_A_LIFE: Final = (steps_are_sound, evidence, partings, epochs, one_credential)
