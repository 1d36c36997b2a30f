"""A scene that keeps the rows of what happens in it, as a journal would have them."""

from __future__ import annotations

from hashlib import sha256

from fsm.codec import encode_payload
from fsm.events import Body, Event
from fsm.machine import Decision
from fsm.policy import Policy
from fsm.replay import Recorded
from fsm.snapshot import Snapshot
from fsm.states import State
from fsm.table import VERSION
from tests.unit.fsm.scenes import Scene


def recorded(source: State, event: Event, decision: Decision, policy: Policy) -> Recorded:
    """The row of a decision."""
    payload, opens, after = encode_payload(event, ""), decision.opens, decision.snapshot
    return Recorded(
        after.node, after.seq, event.at, after.generation, VERSION, policy.hash, event.body.trigger.value,
        decision.row.name, source.value, after.state.value, sha256(payload).hexdigest(), payload,
        opens.effect.value if opens else None, opens.id.tries if opens else None, opens.id.seq if opens else None,
    )  # fmt: skip


class Journal(Scene):
    """One node's life, its rows, and the snapshot after each."""

    def __init__(self, policy: Policy | None = None) -> None:
        super().__init__(policy or Policy())
        self.rows: list[Recorded] = []
        self.snapshots: list[Snapshot] = []

    def post(self, body: Body) -> Scene:
        """Something happens now."""
        before = self.snapshot.state
        event = Event(self.now, self.entropy, body, self.epoch)
        super().post(body)
        if isinstance(self.last, Decision):
            self.rows.append(recorded(before, event, self.last, self.policy))
            self.snapshots.append(self.snapshot)
        return self
