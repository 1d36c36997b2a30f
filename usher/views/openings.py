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
from store.reader import Reader

_OPENINGS: Final = """
SELECT h.seq AS seq, e.effect AS effect, e.try AS tries, e.status AS status, e.certainty AS certainty,
  e.reason AS reason, e.closed_at AS closed_at
FROM history h JOIN effects e ON e.position = h.position
WHERE h.node = ? AND h.seq BETWEEN ? AND ? ORDER BY h.seq
"""


@dataclass(frozen=True, slots=True)
class OpeningView:
    """An effect that history row `seq` opened; certainty, reason and time of its end are None while there is none."""

    seq: int
    effect: Effect
    tries: int
    status: Status
    certainty: Certainty | None
    reason: Reason | None
    closed_at: int | None

    def __post_init__(self) -> None:
        """Turn the texts of the database into members."""
        object.__setattr__(self, "effect", Effect(self.effect))
        object.__setattr__(self, "status", Status(self.status))
        object.__setattr__(self, "certainty", None if self.certainty is None else Certainty(self.certainty))
        object.__setattr__(self, "reason", None if self.reason is None else Reason(self.reason))


def openings(reader: Reader, node: str, first: int, last: int) -> tuple[OpeningView, ...]:
    """The effects that a node's rows from seq `first` to `last` opened, in order; raises StoreError."""
    return tuple(OpeningView(**row) for row in reader.rows(_OPENINGS, (node, first, last)))
