"""What the runtime tells: each transition once, after it is durable.

Rules:
1. An observer is told after the commit, never before (law 4): metrics, logs and counts cannot run ahead of the journal.
2. An observer only looks; what it raises is a bug and ends the process like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fsm.effects import Intent
from fsm.events import Event
from fsm.frozen import quick
from fsm.machine import Decision, Rejected
from fsm.ports import Outcome
from fsm.snapshot import Snapshot


@quick
@dataclass(frozen=True, slots=True)
class Transition:
    """A committed transition; `decided` and `committed` are the seconds that deciding and then committing took."""

    before: Snapshot
    event: Event
    decision: Decision
    decided: float
    committed: float


class Observer(Protocol):
    """Told what happens."""

    def moved(self, transition: Transition) -> None:
        """A transition is durable."""
        ...

    def rejected(self, node: str, event: Event, rejected: Rejected) -> None:
        """An event changed nothing."""
        ...

    def ended(self, intent: Intent, outcome: Outcome, seconds: float) -> None:
        """An effect was carried out."""
        ...

    def crashed(self, node: str, error: Exception) -> None:
        """A bug of usher showed in the handling of this node."""
        ...
