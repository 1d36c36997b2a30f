"""Recovery: what a start makes of the effects that an earlier process left open.

Rules (design §4):
1. Recovery is not a second mechanism: each open effect is closed by an ordinary event, and the table opens it again.
2. What was only intended was not sent; what was started may have happened, and costs no try either.
3. Nothing here decides; what a start did to whom is read from the transitions that it made.
"""

from __future__ import annotations

from fsm import pairing, quiet
from fsm.events import Certainty, DueKind, Event, Failed
from fsm.reasons import Reason
from fsm.snapshot import Snapshot


def interruption(snapshot: Snapshot, *, started: bool) -> Failed | None:
    """What closes what an earlier epoch left open; None when nothing is open."""
    doing, identity = snapshot.open, snapshot.effect_id()
    if doing is None or identity is None:
        return None
    certainty = Certainty.INTERRUPTED if started else Certainty.NOT_SENT
    return Failed(doing.effect, identity, certainty, Reason.RESTARTED_US)


def closed_by_a_start(event: Event) -> Failed | None:
    """The body of such an event; None if it is another."""
    body = event.body
    return body if isinstance(body, Failed) and body.reason is Reason.RESTARTED_US else None


def waits_until_quiet(snapshot: Snapshot) -> bool:
    """Whether the step that is due next may not open then, since an earlier request may still be alive."""
    awaited, doing = snapshot.awaited, snapshot.doing
    if awaited is None or doing is None or awaited.kind is not DueKind.STEP:
        return False
    still = snapshot.quiet
    opens_late = still is not None and awaited.span > 0 and awaited.at == still.until
    beside = pairing.forbids(snapshot.pairing, doing.effect, awaited.at - 1)  # due at its end, it has waited for it
    return opens_late or beside or quiet.forbids(still, doing.effect, snapshot.facts, awaited.at)
