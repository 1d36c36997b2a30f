"""Units: what one decision makes durable.

Rules:
1. A unit is complete: snapshot, history row, what opens, what closes, and what came beside the outcome.
2. What a generation held goes with it: a unit that ends one keeps no blob and no secret, but what the helper said
   for people to read (fsm.unit.OUTPUT).
"""

from __future__ import annotations

from collections.abc import Sequence

from fsm.codec import encode_payload
from fsm.machine import Closed, Decision
from fsm.policy import Policy
from fsm.runtime.mailbox import Letter
from fsm.snapshot import Snapshot
from fsm.states import State
from fsm.table import VERSION
from fsm.unit import OUTLIVING, OUTPUT, Closing, HistoryRow, Secret, Unit


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
    secrets = _outliving(letter.secrets, after.state) if decision.ends else letter.secrets
    return Unit(after, history, decision.opens, _closing(decision.closes), kept, secrets, drop=decision.ends)


def _outliving(secrets: Sequence[Secret], state: State) -> Sequence[Secret]:
    return [secret for secret in secrets if secret.name == OUTPUT] if secrets and state in OUTLIVING else ()


def _closing(closed: Closed | None) -> Closing | None:
    if closed is None:
        return None
    return Closing(closed.id.opened, closed.certainty, closed.reason, closed.abandoned)
