"""Openings: which effects the rows of a node's history opened, and how each ended.

Rules:
1. It reads the journal of effects by the history rows that opened them; nothing is derived from payloads.
2. One query, bounded by the seqs that it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fsm.effects import Effect
from fsm.events import Certainty
from fsm.reasons import Reason
from store.entries import Status
from store.newer import Newer, known, known_or_none
from store.reader import Reader

_OPENINGS: Final = """
SELECT e.position AS position, h.seq AS seq, e.effect AS effect, e.try AS tries, e.status AS status,
  e.certainty AS certainty, e.reason AS reason, e.closed_at AS closed_at
FROM history h JOIN effects e ON e.position = h.position
WHERE {} ORDER BY e.position
"""
_OF_NODE: Final = _OPENINGS.format("h.node = ? AND h.seq BETWEEN ? AND ?")
_BETWEEN: Final = _OPENINGS.format("e.position BETWEEN ? AND ?")


@dataclass(frozen=True, slots=True)
class OpeningView:
    """An effect that history row `seq` opened; certainty, reason and time of its end are None while there is none."""

    position: int
    seq: int
    effect: Effect | Newer
    tries: int
    status: Status | Newer
    certainty: Certainty | Newer | None
    reason: Reason | Newer | None
    closed_at: int | None

    def __post_init__(self) -> None:
        """Turn the texts of the database into members, or names of another version."""
        object.__setattr__(self, "effect", known(Effect, self.effect))
        object.__setattr__(self, "status", known(Status, self.status))
        object.__setattr__(self, "certainty", known_or_none(Certainty, self.certainty))
        object.__setattr__(self, "reason", known_or_none(Reason, self.reason))


def openings(reader: Reader, node: str, first: int, last: int) -> tuple[OpeningView, ...]:
    """The effects that a node's rows from seq `first` to `last` opened, in order; raises StoreError."""
    return tuple(OpeningView(**row) for row in reader.rows(_OF_NODE, (node, first, last)))


def openings_between(reader: Reader, first: int, last: int) -> tuple[OpeningView, ...]:
    """The effects that the rows from position `first` to `last` opened, in order; raises StoreError."""
    return tuple(OpeningView(**row) for row in reader.rows(_BETWEEN, (first, last)))
