"""Recovery: what a start makes of the effects that an earlier process left open.

Rules (design §4):
1. Recovery is not a second mechanism: each open effect is closed by an ordinary event, and the table opens it again.
2. What was only intended was not sent; what was started may have happened, and costs no try either.
"""

from __future__ import annotations

from fsm.events import Certainty, Event, Failed
from fsm.reasons import Reason
from fsm.snapshot import Snapshot


def interruption(snapshot: Snapshot, at: int, entropy: bytes, epoch: int, *, started: bool) -> Event | None:
    """The event that closes what an earlier epoch left open; None when nothing is open."""
    doing, identity = snapshot.open, snapshot.effect_id()
    if doing is None or identity is None:
        return None
    certainty = Certainty.INTERRUPTED if started else Certainty.NOT_SENT
    body = Failed(doing.effect, identity, certainty, Reason.RESTARTED_US)
    return Event(at, entropy, body, epoch)
