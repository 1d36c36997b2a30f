"""Units: what one decision makes durable.

Rules:
1. A unit is complete: snapshot, history row, what opens, what closes, and what came beside the outcome.
2. What a generation held goes with it: a unit that ends one keeps no blob and no secret.
"""

from __future__ import annotations

from fsm.codec import encode_payload
from fsm.machine import Closed, Decision
from fsm.policy import Policy
from fsm.runtime.mailbox import Letter
from fsm.snapshot import Snapshot
from fsm.table import VERSION
from fsm.unit import Closing, HistoryRow, Unit


def unit(before: Snapshot, letter: Letter, decision: Decision, policy: Policy, epoch: int) -> Unit:
    """The one transaction of this decision."""
    after, event = decision.snapshot, letter.event
    history = HistoryRow(
        node=after.node,
        epoch=epoch,
        generation=after.generation,
        seq=after.seq,
        at=event.at,
        table=VERSION,
        policy=policy.hash,
        event=event.body.trigger.value,
        row=decision.row.name,
        source=before.state,
        target=after.state,
        payload=encode_payload(letter.event, letter.note),
    )
    kept = () if decision.ends else letter.blobs
    secrets = () if decision.ends else letter.secrets
    return Unit(after, history, decision.opens, _closing(decision.closes), kept, secrets, drop=decision.ends)


def _closing(closed: Closed | None) -> Closing | None:
    if closed is None:
        return None
    return Closing(closed.id.opened, closed.certainty, closed.reason, closed.abandoned)
