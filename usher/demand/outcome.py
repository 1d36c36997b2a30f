"""Outcomes: what became of a node that was asked, read from its record and from nothing else.

Rules:
1. A record says under which plan the node was asked last, and how that stands (fsm.demand).
2. Who was sent back into provisioning is done when it is provisioned again, unless nobody waits for that.
3. What is not known is said to be so, and counts as a failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from fsm.demand import OPEN, Standing
from fsm.effects import Effect
from fsm.events import Verb
from fsm.snapshot import Snapshot
from fsm.states import State
from usher.views.text import span, visible


class End(Enum):
    """How it stands with a node; REFUSED: nothing was done to it, and the table says why."""

    UNASKED = "unasked"
    UNDER_WAY = "under way"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """An end, and in words what happened."""

    end: End
    words: str = ""


_WORDS: Final = {
    Standing.NOT_SENT: "it could not be sent",
    Standing.ABSENT: "nobody is in the fleet under this name",
    Standing.REFUSED: "it refused",
    Standing.NO_EFFECT: "it is in the fleet as before, and the request cannot arrive any more",
    Standing.UNKNOWN: "what became of it is not known: it was looked for, in vain",
}
_SAYS: Final = {Effect.SEND_RESTART: "it restarts", Effect.SEND_SHUTDOWN: "it shuts down"}
_UNASKED: Final = Outcome(End.UNASKED)


def outcome(snapshot: Snapshot | None, plan: int, *, waits: bool) -> Outcome:
    """How it stands with a node of this plan; `waits`: until it is provisioned again."""
    demand = snapshot.demand if snapshot is not None else None
    if snapshot is None or demand is None or demand.plan != plan:
        return _UNASKED
    if demand.standing in OPEN:
        if snapshot.open is None and snapshot.awaited is None:
            return Outcome(End.FAILED, "it was given up, and what became of the request is not known")
        return Outcome(End.UNDER_WAY, "looked for" if demand.standing is Standing.LOOKING else "being sent")
    if demand.standing is not Standing.DONE:
        return Outcome(End.FAILED, f"{_WORDS[demand.standing]}{_because(snapshot)}")
    if demand.effect in _SAYS:
        return Outcome(End.DONE, _SAYS[demand.effect])
    return _returned(snapshot, demand.at) if waits else Outcome(End.DONE, "it goes back into provisioning")


def _returned(snapshot: Snapshot, asked: int) -> Outcome:
    if snapshot.state is State.PROVISIONED and snapshot.provisioned_at >= asked:
        return Outcome(End.DONE, f"provisioned again after {span(snapshot.provisioned_at - asked)}")
    if snapshot.state is State.RETIRED:
        return Outcome(End.DONE, "it was shut down at the helper's wish")
    if snapshot.held or snapshot.state in {State.GONE, State.UNSEEN}:
        return Outcome(End.FAILED, f"{snapshot.state}{_because(snapshot)}")
    return Outcome(End.UNDER_WAY, snapshot.state.value)


def late(snapshot: Snapshot | None, seconds: float) -> Outcome:
    """A node that is not back in time."""
    where = f": {snapshot.state}{_because(snapshot)}" if snapshot is not None else ""
    return Outcome(End.FAILED, f"it is not provisioned again within {span(round(seconds * 1000))}{where}")


def _because(snapshot: Snapshot) -> str:
    said = [snapshot.reason.value if snapshot.reason else "", visible(snapshot.detail)]
    told = ": ".join(part for part in said if part)
    return f" ({told})" if told else ""


def waited_for(verb: Verb, within: float) -> bool:
    """Whether a node is done only when it is provisioned again."""
    return verb is Verb.REPROVISION and within > 0
